package head

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Framing is what a head says about the bytes that follow it.
type Framing struct {
	Length  int64 // of the body; 0 when chunked
	Chunked bool
	Raw     bool // no HTTP follows: CONNECT, or an upgrade to WebSocket
}

// Scan checks one head, from the request line to the empty line. What it accepts,
// net/http accepts with the same meaning: a fuzz test holds that.
func Scan(b []byte) (Framing, *Fault) {
	s := scanner{length: -1}
	fault := s.scan(b)
	if fault != nil {
		fault.Method, fault.Target, fault.Host = s.method, s.target, s.host
		return Framing{}, fault
	}
	return s.framing(), nil
}

type scanner struct {
	method, target, host string
	minor                byte // of HTTP/1.x
	hosts, headers       int
	length               int64 // -1 none
	chunked, websocket   bool
	expect               string
}

func (s *scanner) scan(b []byte) *Fault {
	line, rest, fault := nextLine(b)
	if fault != nil {
		return fault
	}
	if fault := s.requestLine(line); fault != nil {
		return fault
	}
	for {
		line, rest, fault = nextLine(rest)
		if fault != nil {
			return fault
		}
		if len(line) == 0 {
			return s.whole()
		}
		if fault := s.header(line); fault != nil {
			return fault
		}
	}
}

// nextLine splits off one line that ends in CRLF and holds neither byte alone.
func nextLine(b []byte) (line, rest []byte, fault *Fault) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return nil, nil, malformed("the request head is not complete")
	}
	if i == 0 || b[i-1] != '\r' {
		return nil, nil, malformed("a line of the request head ends in a bare line feed")
	}
	line = b[:i-1]
	if bytes.IndexByte(line, '\r') >= 0 {
		return nil, nil, malformed("a line of the request head holds a bare carriage return")
	}
	return line, b[i+1:], nil
}

func (s *scanner) requestLine(line []byte) *Fault {
	parts := strings.Split(string(line), " ")
	if len(parts) > 0 && httpguts.ValidHeaderFieldName(parts[0]) {
		s.method = parts[0]
	}
	if len(parts) != 3 || parts[1] == "" {
		return malformed("the request line is not METHOD SP TARGET SP VERSION")
	}
	s.target = parts[1]
	if s.method == "" {
		return malformed("the method is not a token")
	}
	if s.method != strings.ToUpper(s.method) {
		return &Fault{Status: http.StatusNotImplemented, Detail: "methods are upper case"}
	}
	switch parts[2] {
	case "HTTP/1.1":
		s.minor = '1'
	case "HTTP/1.0":
		s.minor = '0'
	default:
		return wrongVersion(parts[2])
	}
	return checkTarget(s.method, s.target)
}

func wrongVersion(v string) *Fault {
	if strings.HasPrefix(v, "HTTP/") {
		return &Fault{Status: http.StatusHTTPVersionNotSupported, Detail: "the protocol version is neither HTTP/1.1 nor HTTP/1.0"}
	}
	return malformed("the request line has no protocol version")
}

// checkTarget refuses what net/url refuses, before net/http answers in its own
// words, and bytes that belong percent-encoded.
func checkTarget(method, target string) *Fault {
	path, _, _ := strings.Cut(target, "?")
	if len(path) > MaxPath || len(target) > MaxTarget {
		return &Fault{Status: http.StatusRequestURITooLong, Detail: "the request target is too long"}
	}
	for i := 0; i < len(target); i++ {
		if c := target[i]; c <= ' ' || c >= 0x7f {
			return malformed("the request target holds byte 0x%02X unencoded", c)
		}
	}
	if method == http.MethodConnect && !strings.HasPrefix(target, "/") {
		target = "http://" + target
	}
	if _, err := url.ParseRequestURI(target); err != nil {
		return malformed("the request target is not a URL")
	}
	return nil
}

func (s *scanner) header(line []byte) *Fault {
	if s.headers++; s.headers > MaxHeaders {
		return &Fault{Status: http.StatusRequestHeaderFieldsTooLarge, Detail: "more than " + strconv.Itoa(MaxHeaders) + " header fields"}
	}
	if line[0] == ' ' || line[0] == '\t' {
		return malformed("a header field is folded over two lines")
	}
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return malformed("a header line has no colon")
	}
	if !httpguts.ValidHeaderFieldName(string(name)) {
		return malformed("a header field's name is not a token")
	}
	v := strings.Trim(string(value), " \t")
	if !httpguts.ValidHeaderFieldValue(v) {
		return malformed("a header field holds a control character")
	}
	return s.field(name, v)
}

func (s *scanner) field(name []byte, value string) *Fault {
	switch {
	case equalFold(name, "host"):
		return s.hostField(value)
	case equalFold(name, "content-length"):
		return s.lengthField(value)
	case equalFold(name, "transfer-encoding"):
		return s.encodingField(value)
	case equalFold(name, "trailer"):
		return trailerField(value)
	case equalFold(name, "expect"):
		s.expect += value
	case equalFold(name, "upgrade"):
		s.websocket = s.websocket || httpguts.HeaderValuesContainsToken([]string{value}, "websocket")
	}
	return nil
}

func equalFold(name []byte, lower string) bool {
	return len(name) == len(lower) && strings.EqualFold(string(name), lower)
}

func (s *scanner) hostField(value string) *Fault {
	if s.hosts++; s.hosts > 1 {
		return malformed("more than one Host")
	}
	s.host = value
	if !httpguts.ValidHostHeader(value) {
		return malformed("Host holds a character that no host name has")
	}
	return nil
}

func (s *scanner) lengthField(value string) *Fault {
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil || value[0] == '+' {
		return malformed("Content-Length is not a number")
	}
	if s.length >= 0 {
		return malformed("more than one Content-Length")
	}
	s.length = int64(n)
	return nil
}

func (s *scanner) encodingField(value string) *Fault {
	if s.chunked {
		return malformed("more than one Transfer-Encoding")
	}
	if !strings.EqualFold(value, "chunked") {
		return &Fault{Status: http.StatusNotImplemented, Detail: "a Transfer-Encoding other than chunked"}
	}
	s.chunked = true
	return nil
}

// trailerField refuses the announcements that net/http refuses.
func trailerField(value string) *Fault {
	for name := range strings.SplitSeq(strings.ToLower(value), ",") {
		switch strings.TrimSpace(name) {
		case "content-length", "transfer-encoding", "trailer":
			return malformed("Trailer announces %s, which belongs in the head", strings.TrimSpace(name))
		}
	}
	return nil
}

// whole checks what only the complete head shows.
func (s *scanner) whole() *Fault {
	switch {
	case s.minor == '1' && s.hosts == 0:
		return malformed("Host is missing")
	case s.hosts == 1 && s.host == "" && s.method != http.MethodConnect:
		return malformed("Host is empty")
	case s.hosts == 1 && !s.sameAuthority():
		return &Fault{Status: http.StatusMisdirectedRequest, Detail: "Host is not the authority of the request target"}
	case s.chunked && s.length >= 0:
		return malformed("Content-Length together with Transfer-Encoding")
	case s.chunked && s.minor == '0':
		return malformed("Transfer-Encoding in an HTTP/1.0 request")
	case s.method == http.MethodConnect && (s.chunked || s.length > 0):
		return malformed("CONNECT with a body")
	case s.websocket && (s.chunked || s.length > 0):
		return malformed("a WebSocket upgrade with a body")
	case s.expect != "" && !strings.EqualFold(s.expect, "100-continue"):
		return &Fault{Status: http.StatusExpectationFailed, Detail: "an Expect other than 100-continue"}
	}
	return nil
}

// sameAuthority compares Host with an authority in the request target. net/http
// drops the field where the target has one, so no handler could.
func (s *scanner) sameAuthority() bool {
	if s.method == http.MethodConnect {
		return s.host == "" || strings.EqualFold(hostOnly(s.host), hostOnly(s.target))
	}
	if strings.HasPrefix(s.target, "/") || s.target == "*" {
		return true
	}
	u, err := url.Parse(s.target)
	if err != nil {
		return false
	}
	port := map[string]string{"http": ":80", "https": ":443"}[strings.ToLower(u.Scheme)]
	trim := func(authority string) string { return strings.TrimSuffix(authority, port) }
	return u.Host == "" || strings.EqualFold(trim(s.host), trim(u.Host))
}

func hostOnly(authority string) string {
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		return authority[:i]
	}
	return authority
}

func (s *scanner) framing() Framing {
	return Framing{
		Length:  max(0, s.length),
		Chunked: s.chunked,
		Raw:     s.method == http.MethodConnect || s.websocket,
	}
}
