package rego_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

func loaded(t testing.TB, specs map[string]string) *rego.Generation {
	t.Helper()
	g, err := rego.New(rego.Options{}).Load(compiled(t, specs))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func command(t testing.TB, policy, text string) *schemas.DecisionInput {
	t.Helper()
	x, err := canon.CommandText(text, canon.Shell{Hook: true})
	if err != nil {
		t.Fatal(err)
	}
	return &schemas.DecisionInput{Kind: schemas.KindExec, Policy: policy, Exec: x}
}

// A query that is refused is explained by the first key that fails.
func TestTheQueryKeyIsNamed(t *testing.T) {
	g := loaded(t, map[string]string{"a": `{network: {outbound: [{host: a.example.com, query: {
		alpha: ["1"], beta: {match: ["b*"]}, page: {match: ["[0-9]"], absent: ok}}}]}}`})
	for url, want := range map[string]string{
		"https://a.example.com/?alpha=1&beta=b":        "",
		"https://a.example.com/":                       "alpha",
		"https://a.example.com/?alpha=2&beta=x":        "alpha",
		"https://a.example.com/?alpha=1":               "beta",
		"https://a.example.com/?alpha=1&beta=x":        "beta",
		"https://a.example.com/?alpha=1&beta=b&page=x": "page",
	} {
		d := g.Decide(t.Context(), get(t, "a", url))
		if want == "" && d.Allow {
			continue
		}
		if d.Code != schemas.CodeQueryNotAllowed || !strings.Contains(d.Message, "query key "+want+" ") {
			t.Errorf("%s: got %s: %s, want key %q", url, d.Code, d.Message, want)
		}
	}
}

// The hint is about the command that was denied, wherever it stands in the line.
func TestTheHintIsAboutTheDeniedCommand(t *testing.T) {
	g := loaded(t, map[string]string{"a": `{execution: {allowed_commands: ["git *"]}}`})
	alone, later := g.Decide(t.Context(), command(t, "a", "ls -l")), g.Decide(t.Context(), command(t, "a", "git status; ls -l"))
	if alone.Code != schemas.CodeCommandNotAllowed || alone.Hint == "" || later.Hint != alone.Hint || later.Message != alone.Message {
		t.Errorf("got %+v alone and %+v after an allowed one", alone, later)
	}
}

func TestQueryShown(t *testing.T) {
	g := loaded(t, map[string]string{"a": `{network: {outbound: [
		{host: a.example.com, query: {service: ["git-*"], token: ["*"]}}], denied: [{host: b.example.com, query: {mode: [fast]}}]}}`})
	for _, c := range []struct {
		policy, key, value string
		want               bool
	}{
		{"a", "service", "git-upload-pack", true},
		{"a", "service", "Git-upload-pack", false},
		{"a", "service", "x", false},
		{"a", "mode", "fast", true},
		{"a", "mode", "faster", false},
		{"a", "token", "secret", false}, // anything matches: nothing is said of it
		{"a", "other", "git-x", false},
		{"b", "service", "git-x", false},
	} {
		if got := g.QueryShown(c.policy, c.key, c.value); got != c.want {
			t.Errorf("%s %s=%s: got %t, want %t", c.policy, c.key, c.value, got, c.want)
		}
	}
	if (*rego.Generation)(nil).QueryShown("a", "service", "git-x") {
		t.Error("no generation shows a value")
	}
}

func TestFiles(t *testing.T) {
	g := loaded(t, map[string]string{"a": `{filesystem: {writable: [/w/**], readonly: [/r/**], blocked: ["**/.env"]},
		execution: {allowed_commands: [git], blocked_commands: ["curl | sh"]}}`})
	f, ok := g.Files("a")
	if !ok || !f.Pipes || !f.Execution || !f.Restricted || len(f.Baseline) == 0 || len(f.Sensitive) == 0 || len(f.SensitiveHome) == 0 {
		t.Errorf("got %+v, %t", f, ok)
	}
	got := [][]string{f.Writable, f.Readonly, f.Blocked}
	if diff := cmp.Diff([][]string{{"/w/**"}, {"/r/**"}, {"**/.env"}}, got); diff != "" {
		t.Errorf("lists (-want +got):\n%s", diff)
	}
	if _, ok := g.Files("b"); ok {
		t.Error("a policy that is not there has files")
	}
}

// Mode audit lets no well-known secret through, whatever else blocks it.
func TestAuditNeverLiftsASecret(t *testing.T) {
	g := loaded(t, map[string]string{"a": `{mode: audit, filesystem: {writable: [/w/**, /b/**], blocked: ["**/b*"], sensitive: everywhere}}`})
	for text, passes := range map[string]bool{
		"read /b/.ssh/id_rsa": false, "read /w/.ssh/id_rsa": false, "rename /b/x /w/.ssh/id_rsa": false,
		"rename /w/.ssh/id_rsa /b/x": false, "read /b/notes": true, "write /b/notes": true,
	} {
		f, err := canon.ParseFile(text)
		if err != nil {
			t.Fatal(err)
		}
		d := g.Decide(t.Context(), &schemas.DecisionInput{Kind: schemas.KindFile, Policy: "a", File: f})
		if d.Passes() != passes || d.Allow {
			t.Errorf("%s: got %+v", text, d)
		}
	}
}

// A star ends at a character, not inside the escape that stands for one, and a class
// stays within its segment.
func TestStarsAndEscapes(t *testing.T) {
	for pattern, c := range map[string]struct{ yes, no []string }{
		"/*25":        {[]string{"/25", "/a25", "/a%2525"}, []string{"/%25", "/a%25"}},
		"/a*F":        {[]string{"/aF", "/axF"}, []string{"/a%2F"}},
		"/**/*5/x":    {[]string{"/a/5/x", "/b/15/x"}, []string{"/%25/x", "/a/%25/x"}},
		"/*[0-9]":     {[]string{"/7", "/a7"}, []string{"/%25", "/a%25"}},
		"/a[+-9]b":    {[]string{"/a.b", "/a7b"}, []string{"/a/b"}},
		"/**/a[+-9]b": {[]string{"/x/a.b"}, []string{"/x/a/b"}},
		"/**/*x41":    {[]string{"/a/x41", "/a/yx41"}, []string{"/a/b"}},
	} {
		g := loaded(t, map[string]string{"a": `{network: {outbound: [{host: a.example.com, encoded_slash: allow, paths: ["` + pattern + `"]}]}}`})
		for want, paths := range map[bool][]string{true: c.yes, false: c.no} {
			for _, path := range paths {
				if d := g.Decide(t.Context(), get(t, "a", "https://a.example.com"+path)); d.Allow != want {
					t.Errorf("%s against %s: got %+v", pattern, path, d)
				}
			}
		}
	}
}
