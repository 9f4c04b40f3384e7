package peers

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	"github.com/sirupsen/logrus"
	"golang.org/x/crypto/bcrypt"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/rego/registry"
	"github.com/openshell-policy/openshell/rego/source"
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

// What somebody else pushed under the name is no bundle, and is told so.
func TestWhatIsNoBundle(t *testing.T) {
	host := startRegistry(t, "")
	o := registry.Options{PlainHTTP: true}
	repo, err := remote.NewRepository(host + "/team/image")
	if err != nil {
		t.Fatal(err)
	}
	repo.PlainHTTP = true
	manifest, err := oras.PackManifest(t.Context(), repo, oras.PackManifestVersion1_1, "application/vnd.example.thing", oras.PackManifestOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := repo.Tag(t.Context(), manifest, "live"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := registry.Pull(t.Context(), "oci://"+host+"/team/image:live", o); !has(err, archive.CodeLayout) {
		t.Errorf("got %v", err)
	}
}

// A source follows a tag of a registry, and refuses what a stranger pushed there.
func TestSourceFollowsATag(t *testing.T) {
	host := startRegistry(t, "")
	key, stranger := newKey(t), newKey(t)
	o := registry.Options{PlainHTTP: true}
	ref := "oci://" + host + "/team/policies:live"
	push := func(serial int64, key *keys.Private) {
		if _, err := registry.Push(t.Context(), ref, bundleOf(t, "a.example.com", serial, key), o); err != nil {
			t.Fatal(err)
		}
	}
	s, err := source.Open(source.Options{
		OCI: ref, Dir: t.TempDir(), Registry: o, Poll: 10 * time.Millisecond, Trust: archive.Trust{Keys: []keys.Public{key.Public}},
	})
	if err != nil {
		t.Fatal(err)
	}
	engine := rego.New(rego.Options{})
	reload := func(ctx context.Context) error {
		data, _, err := s.Compile(ctx)
		if err != nil {
			return err
		}
		if _, err := engine.Load(data); err != nil {
			return err
		}
		return s.InForce(ctx)
	}
	if err := reload(t.Context()); !errors.Is(err, source.ErrNone) {
		t.Errorf("nothing is there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Follow(ctx, reload) }()
	until := func(what string, ok func() bool) {
		for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not so after half a minute: %s: %+v", what, s.State())
			}
		}
	}
	serial := func() int64 { return engine.Current().Manifest().Metadata.Serial }
	push(1, &key)
	until("the first is in force", func() bool { return serial() == 1 })
	push(2, &key)
	until("the second is in force", func() bool { return serial() == 2 })
	push(3, &stranger)
	until("a stranger's is refused", func() bool { return has(s.State().Fault, archive.CodeSignature) })
	push(1, &key)
	until("an older one is refused", func() bool { return has(s.State().Fault, archive.CodeSerial) })
	if serial() != 2 {
		t.Errorf("serial %d is in force", serial())
	}
	cancel()
	<-done
}

// A stock OPA server reads what we push: the layout is its own.
func TestStockOPAPullsFromTheRegistry(t *testing.T) {
	host := startRegistry(t, "")
	if _, err := registry.Push(t.Context(), "oci://"+host+"/team/policies:live", bundleOf(t, "a.example.com", 1, nil), registry.Options{PlainHTTP: true}); err != nil {
		t.Fatal(err)
	}
	opa := os.Getenv("OPENSHELL_OPA")
	if opa == "" {
		opa = t.TempDir() + "/opa"
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-C", "../..", "-o", opa, "github.com/open-policy-agent/opa").CombinedOutput(); err != nil {
			t.Fatalf("build opa: %v: %s", err, out)
		}
	}
	config := t.TempDir() + "/opa.yaml"
	text := fmt.Sprintf("services: {oci: {url: 'http://%s', type: oci}}\nbundles: {team: {service: oci, resource: %s/team/policies:live, persist: true}}\npersistence_directory: %s\n", host, host, t.TempDir())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	command := exec.Command(opa, "run", "--server", "--addr", address, "--config-file", config, "--skip-version-check")
	var log bytes.Buffer
	command.Stdout, command.Stderr = &log, &log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			_ = command.Process.Signal(os.Interrupt)
			_ = command.Wait()
		}
	}
	defer stop()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get("http://" + address + "/v1/data/openshell/index/p/file")
		if err == nil {
			var answer struct{ Result string }
			err = json.NewDecoder(resp.Body).Decode(&answer)
			_ = resp.Body.Close()
			if err == nil && answer.Result == "p.yaml" {
				return
			}
		}
		if time.Now().After(end) {
			stop()
			t.Fatalf("OPA has no bundle after a minute: %v\n%s", err, log.String())
		}
	}
}
