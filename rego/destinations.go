package rego

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/openshell-policy/openshell/schemas"
)

// Destinations are the hosts and ports that a policy's allow rules name. The
// zero value names none.
type Destinations struct {
	g *Generation
	p *policy
}

// Destinations says which hosts and ports a policy names.
func (g *Generation) Destinations(policy string) Destinations {
	return Destinations{g, g.policies[policy]}
}

// Names tells whether an allow rule names the canonical host.
func (d Destinations) Names(host string) bool {
	if d.p == nil {
		return false
	}
	key := d.p.name + "\x00" + host
	if named, ok := d.g.names.Get(key); ok {
		return named
	}
	// Every allow rule whose host matches is a near miss of this input, which
	// matches nothing else.
	rules, err := d.p.network.get()
	if err != nil {
		return false // and whatever is asked then is denied with policy_error
	}
	terms := borrowTerms()
	defer terms.release()
	in := terms.network(hostOnly(host), rules.nears)
	near, err := d.p.least(context.Background(), &rules.near, in)
	named := err == nil && near != nil
	d.g.names.Add(key, named)
	return named
}

func hostOnly(host string) *schemas.NetworkInput {
	_, parent, _ := strings.Cut(host, ".")
	if strings.Contains(host, ":") || isIPv4(host) {
		parent = ""
	}
	return &schemas.NetworkInput{Host: host, HostParent: parent, Authority: host + ":0", Segments: []string{}, Ancestors: []string{}}
}

func isIPv4(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	_, err := strconv.Atoi(last)
	return err == nil
}

// Port tells whether a CONNECT to the port may be answered inside the tunnel:
// 443, or a port that an allow rule names.
func (d Destinations) Port(port int) bool {
	if port == 443 {
		return true
	}
	return d.p != nil && slices.ContainsFunc(d.p.index.Rules, func(r rule) bool {
		return r.Effect == "allow" && slices.Contains(r.PortList, port)
	})
}

// Ports lists the ports that allow rules name.
func (d Destinations) Ports() []int {
	if d.p == nil {
		return nil
	}
	var ports []int
	for _, r := range d.p.index.Rules {
		if r.Effect == "allow" {
			ports = append(ports, r.PortList...)
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// Passthrough returns the id of the passthrough rule for a destination, if
// there is one.
func (d Destinations) Passthrough(host string, port int) (rule string, ok bool) {
	if d.p == nil {
		return "", false
	}
	for i, r := range d.p.index.Rules {
		if r.Passthrough && slices.Contains(r.PortList, port) && d.p.passthrough[i].MatchString(host) {
			return r.ID, true
		}
	}
	return "", false
}

// passthroughHosts compiles the host patterns of passthrough rules, by ordinal.
func passthroughHosts(rules []rule) (map[int]*regexp.Regexp, error) {
	out := map[int]*regexp.Regexp{}
	for i, r := range rules {
		if !r.Passthrough {
			continue
		}
		re, err := regexp.Compile(r.HostRegex)
		if err != nil {
			return nil, err
		}
		out[i] = re
	}
	return out, nil
}

// nameCache remembers which hosts a generation's policies name.
type nameCache = lru.Cache[string, bool]

func newNameCache() *nameCache {
	c, err := lru.New[string, bool](4096)
	if err != nil {
		panic(err) // the size is a positive constant
	}
	return c
}
