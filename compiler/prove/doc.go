// Package prove decides whether invariants hold for a policy: what never passes,
// what always does, and what alone does. The answer is proved, refuted with an
// example that the engine decided, or unknown.
//
// "never" reads its patterns as deny rules are read, "always" and "only" as allow
// rules: so each claim is the stronger of the two readings. Requests and files are
// decided exactly. Of commands, the program is the one whose file has the name;
// the entry point, carriers and helpers are left aside, because what they start is
// judged itself.
package prove

// Verdict is what became of an invariant for a policy.
type Verdict string

// The verdicts.
const (
	Proved  Verdict = "proved"
	Refuted Verdict = "refuted"
	Unknown Verdict = "unknown"
)

// The kinds of claims.
const (
	Never  = "never"
	Always = "always"
	Only   = "only"
)
