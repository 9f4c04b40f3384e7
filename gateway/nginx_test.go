package gateway_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nginxConf logs, of each request, what nginx read of it.
const nginxConf = `
daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events {}
http {
  log_format read escape=json '{"method":"$request_method","url":"$request_uri","host":"$http_host","status":"$status","upgrade":"$http_upgrade","te":"$http_te"}';
  access_log %[1]s/read.log read;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  server { listen 127.0.0.1:%[2]d; location / { return 200 read; } }
}
`

type nginxRead struct{ Method, URL, Host, Status, Upgrade, TE string }

// startNginx runs nginx and returns its port and what it read so far.
func startNginx(t *testing.T) (port int, read func() []nginxRead) {
	t.Helper()
	bin, err := exec.LookPath("nginx")
	if err != nil {
		if os.Getenv("OPENSHELL_REQUIRE_TOOLS") == "1" {
			t.Fatal("nginx is not installed: Debian's package nginx-light")
		}
		t.Skip("nginx is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	dir := t.TempDir()
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, port), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-c", conf, "-p", dir, "-e", filepath.Join(dir, "error.log"))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() })
	return port, func() (all []nginxRead) {
		text, _ := os.ReadFile(filepath.Join(dir, "read.log")) // not there before the first
		for line := range bytes.Lines(text) {
			var r nginxRead
			if err := json.Unmarshal(line, &r); err != nil {
				return all // half a line
			}
			all = append(all, r)
		}
		return all
	}
}

// nginx, a parser of another family than Node's, reads what was decided too: as
// many requests as were allowed, each with the recorded method, host and path.
func TestNginxReadsWhatWasDecided(t *testing.T) {
	port, read := startNginx(t)
	w := newWorld(t)
	w.load(w.policies.with(testRule{"nginx", "ws.test", "http", port, ""}))
	w.wait(func() bool {
		c, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	authority := fmt.Sprint("ws.test:", port)
	heads, bodies := differentialRequests(authority)
	sent := 0
	for _, head := range heads {
		for _, body := range bodies {
			before := len(w.records.decisions())
			sendRaw(t, w, head+auth(w.box)+body.head+"\r\n"+body.wire)
			records := w.records.decisions()[before:]
			if len(records) != 1 {
				t.Fatalf("%q: %d records", head+body.head, len(records))
			}
			if !records[0].Result.Allow {
				continue
			}
			sent++
			w.wait(func() bool { return len(read()) >= sent })
			all := read()
			if len(all) != sent {
				t.Fatalf("%q: nginx read %d requests, want %d: %+v", head+body.head, len(all), sent, all[sent-1:])
			}
			got, in := all[sent-1], records[0].Input.Network
			path, _, _ := strings.Cut(got.URL, "?")
			if got.Method != in.Method || got.Host != authority || got.Status != "200" || got.Upgrade != "" || !samePath(path, in.Path) {
				t.Errorf("%q: decided %s %q, nginx read %+v", head+body.head, in.Method, in.Path, got)
			}
		}
	}
	if sent < 40 {
		t.Errorf("only %d of the requests were sent on", sent)
	}
}
