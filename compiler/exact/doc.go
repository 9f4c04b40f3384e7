// Package exact answers questions about what the rules of policies match, without
// asking any evaluator and without sampling: whether one rule matches everything
// that another matches, whether several do so together, whether two rules meet,
// whether a rule matches anything at all. The answer is Yes, No with the shortest
// example, or Unknown where the search would take too long.
//
// Requests, for rules of one or of several policies:
//
//	s := exact.NewRequests(exact.Limit)
//	a := s.Allow(&policy.Network.Outbound[0])      // read as an allow rule
//	b := s.Deny(&policy.Network.Denied[0])         // read as a deny rule
//	s.Covered(a, b, ...)   // do the others match all that a matches?
//	s.Intersect(a, b)      // is there a request that both match?
//	s.Empty(a)             // is there none that a matches?
//
// Path globs of file lists and command patterns:
//
//	exact.PathCovered(glob, others...), PathsIntersect(a, b)
//	exact.CommandCovered(rule, others...), CommandsIntersect(a, b)
//	exact.BlockedCovered(rule, others...)          // structural: Yes or Unknown
//
// Where an answer has an example, Request.String prints it as people write it.
//
// The domain is that of canonical inputs: valid host names, canonical paths,
// cleaned file paths. What a policy decides takes more than its rules: package
// compiler/diff builds on the same search.
package exact

// Limit is the usual bound on the states of one search.
const Limit = 200_000

// Verdict is an answer that does not guess.
type Verdict int

// The verdicts.
const (
	Unknown Verdict = iota
	Yes
	No
)

// String returns the verdict in words.
func (v Verdict) String() string { return [...]string{"unknown", "yes", "no"}[v] }
