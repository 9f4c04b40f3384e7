package source_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/rego/serve"
	"github.com/openshell-policy/openshell/rego/source"
	"github.com/openshell-policy/openshell/schemas/keys"
)

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

// bundleOf compiles a bundle whose revision is its serial and name.
func bundleOf(t *testing.T, opts compiler.Options) []byte {
	t.Helper()
	text := "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: p}\nspec: {network: {outbound: [{host: a.example.com}]}}\n"
	opts.Rego = rego.Library()
	r := compiler.Compile([]compiler.Source{{Name: "p.yaml", Data: []byte(text)}}, opts)
	if r.Bundle == nil {
		t.Fatal(r.Diagnostics)
	}
	return r.Bundle
}

// gate is an engine that loads what a source says, as a gateway does.
type gate struct {
	s      *source.Source
	engine *rego.Engine
	loads  atomic.Int64
}

func open(t *testing.T, o source.Options) *gate {
	t.Helper()
	s, err := source.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return &gate{s: s, engine: rego.New(rego.Options{})}
}

func (g *gate) reload(ctx context.Context) error {
	data, _, err := g.s.Compile(ctx)
	if err != nil {
		return err
	}
	if _, err := g.engine.Load(data); err != nil {
		return err
	}
	g.loads.Add(1)
	return g.s.InForce(ctx)
}

func (g *gate) serial() int64 { return g.engine.Current().Manifest().Metadata.Serial }

func codeOf(err error) string {
	var e *archive.Error
	if errors.As(err, &e) {
		return e.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// A bundle that may not be put in force leaves the one before, for a restart too.
func TestRefusedBundlesLeaveTheOld(t *testing.T) {
	key, stranger := newKey(t), newKey(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "bundle.tar.gz")
	o := source.Options{File: file, Dir: filepath.Join(dir, "state"), Trust: archive.Trust{Keys: []keys.Public{key.Public}}}
	of := func(name string, serial int64, key *keys.Private) []byte {
		return bundleOf(t, compiler.Options{Name: name, Serial: serial, Sign: key})
	}
	good := of("team", 5, &key)
	write(t, file, good)
	g := open(t, o)
	if err := g.reload(t.Context()); err != nil || g.serial() != 5 {
		t.Fatalf("serial %d, %v", g.serial(), err)
	}
	expired := bundleOf(t, compiler.Options{Name: "team", Serial: 9, Sign: &key, Expires: time.Now().Add(-time.Hour)})
	for name, c := range map[string]struct {
		data []byte
		code string
	}{
		"older":          {of("team", 4, &key), archive.CodeSerial},
		"another's":      {of("other", 9, &key), archive.CodeName},
		"a nameless one": {of("", 9, &key), archive.CodeName},
		"unsigned":       {of("team", 9, nil), archive.CodeUnsigned},
		"wrongly signed": {of("team", 9, &stranger), archive.CodeSignature},
		"expired":        {expired, archive.CodeExpired},
		"truncated":      {good[:len(good)-100], archive.CodeFormat},
		"empty":          {nil, archive.CodeFormat},
	} {
		for _, restarted := range []bool{false, true} {
			write(t, file, c.data)
			at := g
			if restarted {
				at = open(t, o)
			}
			if err := at.reload(t.Context()); codeOf(err) != c.code || codeOf(at.s.State().Fault) != c.code {
				t.Errorf("%s (restarted %t): got %v, want %s", name, restarted, err, c.code)
			}
			if !restarted && (g.serial() != 5 || g.s.State().Serial != 5) {
				t.Errorf("%s: serial %d is in force", name, g.serial())
			}
		}
	}
	write(t, file, of("team", 6, &key))
	if err := g.reload(t.Context()); err != nil || g.serial() != 6 || g.s.State().Fault != nil {
		t.Errorf("a newer one: serial %d, %v", g.serial(), err)
	}
	write(t, file, good)
	if err := open(t, o).reload(t.Context()); codeOf(err) != archive.CodeSerial {
		t.Errorf("the old one after a restart: %v", err)
	}
	o.Trust.Name = "other" // said by the operator: another bundle is meant
	write(t, file, of("other", 1, &key))
	if err := open(t, o).reload(t.Context()); err != nil {
		t.Errorf("another name that the operator gave: %v", err)
	}
}

func TestOptions(t *testing.T) {
	key := newKey(t)
	trust := archive.Trust{Keys: []keys.Public{key.Public}}
	for name, o := range map[string]source.Options{
		"nothing":          {Trust: trust},
		"two":              {File: "a", URL: "https://example.com/b", Trust: trust},
		"no keys":          {File: "a"},
		"no address":       {URL: "example.com", Trust: trust},
		"another scheme":   {URL: "ftp://example.com/b", Trust: trust},
		"with credentials": {URL: "https://me:secret@example.com/b", Trust: trust},
	} {
		o.Dir = t.TempDir()
		if _, err := source.Open(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"cut off": `{"serials":{"team":`, "empty": "", "null": "null"} {
		if err := os.WriteFile(filepath.Join(dir, "seen.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := source.Open(source.Options{File: "a", Dir: dir, Trust: trust}); err == nil {
			t.Errorf("seen.json %s: no error, and an old bundle could come back", name)
		}
	}
}

// server serves one bundle, with a token, and can be taken away.
type server struct {
	*httptest.Server
	bundles serve.Bundles
	away    atomic.Bool
	asked   atomic.Int64
	token   string
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{token: "Bearer t0k3n"}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		if s.away.Load() || r.Header.Get("Authorization") != s.token {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		http.StripPrefix("/bundles/", &s.bundles).ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) options(t *testing.T, dir string, key keys.Private) source.Options {
	t.Helper()
	ca, token := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "token")
	if err := os.WriteFile(ca, pemOf(s.Certificate()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(token, []byte("t0k3n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return source.Options{
		URL: s.URL + "/bundles/team", Dir: filepath.Join(dir, "state"), Trust: archive.Trust{Keys: []keys.Public{key.Public}},
		HTTP: source.HTTP{CAFile: ca, TokenFile: token}, Poll: 50 * time.Millisecond, LongPoll: 30 * time.Second,
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so after half a minute: %s", what)
		}
	}
}

func follow(t *testing.T, g *gate) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); g.s.Follow(ctx, g.reload) }()
	return func() { cancel(); <-done }
}

// A gateway starts without its server, takes what the server then has, follows it,
// keeps what it has whatever the server does, and starts again from that alone.
func TestServer(t *testing.T) {
	key, stranger := newKey(t), newKey(t)
	server, dir := newServer(t), t.TempDir()
	server.away.Store(true)
	publish := func(serial int64, key *keys.Private) {
		server.bundles.Set("team", bundleOf(t, compiler.Options{Name: "team", Serial: serial, Sign: key}))
	}
	publish(1, &key)
	var told atomic.Int64
	o := server.options(t, dir, key)
	o.Status = func(_ context.Context, s source.State) { told.Add(1) }
	g := open(t, o)
	if err := g.reload(t.Context()); !errors.Is(err, source.ErrNone) || codeOf(err) != archive.CodeSource {
		t.Errorf("without a server: %v", err)
	}
	stop := follow(t, g)
	until(t, "the fault is told", func() bool { return g.s.State().Fault != nil && told.Load() > 0 })
	server.away.Store(false)
	until(t, "the first is in force", func() bool { return g.serial() == 1 })
	publish(2, &key)
	until(t, "the second is in force", func() bool { return g.serial() == 2 && g.s.State().Fault == nil })
	if s := g.s.State(); s.KeyID != key.ID || s.Name != "team" || s.Serial != 2 || s.Revision == "" || s.Bytes == 0 {
		t.Errorf("state %+v", s)
	}

	publish(3, &stranger)
	until(t, "a stranger's is refused", func() bool { return codeOf(g.s.State().Fault) == archive.CodeSignature })
	publish(1, &key)
	until(t, "an older one is refused", func() bool { return codeOf(g.s.State().Fault) == archive.CodeSerial })
	if g.serial() != 2 {
		t.Errorf("serial %d is in force", g.serial())
	}
	if err := g.reload(t.Context()); err != nil || g.serial() != 2 {
		t.Errorf("loading again for another reason: serial %d, %v", g.serial(), err)
	}
	asked := server.asked.Load()
	time.Sleep(300 * time.Millisecond)
	if more := server.asked.Load() - asked; more > 2 {
		t.Errorf("%d requests while the server holds one", more)
	}
	stop()

	server.away.Store(true)
	again := open(t, o)
	if err := again.reload(t.Context()); err != nil || again.serial() != 2 {
		t.Fatalf("a restart without the server: serial %d, %v", again.serial(), err)
	}
	stop = follow(t, again)
	defer stop()
	server.away.Store(false)
	publish(4, &key)
	until(t, "a newer one after the restart", func() bool { return again.serial() == 4 })
}

// What was kept on disk is checked like anything else.
func TestWhatWasKeptIsChecked(t *testing.T) {
	key := newKey(t)
	server, dir := newServer(t), t.TempDir()
	server.bundles.Set("team", bundleOf(t, compiler.Options{Name: "team", Serial: 1, Sign: &key}))
	o := server.options(t, dir, key)
	if err := open(t, o).reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(o.Dir, "bundle.tar.gz")
	stranger := newKey(t)
	write(t, kept, bundleOf(t, compiler.Options{Name: "team", Serial: 9, Sign: &stranger}))
	server.away.Store(true)
	g := open(t, o)
	if err := g.reload(t.Context()); codeOf(err) != archive.CodeSignature || g.engine.Current().Number() != 0 {
		t.Errorf("a kept bundle of a stranger: %v", err)
	}
}

// A server without long polling is asked again after the pause, with the tag.
func TestPolling(t *testing.T) {
	key := newKey(t)
	data := bundleOf(t, compiler.Options{Name: "team", Serial: 1, Sign: &key})
	var asked, unchanged atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("ETag", `"one"`)
		if r.Header.Get("If-None-Match") == `"one"` {
			unchanged.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(data)
	}))
	defer server.Close()
	g := open(t, source.Options{URL: server.URL + "/b", Dir: t.TempDir(), Trust: archive.Trust{Keys: []keys.Public{key.Public}}, Poll: 10 * time.Millisecond, LongPoll: time.Second})
	stop := follow(t, g)
	until(t, "it asks again", func() bool { return unchanged.Load() >= 3 })
	stop()
	if asked.Load() != unchanged.Load()+1 || g.loads.Load() != 1 {
		t.Errorf("%d requests, %d unchanged, %d loads", asked.Load(), unchanged.Load(), g.loads.Load())
	}
}

// A redirect would send the token elsewhere, and a body without end is cut.
func TestHostileServers(t *testing.T) {
	key := newKey(t)
	trust := archive.Trust{Keys: []keys.Public{key.Public}}
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		code    string
	}{
		"redirects": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) }, archive.CodeSource},
		"no bundle": {func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("<html>")) }, archive.CodeFormat},
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			chunk := make([]byte, 1<<20)
			for r.Context().Err() == nil {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, archive.CodeSize},
		"delta": {func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Prefer") != "modes=snapshot" {
				t.Errorf("it prefers %q", r.Header.Get("Prefer"))
			}
			w.WriteHeader(http.StatusNoContent)
		}, archive.CodeSource},
	} {
		server := httptest.NewServer(c.handler)
		g := open(t, source.Options{URL: server.URL + "/b", Dir: t.TempDir(), Trust: trust})
		if err := g.reload(t.Context()); codeOf(err) != c.code {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
		}
		server.Close()
	}
	if elsewhere.Load() != 0 {
		t.Error("a redirect was followed")
	}
}
