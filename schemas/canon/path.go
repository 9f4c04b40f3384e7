package canon

import (
	"strings"
)

const maxPath = 4096

// canonicalPath returns the path to send, and the readings of it in the form
// that policies compare: the one that is sent first.
//
// Sent is RFC 3986's normal form: dot segments resolved, unreserved characters
// decoded, whatever else is not allowed raw encoded in upper-case hex. Reserved
// characters stay as the client had them, because "%3B" and ";" need not mean
// the same to an origin. Compared is the same path percent-decoded, but for %2F
// and %25.
func canonicalPath(raw string) (forward string, readings []string, err *Error) {
	switch {
	case raw == "":
		raw = "/"
	case len(raw) > maxPath:
		return "", nil, refuseStatus(statusURITooLong, "the path is longer than %d bytes", maxPath)
	case raw == "*":
		return "", nil, refuse("the asterisk form of a request target")
	case raw[0] != '/':
		return "", nil, refuse("the path %q does not begin with a slash", raw)
	}
	if plainPath(raw) {
		return raw, []string{raw}, nil
	}
	segments, err := canonicalSegments(raw)
	if err != nil {
		return "", nil, err
	}
	var f, c strings.Builder
	for _, s := range segments {
		f.WriteByte('/')
		f.WriteString(s.forward)
		c.WriteByte('/')
		c.WriteString(s.compare)
	}
	return f.String(), pathReadings(c.String()), nil
}

// plainPath recognises paths that are canonical already and have one reading.
func plainPath(p string) bool {
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '/':
			if rest := p[i+1:]; rest != "" && (rest[0] == '/' || rest[0] == '.' && dotSegment(rest)) {
				return false
			}
		case c == ';' || !isPathByte(c):
			return false
		}
	}
	return true
}

// dotSegment tells whether the segment at the beginning of rest is "." or "..".
func dotSegment(rest string) bool {
	rest = strings.TrimPrefix(rest[1:], ".")
	return rest == "" || rest[0] == '/'
}

func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// isPathByte tells what may stand raw in a segment (pchar of RFC 3986).
func isPathByte(c byte) bool {
	return isUnreserved(c) || strings.IndexByte("!$&'()*+,;=:@", c) >= 0
}

// segment is one segment as it is sent and as it is compared.
type segment struct{ forward, compare string }

// canonicalSegments decodes the segments of a path and resolves its dot
// segments (RFC 3986, section 5.2.4), but never above the root.
func canonicalSegments(raw string) ([]segment, *Error) {
	parts := strings.Split(raw[1:], "/")
	out := make([]segment, 0, len(parts))
	for i, part := range parts {
		s, err := canonicalSegment(part)
		if err != nil {
			return nil, err
		}
		last := i == len(parts)-1
		if err := checkSegment(part, s.compare, last); err != nil {
			return nil, err
		}
		dots := s.compare == "." || s.compare == ".."
		if s.compare == ".." {
			if len(out) == 0 {
				return nil, refuse("the path leads above the root")
			}
			out = out[:len(out)-1]
		}
		switch {
		case !dots:
			out = append(out, s)
		case last:
			out = append(out, segment{})
		}
	}
	return out, nil
}

func canonicalSegment(part string) (segment, *Error) {
	if part == "" {
		return segment{}, nil
	}
	var f, c strings.Builder
	for i := 0; i < len(part); i++ {
		b, escaped := part[i], false
		if b == '%' {
			v, ok := unhexPair(part[i+1:])
			if !ok {
				return segment{}, refuse("the path holds a malformed percent escape")
			}
			b, escaped, i = v, true, i+2
		}
		if err := checkPathByte(b, escaped); err != nil {
			return segment{}, err
		}
		writePathByte(&f, &c, b, escaped)
	}
	if overlong(c.String()) {
		return segment{}, refuse("the path holds an overlong UTF-8 sequence")
	}
	return segment{forward: f.String(), compare: Escape(c.String())}, nil
}

func checkPathByte(b byte, escaped bool) *Error {
	switch {
	case b < ' ' || b == 0x7f:
		return refuse("the path holds a control character")
	case b == '\\':
		return refuse("the path holds a backslash")
	case escaped:
		return nil
	case b >= 0x80:
		return refuse("the path holds a character that is not percent-encoded")
	case b == ' ' || b == '?' || b == '#':
		return refuse("the path holds %q", string(rune(b)))
	}
	return nil
}

func writePathByte(f, c *strings.Builder, b byte, escaped bool) {
	encoded := [3]byte{'%', upperHex[b>>4], upperHex[b&15]}
	switch {
	case b == '/' || b == '%':
		f.Write(encoded[:])
		c.Write(encoded[:])
		return
	case isUnreserved(b) || !escaped && isPathByte(b):
		f.WriteByte(b)
	default:
		f.Write(encoded[:])
	}
	c.WriteByte(b)
}

func unhexPair(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	hi, lo := unhex(s[0]), unhex(s[1])
	return hi<<4 | lo, hi < 16 && lo < 16
}

// unhex returns the value of a hex digit, 255 if it is not one.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// overlong finds bytes that careless decoders take for ASCII: UTF-8 sequences
// longer than need be, such as C0 AF for a slash (RFC 3629, section 10).
func overlong(s string) bool {
	for i := 0; i+1 < len(s); i++ {
		next := s[i+1]
		if next&0xC0 != 0x80 {
			continue
		}
		switch b := s[i]; {
		case b == 0xC0, b == 0xC1, b == 0xE0 && next < 0xA0, b == 0xF0 && next < 0x90, b == 0xF8 && next < 0x88, b == 0xFC && next < 0x84:
			return true
		}
	}
	return false
}

// checkSegment refuses dot segments that only show after decoding or once their
// parameters are dropped ("..;x"), and encoded slashes beside which origins would
// read different paths.
func checkSegment(raw, compare string, last bool) *Error {
	slashed := strings.Contains(compare, "%2F")
	for part, more := compare, true; more; {
		var one string
		one, part, more = strings.Cut(part, "%2F")
		name, _, params := strings.Cut(one, ";")
		dots := name == "." || name == ".."
		switch {
		case dots && params:
			return refuse("the path hides a dot segment by parameters")
		case dots && (slashed || !strings.HasPrefix(raw, name)):
			return refuse("the path hides a dot segment by encoding")
		case slashed && one == "" && (more || !last):
			return refuse("the path holds an encoded slash beside a slash")
		case params && more:
			return refuse("the path holds an encoded slash in a parameter")
		}
	}
	return nil
}
