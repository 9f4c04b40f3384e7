package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// world is the origin, the files that all share, and every process.
type world struct {
	dir, origin string // origin is host:port
	procs       []*exec.Cmd
	originRoots []byte
	caRoots     []byte
	second      *url.URL // the proxy of ours, for another sandbox
}

// peer is one way to the origin.
type peer struct {
	name    string
	proxy   *url.URL // nil: directly
	roots   []byte   // what a client trusts
	inspect bool
	pgid    int // of its processes; 0: none
}

func (w *world) file(name string) string { return filepath.Join(w.dir, name) }

func newWorld(ctx context.Context, dir string) (*world, error) {
	w := &world{dir: dir}
	if err := os.Chmod(dir, 0o755); err != nil { // Squid gives up being root
		return nil, err
	}
	var err error
	if w.originRoots, err = certificate(w.file("origin"), "localhost"); err != nil {
		return nil, err
	}
	if w.caRoots, err = certificate(w.file("ca"), ""); err != nil {
		return nil, err
	}
	_, line, err := w.role(ctx, "origin", w.file("origin.crt"), w.file("origin.key"))
	if err != nil {
		return nil, err
	}
	w.origin = "localhost:" + line
	return w, nil
}

// certificate makes a self-signed authority for a name, in NAME.crt, NAME.key and,
// both together, NAME.pem.
func certificate(path, name string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: filepath.Base(path)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageCRLSign,
	}
	if name != "" {
		t.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	crt := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	return crt, errors.Join(
		os.WriteFile(path+".crt", crt, 0o644), os.WriteFile(path+".key", secret, 0o600),
		os.WriteFile(path+".pem", append(secret, crt...), 0o600),
	)
}

// role starts this program in a role and waits for its line. All that are written
// in Go collect garbage as rarely as openshell-gateway does.
func (w *world) role(ctx context.Context, role string, args ...string) (*exec.Cmd, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, "GOGC=400")
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, "", err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := w.launch(cmd); err != nil {
		return nil, "", err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	return cmd, strings.TrimSpace(line), err
}

func (w *world) launch(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	w.procs = append(w.procs, cmd)
	return nil
}

// stop ends the processes that were started, each with its children.
func (w *world) stop() {
	for _, cmd := range w.procs {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	}
}

// start starts every proxy that is there and wanted.
func (w *world) start(ctx context.Context, only string) []peer {
	peers := []peer{{name: "direct", roots: w.originRoots}}
	for _, p := range []struct {
		name  string
		start func(context.Context) (peer, error)
	}{
		{"bare Go proxy", w.goPeer("bare")},
		{"ours, no log", w.ours("off")},
		{"ours, bounded", w.ours("bounded")},
		{"ours, strict", w.ours("strict")},
		{"goproxy", w.goPeer("goproxy")},
		{"Squid", w.squid},
		{"mitmproxy", w.mitmproxy},
		{"tinyproxy (blind)", w.tinyproxy},
	} {
		if p.name != baseline && !wanted(p.name, only) {
			continue
		}
		started, err := p.start(ctx)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s is missing: %v\n", p.name, err)
			continue
		}
		started.name = p.name
		peers = append(peers, started)
	}
	return peers
}

func wanted(name, only string) bool {
	if only == "" {
		return true
	}
	for part := range strings.SplitSeq(only, ",") {
		if strings.Contains(strings.ToLower(name), strings.ToLower(part)) {
			return true
		}
	}
	return false
}

func (w *world) goPeer(role string) func(context.Context) (peer, error) {
	return func(ctx context.Context) (peer, error) {
		cmd, line, err := w.role(ctx, role, w.file("ca.crt"), w.file("ca.key"), w.file("origin.crt"))
		if err != nil {
			return peer{}, err
		}
		return peer{proxy: &url.URL{Scheme: "http", Host: line}, roots: w.caRoots, inspect: true, pgid: cmd.Process.Pid}, nil
	}
}

func (w *world) ours(mode string) func(context.Context) (peer, error) {
	return func(ctx context.Context) (peer, error) {
		_, port, _ := net.SplitHostPort(w.origin)
		cmd, line, err := w.role(ctx, "gateway", w.file("ca.crt"), w.file("ca.key"), w.file("origin.crt"), w.file("state-"+mode), mode, port)
		if err != nil {
			return peer{}, err
		}
		part := strings.Fields(line)
		if len(part) != 5 {
			return peer{}, fmt.Errorf("it said %q", line)
		}
		w.second = &url.URL{Scheme: "http", Host: part[0], User: url.UserPassword(part[3], part[4])}
		return peer{proxy: &url.URL{Scheme: "http", Host: part[0], User: url.UserPassword(part[1], part[2])}, roots: w.caRoots, inspect: true, pgid: cmd.Process.Pid}, nil
	}
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

// external starts a program that listens at a port, and waits for it.
func (w *world) external(ctx context.Context, port, program string, args ...string) (peer, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return peer{}, err
	}
	log, err := os.Create(w.file(filepath.Base(program) + ".log"))
	if err != nil {
		return peer{}, err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := w.launch(cmd); err != nil {
		return peer{}, err
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
			return peer{proxy: &url.URL{Scheme: "http", Host: "127.0.0.1:" + port}, roots: w.caRoots, inspect: true, pgid: cmd.Process.Pid}, nil
		}
		if time.Now().After(end) {
			f, _ := os.Open(log.Name())
			said, _ := io.ReadAll(io.LimitReader(f, 2000))
			return peer{}, fmt.Errorf("it does not listen: %s", said)
		}
	}
}

func (w *world) squid(ctx context.Context) (peer, error) {
	port, err := freePort()
	if err != nil {
		return peer{}, err
	}
	dir := w.file("squid")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return peer{}, err
	}
	const helper = "/usr/lib/squid/security_file_certgen"
	if out, err := exec.CommandContext(ctx, helper, "-c", "-s", filepath.Join(dir, "db"), "-M", "4MB").CombinedOutput(); err != nil {
		return peer{}, fmt.Errorf("%w: %s", err, out)
	}
	conf := fmt.Sprintf(`http_port 127.0.0.1:%[1]s ssl-bump tls-cert=%[2]s generate-host-certificates=on dynamic_cert_mem_cache_size=4MB
sslcrtd_program %[3]s -s %[4]s/db -M 4MB
sslcrtd_children 2
acl all_ports port 1-65535
http_access allow all
ssl_bump bump all
tls_outgoing_options cafile=%[5]s
cache deny all
access_log none
cache_log %[4]s/cache.log
pid_filename %[4]s/squid.pid
coredump_dir %[4]s
shutdown_lifetime 0 seconds
`, port, w.file("ca.pem"), helper, dir, w.file("origin.crt"))
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "squid.conf"), []byte(conf), 0o644), giveTo("proxy", dir)); err != nil {
		return peer{}, err
	}
	return w.external(ctx, port, "squid", "-N", "-f", filepath.Join(dir, "squid.conf"))
}

// giveTo gives a folder to the user that Squid becomes.
func giveTo(name, dir string) error {
	u, err := user.Lookup(name)
	if err != nil || os.Geteuid() != 0 {
		return nil //nolint:nilerr // then it stays who we are
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		return errors.Join(err, os.Chown(path, uid, gid))
	})
}

func (w *world) mitmproxy(ctx context.Context) (peer, error) {
	port, err := freePort()
	if err != nil {
		return peer{}, err
	}
	dir := w.file("mitmproxy")
	pem, err := os.ReadFile(w.file("ca.pem"))
	if err := errors.Join(err, os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "mitmproxy-ca.pem"), pem, 0o600)); err != nil {
		return peer{}, err
	}
	return w.external(ctx, port, "mitmdump", "-q", "--listen-host", "127.0.0.1", "-p", port, "--set", "confdir="+dir,
		"--set", "ssl_verify_upstream_trusted_ca="+w.file("origin.crt"), "--set", "flow_detail=0", "--set", "stream_large_bodies=64k")
}

func (w *world) tinyproxy(ctx context.Context) (peer, error) {
	port, err := freePort()
	if err != nil {
		return peer{}, err
	}
	conf := fmt.Sprintf("Port %s\nListen 127.0.0.1\nTimeout 60\nMaxClients 200\nLogLevel Error\nDisableViaHeader Yes\n", port)
	if err := os.WriteFile(w.file("tinyproxy.conf"), []byte(conf), 0o644); err != nil {
		return peer{}, err
	}
	p, err := w.external(ctx, port, "tinyproxy", "-d", "-c", w.file("tinyproxy.conf"))
	p.roots, p.inspect = w.originRoots, false
	return p, err
}
