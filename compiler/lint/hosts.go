package lint

import (
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
)

// hostIndex finds the rules of a list that may take every host of a pattern: those
// for the very host, and wildcards whose literal end is an end of it.
type hostIndex struct {
	exact, wild map[string][]int
}

func newHostIndex(rules []plan.NetworkRule) *hostIndex {
	h := &hostIndex{exact: map[string][]int{}, wild: map[string][]int{}}
	for i := range rules {
		if end, exact := literalEnd(rules[i].Host); exact {
			h.exact[end] = append(h.exact[end], i)
		} else {
			h.wild[end] = append(h.wild[end], i)
		}
	}
	return h
}

// literalEnd is the host, or its labels after the last wildcard.
func literalEnd(host glob.Pattern) (end string, exact bool) {
	labels := make([]string, 0, len(host.Segments))
	for i := len(host.Segments) - 1; i >= 0; i-- {
		text, ok := host.Segments[i].Literal()
		if !ok {
			slices.Reverse(labels)
			return strings.Join(labels, "."), false
		}
		labels = append(labels, text)
	}
	slices.Reverse(labels)
	return strings.Join(labels, "."), true
}

// near lists the rules in their order.
func (h *hostIndex) near(host glob.Pattern) []int {
	end, exact := literalEnd(host)
	var out []int
	if exact {
		out = append(out, h.exact[end]...)
	}
	for {
		out = append(out, h.wild[end]...)
		_, rest, more := strings.Cut(end, ".")
		if !more {
			break
		}
		end = rest
	}
	slices.Sort(out)
	return out
}
