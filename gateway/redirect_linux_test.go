package gateway_test

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas"
)

// redirectVariable makes TestRedirected run inside the network namespace that
// TestOriginalDestination made.
const redirectVariable = "OPENSHELL_TEST_REDIRECT"

// The kernel's own redirection, of IPv4 and IPv6, in a network namespace: the port
// that is decided is the one that the client meant.
func TestOriginalDestination(t *testing.T) {
	for _, tool := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(tool); err != nil || os.Geteuid() != 0 {
			if os.Getenv("OPENSHELL_REQUIRE_KERNEL") == "1" {
				t.Fatalf("%s, and root, are needed: %v", tool, err)
			}
			t.Skip("ip and nft, and root, are needed")
		}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestRedirected$", "-test.v", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), redirectVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "--- PASS: TestRedirected/") != 4 {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestRedirected(t *testing.T) {
	if os.Getenv(redirectVariable) == "" {
		return // TestOriginalDestination runs it as another process
	}
	sources := &atLoopback{}
	w := newWorld(t, func(c *gateway.Config, d *gateway.Deps) {
		c.Listen.Transparent = "[::]:0"
		d.Sources = everywhere{sources}
		c.Resolve["four.test"] = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	})
	sources.id = w.box.ID
	_, port, _ := net.SplitHostPort(w.g.TransparentAddr())
	shell(t, "ip link set lo up && ip addr add 203.0.113.1/32 dev lo && ip route add 203.0.113.0/24 dev lo src 203.0.113.1 && ip -6 addr add 2001:db8::1/128 dev lo && ip -6 route add 2001:db8::/64 dev lo")
	shell(t, fmt.Sprintf(`nft -f - <<E
table inet nat {
  chain output {
    type nat hook output priority -100;
    ip daddr 203.0.113.7 tcp dport { 80, 8080 } redirect to :%[1]s
    ip6 daddr 2001:db8::7 tcp dport { 80, 8080 } redirect to :%[1]s
  }
}
E`, port))
	w.load(w.policies.with(testRule{"eighty", "four.test", "http", 80, ""}))
	for _, c := range []struct {
		name, address string
		port          int
		code          schemas.Code
	}{
		{"IPv4", "203.0.113.7:80", 80, schemas.CodeAllowed},
		{"IPv4, a port of no rule", "203.0.113.7:8080", 8080, schemas.CodePortNotAllowed},
		{"IPv6", "[2001:db8::7]:80", 80, schemas.CodeAllowed},
		{"IPv6, a port of no rule", "[2001:db8::7]:8080", 8080, schemas.CodePortNotAllowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.records.forget()
			conn, err := net.DialTimeout("tcp", c.address, 10*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			host := "four.test"
			if c.port != 80 {
				host += fmt.Sprint(":", c.port)
			}
			fmt.Fprintf(conn, "GET /x HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
			got, _ := io.ReadAll(conn)
			if len(got) == 0 {
				t.Error("no answer")
			}
			if r := w.oneRecord(c.code); r.Input.Network.Port != c.port || r.Custom.Sandbox != w.box.ID {
				t.Errorf("recorded %+v, answered %q", r.Input.Network, got)
			}
		})
	}
}

// everywhere finds the sandbox behind any address of the namespace.
type everywhere struct{ *atLoopback }

func (e everywhere) Sandbox(netip.Addr) (string, bool) { return e.id, e.id != "" }

func shell(t *testing.T, script string) {
	t.Helper()
	if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", script, err, out)
	}
}
