// Package local runs commands on this machine inside namespaces of their own: a
// read-only view of the host's programs, a workspace, no network but the gateway.
// It works as root and as an ordinary user, without a container engine.
//
// One process supervises each sandbox: it holds the network's listeners and passes
// every connection on to the gateway with a statement of who opened it (bridge),
// answers for names (names), decides files and commands through the exec shim,
// and takes further commands over a socket in the state folder (Control).
package local
