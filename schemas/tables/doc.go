// Package tables holds what the toolchain knows about the world outside a
// policy, as data: one JSON file a table and one accessor each. Every call
// returns a copy that the caller may change.
//
// The package does no I/O: the files are part of the program.
package tables
