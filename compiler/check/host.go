package check

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/schemas/canon"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// host parses a host pattern; at is where it stands.
func (c *checker) host(src string, at diag.Position) (glob.Pattern, bool) {
	refuse := func(message, hint string) (glob.Pattern, bool) {
		c.report(diag.New("OSP2001", at, message, hint))
		return glob.Pattern{}, false
	}
	if message, hint := notAHost(src); message != "" {
		return refuse(message, hint)
	}
	canonical, message, hint := canonicalHost(src)
	if message != "" {
		return refuse(message, hint)
	}
	if canonical != src {
		c.report(diag.New("OSP2010", at, fmt.Sprintf("host %q is compared as %q", src, canonical), "write "+canonical))
	}
	p, err := glob.Host(canonical)
	if err != nil {
		return refuse(fmt.Sprintf("host %q: %s", src, err), "write a host name such as *.example.com")
	}
	p.Source = src
	return p, true
}

// notAHost recognises what people write in place of a host.
func notAHost(src string) (message, hint string) {
	switch {
	case strings.Contains(src, "://"):
		rest := src[strings.Index(src, "://")+3:]
		name, path, _ := strings.Cut(rest, "/")
		return fmt.Sprintf("host %q is a URL", src), fmt.Sprintf("write host: %s, and paths: [\"/%s\"] if the path matters", name, path)
	case strings.Contains(src, "/"):
		return fmt.Sprintf("host %q holds a path", src), "write the path under paths; address ranges cannot be hosts"
	case strings.Contains(src, "@"):
		return fmt.Sprintf("host %q holds user information", src), "write the host alone"
	case strings.HasPrefix(src, "["):
		if end := strings.IndexByte(src, ']'); end > 0 {
			if _, err := netip.ParseAddr(src[1:end]); err == nil {
				return fmt.Sprintf("host %q is bracketed", src), "write " + src[1:end] + " without brackets, a port under ports"
			}
		}
	}
	if name, port, ok := strings.Cut(src, ":"); ok && !strings.Contains(port, ":") {
		return fmt.Sprintf("host %q holds a port", src), fmt.Sprintf("write host: %s and ports: [%s]", name, port)
	}
	return "", ""
}

// canonicalHost returns the form that hosts are compared in.
func canonicalHost(src string) (canonical, message, hint string) {
	if !strings.ContainsAny(src, `*?[\`) {
		return exactHost(src)
	}
	canonical = strings.ToLower(strings.TrimSuffix(src, "."))
	labels := strings.Split(canonical, ".")
	wild := -1
	for i, l := range labels {
		switch {
		case !strings.ContainsAny(l, `*?[\`):
			continue
		case wild >= 0:
			return "", fmt.Sprintf("host %q has two labels with wildcards", src), "keep one: the first label, or one whole label in the middle"
		case i > 0 && l != "*":
			return "", fmt.Sprintf("host %q has %q in the middle", src, l), "in the middle only a whole label may be *; ** may only stand first"
		}
		wild = i
	}
	if !hostLabel(labels[wild]) {
		return "", fmt.Sprintf("host %q has %q, which holds a character that no host name has", src, labels[wild]), "use letters, digits, - and _; write a label that is not ASCII in its xn-- form, or as *"
	}
	if message, hint = tooWide(src, strings.Join(labels[wild+1:], ".")); message != "" {
		return "", message, hint
	}
	return literalLabels(src, labels, wild)
}

// hostLabel tells whether the literal parts of a label with a wildcard are those of
// host names. What does not parse is reported as a pattern.
func hostLabel(label string) bool {
	p, err := glob.Host(label)
	if err != nil {
		return true
	}
	for _, t := range p.Segments[0].Tokens {
		if t.Op == glob.Literal && strings.Trim(t.Lit, hostCharacters) != "" {
			return false
		}
	}
	return true
}

// literalLabels converts the labels around the wildcard as those of a whole name
// are, with a letter in the wildcard's place.
func literalLabels(src string, labels []string, wild int) (canonical, message, hint string) {
	pattern := labels[wild]
	labels[wild] = "x"
	name, err := canon.Host(strings.Join(labels, "."))
	if err != nil {
		return "", fmt.Sprintf("host %q: %s", src, err), "write a host name such as *.example.com"
	}
	labels = strings.Split(name, ".")
	labels[wild] = pattern
	return strings.Join(labels, "."), "", ""
}

func exactHost(src string) (canonical, message, hint string) {
	if a, err := netip.ParseAddr(src); err == nil && (a.Zone() != "" || a.String() != src) {
		return "", fmt.Sprintf("address %q is not in its canonical form", src), "write " + a.WithZone("").String()
	}
	host, err := canon.Host(src)
	if err != nil {
		return "", fmt.Sprintf("host %q: %s", src, err), "write a host name such as api.example.com, or an address in its usual form"
	}
	return host, "", ""
}

// tooWide refuses wildcards over whole registries of names.
func tooWide(src, tail string) (message, hint string) {
	if !strings.Contains(tail, ".") {
		return fmt.Sprintf("host %q would match every host of the internet, or of a top-level domain", src), "name the domain: *.example.com is one label below it, **.example.com any depth"
	}
	ascii, err := canon.Host(tail)
	if err != nil {
		return fmt.Sprintf("host %q: %s", src, err), "write a host name such as *.example.com"
	}
	if suffix, icann := tables.IsPublicSuffix(ascii); suffix && icann {
		return fmt.Sprintf("host %q would match every domain registered under %s", src, tail), "name the domain, as in *.example." + tail
	}
	return "", ""
}
