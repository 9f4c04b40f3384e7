package exact

import (
	"slices"

	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
)

// Side is one policy of a Requests.
type Side struct {
	*plan.Policy
	number int
	audits bool // some denial may be let through
}

// Policy adds all network rules of a policy, in the order in which they decide.
func (s *Requests) Policy(number int, p *plan.Policy) *Side {
	side := &Side{Policy: p, number: number, audits: p.Mode == schemas.ModeAudit}
	for i := range p.Network.Denied {
		s.DenyOf(number, &p.Network.Denied[i])
	}
	for i := range p.Network.Outbound {
		s.AllowOf(number, &p.Network.Outbound[i])
	}
	for i := range s.rules {
		side.audits = side.audits || s.rules[i].side == number && s.rules[i].Mode == schemas.ModeAudit
	}
	return side
}

// Audits tells whether the policy lets requests pass that it denies.
func (s *Side) Audits() bool { return s.audits }

// Outcome is what one policy makes of a class of requests.
type Outcome struct {
	Allow, Passes bool
	Code          schemas.Code
	Rule          *plan.NetworkRule // nil if none decided
	Place         int               // of Rule in the host class, -1 none
	Tunnel        bool              // passed through unread
}

// Outcome decides a cell as the engine decides its requests: deny rules first,
// then the first allow rule, else the nearest miss.
func (c *Cell) Outcome(s *Side) Outcome {
	near, best := Outcome{Code: schemas.CodeHostNotInPolicy, Passes: s.Mode == schemas.ModeAudit, Place: -1}, StageHost
	for i := range c.aspects.rules {
		r := &c.aspects.rules[i]
		switch {
		case r.side != s.number:
		case c.Matched.Has(i) && r.deny:
			return Outcome{Code: schemas.CodeDeniedRule, Passes: r.Mode == schemas.ModeAudit, Rule: r.NetworkRule, Place: i}
		case c.Matched.Has(i):
			return Outcome{Allow: true, Passes: true, Code: schemas.CodeAllowed, Rule: r.NetworkRule, Place: i, Tunnel: c.tunnel(i)}
		case !r.deny:
			if stage := c.Fails(i); stage > best {
				near, best = missed(r, i, stage, s), stage
			}
		}
	}
	return near
}

// missed is the denial by a rule that fails at a stage.
func missed(r *rule, place int, stage Stage, s *Side) Outcome {
	out := Outcome{Code: stageCodes[stage], Rule: r.NetworkRule, Place: place}
	mode := s.Mode
	if stage >= StageScheme {
		mode = r.Mode
	}
	out.Passes = mode == schemas.ModeAudit && out.Code.Info().AuditLifts
	return out
}

var stageCodes = [...]schemas.Code{
	StagePort: schemas.CodePortNotAllowed, StageScheme: schemas.CodeSchemeNotAllowed, StageBinary: schemas.CodeBinaryNotAllowed,
	StageMethod: schemas.CodeMethodNotAllowed, StagePath: schemas.CodePathNotAllowed, StageSlash: schemas.CodeBadRequest,
	StageQuery: schemas.CodeQueryNotAllowed, StageUpgrade: schemas.CodeWebSocketNotAllowed,
}

func (c *Cell) tunnel(i int) bool { return c.aspects.rules[i].Passthrough }

// Places returns the given rules by their places in a host class.
func (s *Requests) Places(class *HostClass, rules []Rule) Bits {
	out := newBits(len(class.Rules))
	for _, r := range rules {
		if k, ok := slices.BinarySearch(class.Rules, int(r)); ok {
			out.set(k)
		}
	}
	return out
}

// Denies returns the deny rules of a host class that are one side's.
func (s *Requests) Denies(class *HostClass, side *Side) Bits {
	out := newBits(len(class.Rules))
	for i, id := range class.Rules {
		if r := &s.rules[id]; r.deny && r.side == side.number {
			out.set(i)
		}
	}
	return out
}

// Allows returns the rules of a host class that may let a request pass: the
// allow rules of the given sides.
func (s *Requests) Allows(class *HostClass, sides ...*Side) Bits {
	out := newBits(len(class.Rules))
	for i, id := range class.Rules {
		r := &s.rules[id]
		if !r.deny && slices.ContainsFunc(sides, func(s *Side) bool { return s.number == r.side }) {
			out.set(i)
		}
	}
	return out
}

// RulesOf returns the rules of one side in a host class, and which are deny
// rules.
func (s *Requests) RulesOf(class *HostClass, side *Side) (rules []*plan.NetworkRule, deny []bool) {
	for _, id := range class.Rules {
		if r := &s.rules[id]; r.side == side.number {
			rules, deny = append(rules, r.NetworkRule), append(deny, r.deny)
		}
	}
	return rules, deny
}

// Method returns the method of the cell's example.
func (c *Cell) Method() string {
	var r Request
	c.choices[atMethod].fill(&r)
	return r.Method
}

// PathsOf returns the path globs of a rule that the cell's paths match.
func (c *Cell) PathsOf(place int) []string {
	var out []string
	for k, id := range c.aspects.pathIDs[place] {
		if slices.Contains(c.choices[atPath].label, 1+id) {
			out = append(out, c.aspects.rules[place].Paths[k].Source)
		}
	}
	return out
}
