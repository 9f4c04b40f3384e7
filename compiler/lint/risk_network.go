package lint

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// tail returns the literal labels after a host's wildcard, "" without one.
func tail(host string) string {
	labels := strings.Split(strings.ToLower(strings.TrimSuffix(host, ".")), ".")
	for i := len(labels) - 1; i >= 0; i-- {
		if strings.ContainsAny(labels[i], `*?[\`) {
			return strings.Join(labels[i+1:], ".")
		}
	}
	return ""
}

// privateSuffix finds wildcards over names that anybody may register.
func privateSuffix(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		ascii, err := canon.Host(tail(x.text.Host))
		if err != nil {
			continue
		}
		if suffix, icann := tables.IsPublicSuffix(ascii); suffix && !icann {
			r.at(x.at("host"), "name the one host that is meant, as in NAME."+ascii, "anybody may have a name below %s, so %s is every one of them", ascii, x.text.Host)
		}
	}
}

// buckets finds hosts on which anybody stores, without a path.
func buckets(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		e, ok := p.tables.host(tables.KnownBucket, x.plan.Host)
		if !ok || !unbounded(x.plan.Paths) || notTheirs(x.plan.Host, e) {
			continue
		}
		hint := e.Instead
		if strings.HasPrefix(hint, "/") {
			hint = fmt.Sprintf("add paths: [%q]", hint)
		}
		r.at(x.at("host"), hint, "%s holds %s, and the rule names no path", x.text.Host, e.Reason)
	}
}

// notTheirs tells whether an exact host below a wildcard of the table is one owner's.
func notTheirs(host glob.Pattern, e tables.Known) bool {
	_, exact := host.Literal(".")
	return exact && strings.HasPrefix(e.Pattern, "*")
}

// unbounded tells whether a list of paths lets every path through.
func unbounded(paths []glob.Pattern) bool {
	return len(paths) == 0 || slices.ContainsFunc(paths, everyPath)
}

// deepHosts finds wildcards over every depth.
func deepHosts(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		if len(x.plan.Host.Segments) > 0 && x.plan.Host.Segments[0].Deep {
			r.at(x.at("host"), "write *."+tail(x.text.Host)+" if one label is enough", "%s takes every host below %s, at any depth", x.text.Host, tail(x.text.Host))
		}
	}
}

// auditMode finds what is only recorded.
func auditMode(p *policy, r *reporter) {
	if p.spec.Mode == schemas.ModeAudit {
		r.at([]any{"spec", "mode"}, "remove it when you have seen enough; a rule may have mode: audit of its own", "mode: audit enforces nothing: what the policy denies is recorded and let through")
	}
	for _, x := range slices.Concat(p.outbound(), p.denied()) {
		if x.text.Mode == schemas.ModeAudit {
			r.at(x.at("mode"), "remove it when you have seen enough", "mode: audit of %s lets through what is denied because of it", x.plan.ID)
		}
	}
}

// plainHTTP finds rules that name plain HTTP.
func plainHTTP(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		named := x.text.Scheme == schemas.SchemeHTTP || x.text.Scheme == schemas.SchemeAny
		plain := slices.ContainsFunc(x.plan.Endpoints, func(e plan.Endpoint) bool { return e.Scheme == "http" })
		at := x.at("scheme")
		if !named {
			if len(x.text.Ports) == 0 {
				continue
			}
			at = x.at("ports", max(slices.Index(x.text.Ports, 80), 0))
		}
		if plain && !p.plainService(x.plan) {
			r.at(at, "write scheme: https, and leave port 80 out, if the host speaks TLS", "%s lets plain HTTP through, which anybody on the way reads and changes", x.plan.ID)
		}
	}
}

// plainService tells whether a rule is for a service that uses plain HTTP.
func (p *policy) plainService(r *plan.NetworkRule) bool {
	return slices.ContainsFunc(p.tables.services, func(s service) bool {
		return slices.ContainsFunc(s.needs, func(n need) bool { return n.Scheme == "http" && hostCovered(r.Host, n.host) })
	})
}

// defaultHTTP tells once that rules without a scheme take plain HTTP on 80.
func defaultHTTP(p *policy, r *reporter) {
	var first *rule
	n := 0
	for _, x := range p.outbound() {
		if x.text.Scheme == "" && len(x.text.Ports) == 0 && x.text.TLS != schemas.TLSPassthrough && !p.plainService(x.plan) {
			if n++; first == nil {
				first = &x
			}
		}
	}
	if first == nil {
		return
	}
	others := ""
	if n > 1 {
		others = fmt.Sprintf(", and so do %d other rules", n-1)
	}
	if n == 2 {
		others = ", and so does another rule"
	}
	r.at(first.at("host"), "add scheme: https to rules for hosts that speak TLS", "%s also takes plain HTTP on port 80%s", first.plan.ID, others)
}

// anyRequest finds rules that restrict neither methods nor paths.
func anyRequest(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		if len(x.plan.Methods) == 0 && unbounded(x.plan.Paths) && !x.plan.Passthrough && len(x.plan.Query) == 0 {
			r.at(x.at("host"), "add methods: [GET], or paths", "%s lets every request to %s through: any method, any path", x.plan.ID, x.text.Host)
		}
	}
}

var writing = []string{"DELETE", "PATCH", "POST", "PUT"}

// wideWrites finds rules that write anywhere on a host that everybody shares.
func wideWrites(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		e, ok := p.tables.host(tables.KnownForge, x.plan.Host)
		if !ok || !unbounded(x.plan.Paths) || len(x.plan.Methods) == 0 || !namesMeet(x.plan.Methods, writing) {
			continue
		}
		r.at(x.at("host"), fmt.Sprintf("name the paths that may be written, such as paths: [%q]", e.Instead),
			"%s lets %s write to %s: data can be taken out through it", x.plan.ID, strings.Join(slices.DeleteFunc(slices.Clone(x.plan.Written), func(m string) bool { return !slices.Contains(writing, m) }), ", "), e.Reason)
	}
}

// wideDeletes finds rules that delete anywhere on a host of one's own.
func wideDeletes(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		_, shared := p.tables.host(tables.KnownForge, x.plan.Host)
		if i := slices.Index(x.text.Methods, "DELETE"); i >= 0 && !shared && unbounded(x.plan.Paths) {
			r.at(x.at("methods", i), `name the paths below which may be deleted, such as paths: ["/v1/builds/**"]`, "%s lets anything on %s be deleted", x.plan.ID, x.text.Host)
		}
	}
}

// methods that clients send: those of HTTP, WebDAV and PATCH.
var usual = []string{
	"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK",
	"REPORT", "SEARCH", "QUERY", "MERGE", "MKACTIVITY", "MKCALENDAR", "CHECKOUT", "PURGE", "CONNECT", "TRACE",
}

// unusualMethods finds words that no client sends as a method.
func unusualMethods(p *policy, r *reporter) {
	for _, x := range slices.Concat(p.outbound(), p.denied()) {
		for i, m := range x.text.Methods {
			if slices.Contains(usual, strings.ToUpper(m)) {
				continue
			}
			hint := "leave methods out for every method, or list them"
			if best := parse.Closest(m, usual); best != "" {
				hint = "did you mean " + best + "?"
			}
			r.at(x.at("methods", i), hint, "no client sends %s: methods are compared as they are", m)
		}
	}
}

// wideRanges finds allow_private over whole private networks.
func wideRanges(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		for i, text := range x.text.AllowPrivate {
			c, err := netip.ParsePrefix(text)
			if err != nil {
				continue
			}
			if least := widest(c); c.Bits() < least {
				r.at(x.at("allow_private", i), fmt.Sprintf("name the network that the host is in, /%d or narrower", least), "%s is %s addresses, of every network that the gateway reaches", c, size(c))
			}
		}
	}
}

func widest(p netip.Prefix) int {
	if p.Addr().Is4() {
		return 16
	}
	return 48
}

func size(p netip.Prefix) string {
	bits := p.Addr().BitLen() - p.Bits()
	if bits > 40 {
		return fmt.Sprintf("2^%d", bits)
	}
	return fmt.Sprint(uint64(1) << bits)
}

// passthrough finds connections that are not inspected; those to hosts that take a
// credential have a code of their own.
func passthrough(p *policy, r *reporter) { p.uninspected(r, false) }

func passthroughCredentials(p *policy, r *reporter) { p.uninspected(r, true) }

func (p *policy) uninspected(r *reporter, credentials bool) {
	for _, x := range p.outbound() {
		if !x.plan.Passthrough {
			continue
		}
		e, ok := p.tables.host(tables.KnownCredentialed, x.plan.Host)
		switch {
		case ok && credentials:
			r.at(x.at("tls"), "remove tls: passthrough, and name methods and paths", "requests to %s carry %s, and passthrough lets any of them through unread", x.text.Host, e.Reason)
		case !ok && !credentials:
			r.at(x.at("tls"), "keep it only for clients that do not take the gateway's certificate", "%s is passed through unread: no method, path or body is checked or recorded", x.text.Host)
		}
	}
}

// privateOnPublic finds allow_private for the hosts of public services.
func privateOnPublic(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		if len(x.plan.AllowPrivate) == 0 {
			continue
		}
		_, forge := p.tables.host(tables.KnownForge, x.plan.Host)
		_, cred := p.tables.host(tables.KnownCredentialed, x.plan.Host)
		if forge || cred {
			r.key(x.at("allow_private"), "remove allow_private", "%s is a public service: an answer of its name server with a private address is an attack", x.text.Host)
		}
	}
}

// exfiltration finds hosts that are made for taking data out.
func exfiltration(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		if e, ok := p.tables.host(tables.KnownExfiltration, x.plan.Host); ok {
			r.at(x.at("host"), "remove the rule, or name the one path that is needed", "%s: %s", x.text.Host, e.Reason)
		}
	}
}

// literals finds addresses in place of names.
func literals(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		if a, err := netip.ParseAddr(x.text.Host); err == nil && !never(a) {
			r.at(x.at("host"), "write the host's name if it has one", "%s is an address: it is dialled whatever answers there, private or not", x.text.Host)
		}
	}
}

// pushDiscovery finds git reading by path alone, which lets pushes be prepared.
func pushDiscovery(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		if _, asked := x.text.Query["service"]; asked || len(x.plan.Methods) == 0 || slices.Contains(x.plan.Methods, "POST") {
			continue
		}
		for i, g := range x.plan.Paths {
			if last := g.Segments[len(g.Segments)-1]; len(g.Segments) > 1 && literal(last) == "refs" && literal(g.Segments[len(g.Segments)-2]) == "info" {
				r.at(x.at("paths", i), `add query: {service: ["git-upload-pack"]}`, "%s also takes ?service=git-receive-pack, with which a push begins", x.text.Paths[i])
			}
		}
	}
}

func literal(s glob.Segment) string {
	text, _ := s.Literal()
	return text
}

// webSockets finds upgrades on rules that are otherwise narrow.
func webSockets(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		if x.plan.WebSocket == plan.True && unbounded(x.plan.Paths) {
			r.key(x.at("websocket"), "add paths: with the one that is upgraded", "%s lets a WebSocket be opened on any path of %s, and its messages are not inspected", x.plan.ID, x.text.Host)
		}
	}
}

// writableBinaries finds executables that the sandbox may replace.
func writableBinaries(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		for i, b := range x.plan.Binaries {
			for _, w := range p.plan.File.Writable {
				if pathsMeet(b, w.Glob) && !p.readOnly(b) {
					d := r.at(x.at("binaries", i), "name a path that the policy does not make writable", "%s may be anything: %s makes it writable", x.text.Binaries[i], w.Text)
					related(d, w.Pos, w.ID+" stands here")
					break
				}
			}
		}
	}
}

// readOnly tells whether no file of a pattern can be written.
func (p *policy) readOnly(g glob.Pattern) bool {
	return slices.ContainsFunc(slices.Concat(p.plan.File.Readonly, p.plan.File.Blocked), func(x plan.PathRule) bool { return pathCovered(g, x.Glob) })
}
