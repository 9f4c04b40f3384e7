package peers

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	"github.com/sirupsen/logrus"
	"golang.org/x/crypto/bcrypt"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/rego/registry"
	"github.com/openshell-policy/openshell/schemas/keys"
)

// startRegistry runs distribution in memory and returns its host:port. With a
// password it asks for user "team".
func startRegistry(t *testing.T, password string) string {
	t.Helper()
	logrus.SetLevel(logrus.PanicLevel)
	config := &configuration.Configuration{}
	config.Storage = configuration.Storage{"inmemory": configuration.Parameters{}}
	config.HTTP.Secret = "only for tests"
	config.Catalog.MaxEntries = 100
	if password != "" {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		file := t.TempDir() + "/htpasswd"
		if err := os.WriteFile(file, []byte("team:"+string(hash)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		config.Auth = configuration.Auth{"htpasswd": configuration.Parameters{"realm": "tests", "path": file}}
	}
	app := handlers.NewApp(context.WithoutCancel(t.Context()), config)
	server := httptest.NewServer(app)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func newKey(t *testing.T) keys.Private {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, err := keys.FromPrivate(key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func bundleOf(t *testing.T, host string, serial int64, key *keys.Private) []byte {
	t.Helper()
	text := "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: p}\nspec: {network: {outbound: [{host: " + host + "}]}}\n"
	r := compiler.Compile([]compiler.Source{{Name: "p.yaml", Data: []byte(text)}}, compiler.Options{Rego: rego.Library(), Name: "team", Serial: serial, Sign: key})
	if r.Bundle == nil {
		t.Fatal(r.Diagnostics)
	}
	return r.Bundle
}

// What is pushed is pulled, byte for byte, by tag and by digest; the same bundle has
// the same digest, and another one another.
func TestPushAndPull(t *testing.T) {
	host := startRegistry(t, "")
	o := registry.Options{PlainHTTP: true}
	key := newKey(t)
	first, second := bundleOf(t, "a.example.com", 1, &key), bundleOf(t, "b.example.com", 2, &key)
	ref := "oci://" + host + "/team/policies:live"
	digest, err := registry.Push(t.Context(), ref, first, o)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := registry.Push(t.Context(), ref, first, o); err != nil || again != digest {
		t.Errorf("pushed again: %s, %v, want %s", again, err, digest)
	}
	for _, r := range []string{ref, "oci://" + host + "/team/policies@" + digest, host + "/team/policies:live"} {
		data, got, err := registry.Pull(t.Context(), r, o)
		if err != nil || got != digest || !bytes.Equal(data, first) {
			t.Errorf("%s: got %d bytes, %s, %v", r, len(data), got, err)
		}
	}
	next, err := registry.Push(t.Context(), ref, second, o)
	if err != nil || next == digest {
		t.Fatalf("the next one: %s, %v", next, err)
	}
	if now, err := registry.Resolve(t.Context(), ref, o); err != nil || now != next {
		t.Errorf("the tag stands for %s, %v, want %s", now, err, next)
	}
	if data, _, err := registry.Pull(t.Context(), "oci://"+host+"/team/policies@"+digest, o); err != nil || !bytes.Equal(data, first) {
		t.Errorf("the first by its digest: %d bytes, %v", len(data), err)
	}
}

func TestCredentials(t *testing.T) {
	host := startRegistry(t, "secret")
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	data := bundleOf(t, "a.example.com", 1, nil)
	ref := "oci://" + host + "/team/policies:live"
	if _, err := registry.Push(t.Context(), ref, data, registry.Options{PlainHTTP: true}); !has(err, archive.CodeSource) {
		t.Errorf("without credentials: %v", err)
	}
	if _, err := registry.Push(t.Context(), ref, data, registry.Options{PlainHTTP: true, Username: "team", Password: "wrong"}); !has(err, archive.CodeSource) {
		t.Errorf("with a wrong password: %v", err)
	}
	o := registry.Options{PlainHTTP: true, Username: "team", Password: "secret"}
	if _, err := registry.Push(t.Context(), ref, data, o); err != nil {
		t.Fatal(err)
	}
	if got, _, err := registry.Pull(t.Context(), ref, o); err != nil || !bytes.Equal(got, data) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

func has(err error, code string) bool {
	var e *archive.Error
	return errors.As(err, &e) && e.Code == code
}

func TestWhatIsNotThere(t *testing.T) {
	host := startRegistry(t, "")
	o := registry.Options{PlainHTTP: true}
	for name, c := range map[string]struct{ ref, code string }{
		"no tag":         {"oci://" + host + "/team/policies", archive.CodeSource},
		"no repository":  {"oci://" + host, archive.CodeSource},
		"unknown":        {"oci://" + host + "/team/policies:none", archive.CodeSource},
		"nobody listens": {"oci://127.0.0.1:1/team/policies:live", archive.CodeSource},
	} {
		if _, _, err := registry.Pull(t.Context(), c.ref, o); !has(err, c.code) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := registry.Push(t.Context(), "oci://"+host+"/team/policies:live", []byte("no bundle"), o); !has(err, archive.CodeFormat) {
		t.Errorf("what is no bundle was pushed: %v", err)
	}
}
