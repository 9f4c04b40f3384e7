package rego

import (
	"regexp"

	"github.com/openshell-policy/openshell/schemas"
)

// FileLists are the globs of a policy's file lists, and what else an enforcement
// point needs to know before any decision.
type FileLists struct {
	schemas.PolicyFiles

	Pipes      bool `json:"-"` // a blocked command has several stages
	Execution  bool `json:"-"` // the policy has an execution clause
	Restricted bool `json:"-"` // and it lists allowed commands
}

// Files returns a policy's file lists.
func (g *Generation) Files(policy string) (FileLists, bool) {
	p := g.policies[policy]
	if p == nil {
		return FileLists{}, false
	}
	f := p.Files
	f.Pipes, f.Execution, f.Restricted = p.Pipes, p.Execution, p.Restricted
	return f, true
}

// QueryShown tells whether a value of a query may be shown: a rule of the policy
// names the key, and one of its patterns matches the value. It is false where that
// is not known, and for a nil generation.
func (g *Generation) QueryShown(policy, key, value string) bool {
	if g == nil || g.policies[policy] == nil {
		return false
	}
	for _, re := range g.policies[policy].shown[key] {
		if re.MatchString(value) {
			return true
		}
	}
	return false
}

// shownOf compiles the patterns of the query keys that rules name. A pattern that
// matches anything tells nothing of a value, which may be a secret.
func shownOf(rules []rule) (map[string][]*regexp.Regexp, error) {
	out := map[string][]*regexp.Regexp{}
	for i := range rules {
		for _, q := range rules[i].Query {
			for _, text := range q.Match {
				re, err := regexp.Compile(text)
				if err != nil {
					return nil, err
				}
				if !re.MatchString("") {
					out[q.Key] = append(out[q.Key], re)
				}
			}
		}
	}
	return out, nil
}
