package suggest

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/analysis/replay"
	"github.com/openshell-policy/openshell/schemas"
)

// place is where requests of one suggested rule go.
type place struct {
	host      string
	port      int // 0 is https on 443
	websocket bool
}

// requests collects denied requests: the paths of each method at each place.
type requests map[place]map[string]*tree

// refuseRequest says why no rule is suggested for a request.
func refuseRequest(q *replay.Question, d *schemas.Decision) string {
	n := q.Input.Network
	_, err := netip.ParseAddr(n.Host)
	switch {
	case d.Code == schemas.CodeDeniedRule:
		return "a deny rule wins over everything that allows"
	case d.Code == schemas.CodeQueryNotAllowed:
		return "the rule's query is what keeps it out: widen that by hand"
	case d.Code == schemas.CodeBinaryNotAllowed:
		return "the rule is for other programs"
	case n.Method == "CONNECT":
		return "a tunnel was refused before a request was seen in it"
	case err == nil:
		return "an address, not a name"
	case n.Scheme != "https":
		return "plain HTTP, which anybody on the way reads and changes"
	case len(q.Readings) > 1:
		return "the path can be read in several ways"
	case strings.Contains(n.Path, "%2F"):
		return "the path holds an encoded slash"
	case !slices.Contains([]schemas.Code{
		schemas.CodeHostNotInPolicy, schemas.CodePortNotAllowed, schemas.CodeSchemeNotAllowed, schemas.CodeMethodNotAllowed,
		schemas.CodePathNotAllowed, schemas.CodeWebSocketNotAllowed,
	}, d.Code):
		return "denied as " + string(d.Code)
	}
	return ""
}

func (r requests) add(n *schemas.NetworkInput) {
	at := place{host: n.Host, websocket: n.WebSocket}
	if n.Port != 443 {
		at.port = n.Port
	}
	if r[at] == nil {
		r[at] = map[string]*tree{}
	}
	if r[at][n.Method] == nil {
		r[at][n.Method] = &tree{}
	}
	r[at][n.Method].add(strings.Split(analysis.PathPattern(n.Path), "/")[1:])
}

// across joins hosts that differ in their first label alone where there are k or
// more of them, and what is behind it belongs to one owner.
func (r requests) across(k int) {
	siblings := map[place]int{} // hosts
	for at := range r {
		_, parent, ok := strings.Cut(at.host, ".")
		if owner, err := publicsuffix.EffectiveTLDPlusOne(parent); k == 0 || !ok || err != nil || owner == "" {
			continue
		}
		at.host = "*." + parent
		siblings[at]++
	}
	for wide, hosts := range siblings {
		if hosts < k {
			continue
		}
		methods := map[string]*tree{}
		for at, own := range r {
			_, parent, _ := strings.Cut(at.host, ".")
			if at.port != wide.port || at.websocket != wide.websocket || "*."+parent != wide.host {
				continue
			}
			for m, t := range own {
				if methods[m] == nil {
					methods[m] = &tree{}
				}
				methods[m].join(t)
			}
			delete(r, at)
		}
		r[wide] = methods
	}
}

// rules are the least rules for the requests: one for each place and set of paths.
func (r requests) rules(o Options) []schemas.NetworkRule {
	r.across(o.Hosts)
	var out []schemas.NetworkRule
	places := slices.SortedFunc(maps.Keys(r), func(a, b place) int {
		return cmp.Or(strings.Compare(a.host, b.host), cmp.Compare(a.port, b.port), compareBool(a.websocket, b.websocket))
	})
	for _, at := range places {
		byPaths := map[string]*schemas.NetworkRule{}
		for _, method := range slices.Sorted(maps.Keys(r[at])) {
			t := r[at][method]
			t.generalise(o.Generalise, 0)
			paths := t.paths("")
			key := strings.Join(paths, "\x00")
			if rule := byPaths[key]; rule != nil {
				rule.Methods = append(rule.Methods, method)
				continue
			}
			byPaths[key] = at.rule(method, paths)
		}
		for _, key := range slices.Sorted(maps.Keys(byPaths)) {
			out = append(out, *byPaths[key])
		}
	}
	return out
}

func (at place) rule(method string, paths []string) *schemas.NetworkRule {
	rule := &schemas.NetworkRule{Host: at.host, Methods: []string{method}, Paths: paths}
	if at.port != 0 {
		rule.Scheme, rule.Ports = "https", []int{at.port}
	}
	if at.websocket {
		yes := true
		rule.WebSocket = &yes
	}
	return rule
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
