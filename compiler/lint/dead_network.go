package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
)

// redundant finds allow and deny rules of which another rule takes every request.
func redundant(p *policy, r *reporter) {
	p.redundantIn(p.outbound(), p.plan.Network.Outbound, r, func(a, b *plan.NetworkRule) bool {
		return a.Passthrough == b.Passthrough && a.Mode == b.Mode && slices.Equal(a.AllowPrivate, b.AllowPrivate) && allowCovered(a, b)
	})
	p.redundantIn(p.denied(), p.plan.Network.Denied, r, func(a, b *plan.NetworkRule) bool {
		return a.Mode == b.Mode && denyCovered(a, b)
	})
}

// redundantIn looks at the rules from the last to the first, so that of two equal
// ones the first stays, and what is reported may be removed all at once.
func (p *policy) redundantIn(own []rule, all []plan.NetworkRule, r *reporter, covered func(a, b *plan.NetworkRule) bool) {
	gone := map[string]bool{}
	for _, x := range slices.Backward(own) {
		mine := slices.IndexFunc(all, func(o plan.NetworkRule) bool { return o.Pos == x.plan.Pos })
		if mine < 0 {
			continue
		}
		for j := range all {
			other := &all[j]
			if j == mine || gone[other.ID] || len(other.Host.Segments) == 0 || !covered(&all[mine], other) {
				continue
			}
			gone[all[mine].ID] = true
			d := r.at(x.at("host"), "remove it, or narrow "+other.ID, "%s adds nothing: every request that it takes, %s takes too", all[mine].ID, other.ID)
			related(d, other.Pos, other.ID+" stands here")
			r.remove(d, true, x.at()...)
			break
		}
	}
}

// overriddenRules finds allow rules whose every request a deny rule takes first.
func overriddenRules(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		for i := range p.plan.Network.Denied {
			deny := &p.plan.Network.Denied[i]
			if !overridden(x.plan, deny) {
				continue
			}
			d := r.at(x.at("host"), "remove the rule, or narrow "+deny.ID, "%s never allows anything: %s denies every request that it takes", x.plan.ID, deny.ID)
			related(d, deny.Pos, deny.ID+" stands here")
			break
		}
	}
}

// vacuous finds rules that no request can match.
func vacuous(p *policy, r *reporter) {
	for _, x := range slices.Concat(p.outbound(), p.denied()) {
		if x.plan.WebSocket == plan.True && len(x.plan.Methods) > 0 && !slices.Contains(x.plan.Methods, "GET") && x.list == "denied" {
			r.at(x.at("methods", 0), "add GET, or remove methods", "%s matches nothing: an upgrade to a WebSocket is a GET", x.plan.ID)
		}
		if x.plan.WebSocket == plan.True && len(x.plan.Methods) > 0 && !slices.Contains(x.plan.Methods, "GET") && x.list == "outbound" {
			r.key(x.at("websocket"), "add GET to methods", "%s never lets a WebSocket through: an upgrade is a GET", x.plan.ID)
		}
	}
}

// denyNothing finds deny rules that take no request that an allow rule takes. A
// policy that others extend, or without a rule that allows, guards by denying.
func denyNothing(p *policy, r *reporter) {
	if p.extended[p.plan.Name] || len(p.plan.Network.Outbound) == 0 {
		return
	}
	for _, x := range p.denied() {
		meets := slices.ContainsFunc(p.plan.Network.Outbound, func(a plan.NetworkRule) bool { return len(a.Host.Segments) == 0 || !disjoint(&a, x.plan) })
		if !meets {
			r.at(x.at("host"), "remove it, or keep it with an ignore comment as a guard", "%s denies nothing that the policy allows", x.plan.ID)
		}
	}
}

// redundantEntries finds entries of a rule's lists that its other entries cover.
func redundantEntries(p *policy, r *reporter) {
	for _, x := range slices.Concat(p.outbound(), p.denied()) {
		r.coveredGlobs(x, "paths", x.text.Paths, x.plan.Paths, pathCovered)
		r.coveredGlobs(x, "binaries", x.text.Binaries, x.plan.Binaries, pathCovered)
		for i, m := range x.text.Methods {
			switch {
			case slices.Contains(x.text.Methods[:i], m):
				d := r.at(x.at("methods", i), "remove it", "%s is listed twice", m)
				r.remove(d, true, x.at("methods", i)...)
			case m == "HEAD" && slices.Contains(x.text.Methods, "GET"):
				d := r.at(x.at("methods", i), "remove it", "HEAD adds nothing: GET brings it")
				r.remove(d, true, x.at("methods", i)...)
			}
		}
		for i, port := range x.text.Ports {
			if slices.Contains(x.text.Ports[:i], port) {
				d := r.at(x.at("ports", i), "remove it", "port %d is listed twice", port)
				r.remove(d, true, x.at("ports", i)...)
			}
		}
		for _, q := range x.plan.Query {
			r.coveredQuery(x, q)
		}
	}
}

func (r *reporter) coveredQuery(x rule, q plan.QueryKey) {
	match, ok := x.text.Query[q.Key]
	if !ok || len(match.Match) != len(q.Match) {
		return // a key with a character that is escaped
	}
	at := []any{"query", q.Key}
	if match.Absent != "" || r.doc.Pos(x.at("query", q.Key, "match")...) != r.doc.Pos(x.at("query", q.Key)...) {
		at = append(at, "match")
	}
	for _, c := range coveredIn(q.Match, textCovered) {
		d := r.at(x.at(append(slices.Clone(at), c.i)...), "remove it", "%q adds nothing: %q takes the same and more", match.Match[c.i], match.Match[c.by])
		r.remove(d, true, x.at(append(slices.Clone(at), c.i)...)...)
	}
}

func (r *reporter) coveredGlobs(x rule, field string, texts []string, globs []glob.Pattern, covered func(p, by glob.Pattern) bool) {
	for _, c := range coveredIn(globs, covered) {
		d := r.at(x.at(field, c.i), "remove it", "%q adds nothing: %q takes the same and more", texts[c.i], texts[c.by])
		r.remove(d, true, x.at(field, c.i)...)
	}
}

type coveredBy struct{ i, by int }

// coveredIn lists the patterns of a list that others cover; what it lists may be
// removed all at once.
func coveredIn(globs []glob.Pattern, covered func(p, by glob.Pattern) bool) []coveredBy {
	var out []coveredBy
	gone := map[int]bool{}
	for i := len(globs) - 1; i >= 0; i-- {
		for j := range globs {
			if i != j && !gone[j] && covered(globs[i], globs[j]) {
				gone[i] = true
				out = append(out, coveredBy{i, j})
				break
			}
		}
	}
	slices.SortFunc(out, func(a, b coveredBy) int { return cmp.Compare(a.i, b.i) })
	return out
}

// pathSlips finds path globs of network rules that never match what they seem to.
func pathSlips(p *policy, r *reporter) {
	for _, x := range slices.Concat(p.outbound(), p.denied()) {
		for i, path := range x.text.Paths {
			at := x.at("paths", i)
			before, after, found := strings.Cut(path, "?")
			if found && strings.Contains(after, "=") {
				key, value, _ := strings.Cut(after, "=")
				r.at(at, fmt.Sprintf("write %s here, and query: {%s: [%q]}", before, key, value),
					"the path %q looks like one with a query, which is not part of a path; ? matches any one character", path)
			}
		}
	}
}

// fragments finds "#", which no request sends.
func fragments(p *policy, r *reporter) {
	for _, x := range slices.Concat(p.outbound(), p.denied()) {
		for i, path := range x.text.Paths {
			if before, _, found := strings.Cut(path, "#"); found {
				r.at(x.at("paths", i), "write "+cmp.Or(before, "/"), "%q never matches: what follows # is not sent", path)
			}
		}
	}
}

// encodedSlashes finds "%2F" in paths of allow rules that do not take it.
func encodedSlashes(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		for i, path := range x.text.Paths {
			if strings.Contains(strings.ToUpper(path), "%2F") && !x.plan.EncodedSlash {
				r.at(x.at("paths", i), "add encoded_slash: allow to the rule, or write / where a slash is meant",
					"%q never matches: a path with an encoded slash is refused unless the rule says encoded_slash: allow", path)
			}
		}
	}
}

// blanks finds spaces at the ends of patterns, which nobody sees and which count.
func blanks(p *policy, r *reporter) {
	say := func(at []any, text string) {
		if trimmed := strings.Trim(text, " \t"); trimmed != text && trimmed != "" {
			d := r.at(at, fmt.Sprintf("write %q", trimmed), "%q begins or ends in a space, which has to be there to match", text)
			r.replace(d, false, trimmed, at...)
		}
	}
	for _, x := range slices.Concat(p.outbound(), p.denied()) {
		for i, path := range x.text.Paths {
			say(x.at("paths", i), path)
		}
		for i, b := range x.text.Binaries {
			say(x.at("binaries", i), b)
		}
	}
	for _, list := range []string{"writable", "readonly", "blocked"} {
		for _, f := range p.files(list) {
			say(f.at(), f.plan.Text)
		}
	}
}
