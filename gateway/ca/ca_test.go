package ca_test

import (
	"bytes"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/gateway/ca"
)

func open(t *testing.T) (*ca.Authority, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ca")
	a, err := ca.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return a, dir
}

func TestOpenMakesThenLoads(t *testing.T) {
	a, dir := open(t)
	again, err := ca.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.PEM(), again.PEM()) {
		t.Error("the second start made another CA")
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, ca.KeyFile): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %v, want %v", path, got, want)
		}
	}
	if err := os.Chmod(filepath.Join(dir, ca.KeyFile), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ca.Open(dir); err == nil {
		t.Error("a key that others can read was loaded")
	}
}

func TestLeafVerifies(t *testing.T) {
	a, _ := open(t)
	leaves, err := ca.NewLeaves(a, nil)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.PEM())
	long := strings.Repeat("a", 60) + "." + strings.Repeat("b", 20) + ".test"
	for _, host := range []string{"a.test", "93.184.216.34", "2001:db8::1", long} {
		c, err := leaves.Get(host, true)
		if err != nil {
			t.Fatal(err)
		}
		name := host
		if strings.Contains(host, ":") {
			name = "[" + host + "]"
		}
		if _, err := c.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: pool}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
		if host == long && c.Leaf.Subject.CommonName != "" {
			t.Errorf("G05: %d bytes of common name", len(c.Leaf.Subject.CommonName))
		}
	}
}

func TestG08_LeafIsRenewed(t *testing.T) {
	a, _ := open(t)
	now := time.Now()
	leaves, err := ca.NewLeaves(a, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	first, _ := leaves.Get("a.test", true)
	now = now.Add(19 * time.Hour)
	if second, _ := leaves.Get("a.test", true); second != first {
		t.Error("minted again before 80 % of its life")
	}
	now = now.Add(30 * time.Minute)
	if third, _ := leaves.Get("a.test", true); third == first {
		t.Error("not minted again after 80 % of its life")
	}
}

func TestLeafIsMintedOnce(t *testing.T) {
	a, _ := open(t)
	leaves, err := ca.NewLeaves(a, nil)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	serials := map[string]bool{}
	for range 32 {
		wg.Go(func() {
			c, err := leaves.Get("a.test", true)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			serials[c.Leaf.SerialNumber.String()] = true
		})
	}
	wg.Wait()
	if len(serials) != 1 {
		t.Errorf("%d leaves for one host", len(serials))
	}
}

func TestUnlistedHostsDoNotEvict(t *testing.T) {
	a, _ := open(t)
	leaves, err := ca.NewLeaves(a, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaves.Get("a.test", true); err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		if _, err := leaves.Get(strings.Repeat("x", i%60+1)+string(rune('a'+i/60))+".test", false); err != nil {
			t.Fatal(err)
		}
	}
	if !leaves.Cached("a.test", true) {
		t.Error("unlisted hosts evicted a listed one")
	}
}
