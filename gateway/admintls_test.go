package gateway_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// clientCA makes an authority, its file and a client's certificate.
func clientCA(t *testing.T, subject string) (file string, cert tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clients"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "clients.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: subject}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return file, tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: key}
}

// serverPair writes the certificate of the admin listener.
func serverPair(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	cert, roots := testCert(t)
	der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	keyFile = filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return roots, keyFile
}

func TestClientCertificatesStandForTheToken(t *testing.T) {
	trusted, good := clientCA(t, "ops")
	_, stranger := clientCA(t, "ops")
	certFile, keyFile := serverPair(t)
	w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) {
		c.Admin.TLS = gateway.AdminTLS{Cert: certFile, Key: keyFile, ClientCA: trusted}
		c.Admin.Names = []string{"admin.test"}
	})
	ask := func(host, token string, certs ...tls.Certificate) (int, error) {
		pool := x509.NewCertPool()
		pem, _ := os.ReadFile(certFile)
		pool.AppendCertsFromPEM(pem)
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: certs}}}
		defer client.CloseIdleConnections()
		req, err := http.NewRequest(http.MethodDelete, w.g.AdminAddr()+"/v1/sandboxes/"+w.box.ID, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		resp.Body.Close()
		return resp.StatusCode, nil
	}
	if status, err := ask("", ""); status != http.StatusUnauthorized {
		t.Errorf("without anything: %d, %v", status, err)
	}
	if status, err := ask("", "", stranger); status == http.StatusOK || err == nil && status != http.StatusUnauthorized {
		t.Errorf("with a stranger's certificate: %d, %v", status, err)
	}
	if status, err := ask("other.test", "", good); status != http.StatusMisdirectedRequest {
		t.Errorf("by another name: %d, %v", status, err)
	}
	pem, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	pinned, err := adminapi.Pinned(pem)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := w.admin().WithTLS(pinned).Sandboxes(t.Context(), false); err != nil || len(l.Sandboxes) != 1 {
		t.Errorf("the client that knows the certificate: %v, %v", l, err)
	}
	otherCert, _ := serverPair(t)
	pem, _ = os.ReadFile(otherCert)
	if pinned, err = adminapi.Pinned(pem); err != nil {
		t.Fatal(err)
	}
	if _, err := w.admin().WithTLS(pinned).Sandboxes(t.Context(), false); err == nil {
		t.Error("a client that expects another certificate goes on")
	}
	if status, err := ask("admin.test", "", good); status != http.StatusOK {
		t.Errorf("with a certificate: %d, %v", status, err)
	}
	records := w.records.of(schemas.RecordAdmin)
	if len(records) != 1 || records[0].Custom.Admin.Actor != "certificate CN=ops" {
		t.Errorf("recorded %+v", records)
	}
	if _, err := http.Get("http" + strings.TrimPrefix(w.g.AdminAddr(), "https") + "/healthz"); err == nil {
		if resp, _ := http.Get("http" + strings.TrimPrefix(w.g.AdminAddr(), "https") + "/healthz"); resp.StatusCode == http.StatusOK {
			t.Error("it answers without TLS")
		}
	}
}

func TestAdminListensElsewhereOnlyWithTLS(t *testing.T) {
	cfg := gateway.DefaultConfig()
	cfg.Listen = gateway.Listen{Proxy: "127.0.0.1:0", Admin: "0.0.0.0:0"}
	cfg.StateDir = t.TempDir()
	g, err := gateway.New(cfg, gateway.Deps{Compile: func(context.Context) ([]byte, []string, error) {
		return defaultPolicies(443, 80).bundle(t), nil, nil
	}})
	if err == nil {
		g.Close()
		t.Error("the admin API listens on every address without TLS")
	}
}

func TestProfilesAreServedWhenAskedFor(t *testing.T) {
	for _, on := range []bool{false, true} {
		w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) { c.Admin.Pprof = on })
		status, _ := adminDo(t, w, http.MethodGet, "/debug/pprof/heap", w.g.AdminToken())
		if (status == http.StatusOK) != on {
			t.Errorf("pprof %t: status %d", on, status)
		}
		if status, _ := adminDo(t, w, http.MethodGet, "/debug/pprof/heap", ""); status == http.StatusOK {
			t.Error("profiles without a token")
		}
	}
}
