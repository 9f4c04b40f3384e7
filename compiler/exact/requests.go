package exact

import (
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/automata"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// Rule names a rule of a Requests.
type Rule int

// Requests is the space of requests as the rules that were added divide it.
type Requests struct {
	budget  int
	rules   []rule
	hosts   []hostPattern
	byHost  map[string]int
	classes []HostClass // of hosts, once asked for
	whole   bool        // classes has all
	paths   map[string]divided
}

// divided are the classes of paths by a list of globs, and whether these are all.
type divided struct {
	classes []automata.Class
	whole   bool
}

type rule struct {
	*plan.NetworkRule
	deny bool
	side int
}

type hostPattern struct {
	glob.Pattern
	literal string // without wildcards
	rules   []int
}

// HostClass is a set of hosts that the same rules name.
type HostClass struct {
	Host  string // an example
	Rules []int  // ascending
	// Valid says that the example is a host; else it is not known whether the
	// class has any.
	Valid bool

	aspects *aspects // once a question was asked
}

// NewRequests returns a space without rules. Budget bounds the states of each
// search; Limit is the usual one.
func NewRequests(budget int) *Requests {
	return &Requests{budget: budget, byHost: map[string]int{}, paths: map[string]divided{}}
}

// Allow adds a rule as outbound has it: what cannot be established fails.
func (s *Requests) Allow(r *plan.NetworkRule) Rule { return s.add(r, false, 0) }

// Deny adds a rule as denied has it: what cannot be established matches.
func (s *Requests) Deny(r *plan.NetworkRule) Rule { return s.add(r, true, 0) }

// AllowOf and DenyOf add rules of one of several policies: whether an allow rule
// without paths takes an encoded slash depends on the deny rules of its own.
func (s *Requests) AllowOf(side int, r *plan.NetworkRule) Rule { return s.add(r, false, side) }

// DenyOf adds a deny rule of one of several policies.
func (s *Requests) DenyOf(side int, r *plan.NetworkRule) Rule { return s.add(r, true, side) }

func (s *Requests) add(r *plan.NetworkRule, deny bool, side int) Rule {
	id := len(s.rules)
	s.rules = append(s.rules, rule{r, deny, side})
	s.classes = nil
	literal, ok := r.Host.Literal(".")
	key := literal
	if !ok {
		key = strings.ToLower(r.Host.Source)
	}
	at, known := s.byHost[key]
	if !known {
		at = len(s.hosts)
		s.byHost[key] = at
		s.hosts = append(s.hosts, hostPattern{Pattern: r.Host})
		if ok {
			s.hosts[at].literal = literal
		}
	}
	s.hosts[at].rules = append(s.hosts[at].rules, id)
	return Rule(id)
}

// Hosts returns the classes of hosts, the one that no rule names included, and
// whether these are all.
func (s *Requests) Hosts() ([]HostClass, bool) {
	if s.classes == nil {
		s.divide()
	}
	return s.classes, s.whole
}

func (s *Requests) divide() {
	g := automata.NewGraph()
	for i, p := range s.hosts {
		if p.literal != "" && isAddress(p.literal) {
			s.classes = append(s.classes, HostClass{Host: p.literal, Rules: p.rules, Valid: true})
			continue
		}
		g.Host(p.Pattern, i)
	}
	s.whole = g.Explore(automata.Search{Domain: g.Hosts(), Budget: s.budget * 10, Found: func(c automata.Class) bool {
		s.classes = append(s.classes, s.hostClass(c))
		return true
	}})
}

func (s *Requests) hostClass(c automata.Class) HostClass {
	word := slices.Clone(c.Word)
	slices.Reverse(word)
	out := HostClass{Host: string(word)}
	for _, id := range c.IDs {
		out.Rules = append(out.Rules, s.hosts[id].rules...)
		if l := s.hosts[id].literal; l != "" {
			out.Host = l
		}
	}
	slices.Sort(out.Rules)
	if len(out.Rules) == 0 {
		out.Host = s.stranger(out.Host)
	}
	name, err := canon.Host(out.Host)
	out.Valid = err == nil && name == out.Host
	return out
}

// stranger returns a readable host that no rule names.
func (s *Requests) stranger(otherwise string) string {
	for _, host := range []string{"example.com", "example.org", "unlisted.example"} {
		if !slices.ContainsFunc(s.hosts, func(p hostPattern) bool { return matchesHost(p.Pattern, host) }) {
			return host
		}
	}
	return otherwise
}

func matchesHost(p glob.Pattern, host string) bool {
	if lit, ok := p.Literal("."); ok {
		return lit == host
	}
	tail := ""
	for _, seg := range p.Segments {
		lit, ok := seg.Literal()
		if tail += "." + lit; !ok {
			tail = ""
		}
	}
	return strings.HasSuffix("."+host, tail) // wide enough for a stranger
}

// isAddress tells whether a canonical host is an IP address.
func isAddress(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	return strings.Contains(host, ":") || strings.Trim(last, "0123456789") == ""
}
