package regogen

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
)

// The number of checks a rule has passed when one fails, in the order of
// design: host, port, scheme, binary, method, path, encoded slash, query,
// websocket.
const (
	passedHost = iota + 1
	passedPort
	passedScheme
	passedBinary
	passedMethod
	passedPath
	passedSlash
	passedQuery
)

var (
	pathForm   = where{dialect{sep: '/', url: true}, "input.network.path", "input.network.dir", "input.network.segments"}
	foldedForm = where{dialect{sep: '/', url: true, fold: true}, "input.network.folded.path", "input.network.folded.dir", "input.network.folded.segments"}
	splitForm  = where{dialect{sep: '/', url: true, fold: true}, "input.network.split.path", "input.network.split.dir", "input.network.split.segments"}
)

// network generates two sets. hit holds the ordinals of the rules that match,
// deny rules first, so that its minimum decides. near holds [-passed, ordinal,
// code] for each allow rule's first failing check, so that its minimum is the
// nearest miss; of a query the place of the key that fails follows.
func network(p *plan.Policy, base int) *module {
	m := newModule(p.Name, "network")
	m.define("hit", "near")
	n := &networkGen{module: m, seen: map[string]bool{}}
	if len(p.Network.Outbound) > 0 {
		n.WriteString(shared)
	}
	n.slashGuard(p.Network.Denied)
	for i, r := range p.Network.Denied {
		n.deny(&r, base+i)
	}
	base += len(p.Network.Denied)
	for i, r := range p.Network.Outbound {
		n.allow(&r, base+i)
	}
	return m
}

type networkGen struct {
	*module
	seen    map[string]bool // near bodies already written
	guarded bool            // some deny rule has paths
}

// slashGuard writes what a path with an encoded slash needs where the allow rule
// has no paths: no deny rule for the host may have any, or the decision would
// depend on how the slash is read.
func (n *networkGen) slashGuard(denied []plan.NetworkRule) {
	for _, r := range denied {
		if len(r.Paths) == 0 {
			continue
		}
		n.guarded = true
		head := "denied_paths"
		b := hostBody(r.Host, "input.network.host", "input.network.host_parent")
		if key := head + strings.Join(b, ";"); !n.seen[key] {
			n.seen[key] = true
			n.WriteByte('\n')
			n.rule(head, b)
		}
	}
	if n.guarded {
		n.WriteString("\nslash_free if not contains(input.network.path, \"%2F\")\n\nslash_free if not denied_paths\n")
	}
}

func (n *networkGen) deny(r *plan.NetworkRule, ordinal int) {
	b := join(hostBody(r.Host, "input.network.host", "input.network.host_parent"), denyEndpoint(r), methodBody(r))
	b = join(b, n.denyBinary(r, ordinal), n.denyQuery(r, ordinal))
	switch r.WebSocket {
	case plan.True:
		b = append(b, "input.network.websocket == true")
	case plan.False:
		b = append(b, "input.network.websocket == false")
	}
	n.labelled(r.Origin, fmt.Sprintf("hit contains %d", ordinal), product([]body{b}, denyPaths(r.Paths)))
}

// denyPaths tries the patterns on every form of the path that an origin might
// take for the same.
func denyPaths(patterns []glob.Pattern) []body {
	if len(patterns) == 0 {
		return []body{nil}
	}
	var plain, slashed []glob.Pattern
	for _, p := range patterns {
		plain = append(plain, p)
		if lit, ok := p.Segments[len(p.Segments)-1].Literal(); ok && lit == "" && len(p.Segments) > 1 {
			p.Segments = p.Segments[:len(p.Segments)-1]
			slashed = append(slashed, p)
		}
	}
	var out []body
	// "/a/" does not match "/a", though both fold to "/a".
	endings := []body{{`endswith(input.network.path, "/")`}}
	for _, form := range []where{foldedForm, splitForm} {
		out = append(out, form.paths(plain)...)
		if len(slashed) > 0 {
			out = append(out, product(form.paths(slashed), endings)...)
		}
		endings = append(endings, body{`endswith(input.network.path, "%2F")`}) // a slash in the split form
	}
	return out
}

func (n *networkGen) allow(r *plan.NetworkRule, ordinal int) {
	n.nearEndpoint(r, ordinal)
	b := destination(r)
	if len(r.Binaries) > 0 {
		n.near(b, passedScheme, ordinal, schemas.CodeBinaryNotAllowed)
		b = join(b, n.allowBinary(r, ordinal))
	}
	if len(r.Methods) > 0 {
		n.near(b, passedBinary, ordinal, schemas.CodeMethodNotAllowed)
		b = join(b, methodBody(r))
	}
	alternatives := pathForm.paths(r.Paths)
	if len(alternatives) > 1 || len(alternatives[0]) > 0 {
		n.near(b, passedMethod, ordinal, schemas.CodePathNotAllowed)
	}
	bodies := product([]body{b}, alternatives)
	if len(r.Paths) > 0 && !r.EncodedSlash && len(r.Query) == 0 && r.WebSocket != plan.True {
		bodies = n.plain(bodies, ordinal)
	} else {
		bodies = n.then(bodies, n.slash(r), passedPath, ordinal, schemas.CodeBadRequest)
		for i, check := range allowQuery(r) {
			bodies = n.thenKey(bodies, check, i, ordinal)
		}
		if r.WebSocket != plan.True {
			bodies = n.then(bodies, body{"input.network.websocket == false"}, passedQuery, ordinal, schemas.CodeWebSocketNotAllowed)
		}
	}
	n.labelled(r.Origin, fmt.Sprintf("hit contains %d", ordinal), bodies)
}

// shared holds how most rules fail, written once: they take no encoded slash and
// no upgrade, and their default ports fail in the same two ways.
var shared = fmt.Sprintf(`
late := [%d, %q] if {
	contains(input.network.path, "%%2F")
} else := [%d, %q] if {
	input.network.websocket == true
}

elsewhere := [%d, %q] if {
	input.network.port in {80, 443}
} else := [%d, %q]
`, -passedPath, schemas.CodeBadRequest, -passedQuery, schemas.CodeWebSocketNotAllowed,
	-passedPort, schemas.CodeSchemeNotAllowed, -passedHost, schemas.CodePortNotAllowed)

// plain ends bodies as most rules end.
func (n *networkGen) plain(bodies []body, ordinal int) []body {
	for _, b := range bodies {
		n.missed(b, "late", ordinal)
	}
	return product(bodies, []body{{`not contains(input.network.path, "%2F")`, "input.network.websocket == false"}})
}

// nearEndpoint writes how a rule fails by port or scheme.
func (n *networkGen) nearEndpoint(r *plan.NetworkRule, ordinal int) {
	byHost := hostBody(r.Host, "input.network.host", "input.network.host_parent")
	if isDefault(r.Endpoints) {
		n.missed(byHost, "elsewhere", ordinal)
		return
	}
	n.near(byHost, passedHost, ordinal, schemas.CodePortNotAllowed)
	if _, fails := schemeBody(r.Endpoints); fails {
		n.near(join(byHost, portBody(r.Endpoints)), passedPort, ordinal, schemas.CodeSchemeNotAllowed)
	}
}

// missed writes a near-miss head whose stage and code a shared rule gives.
func (n *networkGen) missed(b body, by string, ordinal int) {
	key := by + strings.Join(b, ";")
	if n.seen[key] {
		return
	}
	n.seen[key] = true
	n.WriteByte('\n')
	n.rule(fmt.Sprintf("near contains [m[0], %d, m[1]]", ordinal), append(slices.Clone(b), "m := "+by))
}

// then appends a check to every alternative and writes the near miss before it.
func (n *networkGen) then(bodies []body, check body, passed, ordinal int, code schemas.Code) []body {
	if len(check) == 0 {
		return bodies
	}
	for _, b := range bodies {
		n.near(b, passed, ordinal, code)
	}
	return product(bodies, []body{check})
}

// thenKey appends the check of the query key with that place in the rule; the
// near miss names the place, negative, so that the least names the key that
// fails.
func (n *networkGen) thenKey(bodies []body, check string, place, ordinal int) []body {
	for _, b := range bodies {
		key := "query" + strconv.Itoa(place) + strings.Join(b, ";")
		if n.seen[key] {
			continue
		}
		n.seen[key] = true
		n.WriteByte('\n')
		n.rule(fmt.Sprintf("near contains [%d, %d, %q, %d]", -passedSlash, ordinal, schemas.CodeQueryNotAllowed, -place), b)
	}
	return product(bodies, []body{{check}})
}

// near writes one near-miss head, unless a rule listed earlier has the same.
func (n *networkGen) near(b body, passed, ordinal int, code schemas.Code) {
	key := strconv.Itoa(passed) + strings.Join(b, ";")
	if n.seen[key] {
		return
	}
	n.seen[key] = true
	n.WriteByte('\n')
	n.rule(fmt.Sprintf("near contains [%d, %d, %q]", -passed, ordinal, code), b)
}

// slash keeps encoded slashes from a rule that does not ask for them.
func (n *networkGen) slash(r *plan.NetworkRule) body {
	switch {
	case r.EncodedSlash:
		return nil
	case len(r.Paths) > 0:
		return body{`not contains(input.network.path, "%2F")`}
	case n.guarded:
		return body{"slash_free"}
	}
	return nil
}

// hostBody lowers a host pattern over two fields: the name, and the name without
// its first label.
func hostBody(p glob.Pattern, host, parent string) body {
	if lit, ok := p.Literal("."); ok {
		return body{host + " == " + quote(lit)}
	}
	first, rest := p.Segments[0], glob.Pattern{Segments: p.Segments[1:]}
	tail, literalTail := rest.Literal(".")
	switch {
	case literalTail && first.Deep:
		return body{fmt.Sprintf("endswith(%s, %s)", host, quote("."+tail))}
	case literalTail && first.Whole():
		return body{parent + " == " + quote(tail)}
	}
	w := where{dialect: dialect{sep: '.'}}
	exact := fmt.Sprintf("regex.match(%s, %s)", quote(w.regex(p)), host)
	if literalTail {
		return body{parent + " == " + quote(tail), exact}
	}
	n := len(p.Segments)
	for n > 0 {
		if _, ok := p.Segments[n-1].Literal(); !ok {
			break
		}
		n--
	}
	lit, _ := glob.Pattern{Segments: p.Segments[n:]}.Literal(".")
	return body{fmt.Sprintf("endswith(%s, %s)", host, quote("."+lit)), exact}
}

// destination lowers host, scheme and port of an allow rule. authority leaves
// out the scheme's default port, so most rules need no port condition.
func destination(r *plan.NetworkRule) body {
	defaults := hostBody(r.Host, "input.network.authority", "input.network.parent")
	_, exact := r.Host.Literal(".")
	simple := exact || len(defaults) == 1
	has := func(want plan.Endpoint) bool {
		return simple && len(r.Endpoints) == 1 && r.Endpoints[0] == want
	}
	switch {
	case simple && isDefault(r.Endpoints):
		return defaults
	case has(https):
		return append(defaults, `input.network.scheme == "https"`)
	case has(http):
		return append(defaults, `input.network.scheme == "http"`)
	}
	b, _ := schemeBody(r.Endpoints)
	return join(hostBody(r.Host, "input.network.host", "input.network.host_parent"), portBody(r.Endpoints), b)
}

var https, http = plan.Endpoint{Scheme: "https", Port: 443}, plan.Endpoint{Scheme: "http", Port: 80}

// isDefault tells whether a rule takes each scheme on its own port.
func isDefault(endpoints []plan.Endpoint) bool {
	return len(endpoints) == 2 && slices.Contains(endpoints, https) && slices.Contains(endpoints, http)
}

func portBody(endpoints []plan.Endpoint) body {
	var ports []int
	for _, e := range endpoints {
		ports = append(ports, e.Port)
	}
	slices.Sort(ports)
	ports = slices.Compact(ports)
	if len(ports) == 1 {
		return body{fmt.Sprintf("input.network.port == %d", ports[0])}
	}
	items := make([]string, len(ports))
	for i, p := range ports {
		items[i] = strconv.Itoa(p)
	}
	return body{"input.network.port in {" + strings.Join(items, ", ") + "}"}
}

// schemeBody lowers the schemes of endpoints whose port already matched; fails
// tells whether it can fail then.
func schemeBody(endpoints []plan.Endpoint) (b body, fails bool) {
	byPort := map[int]map[string]bool{}
	schemes := map[string]bool{}
	var pairs []string
	for _, e := range endpoints {
		if byPort[e.Port] == nil {
			byPort[e.Port] = map[string]bool{}
		}
		byPort[e.Port][e.Scheme] = true
		schemes[e.Scheme] = true
		pairs = append(pairs, fmt.Sprintf("[%q, %d]", e.Scheme, e.Port))
	}
	for _, s := range byPort {
		fails = fails || len(s) < 2
	}
	switch {
	case !fails:
		return nil, false
	case len(schemes) == 1:
		return body{fmt.Sprintf("input.network.scheme == %q", endpoints[0].Scheme)}, true
	}
	slices.Sort(pairs)
	return body{"[input.network.scheme, input.network.port] in {" + strings.Join(slices.Compact(pairs), ", ") + "}"}, true
}

func denyEndpoint(r *plan.NetworkRule) body {
	if !r.AnyPort {
		b, _ := schemeBody(r.Endpoints)
		return join(portBody(r.Endpoints), b)
	}
	if len(r.Endpoints) == 1 {
		return body{fmt.Sprintf("input.network.scheme == %q", r.Endpoints[0].Scheme)}
	}
	return nil
}

func methodBody(r *plan.NetworkRule) body {
	switch len(r.Methods) {
	case 0:
		return nil
	case 1:
		return body{"input.network.method == " + quote(r.Methods[0])}
	}
	return body{"input.network.method in " + set(r.Methods)}
}
