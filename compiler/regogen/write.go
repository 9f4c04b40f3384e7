package regogen

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/plan"
)

// module collects the text of one generated Rego module.
type module struct {
	strings.Builder
}

func newModule(policy, surface string) *module {
	m := &module{}
	fmt.Fprintf(m, "# Generated from policy %s. Do not edit.\n", policy)
	fmt.Fprintf(m, "package openshell.policies[%s].%s\n", quote(policy), surface)
	return m
}

// define makes sets exist that no rule of the policy adds to.
func (m *module) define(sets ...string) {
	for _, s := range sets {
		fmt.Fprintf(m, "\n%s contains null if false\n", s)
	}
}

// rule writes "head if { body }", or a fact when the body is empty.
func (m *module) rule(head string, b body) {
	if len(b) == 0 {
		fmt.Fprintf(m, "%s\n", head)
		return
	}
	fmt.Fprintf(m, "%s if {\n", head)
	for _, e := range b {
		fmt.Fprintf(m, "\t%s\n", e)
	}
	m.WriteString("}\n")
}

// labelled writes the comment and the label that name a rule of the policy
// before each of its heads.
func (m *module) labelled(o plan.Origin, head string, bodies []body) {
	for _, b := range bodies {
		m.WriteByte('\n')
		if o.Pos.File != "" {
			fmt.Fprintf(m, "# %s:%d\n", comment(o.Pos.File), o.Pos.Line)
		}
		fmt.Fprintf(m, "# METADATA\n# labels:\n#   rule_id: %s\n", quote(o.ID))
		m.rule(head, b)
	}
}

// comment keeps a file name from ending the comment it stands in.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' {
			return '?'
		}
		return r
	}, s)
}

// quote renders a Rego string.
func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(err) // strings always encode
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// set renders a Rego set of strings, sorted and without repeats.
func set(items []string) string {
	sorted := slices.Clone(items)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	for i, s := range sorted {
		sorted[i] = quote(s)
	}
	return "{" + strings.Join(sorted, ", ") + "}"
}

// join concatenates bodies into one conjunction.
func join(bodies ...body) body {
	var out body
	for _, b := range bodies {
		out = append(out, b...)
	}
	return out
}

// product returns every conjunction of one body from a with one from b.
func product(a, b []body) []body {
	var out []body
	for _, x := range a {
		for _, y := range b {
			out = append(out, join(x, y))
		}
	}
	return out
}
