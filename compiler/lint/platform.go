package lint

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/schemas/canon"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// foreignPorts finds ports of other protocols than HTTP.
func foreignPorts(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		for i, port := range x.text.Ports {
			e, ok := p.tables.words[tables.KnownPort][strconv.Itoa(port)]
			if !ok {
				continue
			}
			hint := e.Instead
			if hint == "" {
				hint = "remove the port; reach the service through an HTTP API, or outside the sandbox"
			}
			r.at(x.at("ports", i), hint, "port %d is for %s, and only HTTP and HTTPS leave the sandbox", port, e.Reason)
		}
	}
}

// never tells whether an address is never dialled.
func never(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, r := range tables.SpecialRanges() {
		if r.Class == tables.RangeNever && r.Prefix.Contains(a) {
			return true
		}
	}
	for _, m := range tables.Metadata() {
		if m.Address == a {
			return true
		}
	}
	return false
}

// neverDialled finds hosts to which the gateway never connects.
func neverDialled(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		host := strings.ToLower(strings.TrimSuffix(x.text.Host, "."))
		a, err := netip.ParseAddr(host)
		switch {
		case err == nil && never(a):
			r.at(x.at("host"), "remove the rule", "%s is never dialled, whatever a policy allows", host)
		case host == "localhost" || strings.HasSuffix(host, ".localhost"):
			r.at(x.at("host"), "remove the rule; what runs inside the sandbox needs none", "%s is the gateway's own machine from the gateway, and never dialled", host)
		case host == "metadata.google.internal" || host == "metadata":
			r.at(x.at("host"), "remove the rule", "%s gives out the machine's credentials, and is never dialled", host)
		}
	}
}

// privateHosts finds hosts of private networks without allow_private.
func privateHosts(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		host := strings.ToLower(x.text.Host)
		if len(x.plan.AllowPrivate) > 0 || host == "metadata.google.internal" || strings.HasSuffix(host, "localhost") {
			continue
		}
		why, ok := p.tables.privateName(x.plan.Host)
		if !ok && p.opts.Config.private(x.plan.Host) {
			why, ok = "private_hosts names it", true
		}
		if !ok && !strings.Contains(host, ".") {
			why, ok = "a name without a dot is of the local network", true
		}
		if _, err := netip.ParseAddr(host); ok && err != nil {
			r.at(x.at("host"), "add allow_private with the network that the host is in, such as allow_private: [10.20.0.0/16]",
				"%s resolves to private addresses only, by its name (%s), and the rule allows none", x.text.Host, why)
		}
	}
}

// linkedBinaries finds executables that never open a connection themselves.
func linkedBinaries(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		for i, b := range x.plan.Binaries {
			name := literal(b.Segments[len(b.Segments)-1])
			if e, ok := p.tables.words[tables.KnownOpensThrough][name]; ok {
				r.at(x.at("binaries", i), "write "+e.Instead, "%q opens no connection: %s", x.text.Binaries[i], e.Reason)
			}
		}
	}
}

// shortWildcards finds wildcards that miss the hosts of a well-known service by
// one label.
func shortWildcards(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		t := tail(x.text.Host)
		if t == "" || len(x.plan.Host.Segments) == 0 || !x.plan.Host.Segments[0].Whole() {
			continue
		}
		if missed := p.missed(x.plan.Host, t); missed != "" {
			r.at(x.at("host"), fmt.Sprintf("write **.%s for any depth, or name %s", t, missed), "%s is one label below %s, and misses %s", x.text.Host, t, missed)
		}
	}
}

// missed names a host that services need below a wildcard's tail and that no rule
// of the policy takes.
func (p *policy) missed(pattern glob.Pattern, tail string) string {
	for _, s := range p.tables.services {
		for _, n := range s.needs {
			if n.Level == tables.NeedTelemetry || !strings.HasSuffix("."+n.Host, "."+tail) || hostCovered(n.host, pattern) {
				continue
			}
			if !p.names(n.host) {
				return n.Host
			}
		}
	}
	return ""
}

// names tells whether some allow rule takes a host.
func (p *policy) names(host glob.Pattern) bool {
	for i := range p.plan.Network.Outbound {
		if hostCovered(host, p.plan.Network.Outbound[i].Host) {
			return true
		}
	}
	return false
}

// clients finds allowed programs whose service the policy does not name.
func clients(p *policy, r *reporter) {
	for _, c := range p.allowedCommands() {
		for _, a := range c.allowed {
			e, ok := p.tables.words[tables.KnownClient][canon.Family(a.Program.Name)]
			if !ok || strings.HasPrefix(c.text, "@") || p.serves(strings.Fields(e.Instead)) {
				continue
			}
			s := p.service(strings.Fields(e.Instead)[0])
			r.at(c.at(), "add to outbound: "+ruleFor(s.needs[0].Need)+ready(s.Service), "%s may run, and cannot reach %s", a.Program.Name, s.Title)
		}
	}
}

func (p *policy) service(name string) service {
	for _, s := range p.tables.services {
		if s.Name == name {
			return s
		}
	}
	return service{}
}

// serves tells whether the policy names a host of one of some services.
func (p *policy) serves(names []string) bool {
	for _, name := range names {
		s := p.service(name)
		for _, a := range s.anchors {
			if p.names(a) {
				return true
			}
		}
		if len(s.needs) == 0 {
			return true
		}
	}
	return false
}
