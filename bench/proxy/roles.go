package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/elazarl/goproxy"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/gateway/ca"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// roleVariable makes this program one of the processes that are measured.
const roleVariable = "OPENSHELL_BENCH_ROLE"

// play serves until standard input is closed. It prints one line when it is ready.
func play(role string, args []string) error {
	roles := map[string]func([]string) error{"origin": playOrigin, "bare": playBare, "goproxy": playGoproxy, "gateway": playGateway, "load": playLoad}
	start, ok := roles[role]
	if !ok {
		return fmt.Errorf("no such role %q", role)
	}
	if err := start(args); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// serve runs what ends with the process.
func serve(fn func() error) {
	go func() {
		if err := fn(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
}

// playOrigin serves /SIZE over TLS at both loopback addresses.
func playOrigin(args []string) error {
	cert, err := tls.LoadX509KeyPair(args[0], args[1])
	if err != nil {
		return err
	}
	body := bytes.Repeat([]byte("x"), 1<<20)
	s := &http.Server{
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			size, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
			if err != nil || size < 0 || size > len(body) {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			w.Header().Set("Content-Length", strconv.Itoa(size))
			_, _ = w.Write(body[:size])
		}),
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	serve(func() error { return s.ServeTLS(l, "", "") })
	port := l.Addr().(*net.TCPAddr).Port
	if six, err := net.Listen("tcp", fmt.Sprintf("[::1]:%d", port)); err == nil {
		serve(func() error { return s.ServeTLS(six, "", "") })
	}
	fmt.Println(port)
	return nil
}

func upstreamTLS(roots string) (*tls.Config, error) {
	pem, err := os.ReadFile(roots)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in " + roots)
	}
	return &tls.Config{RootCAs: pool}, nil
}

// playBare inspects with http.Server and http.Transport and does nothing else:
// the least that a Go proxy can cost. Arguments: CA's certificate and key, roots.
func playBare(args []string) error {
	authority, err := ca.Load(args[0], args[1])
	if err != nil {
		return err
	}
	leaves, err := ca.NewLeaves(authority, nil)
	if err != nil {
		return err
	}
	cfg, err := upstreamTLS(args[2])
	if err != nil {
		return err
	}
	tr := &http.Transport{TLSClientConfig: cfg, MaxIdleConnsPerHost: 512, DisableCompression: true, ForceAttemptHTTP2: true, ReadBufferSize: 16 << 10, WriteBufferSize: 8 << 10}
	inner := make(feed)
	shown := &tls.Config{
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(i *tls.ClientHelloInfo) (*tls.Certificate, error) { return leaves.Get(i.ServerName, true) },
	}
	s := &http.Server{TLSConfig: shown, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { forward(tr, w, r) })}
	serve(func() error { return s.ServeTLS(inner, "", "") })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	opens := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		inner <- c
	})
	serve(func() error { return http.Serve(l, opens) })
	fmt.Println(l.Addr())
	return nil
}

func forward(tr *http.Transport, w http.ResponseWriter, r *http.Request) {
	out := r.Clone(r.Context())
	out.URL = &url.URL{Scheme: "https", Host: r.Host, Path: r.URL.Path, RawQuery: r.URL.RawQuery}
	out.RequestURI = ""
	resp, err := tr.RoundTrip(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}

// feed is a listener of connections that came another way.
type feed chan net.Conn

func (f feed) Accept() (net.Conn, error) { return <-f, nil }
func (f feed) Close() error              { return nil }
func (f feed) Addr() net.Addr            { return &net.TCPAddr{} }

// playGoproxy is goproxy as its documentation shows it.
func playGoproxy(args []string) error {
	pair, err := tls.LoadX509KeyPair(args[0], args[1])
	if err != nil {
		return err
	}
	p := goproxy.NewProxyHttpServer()
	cfg, err := upstreamTLS(args[2])
	if err != nil {
		return err
	}
	p.Tr.TLSClientConfig = cfg
	action := &goproxy.ConnectAction{Action: goproxy.ConnectMitm, TLSConfig: goproxy.TLSConfigFromCA(&pair)}
	p.OnRequest().HandleConnect(goproxy.FuncHttpsHandler(func(host string, _ *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) { return action, host }))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	serve(func() error { return http.Serve(l, p) })
	fmt.Println(l.Addr())
	return nil
}

// nothing is a log that keeps nothing.
type nothing struct{}

func (nothing) Append(context.Context, *schemas.Record) error  { return nil }
func (nothing) Enqueue(context.Context, *schemas.Record) error { return nil }

// playGateway is ours under a policy of a few rules. Arguments: CA's certificate
// and key, roots, a state folder, the log's mode or "off", the origin's port.
func playGateway(args []string) error {
	text := fmt.Sprintf(`
apiVersion: openshell.nvidia.com/v1alpha1
kind: SandboxPolicy
metadata: {name: p}
spec:
  network:
    outbound:
      - {host: api.github.com, methods: [GET], paths: ["/repos/**"]}
      - {host: "*.example.com", methods: [GET, POST]}
      - {host: localhost, ports: [%s], methods: [GET], paths: ["/*"]}
    denied:
      - {host: "*.internal.example.com"}
`, args[5])
	r := compiler.Compile([]compiler.Source{{Name: "p.yaml", Data: []byte(text)}}, compiler.Options{Rego: rego.Library()})
	if r.Bundle == nil {
		return fmt.Errorf("policy: %+v", r.Diagnostics)
	}
	cfg := gateway.DefaultConfig()
	cfg.Listen = gateway.Listen{Proxy: "127.0.0.1:0", Admin: "127.0.0.1:0"}
	cfg.CA = gateway.CA{Cert: args[0], Key: args[1]}
	cfg.UpstreamRoots, cfg.StateDir, cfg.AllowLoopback = args[2], args[3], true
	cfg.Resolve = map[string][]netip.Addr{"localhost": {netip.MustParseAddr("127.0.0.1")}}
	deps := gateway.Deps{Compile: func(context.Context) ([]byte, []string, error) { return r.Bundle, nil, nil }, Watch: []string{}}
	if args[4] == "off" {
		deps.Audit = nothing{}
	} else {
		cfg.Audit.Mode = audit.Mode(args[4])
	}
	g, err := gateway.New(cfg, deps)
	if err != nil {
		return err
	}
	serve(func() error { return g.Run(context.Background()) })
	box, err := g.CreateSandbox(adminapi.CreateSandbox{Policy: "p"})
	if err != nil {
		return err
	}
	second, err := g.CreateSandbox(adminapi.CreateSandbox{Policy: "p"})
	if err != nil {
		return err
	}
	fmt.Println(g.ProxyAddr(), box.ID, box.Token, second.ID, second.Token)
	return nil
}
