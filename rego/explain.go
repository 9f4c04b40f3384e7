package rego

import (
	"strings"

	"github.com/openshell-policy/openshell/schemas"
)

// explain builds a decision as lib/explain.rego does. Without values the rule
// itself decides, and its message is known.
func (g *Generation) explain(in *schemas.DecisionInput, r *rule, mode schemas.Mode, code schemas.Code, values func(string) (string, bool)) schemas.Decision {
	d := schemas.Decision{
		Allow: code == schemas.CodeAllowed, Mode: mode, Code: code, Rule: r.ID,
		Policy: in.Policy, Revision: g.revision,
	}
	if d.Message = r.verdict; values != nil {
		d.Message = g.shared.message(code, r.Where, in.Policy, values)
	}
	d.Source = r.source
	if !d.Allow {
		d.Hint = g.shared.hint(in.Network, code)
	}
	return d
}

// message fills in a code's template.
func (s *shared) message(code schemas.Code, where, policy string, values func(string) (string, bool)) string {
	return expand(s.codes[code], func(key string) (string, bool) {
		switch key {
		case "where":
			return where, true
		case "policy":
			return policy, true
		}
		return values(key)
	})
}

// hint is the first of the table that fits a denied request.
func (s *shared) hint(n *schemas.NetworkInput, code schemas.Code) string {
	for i := range s.hints {
		if h := &s.hints[i]; h.Matches(string(code), n.Host, n.Method, n.Path, "") {
			return h.Text
		}
	}
	return ""
}

// expand fills {key} placeholders in one pass. What value does not know stays.
func expand(template string, value func(key string) (string, bool)) string {
	var b strings.Builder
	for {
		open := strings.IndexByte(template, '{')
		if open < 0 {
			break
		}
		end := strings.IndexByte(template[open:], '}')
		if end < 0 {
			break
		}
		b.WriteString(template[:open])
		if v, ok := value(template[open+1 : open+end]); ok {
			b.WriteString(v)
		} else {
			b.WriteString(template[open : open+end+1])
		}
		template = template[open+end+1:]
	}
	b.WriteString(template)
	return b.String()
}
