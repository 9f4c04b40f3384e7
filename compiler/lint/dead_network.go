package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/exact"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
)

// redundant finds allow and deny rules whose every request other rules of the list
// take.
func redundant(p *policy, r *reporter) {
	alike := func(a, b *plan.NetworkRule) bool {
		return len(b.Host.Segments) > 0 && a.Passthrough == b.Passthrough && a.Mode == b.Mode && slices.Equal(a.AllowPrivate, b.AllowPrivate)
	}
	p.redundantIn(p.outbound(), list{p.plan.Network.Outbound, func(s *space) []exact.Rule { return s.outbound }, alike, allowCovered, mayShare}, r)
	p.redundantIn(p.denied(), list{p.plan.Network.Denied, func(s *space) []exact.Rule { return s.denied }, alike, denyCovered, sameDestination}, r)
}

// list is one list of rules, and how two of them are compared.
type list struct {
	rules   []plan.NetworkRule
	exact   func(*space) []exact.Rule
	alike   func(a, b *plan.NetworkRule) bool // one may stand for the other
	covered func(a, b *plan.NetworkRule) bool
	// share tells whether they may take some of the same requests.
	share func(a, b *plan.NetworkRule) bool
}

// redundantIn looks at the rules from the last to the first, so that of two equal
// ones the first stays, and what is reported may be removed all at once.
func (p *policy) redundantIn(own []rule, l list, r *reporter) {
	gone := map[int]bool{}
	hosts, places := newHostIndex(l.rules), placesOf(l.rules)
	for _, x := range slices.Backward(own) {
		mine, ok := places[x.plan.Pos]
		if !ok {
			continue
		}
		by := p.covering(mine, l, hosts, gone)
		if len(by) == 0 {
			continue
		}
		gone[mine] = true
		var ids []string
		for _, i := range by {
			ids = append(ids, l.rules[i].ID)
		}
		names := strings.Join(ids, " and ")
		verb := "takes"
		if len(by) > 1 {
			verb = "together take"
		}
		d := r.at(x.at("host"), "remove it, or narrow "+names, "%s adds nothing: every request that it takes, %s %s too", l.rules[mine].ID, names, verb)
		for _, i := range by {
			related(d, l.rules[i].Pos, l.rules[i].ID+" stands here")
		}
		r.remove(d, true, x.at()...)
	}
}

// placesOf are the indexes of rules by where they stand.
func placesOf(rules []plan.NetworkRule) map[diag.Position]int {
	out := make(map[diag.Position]int, len(rules))
	for i := range rules {
		out[rules[i].Pos] = i
	}
	return out
}

// covering lists the rules that together take all that one takes.
func (p *policy) covering(mine int, l list, hosts *hostIndex, gone map[int]bool) []int {
	var candidates []int
	var some []*plan.NetworkRule
	a := &l.rules[mine]
	for _, j := range hosts.near(a.Host) {
		b := &l.rules[j]
		if j == mine || gone[j] || !l.alike(a, b) {
			continue
		}
		if l.covered(a, b) {
			return []int{j}
		}
		if l.share(a, b) {
			candidates, some = append(candidates, j), append(some, b)
		}
	}
	if len(candidates) < 2 || !p.compiles || !worthAsking(a, some) || len(a.Paths) == 0 && !slices.ContainsFunc(some, func(o *plan.NetworkRule) bool { return unbounded(o.Paths) }) {
		return nil
	}
	s := p.space()
	return union(s, l.exact(s)[mine], l.exact(s), candidates)
}

// overriddenRules finds allow rules whose every request deny rules take first.
func overriddenRules(p *policy, r *reporter) {
	if len(p.plan.Network.Denied) == 0 {
		return
	}
	hosts, places := newHostIndex(p.plan.Network.Denied), placesOf(p.plan.Network.Outbound)
	for _, x := range p.outbound() {
		by := p.overriding(x, hosts, places)
		if len(by) == 0 {
			continue
		}
		var ids []string
		for _, deny := range by {
			ids = append(ids, deny.ID)
		}
		names, verb := strings.Join(ids, " and "), " denies"
		if len(ids) > 1 {
			verb = " together deny"
		}
		d := r.at(x.at("host"), "remove the rule, or narrow "+names, "%s never allows anything: %s every request that it takes", x.plan.ID, names+verb)
		for _, deny := range by {
			related(d, deny.Pos, deny.ID+" stands here")
		}
	}
}

func (p *policy) overriding(x rule, hosts *hostIndex, places map[diag.Position]int) []*plan.NetworkRule {
	var candidates []int
	var some []*plan.NetworkRule
	for _, j := range hosts.near(x.plan.Host) {
		deny := &p.plan.Network.Denied[j]
		switch {
		case len(deny.Host.Segments) == 0:
		case overridden(x.plan, deny):
			return []*plan.NetworkRule{deny}
		case sameDestination(x.plan, deny):
			candidates, some = append(candidates, j), append(some, deny)
		}
	}
	if len(candidates) == 0 || !p.compiles || !worthAsking(x.plan, some) {
		return nil
	}
	s := p.space()
	mine := s.outbound[places[x.plan.Pos]]
	var out []*plan.NetworkRule
	for _, j := range union(s, mine, s.denied, candidates) {
		out = append(out, &p.plan.Network.Denied[j])
	}
	return out
}

// vacuous finds rules that no request can match, and upgrades that none can.
func vacuous(p *policy, r *reporter) {
	for _, x := range slices.Concat(p.outbound(), p.denied()) {
		upgrade := x.plan.WebSocket == plan.True && len(x.plan.Methods) > 0 && !slices.Contains(x.plan.Methods, "GET")
		switch {
		case upgrade && x.list == "denied":
			r.key(x.at("websocket"), "add GET, or remove methods", "%s matches nothing: an upgrade to a WebSocket is a GET", x.plan.ID)
		case upgrade:
			r.key(x.at("websocket"), "add GET to methods", "%s never lets a WebSocket through: an upgrade is a GET", x.plan.ID)
		case peculiar(x.plan) && empty(x):
			r.at(x.at("host"), "remove it, or compare its patterns with a request that is meant", "%s matches no request", x.plan.ID)
		}
	}
}

// peculiar tells whether a rule has what may leave it without a request: others
// always have one.
func peculiar(r *plan.NetworkRule) bool {
	odd := func(patterns ...glob.Pattern) bool {
		return slices.ContainsFunc(patterns, func(g glob.Pattern) bool {
			return strings.ContainsAny(g.Source, "[?%\\;") || strings.Contains(g.Source, "-") && strings.Contains(g.Source, "*")
		})
	}
	return odd(r.Host) || odd(r.Paths...) || slices.ContainsFunc(r.Query, func(q plan.QueryKey) bool { return odd(q.Match...) })
}

// empty asks of a rule by itself: no other one gives it a request.
func empty(x rule) bool {
	s := exact.NewRequests(budget)
	if x.list == "denied" {
		return s.Empty(s.Deny(x.plan)).Verdict == exact.Yes
	}
	return s.Empty(s.Allow(x.plan)).Verdict == exact.Yes
}

// denyNothing finds deny rules that take no request that an allow rule takes. A
// policy that others extend, or without a rule that allows, guards by denying.
func denyNothing(p *policy, r *reporter) {
	if p.extended[p.plan.Name] || len(p.plan.Network.Outbound) == 0 {
		return
	}
	hosts, places := newHostIndex(p.plan.Network.Outbound), placesOf(p.plan.Network.Denied)
	for _, x := range p.denied() {
		if p.compiles && !p.deniesSomething(x, hosts, places) {
			r.at(x.at("host"), "remove it, or keep it with an ignore comment as a guard", "%s denies nothing that the policy allows", x.plan.ID)
		}
	}
}

// deniesSomething tells whether an allow rule may take a request that a deny rule
// takes. Deny rules read paths in several ways, which only the search knows.
func (p *policy) deniesSomething(x rule, hosts *hostIndex, places map[diag.Position]int) bool {
	var near []int
	var candidates []int
	if _, exact := literalEnd(x.plan.Host); exact {
		candidates = hosts.near(x.plan.Host)
	} else {
		for i := range p.plan.Network.Outbound {
			candidates = append(candidates, i)
		}
	}
	for _, i := range candidates {
		a := &p.plan.Network.Outbound[i]
		if !sameDestination(a, x.plan) {
			continue
		}
		if globsMeet(a.Paths, x.plan.Paths) && len(x.plan.Query) == 0 && len(x.plan.Binaries) == 0 && x.plan.WebSocket != plan.True {
			return true
		}
		near = append(near, i)
	}
	if len(near) == 0 {
		return false
	}
	s := p.space()
	mine := s.denied[places[x.plan.Pos]]
	return slices.ContainsFunc(near, func(i int) bool { return s.requests.Intersect(s.outbound[i], mine).Verdict != exact.No })
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
	if len(globs) > maxCompared {
		return repeated(globs)
	}
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

// maxCompared bounds the lists whose entries are compared each with each; of longer
// ones only what is repeated is found.
const maxCompared = 1000

func repeated(globs []glob.Pattern) []coveredBy {
	var out []coveredBy
	first := map[string]int{}
	for i, g := range globs {
		if j, seen := first[g.Source]; seen {
			out = append(out, coveredBy{i, j})
			continue
		}
		first[g.Source] = i
	}
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

// slashEnds finds paths that end in a slash, which are no folders.
func slashEnds(p *policy, r *reporter) {
	for _, x := range slices.Concat(p.outbound(), p.denied()) {
		for i, path := range x.text.Paths {
			if bare := strings.TrimSuffix(path, "/"); bare != path && bare != "" && !strings.HasSuffix(bare, "*") && !covers(x.plan.Paths, bare) {
				r.at(x.at("paths", i), fmt.Sprintf("write %s/** for everything below", bare), "%q is the one path that ends in a slash, and nothing below it", path)
			}
		}
	}
}

// covers tells whether a list takes what is below a path.
func covers(paths []glob.Pattern, bare string) bool {
	return slices.ContainsFunc(paths, func(g glob.Pattern) bool { return pathCovered(urlGlob(bare+"/x/y"), g) })
}

// strangePorts finds a scheme on the port of the other one.
func strangePorts(p *policy, r *reporter) {
	for _, x := range slices.Concat(p.outbound(), p.denied()) {
		for i, port := range x.text.Ports {
			switch {
			case x.text.Scheme == schemas.SchemeHTTPS && port == 80:
				r.at(x.at("ports", i), "write 443, or scheme: http", "port 80 is for plain http, and the rule says https")
			case x.text.Scheme == schemas.SchemeHTTP && port == 443:
				r.at(x.at("ports", i), "write 80, or scheme: https", "port 443 is for https, and the rule says http")
			}
		}
	}
}
