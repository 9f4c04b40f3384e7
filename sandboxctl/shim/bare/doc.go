// Package bare runs commands under the shim alone, without namespaces: what
// openshell-exec does in a container that somebody else made.
//
// The process that starts a Sandbox is its supervisor. It executes itself once
// more as the sandbox's init, which confines itself and from then on starts the
// commands; the two talk over a socket pair. When the supervisor goes away,
// however it ends, init kills what still runs; until then every call that needs
// a decision fails.
//
// A program that starts sandboxes calls Main before anything else.
package bare
