// Package keys reads the key pairs that bundles are signed with: PEM, Ed25519 or
// RSA of at least 2048 bits. The algorithm follows from the kind of key, so that
// nothing that is signed can choose it; ECDSA is left out because its signatures
// differ each time, and equal policies are to give equal bundles.
package keys
