package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/internal/cli"
)

// completions asks what a shell's script asks; a word is returned without its
// description.
func completions(t *testing.T, args ...string) []string {
	t.Helper()
	status, out, stderr := call(append([]string{"__complete"}, args...)...)
	if status != cli.ExitOK {
		t.Fatalf("%v: %d, %s", args, status, stderr)
	}
	var words []string
	for line := range strings.Lines(string(out)) {
		word, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !strings.HasPrefix(word, ":") {
			words = append(words, word)
		}
	}
	return words
}

func TestComplete(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "p.yaml")
	text := "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: one}\nspec: {network: {outbound: [{name: mine, host: a.example.com}]}}\n"
	text += "---\n" + strings.Replace(text, "one", "two", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		want string // all of them, in order; a trailing * takes more
	}{
		{"commands", []string{"ex"}, "explain"},
		{"ready-made policies", []string{"eval", "--policy", "github-r"}, "github-read github-readonly"},
		{"the policies of a file", []string{"eval", "--policy", file + ":"}, file + ":one " + file + ":two"},
		{"policies as arguments", []string{"compile", "full"}, "full-dev"},
		{"codes of decisions", []string{"explain", "method_"}, "method_not_allowed"},
		{"codes of diagnostics in any case", []string{"explain", "osp2001"}, "OSP2001"},
		{"groups", []string{"explain", "@core"}, "@coreutils"},
		{"rules of a policy", []string{"explain", "--policy", "full-dev", "filesystem.b"}, "filesystem.blocked[0] filesystem.blocked[1]"},
		{"rules of one in a file", []string{"explain", "--policy", file + ":two", "m"}, "mine"},
		{"no second topic", []string{"explain", "baseline", ""}, ""},
		{"rules of no policy", []string{"explain", "--policy", "nowhere", ""}, ""},
		{"formats", []string{"test", "-o", ""}, "text json junit tap"},
		{"agents", []string{"init", "--agent", ""}, "claude codex copilot opencode"},
		{"schemas", []string{"schema", "Sandbox"}, "SandboxPolicy"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := strings.Join(completions(t, test.args...), " "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// Each shell's script is written; completion.txtar sources that of bash.
func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		status, out, stderr := call("completion", shell)
		if status != cli.ExitOK || !strings.Contains(string(out), "__complete") {
			t.Errorf("%s: %d, %s", shell, status, stderr)
		}
	}
}
