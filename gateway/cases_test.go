package gateway_test

import (
	"bufio"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas"
)

// testdata/cases.tsv lists the attacks by id: what is tried in a few words, and
// the tests that try it, or a reason why there is none after "none:". This holds
// that each test is there, in the package that the list names, and that tests
// which name an id in their own name are of a case that exists.
func TestEveryCaseHasATest(t *testing.T) {
	data, err := os.ReadFile("testdata/cases.tsv")
	if err != nil {
		t.Fatal(err)
	}
	tests := testNames(t)
	seen := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		fields := strings.Split(line, "\t")
		if len(fields) != 3 || !regexp.MustCompile(`^[A-H]\d\d$`).MatchString(fields[0]) || fields[1] == "" {
			t.Fatalf("%q is not ID, words and tests", line)
		}
		id := fields[0]
		if seen[id] {
			t.Errorf("%s is listed twice", id)
		}
		seen[id] = true
		if reason, ok := strings.CutPrefix(fields[2], "none:"); ok && len(reason) > 20 {
			continue
		}
		for _, name := range strings.Fields(fields[2]) {
			if !slices.Contains(tests, name) {
				t.Errorf("%s: there is no test %s", id, name)
			}
		}
		if fields[2] == "" {
			t.Errorf("%s has no test", id)
		}
	}
	if len(seen) != 108 {
		t.Errorf("%d cases, want 108", len(seen))
	}
}

// testNames are the test functions, and the names in the tables of tests that
// begin with the id of a case, of this package and those below; the latter with
// their folder in front.
func testNames(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, pattern := range []string{"*_test.go", "*/*_test.go", "../schemas/canon/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			prefix := ""
			if dir := filepath.Base(filepath.Dir(file)); dir != "." {
				prefix = dir + "."
			}
			for _, name := range namesIn(t, file) {
				names = append(names, prefix+name)
			}
		}
	}
	if len(names) < 300 {
		t.Fatalf("found %d names of tests; there are more", len(names))
	}
	return names
}

func namesIn(t *testing.T, file string) (names []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			names = append(names, n.Name.Name)
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				names = append(names, strings.Trim(n.Value, "`\""))
			}
		}
		return true
	})
	return names
}

// echConfig is a list of one configuration for Encrypted Client Hello (RFC 9849,
// section 4) whose outer name is public.
func echConfig(t *testing.T, public string) []byte {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var b cryptobyte.Builder
	b.AddUint16LengthPrefixed(func(list *cryptobyte.Builder) {
		list.AddUint16(0xfe0d)
		list.AddUint16LengthPrefixed(func(c *cryptobyte.Builder) {
			c.AddUint8(1)
			c.AddUint16(0x0020) // DHKEM(X25519, HKDF-SHA256)
			c.AddUint16LengthPrefixed(func(k *cryptobyte.Builder) { k.AddBytes(key.PublicKey().Bytes()) })
			c.AddUint16LengthPrefixed(func(s *cryptobyte.Builder) { s.AddUint16(1); s.AddUint16(1) })
			c.AddUint8(32)
			c.AddUint8LengthPrefixed(func(n *cryptobyte.Builder) { n.AddBytes([]byte(public)) })
			c.AddUint16(0)
		})
	})
	return b.BytesOrPanic()
}

func TestA07_EncryptedClientHello(t *testing.T) {
	t.Run("spliced", func(t *testing.T) {
		w := newWorld(t)
		c := w.dial()
		w.connect(c, fmt.Sprint("pass.test:", w.origin.port))
		cfg := &tls.Config{ServerName: "evil.test", EncryptedClientHelloConfigList: echConfig(t, "pass.test"), MinVersion: tls.VersionTLS13}
		if err := tls.Client(c, cfg).Handshake(); err == nil {
			t.Error("the handshake went through")
		}
		w.oneRecord(schemas.CodeAuthorityMismatch)
		w.untouched()
	})
	t.Run("inspected", func(t *testing.T) { // the gateway holds no such key and answers the outer hello
		w := newWorld(t)
		c := w.dial()
		w.connect(c, w.api())
		cfg := &tls.Config{ServerName: "evil.test", RootCAs: w.roots, EncryptedClientHelloConfigList: echConfig(t, "api.test"), MinVersion: tls.VersionTLS13}
		var rejected *tls.ECHRejectionError
		if err := tls.Client(c, cfg).Handshake(); !errors.As(err, &rejected) {
			t.Errorf("handshake: %v", err)
		}
		w.untouched()
	})
}

func TestA28_Wildcards(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) {
		c.Resolve["a.wild.test"] = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	})
	w.load(w.policies.with(testRule{"wild", "*.wild.test", "http", w.plain.port, ""}))
	for host, status := range map[string]int{
		"a.wild.test": 200, "wild.test": 403, "notwild.test": 403, "a.wild.test.evil.com": 403, "a.b.wild.test": 403, ".wild.test": 400,
	} {
		authority := fmt.Sprintf("%s:%d", host, w.plain.port)
		resp, body := exchange(t, w.dial(), "GET", "GET http://"+authority+"/x HTTP/1.1\r\nHost: "+authority+"\r\n"+auth(w.box)+"\r\n")
		if resp.StatusCode != status {
			t.Errorf("%s: %s, want %d: %s", host, resp.Status, status, body)
		}
	}
	if n := len(w.records.decisions()); n != 6 || w.plain.requests.Load() != 1 {
		t.Errorf("%d records, %d requests upstream", n, w.plain.requests.Load())
	}
}

// Addresses that no rule can name into reach, and those that only a rule that is
// asked for can. The rules here name every one of them.
func TestBlockedAddresses(t *testing.T) {
	for name, tt := range map[string]struct {
		host   string
		status int
		code   schemas.Code
	}{
		"B03_Unspecified4": {"0.0.0.0", 403, schemas.CodePrivateAddress}, "B03_Unspecified6": {"[::]", 403, schemas.CodePrivateAddress},
		"B06_NAT64": {"[64:ff9b::a9fe:a9fe]", 403, schemas.CodePrivateAddress}, "B06_6to4": {"[2002:7f00:1::]", 403, schemas.CodePrivateAddress},
		"B06_Compatible": {"[::169.254.169.254]", 403, schemas.CodePrivateAddress}, "B06_Teredo": {"[2001:0:7f00:1::]", 403, schemas.CodePrivateAddress},
		"B06_LocalNAT64": {"[64:ff9b:1:a9fe:a9:fe00::]", 403, schemas.CodePrivateAddress}, "B04_Mapped": {"[::ffff:127.0.0.1]", 403, ""},
		"B08_Multicast": {"224.0.0.1", 403, schemas.CodePrivateAddress}, "B08_Reserved": {"240.0.0.1", 403, schemas.CodePrivateAddress},
		"B08_Metadata": {"169.254.169.254", 403, schemas.CodePrivateAddress}, "B08_LinkLocal6": {"[fe80::1]", 403, schemas.CodePrivateAddress},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) { c.AllowLoopback = false })
			bare := strings.Trim(tt.host, "[]")
			if a, err := netip.ParseAddr(bare); err == nil {
				bare = a.Unmap().String()
			}
			w.load(w.policies.with(testRule{"address", bare, "http", 80, ""}))
			resp, body := exchange(t, w.dial(), "GET", "GET http://"+tt.host+"/x HTTP/1.1\r\nHost: "+tt.host+"\r\n"+auth(w.box)+"\r\n")
			if tt.code != "" {
				w.denied(resp, body, tt.status, tt.code)
				return
			}
			if resp.StatusCode < 400 {
				t.Error(resp.Status, body)
			}
			w.untouched()
		})
	}
}

func TestPrivateAddressesOfNames(t *testing.T) {
	for name, addr := range map[string]string{
		"B08_10": "10.0.0.5", "B08_172": "172.16.0.5", "B08_192": "192.168.0.5", "B08_Shared": "100.64.0.5", "B08_ULA": "fc00::5", "B08_IETF": "192.0.0.5",
		"B08_Benchmark": "198.18.0.5", "B03_Name": "0.0.0.0", "B06_Name": "64:ff9b::a00:5", "B12_WhatACNAMEEndsAt": "10.1.2.3",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) {
				c.Resolve["api.test"] = []netip.Addr{netip.MustParseAddr(addr)}
			})
			resp, body := w.inTunnel("GET", w.get("/x"))
			w.denied(resp, body, 403, schemas.CodePrivateAddress)
		})
	}
}

func TestB11_MixedAnswer(t *testing.T) {
	var logged heard
	w := newWorld(t, func(c *gateway.Config, d *gateway.Deps) {
		d.Log = slog.New(slog.NewTextHandler(&logged, nil))
		c.Resolve["api.test"] = []netip.Addr{netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("169.254.169.254")}
	})
	if resp, body := w.inTunnel("GET", w.get("/x")); resp.StatusCode != 200 {
		t.Errorf("%s %s", resp.Status, body)
	}
	w.oneRecord(schemas.CodeAllowed)
	for _, address := range []string{"10.0.0.5", "169.254.169.254"} {
		if !strings.Contains(logged.String(), "host=api.test address="+address) {
			t.Errorf("the dropped %s is not in the log: %s", address, logged.String())
		}
	}
}

func TestB21_DNSOverOthers(t *testing.T) {
	w := newWorld(t)
	resp, body := exchange(t, w.tunnel("dns.google:443", "dns.google"), "GET", "GET /dns-query?dns=AAAB HTTP/1.1\r\nHost: dns.google\r\n\r\n")
	w.denied(resp, body, 403, schemas.CodeHostNotInPolicy)
	if resp, _ := w.connect(w.dial(), "dns.google:853"); resp.StatusCode != 403 {
		t.Errorf("port 853: %s", resp.Status)
	}
}

// What the path hides. The rule allows /x, /a, /repos and /é below.
func TestPathsThatHide(t *testing.T) {
	for name, tt := range map[string]struct {
		target string
		status int
		code   schemas.Code
		sent   string // what reaches the origin
	}{
		"D01_Resolved":          {"/a/b/../c", 200, "", "/a/c"},
		"D01_Escapes":           {"/x/../admin", 403, schemas.CodePathNotAllowed, ""},
		"D02_EncodedDots":       {"/a/%2e%2e/b", 400, schemas.CodeBadRequest, ""},
		"D02_HalfEncoded":       {"/a/.%2e/b", 400, schemas.CodeBadRequest, ""},
		"D05_EncodedSlash":      {"/repos/a%2Fb", 400, schemas.CodeBadRequest, ""},
		"D05_EncodedSlashLower": {"/repos/a%2fb", 400, schemas.CodeBadRequest, ""},
		"D08_Parameters":        {"/admin;x=1", 403, schemas.CodePathNotAllowed, ""},
		"D08_DotsParameters":    {"/x/..;/admin", 400, schemas.CodeBadRequest, ""},
		"D08_BeforeTheRule":     {"/x;/../admin", 0, "", ""},
		"D01_TwoSlashes":        {"//admin/../x", 0, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			resp, body := w.inTunnel("GET", w.get(tt.target))
			switch {
			case tt.status == 200:
				if resp.StatusCode != 200 || w.origin.last(t).RequestURI != tt.sent {
					t.Errorf("%s, the origin saw %q", resp.Status, w.origin.last(t).RequestURI)
				}
				w.oneRecord(schemas.CodeAllowed)
			case tt.status == 0: // refused in one way or the other
				if resp.StatusCode != 400 && resp.StatusCode != 403 {
					t.Errorf("%s %s", resp.Status, body)
				}
				if len(w.records.decisions()) != 1 {
					t.Error(codes(w.records.decisions()))
				}
				w.untouched()
			default:
				w.denied(resp, body, tt.status, tt.code)
			}
		})
	}
}

// What a rule for reading does not let through.
func TestWritesUnderReading(t *testing.T) {
	for name, tt := range map[string]struct {
		request string
		code    schemas.Code
	}{
		"D19_GraphQL":       {"POST /graphql HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\n{}", schemas.CodePathNotAllowed},
		"E09_Push":          {"POST /o/r.git/git-receive-pack HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n", schemas.CodePathNotAllowed},
		"E10_PushDiscovery": {"GET /o/r.git/info/refs?service=git-receive-pack HTTP/1.1\r\nHost: HOST\r\n\r\n", schemas.CodeQueryNotAllowed},
		"E10_TwoServices":   {"GET /o/r.git/info/refs?service=git-upload-pack&service=git-receive-pack HTTP/1.1\r\nHost: HOST\r\n\r\n", schemas.CodeQueryNotAllowed},
		"E10_NoService":     {"GET /o/r.git/info/refs HTTP/1.1\r\nHost: HOST\r\n\r\n", schemas.CodeQueryNotAllowed},
		"E12_LFS":           {"POST /o/r.git/info/lfs/objects/batch HTTP/1.1\r\nHost: HOST\r\nContent-Length: 22\r\n\r\n{\"operation\":\"upload\"}", schemas.CodePathNotAllowed},
		"E13_Gist":          {"POST /gists HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\n{}", schemas.CodePathNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.policies.without("outbound[0]")
			p = p.with(testRule{"refs", "api.test", "https", w.origin.port, `methods: [GET], paths: ["/*/*/info/refs"], query: {service: [git-upload-pack]}`})
			p = p.with(testRule{"pack", "api.test", "https", w.origin.port, `methods: [POST], paths: ["/*/*/git-upload-pack"]`})
			w.load(p)
			resp, body := w.inTunnel("GET", strings.ReplaceAll(tt.request, "HOST", w.api()))
			w.denied(resp, body, 403, tt.code)
		})
	}
}

// hijacked has the origin answer with bytes, to the end.
func hijacked(raw string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		c, _, err := rw.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, raw)
	}
}

func TestF27_UpstreamFraming(t *testing.T) {
	for name, raw := range map[string]string{
		"length and chunks": "HTTP/1.1 200 OK\r\nContent-Length: 30\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
		"after the body":    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.origin.handle(hijacked(raw))
			tc := w.tunnel(w.api(), "api.test")
			br := bufio.NewReader(tc)
			io.WriteString(tc, w.get("/x"))
			if resp, body := readResponse(t, br, "GET"); resp.StatusCode != 200 || body != "hello" {
				t.Errorf("%s %q", resp.Status, body)
			}
			w.origin.handle(nil)
			io.WriteString(tc, w.get("/x/next"))
			if resp, body := readResponse(t, br, "GET"); resp.StatusCode != 200 || body != "GET /x/next 0" {
				t.Errorf("the next request got the surplus: %s %q", resp.Status, body)
			}
		})
	}
}

func TestF29_BodiesWhereNoneBelongs(t *testing.T) {
	for name, tt := range map[string]struct {
		method, raw string
		status      int
	}{
		"HEAD": {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200},
		"204":  {"GET", "HTTP/1.1 204 No Content\r\n\r\nhello", 204},
		"304":  {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello", 304},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.origin.handle(hijacked(tt.raw))
			tc := w.tunnel(w.api(), "api.test")
			br := bufio.NewReader(tc)
			io.WriteString(tc, strings.Replace(w.get("/x"), "GET", tt.method, 1))
			if resp, body := readResponse(t, br, tt.method); resp.StatusCode != tt.status || body != "" {
				t.Errorf("%s %q", resp.Status, body)
			}
			w.origin.handle(nil)
			io.WriteString(tc, w.get("/x/next"))
			if resp, body := readResponse(t, br, "GET"); resp.StatusCode != 200 || body != "GET /x/next 0" {
				t.Errorf("the next request: %s %q", resp.Status, body)
			}
		})
	}
}

func TestG05_LongNames(t *testing.T) {
	w := newWorld(t)
	name := strings.Repeat("a", 60) + "." + strings.Repeat("b", 20) + ".test"
	tc := w.tunnel(name+":443", name)
	leaf := tc.ConnectionState().PeerCertificates[0]
	if leaf.Subject.CommonName != "" || !slices.Equal(leaf.DNSNames, []string{name}) {
		t.Errorf("common name %q, names %q", leaf.Subject.CommonName, leaf.DNSNames)
	}
}

func TestG06_LeafKeysAreRandom(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	for i := range 4 {
		name := fmt.Sprintf("n%d.example.org", i)
		key, err := json.Marshal(w.tunnel(name+":443", name).ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
		if err != nil || seen[string(key)] {
			t.Errorf("the key of %s is another's, %v", name, err)
		}
		seen[string(key)] = true
	}
}

func TestH04_CredentialsStayHere(t *testing.T) {
	w := newWorld(t)
	authority := fmt.Sprint("api.test:", w.plain.port)
	exchange(t, w.dial(), "GET", "GET http://"+authority+"/x HTTP/1.1\r\nHost: "+authority+"\r\n"+auth(w.box)+"\r\n")
	w.inTunnel("GET", "GET /x HTTP/1.1\r\nHost: "+w.api()+"\r\n"+auth(w.box)+"\r\n")
	for _, o := range []*origin{w.plain, w.origin} {
		for name, values := range o.last(t).Header {
			if strings.Contains(strings.Join(values, " "), w.box.Token) || name == "Proxy-Authorization" {
				t.Errorf("the origin saw %s: %s", name, values)
			}
		}
	}
	all, err := json.Marshal(w.records.decisions())
	if err != nil || strings.Contains(string(all), w.box.Token) {
		t.Errorf("the log holds the token, %v", err)
	}
}

// An engine that answers nothing lets nothing through.
func TestH10_NoAnswer(t *testing.T) {
	w := newWorld(t)
	w.engine.silent.Store(true)
	resp, body := w.inTunnel("GET", w.get("/x"))
	if resp.StatusCode != 403 {
		t.Errorf("%s %s", resp.Status, body)
	}
	if n := len(w.records.decisions()); n != 1 {
		t.Errorf("%d records", n)
	}
	w.untouched()
}
