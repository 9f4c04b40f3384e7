package check

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
	"github.com/openshell-policy/openshell/schemas/tables"
)

func (c *checker) network(d *parse.Document) plan.Network {
	var out plan.Network
	n := d.Policy.Spec.Network
	if n == nil {
		return out
	}
	for i := range n.Denied {
		out.Denied = append(out.Denied, c.rule(d, "denied", i, &n.Denied[i]))
	}
	for i := range n.Outbound {
		out.Outbound = append(out.Outbound, c.rule(d, "outbound", i, &n.Outbound[i]))
	}
	return out
}

func (c *checker) rule(d *parse.Document, list string, i int, r *schemas.NetworkRule) plan.NetworkRule {
	at := func(path ...any) []any { return append([]any{"spec", "network", list, i}, path...) }
	out := plan.NetworkRule{
		Origin:      plan.Origin{ID: r.Name, Pos: d.Pos(at()...), Text: r.Host},
		Mode:        r.Mode, // the policy's is filled in after merging
		Methods:     methods(r.Methods),
		Written:     r.Methods,
		Passthrough: r.TLS == schemas.TLSPassthrough,
		WebSocket:   tristate(r.WebSocket), EncodedSlash: r.EncodedSlash == "allow",
	}
	if out.Passthrough && r.Scheme == schemas.SchemeHTTP {
		c.report(diag.New("OSP2007", d.Pos(at("scheme")...), "plain http has no TLS to pass through", "remove tls, or write scheme: https"))
	}
	if r.Name == "" {
		out.ID = fmt.Sprintf("%s[%d]", list, i)
	}
	out.Host, _ = c.host(r.Host, d.Pos(at("host")...))
	if list == "denied" {
		out.AnyPort, out.Endpoints = deniedEndpoints(r)
	} else {
		out.Endpoints = allowedEndpoints(r)
	}
	out.Paths = c.globs(d, "OSP2002", r.Paths, glob.URLPath, at("paths"))
	out.Binaries = c.globs(d, "OSP2002", r.Binaries, glob.FilePath, at("binaries"))
	for _, key := range slices.Sorted(maps.Keys(r.Query)) {
		q := r.Query[key]
		path := at("query", key)
		if q.Absent != "" || d.Pos(append(path, "match")...) != d.Pos(path...) {
			path = append(path, "match")
		}
		out.Query = append(out.Query, plan.QueryKey{
			Key: canon.Escape(key), AbsentOK: q.Absent == "ok", Match: c.globs(d, "OSP2004", q.Match, glob.Text, path),
		})
	}
	for j, s := range r.AllowPrivate {
		if p, ok := c.private(s, d.Pos(at("allow_private", j)...)); ok {
			out.AllowPrivate = append(out.AllowPrivate, p)
		}
	}
	return out
}

// globs parses the patterns of one list.
func (c *checker) globs(d *parse.Document, code string, sources []string, parsePattern func(string) (glob.Pattern, error), path []any) []glob.Pattern {
	var out []glob.Pattern
	for i, src := range sources {
		p, err := parsePattern(src)
		if err != nil {
			c.globError(d, code, src, err, append(slices.Clone(path), i))
			if c.lenient {
				out = append(out, literally(src))
			}
			continue
		}
		out = append(out, p)
	}
	return out
}

func (c *checker) globError(d *parse.Document, code, src string, err error, path []any) {
	var bad *glob.Error
	if !errors.As(err, &bad) {
		c.report(diag.New(code, d.Pos(path...), fmt.Sprintf("%q: %s", src, err), ""))
		return
	}
	c.report(diag.New(code, d.Inside(bad.Offset, path...), bad.Message, bad.Hint))
}

// methods sorts them; a GET brings its HEAD, in both lists.
func methods(written []string) []string {
	out := slices.Clone(written)
	if slices.Contains(out, "GET") {
		out = append(out, "HEAD")
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func tristate(b *bool) plan.Tristate {
	switch {
	case b == nil:
		return plan.Unset
	case *b:
		return plan.True
	}
	return plan.False
}

// allowedEndpoints reads scheme and ports narrowly: https on 443 and http on 80
// unless said otherwise; with ports alone, http on 80 and https elsewhere.
func allowedEndpoints(r *schemas.NetworkRule) []plan.Endpoint {
	https, http := plan.Endpoint{Scheme: "https", Port: 443}, plan.Endpoint{Scheme: "http", Port: 80}
	if len(r.Ports) == 0 {
		switch r.Scheme {
		case schemas.SchemeHTTPS:
			return []plan.Endpoint{https}
		case schemas.SchemeHTTP:
			return []plan.Endpoint{http}
		}
		return []plan.Endpoint{https, http}
	}
	var out []plan.Endpoint
	for _, port := range r.Ports {
		for _, scheme := range schemesOn(r.Scheme, port) {
			out = append(out, plan.Endpoint{Scheme: scheme, Port: port})
		}
	}
	return uniqueEndpoints(out)
}

func schemesOn(scheme schemas.Scheme, port int) []string {
	switch {
	case scheme == schemas.SchemeAny:
		return []string{"https", "http"}
	case scheme != "":
		return []string{string(scheme)}
	case port == 80:
		return []string{"http"}
	}
	return []string{"https"}
}

// deniedEndpoints reads them widely: every port and both schemes unless said
// otherwise.
func deniedEndpoints(r *schemas.NetworkRule) (anyPort bool, out []plan.Endpoint) {
	schemes := []string{"https", "http"}
	if r.Scheme == schemas.SchemeHTTPS || r.Scheme == schemas.SchemeHTTP {
		schemes = []string{string(r.Scheme)}
	}
	ports := r.Ports
	if len(ports) == 0 {
		ports = []int{0}
	}
	for _, port := range ports {
		for _, scheme := range schemes {
			out = append(out, plan.Endpoint{Scheme: scheme, Port: port})
		}
	}
	return len(r.Ports) == 0, uniqueEndpoints(out)
}

func uniqueEndpoints(in []plan.Endpoint) []plan.Endpoint {
	var out []plan.Endpoint
	for _, e := range in {
		if !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}

// private parses one CIDR of allow_private.
func (c *checker) private(src string, at diag.Position) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(src)
	if err != nil {
		hint := "write a CIDR, such as 10.0.0.0/8"
		if a, err := netip.ParseAddr(src); err == nil {
			hint = fmt.Sprintf("write %s/%d for the one address", a, a.BitLen())
		}
		c.report(diag.New("OSP2008", at, fmt.Sprintf("%q is not an address range", src), hint))
		return p, false
	}
	if masked := p.Masked(); masked.String() != src {
		c.report(diag.New("OSP2008", at, fmt.Sprintf("%q is not in its canonical form", src), "write "+masked.String()))
		return p, false
	}
	if p.Addr().Is4In6() {
		c.report(diag.New("OSP2008", at, fmt.Sprintf("%q is in the form of an IPv4 address inside IPv6", src), "write the IPv4 range, such as 10.0.0.0/8"))
		return p, false
	}
	return p, c.dialled(p, at)
}

// dialled refuses ranges that are never dialled, or of which a part needs no
// leave.
func (c *checker) dialled(p netip.Prefix, at diag.Position) bool {
	private := false
	for _, r := range tables.SpecialRanges() {
		if r.Class == tables.RangeNever && r.Prefix.Overlaps(p) {
			c.report(diag.New("OSP2008", at, fmt.Sprintf("%s holds addresses that are never dialled (%s, %s)", p, r.Prefix, r.Name), "name the private range that the host is in"))
			return false
		}
		private = private || r.Class == tables.RangePrivate && r.Prefix.Bits() <= p.Bits() && r.Prefix.Contains(p.Addr())
	}
	if !private {
		c.report(diag.New("OSP2008", at, fmt.Sprintf("%s is not within a private range", p), "remove it: public addresses need no allow_private"))
	}
	return private
}
