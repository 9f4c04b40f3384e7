// Package peers tests against real servers that are too heavy for the module's own
// go.mod: an OCI registry, and what else speaks to us in the field. It is a module
// of its own; make test-peers runs it.
package peers
