package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
)

// AdminAPI configures the admin listener beside its address.
type AdminAPI struct {
	TLS   AdminTLS `yaml:"tls"`
	Names []string `yaml:"names"` // host names that clients call it by, besides loopback
	Pprof bool     `yaml:"pprof"` // serve /debug/pprof/
}

// AdminTLS names PEM files. With ClientCA a certificate of the client's that
// chains to it stands for the bearer token.
type AdminTLS struct {
	Cert     string `yaml:"cert"`
	Key      string `yaml:"key"`
	ClientCA string `yaml:"client_ca"`
}

func (a *AdminAPI) validate() error {
	switch {
	case (a.TLS.Cert == "") != (a.TLS.Key == ""):
		return errors.New("configuration: admin.tls.cert and admin.tls.key go together")
	case a.TLS.ClientCA != "" && a.TLS.Cert == "":
		return errors.New("configuration: admin.tls.client_ca needs admin.tls.cert and key")
	}
	for _, name := range a.Names {
		if name == "" || strings.ContainsAny(name, ":/ *") {
			return fmt.Errorf("configuration: admin.names: %q is not a host name", name)
		}
	}
	return nil
}

// listenAdmin listens on a Unix socket with mode 0600, on a loopback address, or
// with TLS on any.
func listenAdmin(address string, api AdminAPI) (net.Listener, error) {
	secured, err := api.TLS.config()
	if err != nil {
		return nil, err
	}
	l, err := listenPlain(address, secured != nil)
	if err != nil || secured == nil {
		return l, err
	}
	return tls.NewListener(l, secured), nil
}

func listenPlain(address string, anywhere bool) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return listenSocket(path)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if ip, err := netip.ParseAddr(host); !anywhere && host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("%q is not a loopback address; with admin.tls.cert and key it may be another", address)
	}
	return net.Listen("tcp", address)
}

// config is nil without a certificate.
func (t AdminTLS) config() (*tls.Config, error) {
	if t.Cert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("admin.tls: %w", err)
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"}}
	if t.ClientCA == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(t.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("admin.tls.client_ca: %w", err)
	}
	cfg.ClientCAs = x509.NewCertPool()
	if !cfg.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("admin.tls.client_ca: %q holds no certificate", t.ClientCA)
	}
	cfg.ClientAuth = tls.VerifyClientCertIfGiven
	return cfg, nil
}
