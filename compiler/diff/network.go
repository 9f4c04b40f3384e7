package diff

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/exact"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
)

// network compares what requests pass.
type network struct {
	*comparison
	*tally
	space         *exact.Requests
	before, after *exact.Side
	groups        map[string]*group
	keys          map[*plan.NetworkRule]string // contents of rules
	order         []*group
}

// group is a change while examples of it are gathered.
type group struct {
	direction     Direction
	kind          byte // 'r'equest, 't'unnel, 'p'rivate
	before, after exact.Outcome
	example       *exact.Request
	address       netip.Addr
	methods       []string
	hosts         []string
	paths         []string
	valid         bool
}

func (c *comparison) network(ctx context.Context) (Surface, error) {
	n := &network{comparison: c, tally: newTally(SurfaceNetwork), space: exact.NewRequests(c.budget), groups: map[string]*group{}, keys: map[*plan.NetworkRule]string{}}
	n.before, n.after = n.space.Policy(0, c.from), n.space.Policy(1, c.to)
	classes, whole := n.space.Hosts()
	if !whole {
		n.doubt("the host patterns make too many classes to look at each", Widens, Narrows)
	}
	for i := range classes {
		n.class(&classes[i])
	}
	for _, g := range n.order {
		if err := n.settle(ctx, g); err != nil {
			return n.Surface, err
		}
	}
	return n.finish(), nil
}

// class compares the rules of one class of hosts.
func (n *network) class(class *exact.HostClass) {
	if n.same(class) {
		return
	}
	audits := n.before.Audits() || n.after.Audits()
	allows := n.space.Allows(class, n.before, n.after)
	useful := allows.Meets
	if audits {
		useful = nil
	}
	q := n.quick(class)
	whole := n.space.Cells(class, useful, func(c *exact.Cell) bool {
		if audits || q.differs(c.Matched) {
			n.cell(c)
		}
		return true
	})
	if !whole {
		n.doubt(fmt.Sprintf("the rules for %s make too many classes to look at each", class.Host), Widens, Narrows)
	}
}

// quick judges cells of policies that enforce everything.
type quick struct {
	allow, deny [2]exact.Bits
	closer      bool // what passes on both sides may still differ
}

func (n *network) quick(class *exact.HostClass) *quick {
	q := &quick{}
	for i, side := range []*exact.Side{n.before, n.after} {
		q.allow[i], q.deny[i] = n.space.Allows(class, side), n.space.Denies(class, side)
		rules, _ := n.space.RulesOf(class, side)
		q.closer = q.closer || slices.ContainsFunc(rules, func(r *plan.NetworkRule) bool { return r.Passthrough || len(r.AllowPrivate) > 0 })
	}
	return q
}

func (q *quick) differs(matched exact.Bits) bool {
	before := matched.Meets(q.allow[0]) && !matched.Meets(q.deny[0])
	after := matched.Meets(q.allow[1]) && !matched.Meets(q.deny[1])
	return before != after || before && q.closer
}

// same tells whether both policies have the same rules for a class of hosts.
func (n *network) same(class *exact.HostClass) bool {
	before, d := n.space.RulesOf(class, n.before)
	after, e := n.space.RulesOf(class, n.after)
	audits := n.before.Audits() || n.after.Audits()
	if len(before) != len(after) || audits && n.from.Mode != n.to.Mode {
		return false
	}
	for i := range before {
		if n.content(before[i], d[i]) != n.content(after[i], e[i]) {
			return false
		}
	}
	return true
}

// content is all of a rule but its id and place.
func (n *network) content(r *plan.NetworkRule, deny bool) string {
	if key, ok := n.keys[r]; ok {
		return key
	}
	b := make([]byte, 0, 256)
	b = fmt.Append(b, deny, r.AnyPort, r.Endpoints, r.WebSocket, r.Passthrough, r.EncodedSlash, r.Mode, r.AllowPrivate)
	b = append(b, 0)
	b = append(b, strings.Join(r.Methods, " ")...)
	for _, list := range [][]string{{strings.ToLower(r.Host.Source)}, texts(r.Paths), texts(r.Binaries)} {
		b = append(b, 0)
		b = append(b, strings.Join(list, "\x01")...)
	}
	for _, q := range r.Query {
		b = fmt.Append(b, "\x00", q.Key, q.AbsentOK, "\x00", strings.Join(texts(q.Match), "\x01"))
	}
	n.keys[r] = string(b)
	return n.keys[r]
}

// cell notes a class of requests that the policies judge differently.
func (n *network) cell(c *exact.Cell) {
	before, after := c.Outcome(n.before), c.Outcome(n.after)
	switch {
	case before.Passes != after.Passes:
		n.note(c, 'r', direction(after.Passes), before, after, netip.Addr{})
	case !before.Passes:
	default:
		if before.Tunnel != after.Tunnel && c.Request().Scheme == "https" {
			n.note(c, 't', direction(after.Tunnel), before, after, netip.Addr{})
		}
		was, is := permits(&before, c), permits(&after, c)
		if a, more := extra(was, is); more {
			n.note(c, 'p', Widens, before, after, a)
		}
		if a, less := extra(is, was); less {
			n.note(c, 'p', Narrows, before, after, a)
		}
	}
}

func direction(after bool) Direction {
	if after {
		return Widens
	}
	return Narrows
}

// permits are the private addresses that the host may resolve to.
func permits(o *exact.Outcome, c *exact.Cell) []netip.Prefix {
	if o.Rule == nil || o.Code == schemas.CodeDeniedRule || !o.Allow && !reached(o.Code) {
		return nil
	}
	out := o.Rule.AllowPrivate
	if a, err := netip.ParseAddr(c.Host.Host); err == nil {
		out = append(slices.Clip(out), netip.PrefixFrom(a, a.BitLen()))
	}
	return out
}

// reached tells the denials by a rule that does name the destination.
func reached(c schemas.Code) bool {
	switch c {
	case schemas.CodeMethodNotAllowed, schemas.CodePathNotAllowed, schemas.CodeQueryNotAllowed,
		schemas.CodeWebSocketNotAllowed, schemas.CodeBinaryNotAllowed:
		return true
	}
	return false
}

// note adds a cell to the change that the same rules bring about.
func (n *network) note(c *exact.Cell, kind byte, d Direction, before, after exact.Outcome, a netip.Addr) {
	key := fmt.Sprintf("%c%s|%p %s|%p %s", kind, d, before.Rule, before.Code, after.Rule, after.Code)
	g := n.groups[key]
	if g == nil {
		g = &group{direction: d, kind: kind, before: before, after: after, address: a}
		n.groups[key] = g
		n.order = append(n.order, g)
	}
	gains := &before
	if d == Widens {
		gains = &after
	}
	add(&g.methods, c.Method())
	if len(g.hosts) < 4 {
		add(&g.hosts, c.Host.Host)
	}
	if gains.Place >= 0 && gains.Allow {
		for _, p := range c.PathsOf(gains.Place) {
			add(&g.paths, p)
		}
	}
	if q := c.Request(); g.example == nil || c.Host.Valid && !g.valid || c.Host.Valid == g.valid && q.Weight() < g.example.Weight() {
		g.example, g.address, g.valid = q, a, c.Host.Valid
	}
}

func add(list *[]string, s string) {
	if !slices.Contains(*list, s) {
		*list = append(*list, s)
	}
}

// settle decides the example of a group by both policies and reports it.
func (n *network) settle(ctx context.Context, g *group) error {
	change := Change{Surface: SurfaceNetwork, Direction: g.direction, Class: g.class(), Example: g.example.String(), weight: g.example.Weight(), Tunnel: g.kind == 't'}
	if g.kind == 'p' {
		change.Address = g.address.String()
		change.Example += ", where the host resolves to " + change.Address
	}
	if n.evaluators[0] == nil {
		n.Changes = append(n.Changes, change)
		return nil
	}
	var parts [2]Part
	var decisions [2]schemas.Decision
	for i, policy := range []string{n.from.Name, n.to.Name} {
		d, in, err := DecideRequest(ctx, n.evaluators[i], policy, g.example)
		if err != nil {
			return n.unsettled(g, err)
		}
		decisions[i], parts[i] = d, part(&d, d.Passes())
		change.Input = in
		switch g.kind {
		case 't':
			parts[i].Passes = parts[i].Passes && n.evaluators[i].Passthrough(policy, g.example.Host, g.example.Port)
		case 'p':
			parts[i].Passes = parts[i].Passes && n.consents(i, policy, &d, g)
		}
	}
	change.Before, change.After = parts[0], parts[1]
	if parts[0].Passes == parts[1].Passes || parts[1].Passes != (g.direction == Widens) {
		return n.unsettled(g, &Mismatch{g.example.String(), decisions[0], decisions[1], g.direction})
	}
	n.Changes = append(n.Changes, change)
	return nil
}

func (n *network) consents(i int, policy string, d *schemas.Decision, g *group) bool {
	if !d.Allow && !reached(d.Code) {
		return false
	}
	in := func(p netip.Prefix) bool { return p.Contains(g.address) }
	return g.example.Host == g.address.String() || slices.ContainsFunc(n.evaluators[i].Private(policy, d.Rule), in)
}

// unsettled reports what an example did not show. That is a fault of ours, except
// where the example is unusual, no host, or an extension had its say.
func (n *network) unsettled(g *group, err error) error {
	if g.example.Unusual || !g.valid || n.extended || errors.Is(err, errNoRequest) && !g.valid {
		n.doubt(fmt.Sprintf("no example shows whether %s changes; %s does not", g.class(), g.example), g.direction)
		return nil
	}
	return err
}

// class says in the words of the patterns what a group is about.
func (g *group) class() string {
	gains := &g.before
	if g.direction == Widens {
		gains = &g.after
	}
	host := strings.Join(g.hosts, ", ")
	if gains.Allow {
		host = gains.Rule.Text
	}
	out := someMethods(g.methods) + " on " + host
	if len(g.paths) > 0 {
		out += " " + few(g.paths)
	}
	switch g.kind {
	case 't':
		return "TLS of " + host + " passed through unread"
	case 'p':
		return out + " at private addresses"
	}
	return out
}

func someMethods(methods []string) string {
	if len(methods) > 6 {
		return "every method"
	}
	return strings.Join(methods, ", ")
}

// few names up to four and counts the rest.
func few(list []string) string {
	if len(list) > 4 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:4], ", "), len(list)-4)
	}
	return strings.Join(list, ", ")
}
