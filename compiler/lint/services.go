package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/check"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// anchored lists the services that the policy itself names by a rule for an
// exact host, with the first such rule.
func (p *policy) anchored() []anchoredService {
	var out []anchoredService
	for i := range p.tables.services {
		s := &p.tables.services[i]
		for _, x := range p.outbound() {
			if slices.ContainsFunc(s.anchors, func(a glob.Pattern) bool { return hostCovered(x.plan.Host, a) }) && p.meant(s, x.plan) {
				out = append(out, anchoredService{s, x})
				break
			}
		}
	}
	return out
}

type anchoredService struct {
	*service
	rule rule
}

// meant tells whether a rule for an anchor is for the service: where it names
// paths, one of the service's is among them.
func (p *policy) meant(s *service, r *plan.NetworkRule) bool {
	if len(r.Paths) == 0 {
		return true
	}
	return slices.ContainsFunc(s.needs, func(n need) bool { return check.HostsMeet(r.Host, n.host) && globsMeet(r.Paths, n.paths) })
}

// met tells whether some request of a need is allowed for each of its methods.
func (p *policy) met(n *need) bool {
	return !slices.ContainsFunc(n.Methods, func(m string) bool {
		return !slices.ContainsFunc(p.plan.Network.Outbound, func(r plan.NetworkRule) bool { return len(r.Host.Segments) > 0 && allows(&r, n, m) })
	})
}

func isGit(s *service) bool { return strings.HasPrefix(s.Name, "git-") }

// serviceLacks finds services of which a host or a request is missing without
// which nothing works.
func serviceLacks(p *policy, r *reporter) { p.lacking(r, tables.NeedRequired, false) }

// cloneLacks is serviceLacks for git, which everybody gets wrong first.
func cloneLacks(p *policy, r *reporter) {
	p.lacking(r, tables.NeedRequired, true)
	for _, x := range p.outbound() {
		for i, g := range x.plan.Paths {
			if fetch := uploadPack(x, g, i); fetch != nil && !p.knownForge(x.plan.Host) && !p.met(fetch) {
				r.at(x.at("paths", i), "add to outbound: "+ruleFor(fetch.Need), "git asks here what there is to fetch, and cannot fetch it: POST %s is not allowed", fetch.Paths[0])
			}
		}
	}
}

// uploadPack is what git sends after the request that a path of a rule is for; nil
// if that is none of git's.
func uploadPack(x rule, g glob.Pattern, i int) *need {
	before, ok := strings.CutSuffix(x.text.Paths[i], "/info/refs")
	reads := len(x.plan.Methods) == 0 || slices.Contains(x.plan.Methods, "GET")
	if n := len(g.Segments); !ok || !reads || n < 2 {
		return nil
	}
	path := before + "/git-upload-pack"
	return &need{
		Need: tables.Need{Host: x.text.Host, Methods: []string{"POST"}, Paths: []string{path}},
		host: x.plan.Host, paths: []glob.Pattern{urlGlob(path)},
	}
}

// knownForge tells whether git's needs of a host are in the table.
func (p *policy) knownForge(host glob.Pattern) bool {
	return slices.ContainsFunc(p.tables.services, func(s service) bool {
		return isGit(&s) && slices.ContainsFunc(s.anchors, func(a glob.Pattern) bool { return check.HostsMeet(a, host) })
	})
}

// featureLacks finds services of which something particular is missing.
func featureLacks(p *policy, r *reporter) { p.lacking(r, tables.NeedFeature, false) }

func (p *policy) lacking(r *reporter, level string, git bool) {
	for _, s := range p.anchored() {
		if isGit(s.service) != git {
			continue
		}
		for i := range s.needs {
			n := &s.needs[i]
			if n.Level != level || p.met(n) {
				continue
			}
			r.at(s.rule.at("host"), "add to outbound: "+ruleFor(n.Need)+ready(s.Service), "%s: %s %s%s is not allowed: %s",
				s.Title, strings.Join(n.Methods, ", "), n.Host, n.Paths[0], n.Reason)
		}
	}
}

// ruleFor writes the rule that a need asks for.
func ruleFor(n tables.Need) string {
	paths := make([]string, len(n.Paths))
	for i, p := range n.Paths {
		paths[i] = fmt.Sprintf("%q", p)
	}
	scheme := ""
	if n.Scheme != "" {
		scheme = ", scheme: " + n.Scheme
	}
	return fmt.Sprintf("{host: %s%s, methods: [%s], paths: [%s]}", n.Host, scheme, strings.Join(n.Methods, ", "), strings.Join(paths, ", "))
}

// ready names the ready-made policy for a service.
func ready(s tables.Service) string {
	if s.Policy == "" {
		return ""
	}
	return ", or extend " + s.Policy
}

// servicePlain finds services on plain HTTP that the policy allows by TLS alone.
func servicePlain(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		for _, s := range p.tables.services {
			i := slices.IndexFunc(s.needs, func(n need) bool { return n.Scheme == "http" && hostCovered(n.host, x.plan.Host) })
			if i < 0 || slices.ContainsFunc(p.plan.Network.Outbound, func(o plan.NetworkRule) bool {
				return hostCovered(s.needs[i].host, o.Host) && slices.ContainsFunc(o.Endpoints, func(e plan.Endpoint) bool { return e.Scheme == "http" })
			}) {
				continue
			}
			r.at(x.at("host"), "add port 80 (scheme: any), or configure https sources in the image", "%s: packages are asked for on port 80 of %s, which the rule leaves out", s.Title, s.needs[i].Host)
		}
	}
}

// scopedNames finds rules with paths for services that send %2F in a segment.
func scopedNames(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		for _, s := range p.tables.services {
			slashed := slices.ContainsFunc(s.needs, func(n need) bool { return n.EncodedSlash && hostCovered(x.plan.Host, n.host) })
			reads := len(x.plan.Methods) == 0 || slices.Contains(x.plan.Methods, "GET")
			if !slashed || !reads || x.plan.EncodedSlash || len(x.plan.Paths) == 0 || !slices.ContainsFunc(x.plan.Paths, takesSegment) {
				continue
			}
			r.key(x.at("paths"), "add encoded_slash: allow to the rule", "%s sends %%2F in the names of scoped packages (/@types%%2fnode), which a rule with paths refuses", s.Title)
		}
	}
}

// takesSegment tells whether a pattern takes a path of one segment.
func takesSegment(g glob.Pattern) bool { return pathsMeet(g, urlGlob("/@*")) }

// publishing finds wide rules that let something be changed for others.
func publishing(p *policy, r *reporter) {
	for i := range p.tables.services {
		s := &p.tables.services[i]
		for j := range s.keepDenied {
			n := &s.keepDenied[j]
			for _, x := range p.outbound() {
				if p.unaware(x.plan, n) {
					r.at(x.at("host"), "name the methods and paths that are needed, or deny it: "+ruleFor(n.Need), "%s also lets %s %s%s through: %s", x.plan.ID, n.Methods[0], n.Host, n.Paths[0], n.Reason)
				}
			}
		}
	}
}

// unaware tells whether a rule allows a request that it does not name, and no deny
// rule takes back.
func (p *policy) unaware(r *plan.NetworkRule, n *need) bool {
	method := n.Methods[0]
	if r.Passthrough || !hostCovered(n.host, r.Host) || len(r.Methods) > 0 && !slices.Contains(r.Methods, method) || !globsMeet(r.Paths, n.paths) {
		return false
	}
	if len(r.Paths) > 0 && !slices.ContainsFunc(r.Paths, func(g glob.Pattern) bool {
		return globsMeet([]glob.Pattern{g}, n.paths) && !slices.Contains(reserved, literal(g.Segments[0]))
	}) {
		return false
	}
	named := len(r.Paths) > 0 && !slices.ContainsFunc(r.Paths, func(g glob.Pattern) bool {
		return globsMeet([]glob.Pattern{g}, n.paths) && !slices.ContainsFunc(n.paths, func(o glob.Pattern) bool { return pathCovered(g, o) && !everyPath(g) })
	})
	return !named && !slices.ContainsFunc(p.plan.Network.Denied, func(d plan.NetworkRule) bool { return denies(&d, n, method) })
}

// reserved are the first segments of paths on forges that belong to nobody.
var reserved = []string{"login", "settings", "sessions", "apps", "oauth", "users"}

// telemetry finds hosts that serve nothing but statistics.
func telemetry(p *policy, r *reporter) {
	for _, x := range p.outbound() {
		for _, s := range p.tables.services {
			for _, n := range s.needs {
				only := !slices.ContainsFunc(s.needs, func(o need) bool { return o.Host == n.Host && o.Level != tables.NeedTelemetry })
				if n.Level == tables.NeedTelemetry && only && hostCovered(x.plan.Host, n.host) {
					r.at(x.at("host"), "remove the rule: everything works without it", "%s only takes %s of %s", n.Host, n.Reason, s.Title)
				}
			}
		}
	}
}
