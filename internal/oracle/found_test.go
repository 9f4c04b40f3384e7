package oracle_test

import (
	"testing"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// What drawing found once, and what is drawn too seldom.
func TestWhatDrawingFound(t *testing.T) {
	commands := func(list ...string) *schemas.Execution { return &schemas.Execution{AllowedCommands: &list} }
	for _, test := range []struct {
		name string
		spec schemas.Spec
		in   schemas.DecisionInput
		want answer
	}{
		{
			"two sides known to be blocked",
			schemas.Spec{},
			schemas.DecisionInput{File: &schemas.FileInput{
				Op: schemas.OpLink, Path: "/a", Lexical: "/a", KnownBlocked: true,
				Target: &schemas.FileTarget{Path: "/b", Lexical: "/b", KnownBlocked: true},
			}},
			denied(schemas.CodeBlockedPath, schemas.RuleDefault),
		},
		{
			"two loader variables",
			schemas.Spec{Execution: commands("git *")},
			schemas.DecisionInput{Exec: command(t, "LD_PRELOAD=/a LD_AUDIT=/b git push", canon.Shell{Hook: true})},
			denied(schemas.CodeUntrustedProgram, schemas.RuleDefault),
		},
		{
			"two loaders",
			schemas.Spec{Execution: commands("git *")},
			schemas.DecisionInput{Exec: command(t, "/lib64/ld-linux-x86-64.so.2 a; /lib/ld-musl-x86_64.so.1 b", canon.Shell{Hook: true})},
			denied(schemas.CodeUntrustedProgram, schemas.RuleDefault),
		},
		{
			"opaque text under blocked commands alone",
			schemas.Spec{Execution: &schemas.Execution{BlockedCommands: []string{"rm -rf /"}}},
			schemas.DecisionInput{Exec: command(t, `ls; "$X" -rf /`, canon.Shell{})},
			denied(schemas.CodeCommandNotAllowed, schemas.RuleDefault),
		},
		{
			"a helper of a program that a path allows",
			schemas.Spec{Execution: commands("/usr/bin/git *")},
			schemas.DecisionInput{Exec: command(t, "/usr/lib/git-core/git-remote-https a", canon.Shell{Parent: "/usr/bin/git"})},
			allowed(schemas.RuleHelper),
		},
		{
			"a helper of a copy",
			schemas.Spec{Execution: commands("git *")},
			schemas.DecisionInput{Exec: command(t, "/usr/lib/git-core/git-remote-https a", canon.Shell{Parent: "/workspace/git"})},
			denied(schemas.CodeCommandNotAllowed, schemas.RuleDefault),
		},
		{
			"a helper that a carrier would start",
			schemas.Spec{Execution: commands("git *")},
			schemas.DecisionInput{Exec: command(t, "env /usr/lib/git-core/git-remote-https a", canon.Shell{Parent: "/usr/bin/git", Hook: true})},
			denied(schemas.CodeCommandNotAllowed, schemas.RuleDefault),
		},
		{
			"an encoded slash at the end",
			schemas.Spec{Network: &schemas.Network{
				Outbound: []schemas.NetworkRule{{Host: "a.example.com", EncodedSlash: "allow"}},
				Denied:   []schemas.NetworkRule{{Host: "a.example.com", Paths: []string{"/a/"}}},
			}},
			schemas.DecisionInput{Network: request(t, "https://a.example.com/A%2F")},
			denied(schemas.CodeDeniedRule, "denied[0]"),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, err := newWorld([]*schemas.SandboxPolicy{{
				APIVersion: "openshell.nvidia.com/v1alpha1", Kind: "SandboxPolicy", Metadata: schemas.Metadata{Name: "p"}, Spec: test.spec,
			}})
			if err != nil || len(w.refused) > 0 {
				t.Fatal(err, w.refused)
			}
			in := test.in
			in.Policy, in.Kind = "p", kind(&in)
			a, err := w.ask(&in, true)
			if err != nil {
				t.Fatal(err)
			}
			if !a.agree() || a.Oracle != test.want {
				t.Errorf("got %s\nwant %+v", a, test.want)
			}
		})
	}
}

func kind(in *schemas.DecisionInput) schemas.Kind {
	switch {
	case in.Network != nil:
		return schemas.KindNetwork
	case in.File != nil:
		return schemas.KindFile
	}
	return schemas.KindExec
}

func command(t *testing.T, text string, sh canon.Shell) *schemas.ExecInput {
	t.Helper()
	in, err := canon.CommandText(text, sh)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func request(t *testing.T, url string) *schemas.NetworkInput {
	t.Helper()
	r, err := canon.ParseRequest("GET", url)
	if err != nil {
		t.Fatal(err)
	}
	c, err := canon.Network(r)
	if err != nil {
		t.Fatal(err)
	}
	return &c.Readings[0]
}
