package canon

import (
	"strconv"
	"strings"
)

// Authority splits "host[:port]", as CONNECT and Host have it, and returns the
// canonical host. Without a port it is the scheme's default; with scheme ""
// there must be one. IPv6 addresses must be in brackets.
func Authority(s, scheme string) (host string, port int, err error) {
	h, p, e := splitAuthority(s)
	if e != nil {
		return "", 0, e
	}
	if p == "" {
		port = defaultPort(scheme)
		if port == 0 {
			return "", 0, refuse("%q has no port", s)
		}
	} else if port = parsePort(p); port == 0 {
		return "", 0, refuse("%q has no valid port", s)
	}
	if host, err = Host(h); err != nil {
		return "", 0, err
	}
	if s[0] == '[' && strings.IndexByte(host, ':') < 0 {
		return "", 0, refuse("%q has brackets around what is not an IPv6 address", s)
	}
	return host, port, nil
}

// errUserinfo does not repeat what it is about, which may be a password: answers
// and records quote it.
var errUserinfo = refuse("the host has user information before it")

// splitAuthority returns the host without brackets, and the port, "" if there
// is no colon.
func splitAuthority(s string) (host, port string, err *Error) {
	if strings.IndexByte(s, '@') >= 0 {
		return "", "", errUserinfo
	}
	if rest, ok := strings.CutPrefix(s, "["); ok {
		host, after, ok := strings.Cut(rest, "]")
		if !ok || after != "" && after[0] != ':' || after == ":" {
			return "", "", refuse("%q has malformed brackets", s)
		}
		return host, strings.TrimPrefix(after, ":"), nil
	}
	host, port, ok := strings.Cut(s, ":")
	switch {
	case ok && port == "":
		return "", "", refuse("%q has an empty port", s)
	case strings.IndexByte(port, ':') >= 0:
		return "", "", refuse("%q has more than one colon", s)
	}
	return host, port, nil
}

// parsePort reads a port without leading zeros; 0 if it is not one.
func parsePort(s string) int {
	if s == "" || len(s) > 5 || s[0] == '0' || strings.Trim(s, "0123456789") != "" {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil || n > 65535 {
		return 0
	}
	return n
}

func defaultPort(scheme string) int {
	switch scheme {
	case "https":
		return 443
	case "http":
		return 80
	}
	return 0
}
