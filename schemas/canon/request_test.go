package canon_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

func TestNetworkDerives(t *testing.T) {
	c, err := canon.Network(canon.Request{
		Method: "POST", Scheme: "http", Host: "API.example.com", Port: 8080, RawPath: "/Repos/a%2FB/", RawQuery: "q=a+b",
		WebSocket: true, ContentLength: 3, Binary: `/usr/bin/a\b`, Ancestors: []string{"/bin/\xff"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := schemas.NetworkInput{
		Scheme: "http", Host: "api.example.com", Port: 8080, Method: "POST", Path: "/Repos/a%2FB/",
		Query: map[string][]string{"q": {"a b"}}, WebSocket: true, ContentLength: 3,
		Binary: `/usr/bin/a\\b`, Ancestors: []string{`/bin/\xFF`},
		Authority: "api.example.com:8080", Parent: "example.com:8080", HostParent: "example.com",
		Dir: "/Repos/a%2FB/", Segments: []string{"Repos", "a%2FB", ""},
		Folded: schemas.PathForm{Path: "/repos/a%2fb", Dir: "/repos/a%2fb/", Segments: []string{"repos", "a%2fb"}},
		Split:  schemas.PathForm{Path: "/repos/a/b", Dir: "/repos/a/b/", Segments: []string{"repos", "a", "b"}},
	}
	if diff := cmp.Diff(c.Readings, []schemas.NetworkInput{want}); diff != "" {
		t.Errorf("readings (-got +want):\n%s", diff)
	}
	if c.Host != "api.example.com" || c.Port != 8080 || c.Scheme != "http" || c.ForwardPath != "/Repos/a%2FB/" || c.ForwardQuery != "q=a+b" {
		t.Errorf("got %+v", c)
	}
}

func TestHostFields(t *testing.T) {
	tests := []struct {
		name, host                    string
		port                          int
		authority, parent, hostParent string
	}{
		{"default port", "a.b.test", 443, "a.b.test", "b.test", "b.test"},
		{"port 0", "a.b.test", 0, "a.b.test", "b.test", "b.test"},
		{"other port", "a.b.test", 80, "a.b.test:80", "b.test:80", "b.test"},
		{"single label", "localhost", 8443, "localhost:8443", "", ""},
		{"IPv4", "192.0.2.1", 443, "192.0.2.1", "", ""},
		{"IPv6", "2001:db8::1", 443, "2001:db8::1", "", ""},
		{"IPv6 with a port", "2001:db8::1", 8443, "[2001:db8::1]:8443", "", ""},
		{"IPv6 that holds dots", "::ffff:192.0.2.1", 443, "::ffff:192.0.2.1", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := get("/")
			r.Host, r.Port = test.host, test.port
			c, err := canon.Network(r)
			if err != nil {
				t.Fatal(err)
			}
			in := c.Readings[0]
			got := [3]string{in.Authority, in.Parent, in.HostParent}
			if want := [3]string{test.authority, test.parent, test.hostParent}; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// An input's lists are never null, which Rego would take for a missing field.
func TestNetworkHoldsNoNil(t *testing.T) {
	c, err := canon.Network(get(""))
	if err != nil {
		t.Fatal(err)
	}
	in := c.Readings[0]
	if in.Query == nil || in.Ancestors == nil || in.Segments == nil || in.Folded.Segments == nil || in.Split.Segments == nil {
		t.Errorf("got %+v, want no nil", in)
	}
	if diff := cmp.Diff(in.Segments, []string{""}); diff != "" {
		t.Errorf("segments of the root (-got +want):\n%s", diff)
	}
}

func TestMethods(t *testing.T) {
	tests := []struct {
		name, method string
		status       int // 0 if it is accepted
	}{
		{"GET", "GET", 0},
		{"unknown", "M-SEARCH", 0},
		{"empty", "", 400},
		{"E01 lower case", "get", 501},
		{"E01 mixed case", "Get", 501},
		{"E03 bad token", "G=T", 400},
		{"E03 space", "GET ", 400},
		{"E03 NUL", "GET\x00", 400},
		{"E04 TRACE", "TRACE", 405},
		{"E04 TRACK", "TRACK", 405},
		{"CONNECT", "CONNECT", 405},
		{"long", strings.Repeat("A", 65), 501},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := get("/")
			r.Method = test.method
			_, err := canon.Network(r)
			if test.status == 0 && err != nil {
				t.Error(err)
			}
			if test.status != 0 {
				wantRefused(t, err, test.status)
			}
			r.Method, r.Overrides = "POST", []string{test.method}
			if _, err := canon.Network(r); (err != nil) != (test.status != 0) {
				t.Errorf("as an override: %v", err)
			}
		})
	}
}

func TestOverrides(t *testing.T) {
	r := get("/a//b")
	r.Method, r.Overrides = "POST", []string{"DELETE", "POST", "DELETE"}
	c, err := canon.Network(r)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, in := range c.Readings {
		got = append(got, in.Method+" "+in.Path)
	}
	want := []string{"POST /a//b", "POST /a/b", "DELETE /a//b", "DELETE /a/b"}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("readings (-got +want):\n%s", diff)
	}
}

func TestQueries(t *testing.T) {
	tests := []struct {
		name, raw string
		want      map[string][]string // nil if it is refused
	}{
		{"empty", "", map[string][]string{}},
		{"pairs", "a=1&b=2", map[string][]string{"a": {"1"}, "b": {"2"}}},
		{"repeated", "a=1&a=2", map[string][]string{"a": {"1", "2"}}},
		{"no value", "a&b=", map[string][]string{"a": {""}, "b": {""}}},
		{"empty pairs", "&a=1&&", map[string][]string{"a": {"1"}}},
		{"equals sign in a value", "a=b=c", map[string][]string{"a": {"b=c"}}},
		{"plus and escapes", "a+b=c%20d%2Be%26", map[string][]string{"a b": {"c d+e&"}}},
		{"UTF-8", "a=%C3%A9", map[string][]string{"a": {"é"}}},
		{"not UTF-8, backslash", `a=%E9%5C`, map[string][]string{"a": {`\xE9\\`}}},
		{"semicolon", "a=1;b=2", nil},
		{"bad escape", "a=%zz", nil},
		{"bad escape in a key", "%=1", nil},
		{"raw non-ASCII", "a=é", nil},
		{"space", "a= ", nil},
		{"fragment", "a=1#b", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := get("/")
			r.RawQuery = test.raw
			c, err := canon.Network(r)
			if test.want == nil {
				wantRefused(t, err, 400)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.Readings[0].Query, test.want); diff != "" {
				t.Errorf("query (-got +want):\n%s", diff)
			}
		})
	}
}

func TestNetworkRefuses(t *testing.T) {
	tests := []struct {
		name string
		edit func(*canon.Request)
	}{
		{"scheme", func(r *canon.Request) { r.Scheme = "ftp" }},
		{"no scheme", func(r *canon.Request) { r.Scheme = "" }},
		{"host", func(r *canon.Request) { r.Host = "127.1" }},
		{"no host", func(r *canon.Request) { r.Host = "" }},
		{"negative port", func(r *canon.Request) { r.Port = -1 }},
		{"large port", func(r *canon.Request) { r.Port = 65536 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := get("/")
			test.edit(&r)
			_, err := canon.Network(r)
			wantRefused(t, err, 400)
		})
	}
}

func TestManyPairs(t *testing.T) {
	r := get("/")
	r.RawQuery = strings.Repeat("a=b&", 999) + "a=b"
	if _, err := canon.Network(r); err != nil {
		t.Error(err)
	}
	r.RawQuery += "&x"
	_, err := canon.Network(r)
	wantRefused(t, err, 414)
}

func TestParseRequest(t *testing.T) {
	tests := []struct {
		name, url string
		want      canon.Request // zero if it is refused
	}{
		{"plain", "https://Api.GitHub.com/repos?q=1", canon.Request{Scheme: "https", Host: "api.github.com", Port: 443, RawPath: "/repos", RawQuery: "q=1"}},
		{"no path", "http://a.test", canon.Request{Scheme: "http", Host: "a.test", Port: 80}},
		{"query only", "HTTP://a.test?x", canon.Request{Scheme: "http", Host: "a.test", Port: 80, RawQuery: "x"}},
		{"IPv6", "https://[2001:db8::1]:8443/a?b?c", canon.Request{Scheme: "https", Host: "2001:db8::1", Port: 8443, RawPath: "/a", RawQuery: "b?c"}},
		{"path is kept", "https://a.test/a/%2e%2e//b", canon.Request{Scheme: "https", Host: "a.test", Port: 443, RawPath: "/a/%2e%2e//b"}},
		{"relative", "/repos", canon.Request{}},
		{"no scheme", "a.test/repos", canon.Request{}},
		{"other scheme", "ftp://a.test/", canon.Request{}},
		{"websocket scheme", "wss://a.test/", canon.Request{}},
		{"fragment", "https://a.test/#b", canon.Request{}},
		{"A16 userinfo", "https://user:pw@a.test/", canon.Request{}},
		{"A22 percent", "http://ex%61mple.com/", canon.Request{}},
		{"A23 backslash", `http://example.com\@evil.com/`, canon.Request{}},
		{"B17 two ports", "https://a.com:80:90/", canon.Request{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := canon.ParseRequest("GET", test.url)
			if test.want.Scheme == "" {
				wantRefused(t, err, 400)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			test.want.Method, test.want.ContentLength = "GET", -1
			if diff := cmp.Diff(got, test.want); diff != "" {
				t.Errorf("request (-got +want):\n%s", diff)
			}
		})
	}
}
