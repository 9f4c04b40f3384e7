// Package source is where a gateway's signed bundles come from: a file, a server
// that speaks OPA's bundle protocol, or an OCI registry. It decides which bundle may
// be put in force (signature, name, serial, expiry), remembers the highest serial
// that was, and keeps the last good bundle on disk so that a restart without the
// server starts from it.
//
// OPA's own bundle plugin is not used for the fetching: it reads what a server sends
// without a bound before it verifies it, compiles it with every built-in, and its
// configuration takes no Ed25519 keys; see docs/decisions.
package source
