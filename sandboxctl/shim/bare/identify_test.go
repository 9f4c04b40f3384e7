package bare_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/sandboxctl/shim"
	"github.com/openshell-policy/openshell/sandboxctl/shim/bare"
	"github.com/openshell-policy/openshell/schemas"
)

func TestMain(m *testing.M) {
	bare.Main()
	os.Exit(m.Run())
}

// permissive allows everything.
type permissive struct{}

func (permissive) Revision() string { return "r" }

func (permissive) Decide(context.Context, *schemas.DecisionInput) schemas.Decision {
	return schemas.Decision{Allow: true, Mode: schemas.ModeEnforce, Code: schemas.CodeAllowed}
}

// start runs a command in a sandbox that allows everything.
func start(t *testing.T, args ...string) (*bare.Sandbox, *bare.Process) {
	t.Helper()
	if found := bare.Probe(t.Context()); found.Level != shim.Pod {
		if os.Getenv("OPENSHELL_REQUIRE_KERNEL") == "1" {
			t.Fatal(found.Lacks)
		}
		t.Skip(found.Lacks)
	}
	policy := shim.Policy{Decider: permissive{}, Name: "p", Files: schemas.PolicyFiles{Writable: []string{"/**"}}}
	config, _ := shim.Prepare(shim.Request{Policy: policy, Level: shim.Pod})
	s, err := bare.Start(t.Context(), bare.Options{Config: config, Policy: policy, Stdout: os.Stderr, Stderr: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	p, err := s.Run(bare.Command{Path: args[0], Args: args, Env: []string{"PATH=/usr/bin:/bin"}, Dir: "/"})
	if err != nil {
		t.Fatal(err)
	}
	return s, p
}

// N06: a program that connects, then becomes another and keeps the connection, is
// known as what it was when it connected.
func TestIdentify(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	s, p := start(t, "/usr/bin/python3", "-c", `
import os, socket
c = socket.create_connection(("127.0.0.1", `+port+`))
os.set_inheritable(c.fileno(), True)
os.execv("/usr/bin/sleep", ["sleep", "300"])`)
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for end := time.Now().Add(time.Minute); !strings.HasSuffix(exe(p.PID), "/sleep"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it is %s, not sleep", exe(p.PID))
		}
	}
	local, remote := conn.RemoteAddr().(*net.TCPAddr).AddrPort(), ln.Addr().(*net.TCPAddr).AddrPort()
	peer, ok := s.Supervisor().Identify(shim.Connection{Local: local, Remote: remote})
	if !ok || !strings.Contains(peer.Binary, "python3") || peer.PID != p.PID {
		t.Errorf("got %+v, %t; want python3 of process %d", peer, ok, p.PID)
	}
	other := shim.Connection{Local: netip.AddrPortFrom(local.Addr(), local.Port()+1), Remote: remote}
	if peer, ok := s.Supervisor().Identify(other); ok {
		t.Errorf("a connection that is not there is %+v's", peer)
	}
}

func exe(pid int) string {
	link, _ := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	return link
}
