package regogen

import (
	"fmt"

	"github.com/openshell-policy/openshell/compiler/plan"
)

var binaryForm = where{dialect{sep: '/'}, "path", "dir", "segments"}

// allowBinary writes what the program that opens the connection must be; an
// unknown one fails.
func (n *networkGen) allowBinary(r *plan.NetworkRule, ordinal int) body {
	if len(r.Binaries) == 0 {
		return nil
	}
	n.binaryFunction(r, ordinal)
	return body{fmt.Sprintf("binary_%d(input.network.binary)", ordinal)}
}

// denyBinary also matches a program whose ancestor is named, and an unknown one.
func (n *networkGen) denyBinary(r *plan.NetworkRule, ordinal int) body {
	if len(r.Binaries) == 0 {
		return nil
	}
	n.binaryFunction(r, ordinal)
	head := fmt.Sprintf("opened_%d", ordinal)
	n.WriteByte('\n')
	n.rule(head, body{`input.network.binary == ""`})
	n.WriteByte('\n')
	n.rule(head, body{fmt.Sprintf("binary_%d(input.network.binary)", ordinal)})
	n.WriteByte('\n')
	n.rule(head, body{"some path in input.network.ancestors", fmt.Sprintf("binary_%d(path)", ordinal)})
	return body{head}
}

func (n *networkGen) binaryFunction(r *plan.NetworkRule, ordinal int) {
	forms := body{`path != ""`, `dir := concat("", [path, "/"])`, `segments := split(substring(path, 1, -1), "/")`}
	for _, b := range product([]body{forms}, binaryForm.paths(r.Binaries)) {
		n.WriteByte('\n')
		n.rule(fmt.Sprintf("binary_%d(path)", ordinal), b)
	}
}

// allowQuery asks for every key, and every value of it to match: one expression
// for each.
func allowQuery(r *plan.NetworkRule) []string {
	var out []string
	for _, q := range r.Query {
		values := "input.network.query[" + quote(q.Key) + "]"
		if q.AbsentOK {
			values = "object.get(input.network.query, [" + quote(q.Key) + "], [])"
		}
		cond := text("v", q.Match)
		if cond == "" {
			cond = "is_string(v)"
		}
		out = append(out, fmt.Sprintf("every v in %s { %s }", values, cond))
	}
	return out
}

// denyQuery matches on any value, and on an absent key unless absent is ok.
func (n *networkGen) denyQuery(r *plan.NetworkRule, ordinal int) body {
	var out body
	for i, q := range r.Query {
		head := fmt.Sprintf("query_%d_%d", ordinal, i)
		values := "input.network.query[" + quote(q.Key) + "]"
		b := body{"some v in " + values}
		if cond := text("v", q.Match); cond != "" {
			b = append(b, cond)
		}
		n.WriteByte('\n')
		n.rule(head, b)
		if !q.AbsentOK {
			n.WriteByte('\n')
			n.rule(head, body{"not " + values})
		}
		out = append(out, head)
	}
	return out
}
