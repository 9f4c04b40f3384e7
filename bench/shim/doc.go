// Package shim measures what a sandbox costs its programs: the same program runs
// in turns inside and outside, and the ratio is what counts.
package shim
