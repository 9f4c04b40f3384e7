package exact

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/openshell-policy/openshell/compiler/automata"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// Request is an example of a class of requests.
type Request struct {
	Method, Scheme, Host string
	Port                 int
	Path                 string // encoded, as it is sent
	Query                map[string][]string
	WebSocket            bool
	Binary               string // "" unknown
	Ancestors            []string
	// Unusual says that origins may read the path in several ways, each of
	// which is decided, or that it is no text: the class is not known to hold a
	// request until the example was decided.
	Unusual bool
}

// Canon returns the request as the gateway receives it.
func (r *Request) Canon() canon.Request {
	return canon.Request{
		Method: r.Method, Scheme: r.Scheme, Host: r.Host, Port: r.Port, RawPath: r.Path, RawQuery: r.RawQuery(),
		WebSocket: r.WebSocket, ContentLength: 0, Binary: r.Binary, Ancestors: r.Ancestors,
	}
}

// RawQuery returns the encoded query, "" for none.
func (r *Request) RawQuery() string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(r.Query)) {
		for _, v := range r.Query[key] {
			parts = append(parts, encode(key, "")+"="+encode(v, "/"))
		}
	}
	return strings.Join(parts, "&")
}

// URL returns the whole URL, without the port where it is the scheme's default.
func (r *Request) URL() string {
	host := r.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if !(r.Scheme == "https" && r.Port == 443 || r.Scheme == "http" && r.Port == 80) {
		host = fmt.Sprintf("%s:%d", host, r.Port)
	}
	url := r.Scheme + "://" + host + r.Path
	if q := r.RawQuery(); q != "" {
		url += "?" + q
	}
	return url
}

// String returns the request as people write it.
func (r *Request) String() string {
	out := r.Method + " " + r.URL()
	if r.WebSocket {
		out += " as a WebSocket"
	}
	if r.Binary != "" {
		out += " by " + r.Binary
	}
	if len(r.Ancestors) > 0 {
		out += " started by " + strings.Join(r.Ancestors, ", ")
	}
	return out
}

// urlPath encodes the symbols of a path.
func urlPath(word []rune) string {
	var b strings.Builder
	for _, s := range word {
		switch c, odd := automata.Byte(s); {
		case odd:
			fmt.Fprintf(&b, "%%%02X", c)
		case s == automata.EncodedSlash:
			b.WriteString("%2F")
		default:
			b.WriteString(encode(string(s), "/!$&'()*+,;=:@"))
		}
	}
	return b.String()
}

// encode leaves unreserved characters and those of keep, and percent-encodes
// others.
func encode(s, keep string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~"+keep, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

// raw returns the text that symbols stand for.
func raw(word []rune) string {
	var b []byte
	for _, s := range word {
		if c, odd := automata.Byte(s); odd {
			b = append(b, c)
			continue
		}
		b = utf8.AppendRune(b, s)
	}
	return string(b)
}
