package gateway_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/schemas"
)

// Group A: who is the destination?

func TestA01_FrontingByHost(t *testing.T) {
	w := newWorld(t)
	resp, body := w.inTunnel("GET", "GET /x HTTP/1.1\r\nHost: evil.test:"+strconv.Itoa(w.origin.port)+"\r\n\r\n")
	w.denied(resp, body, 421, schemas.CodeAuthorityMismatch)
}

func TestA02_FrontingBySNI(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	w.connect(c, w.api())
	err := tls.Client(c, &tls.Config{ServerName: "evil.test", RootCAs: w.roots}).Handshake()
	if err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("handshake: %v, want the alert unrecognized_name", err)
	}
	w.oneRecord(schemas.CodeAuthorityMismatch)
	w.untouched()
}

func TestA04_NoSNIInspected(t *testing.T) {
	w := newWorld(t)
	resp, _ := exchange(t, w.tunnel(w.api(), ""), "GET", w.get("/x"))
	if resp.StatusCode != 200 {
		t.Errorf("%s, want 200", resp.Status)
	}
}

func TestA05_NoSNIPassthrough(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	w.connect(c, "pass.test:"+strconv.Itoa(w.origin.port))
	if err := tls.Client(c, &tls.Config{InsecureSkipVerify: true}).Handshake(); err == nil {
		t.Error("the handshake went through")
	}
	w.oneRecord(schemas.CodeAuthorityMismatch)
	w.untouched()
}

func TestA06_PassthroughOfAnotherName(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	w.connect(c, "pass.test:"+strconv.Itoa(w.origin.port))
	if err := tls.Client(c, &tls.Config{ServerName: "evil.test", InsecureSkipVerify: true}).Handshake(); err == nil {
		t.Error("the handshake went through")
	}
	w.oneRecord(schemas.CodeAuthorityMismatch)
	w.untouched()
}

func TestPassthroughIsSpliced(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	authority := "pass.test:" + strconv.Itoa(w.origin.port)
	w.connect(c, authority)
	tc := tls.Client(c, &tls.Config{ServerName: "pass.test", InsecureSkipVerify: true})
	resp, body := exchange(t, tc, "GET", "GET /anything HTTP/1.1\r\nHost: "+authority+"\r\n\r\n")
	if resp.StatusCode != 200 || body != "GET /anything 0" {
		t.Errorf("%s %q", resp.Status, body)
	}
	if name := tc.ConnectionState().PeerCertificates[0].Subject.CommonName; name != "origins" {
		t.Errorf("certificate of %q, want the origin's own", name)
	}
	if r := w.oneRecord(schemas.CodeAllowed); r.Input.Network.Method != "CONNECT" {
		t.Errorf("recorded as %s", r.Input.Network.Method)
	}
}

func TestA09_AbsoluteFormAgrees(t *testing.T) {
	w := newWorld(t)
	resp, body := w.inTunnel("GET", "GET https://"+w.api()+"/x HTTP/1.1\r\nHost: "+w.api()+"\r\n\r\n")
	if resp.StatusCode != 200 || body != "GET /x 0" {
		t.Errorf("%s %q", resp.Status, body)
	}
}

func TestA10_AbsoluteFormToAnotherHost(t *testing.T) {
	for name, host := range map[string]string{"other Host": "", "same Host": "evil.test"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if host == "" {
				host = w.api()
			}
			resp, body := w.inTunnel("GET", "GET https://evil.test/x HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
			w.denied(resp, body, 421, schemas.CodeAuthorityMismatch)
		})
	}
}

func TestA11_AbsoluteFormOfAnotherScheme(t *testing.T) {
	for _, scheme := range []string{"http", "ftp"} {
		t.Run(scheme, func(t *testing.T) {
			w := newWorld(t)
			resp, body := w.inTunnel("GET", "GET "+scheme+"://"+w.api()+"/x HTTP/1.1\r\nHost: "+w.api()+"\r\n\r\n")
			w.denied(resp, body, 400, schemas.CodeBadRequest)
		})
	}
}

// TestMalformedHost holds that no spelling of a Host that another program could
// read differently is taken (A13-A25, B02, B05, B17).
func TestMalformedHost(t *testing.T) {
	tests := []struct{ name, headers string }{
		{"A13_TwoHosts", "Host: HOST\r\nHost: evil.test\r\n"},
		{"A14_NoHost", ""},
		{"A14_EmptyHost", "Host:\r\n"},
		{"A15_PathInHost", "Host: HOST/x?y\r\n"},
		{"A16_UserinfoInHost", "Host: user@evil.test\r\n"},
		{"A17_FragmentInHost", "Host: HOST#@evil.test\r\n"},
		{"A20_NonASCIIHost", "Host: b\xc3\xbccher.test\r\n"},
		{"A22_EncodedHost", "Host: ex%61mple.test\r\n"},
		{"A23_Backslash", "Host: api.test\\@evil.test\r\n"},
		{"A25_Space", "Host: a b\r\n"},
		{"B05_Zone", "Host: [fe80::1%25eth0]:443\r\n"},
		{"B17_Brackets", "Host: [::1\r\n"},
		{"B17_TwoPorts", "Host: a.test:80:90\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			resp, body := w.inTunnel("GET", "GET /x HTTP/1.1\r\n"+strings.ReplaceAll(tt.headers, "HOST", w.api())+"\r\n")
			w.denied(resp, body, 400, schemas.CodeBadRequest)
		})
	}
}

func TestA14_HTTP10NeedsNoHost(t *testing.T) {
	w := newWorld(t)
	if resp, _ := w.inTunnel("GET", "GET /x HTTP/1.0\r\n\r\n"); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
}

func TestA19_UpperCase(t *testing.T) {
	w := newWorld(t)
	tc := w.tunnel("Api.TEST:"+strconv.Itoa(w.origin.port), "api.test")
	if resp, _ := exchange(t, tc, "GET", "GET /x HTTP/1.1\r\nHost: API.Test:"+strconv.Itoa(w.origin.port)+"\r\n\r\n"); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	if got, want := w.origin.last(t).Host, w.api(); got != want {
		t.Errorf("the origin saw Host %q, want %q", got, want)
	}
}

// TestMalformedConnect sends CONNECTs that name no destination (A25, A26, B02,
// B05, B17, C18).
func TestMalformedConnect(t *testing.T) {
	long := strings.Repeat("a", 64) + ".test:443"
	name := strings.Repeat("abcdefgh.", 29) + "test:443"
	for label, authority := range map[string]string{
		"A25_NUL": "a\x00b:443", "A25_Space": "a b:443", "A20_NonASCII": "b\xc3\xbccher.test:443",
		"A26_LongLabel": long, "A26_LongName": name, "NoPort": "api.test", "BadPort": "api.test:0", "BigPort": "api.test:65536",
		"Userinfo": "u@api.test:443", "B02_Short": "127.1:443", "B02_Octal": "0177.0.0.1:443", "B02_Hex": "0x7f.0.0.1:443",
		"B02_Number": "2130706433:443", "B02_Zeros": "127.000.000.001:443", "B02_Zero": "0:443",
		"B05_Zone": "[::1%25lo]:443", "B17_Open": "[::1:443", "B17_Junk": "[::1]x:443", "B17_Two": "[[::1]]:443", "B17_TwoPorts": "a.test:80:90",
	} {
		t.Run(label, func(t *testing.T) {
			w := newWorld(t)
			resp, body := exchange(t, w.dial(), "GET", "CONNECT "+authority+" HTTP/1.1\r\nHost: "+"\r\n"+auth(w.box)+"\r\n")
			w.denied(resp, body, 400, schemas.CodeBadRequest)
		})
	}
}

func TestA29_SameHostOtherPort(t *testing.T) {
	t.Run("CONNECT", func(t *testing.T) {
		w := newWorld(t)
		c := w.dial()
		resp, br := w.connect(c, "api.test:8443")
		body, _ := io.ReadAll(io.MultiReader(resp.Body, br))
		if resp.StatusCode != 403 || !strings.Contains(string(body), string(schemas.CodePortNotAllowed)) {
			t.Errorf("%s %s", resp.Status, body)
		}
		w.oneRecord(schemas.CodePortNotAllowed)
		w.untouched()
	})
	t.Run("Host without the port", func(t *testing.T) {
		w := newWorld(t)
		resp, body := w.inTunnel("GET", "GET /x HTTP/1.1\r\nHost: api.test\r\n\r\n")
		w.denied(resp, body, 421, schemas.CodeAuthorityMismatch)
	})
}

func TestUnlistedHostIsDeniedInsideTheTunnel(t *testing.T) {
	w := newWorld(t)
	tc := w.tunnel("pypi.org:443", "pypi.org")
	resp, body := exchange(t, tc, "GET", "GET /simple/requests HTTP/1.1\r\nHost: pypi.org\r\n\r\n")
	w.denied(resp, body, 403, schemas.CodeHostNotInPolicy)
	if n, err := tc.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes after the answer; a refused tunnel answers once", n)
	}
}

func TestUnlistedHostWithoutARequestIsRecordedOnce(t *testing.T) {
	t.Run("closed after the handshake", func(t *testing.T) {
		w := newWorld(t)
		w.tunnel("pypi.org:443", "pypi.org").Close()
		if r := w.oneRecord(schemas.CodeHostNotInPolicy); r.Input.Network.Method != "CONNECT" || r.Input.Network.Host != "pypi.org" {
			t.Errorf("recorded %s %s", r.Input.Network.Method, r.Input.Network.Host)
		}
	})
	t.Run("no trust in our leaf", func(t *testing.T) {
		w := newWorld(t)
		c := w.dial()
		w.connect(c, "pypi.org:443")
		if err := tls.Client(c, &tls.Config{ServerName: "pypi.org"}).Handshake(); err == nil {
			t.Error("trusted")
		}
		w.oneRecord(schemas.CodeHostNotInPolicy)
	})
	t.Run("closed before the handshake", func(t *testing.T) {
		w := newWorld(t)
		c := w.dial()
		w.connect(c, "pypi.org:443")
		c.Close()
		w.oneRecord(schemas.CodeHostNotInPolicy)
	})
}

func TestF14_PipelinedToAnotherHost(t *testing.T) {
	w := newWorld(t)
	tc := w.tunnel(w.api(), "api.test")
	if _, err := io.WriteString(tc, w.get("/x")+"GET /x HTTP/1.1\r\nHost: evil.test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(tc)
	first, _ := readResponse(t, br, "GET")
	second, _ := readResponse(t, br, "GET")
	if first.StatusCode != http.StatusOK || second.StatusCode != 421 {
		t.Errorf("%s, then %s", first.Status, second.Status)
	}
	if n := w.origin.requests.Load(); n != 1 {
		t.Errorf("%d requests reached the origin", n)
	}
	w.wait(func() bool { return len(w.records.decisions()) == 2 })
}
