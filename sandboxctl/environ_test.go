package sandboxctl_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/sandboxctl"
)

func TestEnviron(t *testing.T) {
	p := sandboxctl.Proxied{ID: "sb-a1b2c3", ProxyURL: "http://sb-a1b2c3:token@127.0.0.1:8080", CABundle: "/state/ca-bundle.pem", GitHTTPS: true}
	base := []string{
		"PATH=/bin", "HTTP_PROXY=http://old", "https_proxy=http://old", "ALL_PROXY=socks://old", "all_proxy=socks://old", "NO_PROXY=*",
		"SSL_CERT_FILE=/etc/old.pem", "OPENSHELL_GATEWAY_TOKEN=secret", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=user.name", "GIT_CONFIG_VALUE_0=me",
	}
	before := slices.Clone(base)
	env := p.Environ(base)
	if !slices.Equal(base, before) {
		t.Error("the caller's environment was changed")
	}
	for _, want := range []string{
		"PATH=/bin", "HTTP_PROXY=" + p.ProxyURL, "https_proxy=" + p.ProxyURL, "NO_PROXY=localhost,127.0.0.1", "OPENSHELL_SANDBOX_ID=a1b2c3",
		"SSL_CERT_FILE=" + p.CABundle, "npm_config_cafile=" + p.CABundle, "GIT_CONFIG_COUNT=3", "GIT_CONFIG_KEY_0=user.name",
		"GIT_CONFIG_KEY_1=url.https://github.com/.insteadOf", "GIT_CONFIG_VALUE_1=git@github.com:", "GIT_CONFIG_VALUE_2=ssh://git@github.com/",
	} {
		if !slices.Contains(env, want) {
			t.Errorf("lacks %q", want)
		}
	}
	seen := map[string]bool{}
	for _, kv := range env {
		key, value, _ := strings.Cut(kv, "=")
		if seen[key] {
			t.Errorf("%s stands twice", key)
		}
		seen[key] = true
		if strings.Contains(value, "old") || strings.Contains(value, "secret") {
			t.Errorf("%s was not replaced", kv)
		}
	}
}

func TestEnvironWithoutGit(t *testing.T) {
	for _, kv := range (sandboxctl.Proxied{ID: "sb-a1b2c3"}).Environ([]string{"GIT_CONFIG_COUNT=1"}) {
		if strings.HasPrefix(kv, "GIT_CONFIG_") && kv != "GIT_CONFIG_COUNT=1" {
			t.Errorf("got %s", kv)
		}
	}
}

func TestWriteCABundle(t *testing.T) {
	dir := t.TempDir()
	roots, bundle := filepath.Join(dir, "roots.pem"), filepath.Join(dir, "bundle.pem")
	if err := os.WriteFile(roots, []byte("system"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := sandboxctl.WriteCABundle(bundle, roots, []byte("ours\n")); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(bundle)
		if err != nil || string(got) != "system\nours\n" {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if err := sandboxctl.WriteCABundle(filepath.Join(dir, "none", "bundle.pem"), roots, nil); err == nil {
		t.Error("no error for a folder that is not there")
	}
}
