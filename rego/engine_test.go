package rego_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// compiled compiles policies; each rule line goes under outbound of a policy
// that is named for its key.
func compiled(t testing.TB, specs map[string]string) []byte {
	t.Helper()
	var sources []compiler.Source
	for name, spec := range specs {
		text := "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: " + name + "}\nspec: " + spec + "\n"
		sources = append(sources, compiler.Source{Name: name + ".yaml", Data: []byte(text)})
	}
	r := compiler.Compile(sources, compiler.Options{Rego: rego.Library()})
	if r.Bundle == nil {
		t.Fatalf("got diagnostics %v, want a bundle", r.Diagnostics)
	}
	return r.Bundle
}

func get(t testing.TB, policy, url string) *schemas.DecisionInput {
	t.Helper()
	r, err := canon.ParseRequest("GET", url)
	if err != nil {
		t.Fatal(err)
	}
	c, err := canon.Network(r)
	if err != nil {
		t.Fatal(err)
	}
	return &schemas.DecisionInput{Kind: schemas.KindNetwork, Policy: policy, Network: &c.Readings[0]}
}

const (
	allowA = `{network: {outbound: [{host: a.example.com}]}}`
	allowB = `{network: {outbound: [{host: b.example.com}]}}`
)

func TestBeforeTheFirstBundleEverythingIsDenied(t *testing.T) {
	g := rego.New(rego.Options{}).Current()
	if d := g.Decide(t.Context(), get(t, "a", "https://a.example.com/")); d.Allow || d.Code != schemas.CodeNoPolicy {
		t.Errorf("got %+v, want no_policy", d)
	}
}

func TestLoadSwapsAndRefusalKeepsTheOld(t *testing.T) {
	e := rego.New(rego.Options{})
	in := get(t, "a", "https://a.example.com/")
	if _, err := e.Load(compiled(t, map[string]string{"a": allowA})); err != nil {
		t.Fatal(err)
	}
	old := e.Current()
	good := compiled(t, map[string]string{"a": allowB})
	for name, bad := range map[string][]byte{
		"empty": nil, "not gzip": []byte("hello"), "truncated": good[:len(good)/2],
	} {
		if _, err := e.Load(bad); err == nil {
			t.Errorf("%s: got no error, want one", name)
		}
	}
	if e.Current() != old || !e.Current().Decide(t.Context(), in).Allow {
		t.Error("a refused bundle changed what is in force")
	}
	if _, err := e.Load(good); err != nil {
		t.Fatal(err)
	}
	if d := e.Current().Decide(t.Context(), in); d.Allow {
		t.Errorf("got %+v after the swap, want a denial", d)
	}
	if d := old.Decide(t.Context(), in); !d.Allow {
		t.Errorf("got %+v of the generation before, want what it always said", d)
	}
	if got := e.Current().Number(); got != old.Number()+1 {
		t.Errorf("got generation %d, want %d", got, old.Number()+1)
	}
}

func TestSameSourcesSameBytes(t *testing.T) {
	specs := map[string]string{"a": allowA, "b": allowB}
	if !bytes.Equal(compiled(t, specs), compiled(t, specs)) {
		t.Error("two compilations differ")
	}
}

func TestACancelledCallDenies(t *testing.T) {
	e := rego.New(rego.Options{CacheSize: -1})
	g, err := e.Load(compiled(t, map[string]string{"a": allowA}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d := g.Decide(ctx, get(t, "a", "https://a.example.com/")); d.Allow || d.Code != schemas.CodePolicyError {
		t.Errorf("got %+v, want policy_error", d)
	}
}

func TestEveryReadingMustBeAllowed(t *testing.T) {
	g, err := rego.New(rego.Options{}).Load(compiled(t, map[string]string{
		"a": `{network: {outbound: [{host: a.example.com, paths: [/pub/**]}], denied: [{host: a.example.com, paths: [/pub/secret/**]}]}}`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	r, err := canon.ParseRequest("GET", "https://a.example.com/pub//secret/x")
	if err != nil {
		t.Fatal(err)
	}
	c, err := canon.Network(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Readings) < 2 {
		t.Fatalf("got %d readings, want several", len(c.Readings))
	}
	d, at := g.DecideReadings(t.Context(), schemas.DecisionInput{Kind: schemas.KindNetwork, Policy: "a"}, c.Readings)
	if d.Code != schemas.CodeDeniedRule || at == 0 {
		t.Errorf("got %s of reading %d, want denied_rule of a later one", d.Code, at)
	}
	if d, _ := g.DecideReadings(t.Context(), schemas.DecisionInput{Kind: schemas.KindNetwork, Policy: "a"}, nil); d.Allow {
		t.Errorf("got %+v without readings, want a denial", d)
	}
}

func TestDestinations(t *testing.T) {
	g, err := rego.New(rego.Options{}).Load(compiled(t, map[string]string{
		"a": `{network: {outbound: [{host: '*.example.com', ports: [8443]}, {host: '**.through.example.org', tls: passthrough}]}}`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	d := g.Destinations("a")
	for host, want := range map[string]bool{
		"x.example.com": true, "example.com": false, "a.b.example.com": false, "a.b.through.example.org": true, "10.0.0.1": false, "2001:db8::1": false,
	} {
		if got := d.Names(host); got != want {
			t.Errorf("Names(%q): got %v, want %v", host, got, want)
		}
	}
	for port, want := range map[int]bool{443: true, 8443: true, 8080: false} {
		if got := d.Port(port); got != want {
			t.Errorf("Port(%d): got %v, want %v", port, got, want)
		}
	}
	if id, ok := d.Passthrough("x.through.example.org", 443); !ok || id != "outbound[1]" {
		t.Errorf("Passthrough: got %q %v, want outbound[1]", id, ok)
	}
	if _, ok := d.Passthrough("x.example.com", 8443); ok {
		t.Error("an inspecting rule was taken for passthrough")
	}
	if none := g.Destinations("nobody"); none.Names("x.example.com") || none.Port(8443) {
		t.Error("an unknown policy names something")
	}
}

// TestReloadUnderLoad decides while generations are swapped: every answer must
// be one of the two policies', whole.
func TestReloadUnderLoad(t *testing.T) {
	e := rego.New(rego.Options{})
	bundles := [][]byte{compiled(t, map[string]string{"a": allowA}), compiled(t, map[string]string{"a": allowB})}
	if _, err := e.Load(bundles[0]); err != nil {
		t.Fatal(err)
	}
	a, b := get(t, "a", "https://a.example.com/"), get(t, "a", "https://b.example.com/")
	stop := make(chan struct{})
	var decided sync.WaitGroup
	for range 4 {
		decided.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				g := e.Current()
				x, y := g.Decide(context.Background(), a), g.Decide(context.Background(), b)
				if x.Allow == y.Allow || x.Revision != y.Revision {
					t.Errorf("got %v and %v of one generation, want exactly one allow", x, y)
					return
				}
			}
		})
	}
	for i := range 20 {
		if _, err := e.Load(bundles[i%2]); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	decided.Wait()
}

// TestAllocations holds the hot path to its budget.
func TestAllocations(t *testing.T) {
	if testing.CoverMode() != "" {
		t.Log("allocations are counted without coverage only")
		return
	}
	for _, c := range []struct {
		name  string
		cache int
		max   float64
	}{{"uncached", -1, 60}, {"cached", 0, 2}} {
		g := engine(t, 1000, c.cache)
		in := questions[0].in
		got := testing.AllocsPerRun(200, func() { g.Decide(context.Background(), in) })
		if raced(got) {
			continue
		}
		if got > c.max {
			t.Errorf("%s: got %.0f allocations, want at most %.0f", c.name, got, c.max)
		}
	}
}

// raced recognises the race detector, under which pools drop what they are given.
func raced(allocations float64) bool { return allocations > 0 && raceEnabled }

func TestManifestNamesWhatIsInside(t *testing.T) {
	g, err := rego.New(rego.Options{}).Load(compiled(t, map[string]string{"a": allowA, "b": allowB}))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range g.Policies() {
		names = append(names, p.Name)
	}
	if got := strings.Join(names, " "); got != "a b" {
		t.Errorf("got policies %q, want \"a b\"", got)
	}
	if r, ok := g.Rule("a", "outbound[0]"); !ok || r.Host != "a.example.com" || r.Line != 4 {
		t.Errorf("got rule %+v %v, want outbound[0] of line 4", r, ok)
	}
}
