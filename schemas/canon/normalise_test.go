package canon_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/schemas/canon"
)

type normal struct {
	Sub               string
	Options, Operands []string
}

func list(s ...string) []string { return append([]string{}, s...) }

func TestNormalise(t *testing.T) {
	removal := normal{"", list("-f", "-r"), list("/")}
	tests := []struct {
		name, program, cwd string
		args               []string
		want               normal
	}{
		{"C15 as written", "rm", "/w", list("-rf", "/"), removal},
		{"C17 other order", "rm", "/w", list("-fr", "/"), removal},
		{"C17 apart", "/bin/rm", "/w", list("-r", "-f", "/"), removal},
		{"C17 after the operand", "rm", "/w", list("/", "-rf"), removal},
		{"C17 capital R", "rm", "/w", list("-Rf", "/"), removal},
		{"C17 long", "rm", "/w", list("--recursive", "--force", "--", "/"), removal},
		{"C17 abbreviated", "rm", "/w", list("--recurs", "--forc", "/"), removal},
		{"C17 one more", "rm", "/w", list("-rfv", "/", "x"), normal{"", list("-f", "-r", "-v"), list("/", "x", "/w/x")}},
		{"C17 no-preserve-root", "rm", "/w", list("-rf", "/", "--no-preserve-root"), normal{"", list("--no-preserve-root", "-f", "-r"), list("/")}},
		{"C17 two slashes", "rm", "/w", list("-rf", "//"), normal{"", list("-f", "-r"), list("//", "/")}},
		{"C17 dots", "rm", "/w", list("-rf", "/w/..", ".."), normal{"", list("-f", "-r"), list("/w/..", "/", "..")}},
		{"ambiguous beginning", "rm", "/w", list("--ver"), normal{"", list("--ver"), list()}},
		{"unknown long option", "rm", "/w", list("--frob=1"), normal{"", list("--frob", "--frob=1"), list()}},
		{"option after --", "rm", "/w", list("--", "-rf"), normal{"", list(), list("-rf", "/w/-rf")}},
		{"unknown text in a cluster", "rm", "/w", list(`-r\?`), normal{"", list("-r"), list()}},
		{"unknown operand", "rm", "/w", list(`\?`, `/a/../\?`), normal{"", list(), list(`\?`, `/a/../\?`, `/\?`)}},
		{"value in the next word", "curl", "/w", list("-o", "f", "u"), normal{"", list("-o", "-o=f"), list("u", "/w/u")}},
		{"value in the same word", "curl", "/w", list("-sof", "u"), normal{"", list("-o", "-o=f", "-s"), list("u", "/w/u")}},
		{"value of a long option", "curl", "/w", list("--output", "f", "u"), normal{"", list("-o", "-o=f"), list("u", "/w/u")}},
		{"value behind =", "curl", "/w", list("--output=f", "u"), normal{"", list("-o", "-o=f"), list("u", "/w/u")}},
		{"value that is missing", "curl", "/w", list("-o"), normal{"", list("-o"), list()}},
		{"optional value", "sed", "/w", list("-i.bak", "-i", "x"), normal{"", list("-i", "-i=.bak"), list("x", "/w/x")}},
		{"no table", "frob", "/w", list("-rf", "--a=b", "-", "x", "--", "-y"), normal{"", list("--a=b", "-rf"), list("-", "/w/-", "x", "/w/x", "-y", "/w/-y")}},
		{"sub-command", "git", "/w", list("push", "--force", "origin"), normal{"push", list("-f"), list("origin", "/w/origin")}},
		{"sub-command after options", "git", "/w", list("-C", "/d", "-c", "a=b", "push", "-f"), normal{"push", list("-C", "-C=/d", "-c", "-c=a=b", "-f"), list()}},
		{"sub-command after a long option", "git", "/w", list("--git-dir", "/d", "push"), normal{"push", list("--git-dir", "--git-dir=/d"), list()}},
		{"exact option that begins another", "git", "/w", list("push", "--force", "--force-with-lease"), normal{"push", list("--force-with-lease", "-f"), list()}},
		{"alias", "npm", "/w", list("i", "-g", "x"), normal{"install", list("-g"), list("x", "/w/x")}},
		{"family", "/usr/bin/pip3.11", "/w", list("--proxy", "p", "install", "x"), normal{"install", list("--proxy", "--proxy=p"), list("x", "/w/x")}},
		{"no sub-command", "git", "/w", list("--version"), normal{"", list("--version"), list()}},
		{"pattern", "rm", "", list("-rf", "//"), removal},
		{"relative operand of a pattern", "rm", "", list("a/../b"), normal{"", list(), list("a/../b")}},
		{"globs of a pattern", "rm", "", list("-[rR]f", "/**", "/tmp/*"), normal{"", list("-[rR]f"), list("/**", "/tmp/*")}},
		{"sub-command of a pattern", "git", "", list("push", "--force"), normal{"push", list("-f"), list()}},
		{"docker", "docker", "/w", list("run", "-v", "/:/host", "--privileged", "x"), normal{"run", list("--privileged", "-v", "-v=/:/host"), list("x", "/w/x")}},
		{"kubectl", "kubectl", "/w", list("-n", "a", "delete", "--all", "pods"), normal{"delete", list("--all", "-n", "-n=a"), list("pods", "/w/pods")}},
		{"chmod", "chmod", "/w", list("-R", "777", "/"), normal{"", list("-R"), list("777", "/w/777", "/")}},
		{"attached value", "curl", "/w", list("-XPOST", "--data-raw=a"), normal{"", list("--data-raw", "--data-raw=a", "-X", "-X=POST"), list()}},
		{"options of both", "git", "/w", list("--no-pager", "push", "-n"), normal{"push", list("-P", "-n"), list()}},
		{"operands once", "rm", "/w", list("a", "a", "/w/a"), normal{"", list(), list("a", "/w/a")}},
		{"absolute operand of a pattern", "rm", "", list("/a/../b"), normal{"", list(), list("/b")}},
		{"nothing", "rm", "", nil, normal{"", list(), list()}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got normal
			got.Sub, got.Options, got.Operands = canon.Normalise(test.program, test.args, test.cwd)
			if diff := cmp.Diff(got, test.want); diff != "" {
				t.Errorf("%s %q (-got +want):\n%s", test.program, test.args, diff)
			}
		})
	}
}

func TestFamilies(t *testing.T) {
	tests := []struct{ name, family, blocked string }{
		{"python", "python", "python"},
		{"python3", "python", "python"},
		{"python3.11", "python", "python"},
		{"python3.", "python3.", "python3."},
		{"python3.11-config", "python3.11-config", "python3.11-config"},
		{"python2", "python2", "python2"},
		{"pip3.12", "pip", "pip"},
		{"nodejs", "node", "node"},
		{"bash", "bash", "sh"},
		{"zsh", "zsh", "sh"},
		{"sh", "sh", "sh"},
		{"git", "git", "git"},
		{"python3.x", "python3.x", "python3.x"},
		{"pip3", "pip", "pip"},
		{"dash", "dash", "sh"},
		{"ash", "ash", "sh"},
		{"ksh", "ksh", "sh"},
		{"fish", "fish", "fish"},
		{"git-lfs", "git-lfs", "git-lfs"},
		{"", "", ""},
	}
	for _, test := range tests {
		if got := canon.Family(test.name); got != test.family {
			t.Errorf("family of %q: got %q, want %q", test.name, got, test.family)
		}
		if got := canon.BlockedFamily(test.name); got != test.blocked {
			t.Errorf("blocked family of %q: got %q, want %q", test.name, got, test.blocked)
		}
	}
}

func TestEscape(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain", "plain"},
		{`a\b`, `a\\b`},
		{"\xff.env", `\xFF.env`},
		{"é\xc3", `é\xC3`},
		{"\ufffd", "\ufffd"},
		{`\?`, `\\?`},
		{"a\x00b", "a\x00b"},
		{"", ""},
	}
	for _, test := range tests {
		if got := canon.Escape(test.in); got != test.want {
			t.Errorf("%q: got %q, want %q", test.in, got, test.want)
		}
	}
}
