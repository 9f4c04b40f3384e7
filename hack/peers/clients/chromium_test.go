package clients_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/schemas"
)

// Chromium shows an allowed page, its script and stylesheet, and of a denied one
// our reason. It trusts the gateway's CA by the digest of its key, and names itself
// by address, since it would ask a person for a proxy's password.
func TestChromium(t *testing.T) {
	bin, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("Debian's package chromium is needed: ", err)
	}
	cert, roots := certificate(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<p id="a">waiting</p><script src="/script.js"></script>`)
	})
	mux.HandleFunc("/script.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprint(w, `document.getElementById("a").textContent = "script " + "ran"`)
	})
	port := origin(t, cert, mux)
	w := newWorld(t, roots, fmt.Sprintf(`{host: page.test, ports: [%d], methods: [GET]}`, port))
	l := w.forward(t)
	show := func(host string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, bin, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
			"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(),
			"--proxy-server=http://"+l, "--ignore-certificate-errors-spki-list="+digest(t, w.g.CAPEM()), "--dump-dom",
			fmt.Sprintf("https://%s:%d/", host, port))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("chromium: %v\n%s", err, out)
		}
		return string(out)
	}
	if page := show("page.test"); !strings.Contains(page, "script ran") {
		t.Errorf("the allowed page: %s", page)
	}
	if page := show("other.test"); !strings.Contains(page, "host_not_in_policy") || !strings.Contains(page, w.box.ID) {
		t.Errorf("the denied page: %s", page)
	}
	if got := w.records.decisions("/script.js"); !slices.Equal(got, []schemas.Code{schemas.CodeAllowed}) {
		t.Errorf("recorded %v", got)
	}
}

// digest is a key's, as Chromium's flag wants it.
func digest(t *testing.T, text []byte) string {
	t.Helper()
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}
