package gateway_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/gateway"
)

// keys are the YAML paths of a configuration's fields, to the leaves.
func keys(t reflect.Type, prefix string) (paths []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		path := prefix + name
		if name == "" || name == "-" {
			continue
		}
		if f.Type.Kind() == reflect.Struct && f.Type.PkgPath() == t.PkgPath() {
			paths = append(paths, keys(f.Type, path+".")...)
			continue
		}
		paths = append(paths, path)
	}
	return paths
}

// documented are the keys in the YAML blocks of a page, as lines "  key:".
func documented(t *testing.T, file string) (string, map[string]bool) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^ *#? *([a-z_0-9]+):`).FindAllStringSubmatch(string(data), -1) {
		found[m[1]] = true
	}
	return string(data), found
}

func TestEveryFieldOfTheProxyIsDocumented(t *testing.T) {
	_, ours := documented(t, "../docs/gateway.md")
	_, theirs := documented(t, "../docs/operations.md")
	seen := 0
	for _, path := range keys(reflect.TypeFor[gateway.Config](), "") {
		top, _, _ := strings.Cut(path, ".")
		switch top {
		case "listen", "identity", "upstream_proxy", "limits", "deny_connect", "allow_private", "allow_loopback", "resolve", "upstream_roots", "ca":
		default:
			continue // other pages
		}
		seen++
		leaf := path[strings.LastIndexByte(path, '.')+1:]
		if !ours[leaf] && !theirs[leaf] {
			t.Errorf("%s is in no page", path)
		}
	}
	if seen < 30 {
		t.Errorf("saw %d fields", seen)
	}
}

// The YAML of the page is read as it stands, and gives the defaults.
func TestDocumentedDefaults(t *testing.T) {
	text, _ := documented(t, "../docs/gateway.md")
	_, block, ok := strings.Cut(text, "```yaml\n")
	block, _, end := strings.Cut(block, "```")
	if !ok || !end {
		t.Fatal("the page has no YAML")
	}
	got, err := gateway.LoadConfig([]byte(block))
	if err != nil {
		t.Fatal(err)
	}
	want := gateway.DefaultConfig()
	if got.Limits != want.Limits || got.Identity.Require != want.Identity.Require || got.UpstreamProxy.URL != "" || got.Listen != want.Listen {
		t.Errorf("the page's values are not the defaults:\n%+v\n%+v", got, want)
	}
}

func TestBadLimits(t *testing.T) {
	for name, edit := range map[string]func(*gateway.Config){
		"tunnels": func(c *gateway.Config) { c.Limits.TunnelsPerSandbox = 0 }, "handshakes": func(c *gateway.Config) { c.Limits.HandshakesPerSandbox = -1 },
		"rate": func(c *gateway.Config) { c.Limits.RequestsPerSecond = -1 }, "bytes": func(c *gateway.Config) { c.Limits.BytesPerSecond = -1 },
		"require": func(c *gateway.Config) { c.Identity.Require = "nothing" }, "drain": func(c *gateway.Config) { c.Limits.DrainDelay = -time.Second },
	} {
		cfg := gateway.DefaultConfig()
		edit(&cfg)
		if err := cfg.Validate(); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
