// Package diff says what a change of a policy means: for each surface whether
// more or less passes than before, with the rules that bring it about and a
// concrete example of every difference.
//
// What passes counts, not how the rules are written: a denial in audit mode
// passes. The network and files are compared exactly, by the search of package
// exact; commands exactly as far as allowed patterns go, and by the structure of
// patterns where blocked commands and pipelines come in. What neither a proof nor
// an example settles is unknown, never equivalent.
//
// Every example is decided by both policies before it is reported: Policies asks
// the evaluator that it is given. Where analysis and evaluator disagree on a
// usual request, one of them has a fault, which is an error.
package diff
