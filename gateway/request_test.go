package gateway_test

import (
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/schemas"
)

// Groups D and E: paths, queries and methods. Package canon's tests hold the
// canonical form; these hold that what was decided is what is sent.

func TestPathIsForwardedAsDecided(t *testing.T) {
	for target, want := range map[string]string{
		"/x":                        "/x",
		"/x/%61%7e":                 "/x/a~",
		"/x/a%20b":                  "/x/a%20b",
		"/x/%C3%A9":                 "/x/%C3%A9",
		"/x?a=1&b=%20c":             "/x?a=1&b=%20c",
		"/x/a:b@c$d&e+f,g=h!i*j(k)": "/x/a:b@c$d&e+f,g=h!i*j(k)",
		"/a/./b":                    "/a/b",
		"/a/../x":                   "/x", // D01: canonicalised, and the canonical form is sent
		"/a/%2e%2e/x":               "",   // D02: hidden by encoding
	} {
		t.Run(target, func(t *testing.T) {
			w := newWorld(t)
			resp, body := w.inTunnel("GET", w.get(target))
			if want == "" {
				w.denied(resp, body, 400, schemas.CodeBadRequest)
				return
			}
			if resp.StatusCode != 200 || w.origin.last(t).RequestURI != want {
				t.Errorf("%s; the origin saw %q, want %q", resp.Status, w.origin.last(t).RequestURI, want)
			}
		})
	}
}

func TestMalformedTarget(t *testing.T) {
	for name, tt := range map[string]struct {
		target string
		status int
	}{
		"D04_AboveRoot": {"/../../etc", 400}, "D07_Backslash": {`/a\..\b`, 400}, "D07_EncodedBackslash": {"/a/%5c..", 400},
		"D10_NUL": {"/a%00b", 400}, "D10_CRLF": {"/a%0d%0aX:y", 400}, "D11_Control": {"/a\x01b", 400},
		"D13_NonASCII": {"/\xc3\xa9", 400}, "D14_BadEscape": {"/a%zz", 400}, "D14_ShortEscape": {"/a%2", 400},
		"D16_LongPath": {"/" + strings.Repeat("a", 4097), 414}, "D16_LongTarget": {"/a?" + strings.Repeat("a", 40<<10), 414},
		"Query_Semicolon": {"/x?a=1;b=2", 400}, "Query_BadEscape": {"/x?a=%zz", 400},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			resp, body := w.inTunnel("GET", w.get(tt.target))
			w.denied(resp, body, tt.status, schemas.CodeBadRequest)
		})
	}
}

func TestMethods(t *testing.T) {
	head := "Host: HOST\r\n"
	for name, tt := range map[string]struct {
		raw    string
		status int
		code   schemas.Code
	}{
		"D17_OptionsAsterisk":       {"OPTIONS * HTTP/1.1\r\n" + head, 400, schemas.CodeBadRequest},
		"E01_LowerCase":             {"get /x HTTP/1.1\r\n" + head, 501, schemas.CodeBadRequest},
		"E03_BadToken":              {"G=T /x HTTP/1.1\r\n" + head, 400, schemas.CodeBadRequest},
		"E04_Trace":                 {"TRACE /x HTTP/1.1\r\n" + head, 405, schemas.CodeBadRequest},
		"E04_Track":                 {"TRACK /x HTTP/1.1\r\n" + head, 405, schemas.CodeBadRequest},
		"XOriginalURL":              {"GET /x HTTP/1.1\r\n" + head + "X-Original-URL: /admin\r\n", 400, schemas.CodeBadRequest},
		"XRewriteURL":               {"GET /x HTTP/1.1\r\n" + head + "X-Rewrite-Url: /admin\r\n", 400, schemas.CodeBadRequest},
		"Override_Denied":           {"POST /x HTTP/1.1\r\n" + head + "X-HTTP-Method-Override: delete\r\nContent-Length: 0\r\n", 403, schemas.CodeMethodNotAllowed},
		"Override_Malformed":        {"POST /x HTTP/1.1\r\n" + head + "X-Method-Override: a b\r\nContent-Length: 0\r\n", 400, schemas.CodeBadRequest},
		"E09_Push":                  {"POST /o/r.git/git-receive-pack HTTP/1.1\r\n" + head + "Content-Length: 0\r\n", 403, schemas.CodePathNotAllowed},
		"F32_RangeOnADeniedPath":    {"GET /none HTTP/1.1\r\n" + head + "Range: bytes=0-1\r\n", 403, schemas.CodePathNotAllowed},
		"E06_HeadFollowsItsOwnRule": {"DELETE /x HTTP/1.1\r\n" + head, 403, schemas.CodeMethodNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			resp, body := w.inTunnel("GET", strings.ReplaceAll(tt.raw, "HOST", w.api())+"\r\n")
			w.denied(resp, body, tt.status, tt.code)
		})
	}
}

func TestOverrideThatIsAllowed(t *testing.T) {
	w := newWorld(t)
	resp, _ := w.inTunnel("POST", "POST /x HTTP/1.1\r\nHost: "+w.api()+"\r\nX-HTTP-Method-Override: GET\r\nContent-Length: 0\r\n\r\n")
	if resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
}

func TestE06_Head(t *testing.T) {
	w := newWorld(t)
	if resp, body := w.inTunnel("HEAD", "HEAD /x HTTP/1.1\r\nHost: "+w.api()+"\r\n\r\n"); resp.StatusCode != 200 || body != "" {
		t.Errorf("%s %q", resp.Status, body)
	}
}

func TestE07_GetWithABody(t *testing.T) {
	w := newWorld(t)
	tc := w.tunnel(w.api(), "api.test")
	resp, body := exchange(t, tc, "GET", "GET /x HTTP/1.1\r\nHost: "+w.api()+"\r\nContent-Length: 3\r\n\r\nabc")
	if resp.StatusCode != 200 || body != "GET /x 3" {
		t.Errorf("%s %q", resp.Status, body)
	}
	if resp, body = exchange(t, tc, "GET", w.get("/x")); resp.StatusCode != 200 || body != "GET /x 0" {
		t.Errorf("next request: %s %q", resp.Status, body)
	}
}
