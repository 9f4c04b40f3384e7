package gateway_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/schemas"
)

// nodeOrigin answers each request with what Node's parser read of it, as JSON.
const nodeOrigin = `
const server = require('http').createServer((req, res) => {
  const chunks = [];
  req.on('data', c => chunks.push(c));
  req.on('end', () => res.end(JSON.stringify({
    method: req.method, url: req.url, hosts: req.rawHeaders.filter((v, i) => i % 2 === 0 && v.toLowerCase() === 'host').length,
    host: req.headers.host, body: Buffer.concat(chunks).toString('latin1'), requests: ++count})));
});
let count = 0;
server.on('clientError', (err, socket) => socket.end('HTTP/1.1 599 ' + err.code + '\r\nContent-Length: 0\r\n\r\n'));
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`

// startNode runs Node's HTTP server. Where there is no Node the test fails only
// if the environment says that everything must be there.
func startNode(t *testing.T) int {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("OPENSHELL_REQUIRE_TOOLS") == "1" {
			t.Fatal("node is not installed")
		}
		t.Skip("node is not installed")
	}
	cmd := exec.Command(node, "-e", nodeOrigin)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var port int
	if _, err := fmt.Fscan(out, &port); err != nil {
		t.Fatal(err)
	}
	return port
}

// What another implementation of HTTP reads of what we send on is what was
// decided: the recorded method, path and host, one request for each allowed one,
// and the body as it was sent.
func TestAnotherParserReadsWhatWasDecided(t *testing.T) {
	port := startNode(t)
	w := newWorld(t)
	w.load(w.policies.with(testRule{"node", "ws.test", "http", port, `websocket: true`}))
	authority := fmt.Sprint("ws.test:", port)
	heads, bodies := differentialRequests(authority)
	sent := 0
	for _, head := range heads {
		for _, body := range bodies {
			before := len(w.records.decisions())
			resp, got := sendRaw(t, w, head+auth(w.box)+body.head+"\r\n"+body.wire)
			records := w.records.decisions()[before:]
			if len(records) != 1 {
				t.Fatalf("%q: %d records", head+body.head, len(records))
			}
			if !records[0].Result.Allow {
				continue
			}
			sent++
			if resp == 599 {
				t.Errorf("%q was allowed, and Node cannot parse what was sent", head+body.head)
				continue
			}
			compareRead(t, head+body.head, records[0], got, body.means, authority, sent)
		}
	}
	if sent < 40 {
		t.Errorf("only %d of the requests were sent on", sent)
	}
}

type differentialBody struct{ head, wire, means string }

func differentialRequests(authority string) (heads []string, bodies []differentialBody) {
	for _, target := range []string{
		"/", "/x", "/x?a=1&b=%20c", "/a/./b", "/a/../b", "/x/%61%7e", "/x/a:b@c$d&e+f,g=h!i*j(k)", "/x//y", "/x;p=1", "/%C3%A9", "/x/%25", "/a/%2e%2e/b", "/x#f", "/x?y#z", "/x?%", "/x?a b", "//evil.test/x", "/x?http://evil.test/", "/x/" + strings.Repeat("a", 3000),
	} {
		heads = append(heads, "POST http://"+authority+target+" HTTP/1.1\r\nHost: "+authority+"\r\n")
	}
	for _, field := range []string{
		"Connection: close, X-Gone\r\nX-Gone: 1\r\n", "X: a\tb\r\n", "X:\r\n", "X: " + strings.Repeat("b", 5000) + "\r\n", "Upgrade: h2c\r\nConnection: Upgrade\r\n", "Te: trailers\r\n", "Trailer: X-Sum\r\n",
		"Content_Length: 5\r\n", "Transfer_Encoding: chunked\r\n", "X-Http-Method-Override: GET\r\n", "Expect: 100-continue\r\n", "Content-Encoding: gzip\r\n", "Cookie: a=b\r\nCookie: c=d\r\n", "X: caf\xe9\r\n",
	} {
		heads = append(heads, "POST http://"+authority+"/x HTTP/1.1\r\nHost: "+authority+"\r\n"+field)
	}
	return heads, []differentialBody{
		{"Content-Length: 0\r\n", "", ""},
		{"Content-Length: 11\r\n", "GET / HTTP/", "GET / HTTP/"},
		{"Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n", "hello world"},
		{"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n", ""},
		{"Content-Length: 3\r\nContent-Length: 3\r\n", "abc", ""},
	}
}

// sendRaw sends bytes on a connection of their own, and returns the last answer's
// status and body.
func sendRaw(t *testing.T, w *world, raw string) (int, string) {
	t.Helper()
	c := w.dial()
	defer c.Close()
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(c)
	resp, body := readResponse(t, br, "POST")
	for resp.StatusCode == 100 {
		resp, body = readResponse(t, br, "POST")
	}
	return resp.StatusCode, body
}

func compareRead(t *testing.T, what string, r *schemas.Record, got, body, authority string, sent int) {
	t.Helper()
	var read struct {
		Method, URL, Host, Body string
		Hosts, Requests         int
	}
	if err := json.Unmarshal([]byte(got), &read); err != nil {
		t.Errorf("%q: %v in %q", what, err, got)
		return
	}
	in := r.Input.Network
	path, _, _ := strings.Cut(read.URL, "?")
	host, _, _ := net.SplitHostPort(read.Host)
	if read.Method != in.Method || host != in.Host || read.Host != authority || read.Hosts != 1 || read.Body != body || read.Requests != sent {
		t.Errorf("%q: decided %s %s, Node read %+v (body %q, request %d)", what, in.Method, in.Host, read, body, sent)
	}
	if !samePath(path, in.Path) {
		t.Errorf("%q: decided the path %q, Node read %q", what, in.Path, path)
	}
}

// samePath compares a path as sent with one as decided, which is percent-decoded
// but for %2F and %25. Readings may differ in doubled slashes and parameters.
func samePath(sent, decided string) bool {
	plain := func(s string) string {
		for strings.Contains(s, "//") {
			s = strings.ReplaceAll(s, "//", "/")
		}
		s, _, _ = strings.Cut(s, ";")
		return strings.NewReplacer("%C3%A9", "é", "%20", " ").Replace(s)
	}
	return plain(sent) == plain(decided)
}
