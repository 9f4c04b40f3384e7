// Package analysis joins what lies above the single parts: it asks a policy
// questions as people write them, runs policy tests and tells what changes
// from one policy to another.
package analysis
