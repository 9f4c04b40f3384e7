// Package lint finds what compiles and yet is not what its author means: rules
// that never decide, patterns that match something else than they seem to, widths
// that nobody needs, and what a well-known service lacks.
//
// A check is a code of package diag, where its documentation and examples stand,
// and a function here that reports it. Checks read the policy as written and its
// plan; what they say of rules is exact, or they say nothing.
package lint
