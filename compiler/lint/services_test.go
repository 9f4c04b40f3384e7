package lint_test

import (
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/policies"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// Every pattern of the tables that lint looks into parses, and every policy that
// it names is there.
func TestTablesParse(t *testing.T) {
	seen := 0
	try := func(what, src string, parse func(string) (glob.Pattern, error)) {
		seen++
		if _, err := parse(src); err != nil {
			t.Errorf("%s %q: %v", what, src, err)
		}
	}
	for _, s := range tables.Services() {
		for _, a := range s.Anchors {
			try(s.Name, a, glob.Host)
		}
		for _, n := range append(s.Needs, s.KeepDenied...) {
			try(s.Name, n.Host, glob.Host)
			for _, p := range n.Paths {
				try(s.Name, p, glob.URLPath)
			}
		}
		if s.Policy != "" {
			if _, ok := policies.Text(s.Policy); !ok {
				t.Errorf("%s: no policy is named %s", s.Name, s.Policy)
			}
		}
	}
	for _, kind := range []string{tables.KnownBucket, tables.KnownForge, tables.KnownExfiltration, tables.KnownCredentialed} {
		for _, k := range tables.KnownOf(kind) {
			try(kind, k.Pattern, glob.Host)
		}
	}
	for _, kind := range []string{tables.KnownLink, tables.KnownExecutables, tables.KnownSystem, tables.KnownStartup, tables.KnownProgramFile, tables.KnownNeeded, tables.KnownDirectory} {
		for _, k := range tables.KnownOf(kind) {
			try(kind, k.Pattern, glob.FilePath)
		}
	}
	if seen < 250 {
		t.Errorf("saw %d patterns; there are more", seen)
	}
}

// The rule that a hint tells to add is what was missing.
func TestHintsMend(t *testing.T) {
	seen := 0
	for _, s := range tables.Services() {
		host := s.Anchors[0]
		text := policyText("  network:\n    outbound:\n      - {host: " + host + ", scheme: any, methods: [GET], encoded_slash: allow}\n")
		for range 10 {
			ds := run(t, text)
			missing := append(with(ds, "OSP4101"), append(with(ds, "OSP4102"), with(ds, "OSP4103")...)...)
			if len(missing) == 0 {
				break
			}
			seen++
			_, rule, ok := strings.Cut(missing[0].Hint, "add to outbound: ")
			if !ok {
				t.Fatalf("%s: hint %q", s.Name, missing[0].Hint)
			}
			rule, _, _ = strings.Cut(rule, ", or extend")
			text += "      - " + rule + "\n"
		}
		if ds := run(t, text); len(with(ds, "OSP4101"))+len(with(ds, "OSP4102"))+len(with(ds, "OSP4103")) > 0 {
			t.Errorf("%s: the hints do not mend\n%s\n%v", s.Name, text, ds)
		}
	}
	if seen < 15 {
		t.Errorf("%d hints were taken", seen)
	}
}

// A forge of one's own is known by what git asks of it.
func TestCloneFromOwnForge(t *testing.T) {
	const refs = "  network:\n    outbound:\n      - {host: git.example.com, methods: [GET], paths: [\"/team/*/info/refs\"], query: {service: [git-upload-pack]}}\n"
	ds := with(run(t, policyText(refs)), "OSP4102")
	if len(ds) != 1 || !strings.Contains(ds[0].Hint, `{host: git.example.com, methods: [POST], paths: ["/team/*/git-upload-pack"]}`) {
		t.Errorf("got %v", ds)
	}
	if ds := with(run(t, policyText(refs+"      - {host: git.example.com, methods: [POST], paths: [\"/team/app/git-upload-pack\"]}\n")), "OSP4102"); len(ds) > 0 {
		t.Errorf("one of the repositories can be cloned: %v", ds)
	}
}
