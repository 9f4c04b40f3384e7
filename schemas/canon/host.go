package canon

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

const (
	maxHost  = 253 // RFC 1035, section 3.1, less the root
	maxLabel = 63
)

// Host returns the canonical form of a host name or address: lower case, IDNA
// A-labels, no trailing dot; an IPv6 address as RFC 5952 writes it, without
// brackets. A name may hold underscores, which DNS allows and many hosts have.
//
// Refused is what some program takes for another host: userinfo, percent
// signs, zones, control characters, IPv4 in any spelling but four decimal
// numbers without leading zeros, and non-ASCII text that is not a U-label
// (RFC 5890) in any case.
func Host(s string) (string, error) {
	if plainHost(s) {
		return s, nil
	}
	h, err := hostName(s)
	if err != nil {
		return "", err
	}
	return h, nil
}

// plainHost recognises, without allocating, names that are canonical already.
func plainHost(s string) bool {
	if len(s) == 0 || len(s) > maxHost {
		return false
	}
	start := 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] != '.' {
			if c := s[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
				return false
			}
			continue
		}
		if !plainLabel(s[start:i]) {
			return false
		}
		if i == len(s) {
			return !numeric(s[start:])
		}
		start = i + 1
	}
	return false
}

func plainLabel(l string) bool {
	return l != "" && len(l) <= maxLabel && l[0] != '-' && l[len(l)-1] != '-' && !strings.HasPrefix(l, "xn--")
}

// numeric tells whether a last label makes inet_aton and the WHATWG URL
// standard take the whole for an IPv4 address.
func numeric(label string) bool {
	digits := strings.TrimLeft(label, "0123456789")
	if digits == "" {
		return true
	}
	hex, ok := strings.CutPrefix(label, "0x")
	return ok && strings.Trim(hex, "0123456789abcdef") == ""
}

func hostName(s string) (string, *Error) {
	switch {
	case s == "":
		return "", refuse("the host is empty")
	case strings.IndexByte(s, '@') >= 0:
		return "", errUserinfo
	case len(s) > 4*maxHost:
		return "", refuse("the host name is longer than %d bytes", maxHost)
	case strings.IndexByte(s, ':') >= 0:
		return hostIPv6(s)
	}
	if err := hostBytes(s); err != nil {
		return "", err
	}
	name, err := asciiName(s)
	if err != nil {
		return "", err
	}
	return checkName(s, name)
}

func hostIPv6(s string) (string, *Error) {
	if strings.IndexByte(s, '%') >= 0 {
		return "", refuse("the host %q has a zone", s)
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return "", refuse("the host %q is not a name or an address", s)
	}
	return a.String(), nil
}

// hostBytes refuses the ASCII that no host name holds.
func hostBytes(s string) *Error {
	if !utf8.ValidString(s) {
		return refuse("the host %q is not UTF-8", s)
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c <= ' ' || c == 0x7f:
			return refuse("the host %q holds a space or a control character", s)
		case c < 0x80 && !isHostByte(c):
			return refuse("the host %q holds %q", s, string(rune(c)))
		}
	}
	return nil
}

func isHostByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

// asciiName lowers the case and turns U-labels into A-labels. The mapping of
// UTS 46 also accepts what only looks like a label, such as full-width letters;
// that is refused by asking for the way back.
func asciiName(s string) (string, *Error) {
	name := strings.ToLower(s)
	ascii := isASCII(s)
	if ascii && !strings.Contains(name, "xn--") {
		return name, nil
	}
	if !ascii {
		var err error
		if name, err = toASCII(name); err != nil {
			return "", refuse("the host %q is not an internationalised name: %v", s, err)
		}
	}
	back, err := toUnicode(name)
	if err != nil {
		return "", refuse("the host %q is not an internationalised name: %v", s, err)
	}
	if again, err := toASCII(back); err != nil || again != name {
		return "", refuse("the host %q is not an internationalised name in its only spelling", s)
	}
	if !ascii && !sameLabels(strings.ToLower(s), back, name) {
		return "", refuse("the host %q is not in the form of a U-label", s)
	}
	return name, nil
}

// sameLabels tells whether every label of a host is the U-label or A-label that
// it was mapped to.
func sameLabels(given, unicode, ascii string) bool {
	g, u, a := strings.Split(given, "."), strings.Split(unicode, "."), strings.Split(ascii, ".")
	if len(g) != len(u) || len(g) != len(a) {
		return false
	}
	for i := range g {
		if g[i] != u[i] && g[i] != a[i] {
			return false
		}
	}
	return true
}

// The lookup profile of IDNA2008 looks at each label that needs it; the others
// may hold what only DNS allows, such as underscores.
func toASCII(s string) (string, error)   { return eachLabel(s, idna.Lookup.ToASCII) }
func toUnicode(s string) (string, error) { return eachLabel(s, idna.Lookup.ToUnicode) }

func eachLabel(s string, convert func(string) (string, error)) (string, error) {
	labels := strings.Split(s, ".")
	for i, l := range labels {
		if isASCII(l) && !strings.HasPrefix(l, "xn--") {
			continue
		}
		converted, err := convert(l)
		if err != nil {
			return "", err
		}
		labels[i] = converted
	}
	return strings.Join(labels, "."), nil
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// checkName checks lengths and labels of a lower-case ASCII name that was given
// as s, and drops one trailing dot.
func checkName(s, name string) (string, *Error) {
	bare := strings.TrimSuffix(name, ".")
	if len(bare) > maxHost {
		return "", refuse("the host name is longer than %d bytes", maxHost)
	}
	last := bare[strings.LastIndexByte(bare, '.')+1:]
	for l := range strings.SplitSeq(bare, ".") {
		switch {
		case l == "":
			return "", refuse("the host %q has an empty label", s)
		case len(l) > maxLabel:
			return "", refuse("a label of the host %q is longer than %d bytes", s, maxLabel)
		case l[0] == '-' || l[len(l)-1] == '-':
			return "", refuse("a label of the host %q begins or ends with a hyphen", s)
		}
	}
	if !numeric(last) {
		return bare, nil
	}
	a, err := netip.ParseAddr(name)
	if err != nil || a.String() != s {
		return "", refuse("the host %q is an address in a form that programs read differently", s)
	}
	return s, nil
}
