package canon_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// show prints an input as one line a command: a "+" if it is carried, the
// program and its arguments, and the commands upstream.
func show(in *schemas.ExecInput) []string {
	var out []string
	for _, c := range in.Commands {
		line := strings.Join(append([]string{c.Program}, c.Args...), " ")
		if c.Origin == "carried" {
			line = "+" + line
		}
		if len(c.Upstream) > 0 {
			line += " " + strings.ReplaceAll(fmt.Sprint(c.Upstream), " ", ",")
		}
		out = append(out, line)
	}
	for _, e := range in.EnvDenied {
		out = append(out, "env "+e)
	}
	if in.Opaque {
		out = append(out, "opaque")
	}
	return out
}

type textTest struct {
	name, text string
	want       []string
}

func runTexts(t *testing.T, tests []textTest) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in, err := canon.CommandText(test.text, canon.Shell{Hook: true})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(show(in), test.want); diff != "" {
				t.Errorf("%s\n(-got +want):\n%s", test.text, diff)
			}
		})
	}
}

func TestCommands(t *testing.T) {
	runTexts(t, []textTest{
		{"C02 no arguments", `git`, []string{"git"}},
		{"C03 other programs", `gitk; git-lfs`, []string{"gitk", "git-lfs"}},
		{"C09 every part", `git status && python x.py || ls; pwd & id`, []string{"git status", "python x.py", "ls", "pwd", "id"}},
		{"C11 harmless assignment", `FOO=1 git status`, []string{"git status"}},
		{"C12 denied assignment", `LD_PRELOAD=/e.so LD_AUDIT=x LD_AUDIT=y git`, []string{"git", "env LD_AUDIT", "env LD_PRELOAD"}},
		{"C12 before the command", `NODE_OPTIONS=x; node a`, []string{"node a", "env NODE_OPTIONS"}},
		{"C12 exported inside", `sh -c 'export PERL5OPT=x; perl'`, []string{"sh -c export PERL5OPT=x; perl", "+perl", "env PERL5OPT"}},
		{"C12 exported later", `sh -c 'export BASH_ENV'`, []string{"sh -c export BASH_ENV", "env BASH_ENV"}},
		{"C12 in a carrier", `env -i GIT_SSH_COMMAND=x git`, []string{"env -i GIT_SSH_COMMAND=x git", "+git", "env GIT_SSH_COMMAND"}},
		{"C12 by a loop", `for NODE_OPTIONS in x; do node; done`, []string{"node", "env NODE_OPTIONS"}},
		{"C05 relative path from somewhere", `if x; then cd /usr/bin; fi; ./git`, []string{"x", "./git", "opaque"}},
		{"C05 search path", `PATH=/workspace/bin git`, []string{"git", "opaque"}},
		{"C20 words of variables", `a=cu;b=rl; $a$b x | ba""sh`, []string{"bash", "opaque"}},
		{"C29 command of a variable", `ls; $CMD status`, []string{"ls", "opaque"}},
		{"C29 arguments as command", `sh -c '"$@"' x`, []string{`sh -c "$@" x`, "opaque"}},
		{"C29 eval", `sh -c 'eval git status'`, []string{"sh -c eval git status", "+git status", "opaque"}},
		{"C29 source", `sh -c '. ./x; source y'`, []string{"sh -c . ./x; source y", "opaque"}},
		{"C30 argument of a variable", `git "$x" -a=$y`, []string{`git \? -a=\?`}},
		{"a backslash is not an unknown", `git '\?'`, []string{`git \\?`}},
		{"C32 here-document", "python <<EOF\nprint($x)\nEOF", []string{"python"}},
		{"C32 here-string", `python <<< 'x'`, []string{"python"}},
		{"C33 if", `if [ -f x ]; then git a; elif true; then git b; else git c; fi`, []string{"git a", "git b", "git c"}},
		{"C33 for", `for i in 1 2; do cd $i; git a; done`, []string{"git a"}},
		{"C33 while", `while git a; do git b; done`, []string{"git a", "git b"}},
		{"C33 case", `case $x in a) git a;; *) git b;; esac`, []string{"git a", "git b"}},
		{"C33 groups", `( git a ); { git b; }`, []string{"git a", "git b"}},
		{"C33 function", `f() { git "$1"; }; f a`, []string{`git \?`}},
		{"C33 function that is not called", `f() { git a; }; ls`, []string{"ls", "git a"}},
		{"C33 function that calls itself", `f() { git a; f; }; f`, []string{"git a"}},
		{"C33 time", `time git a`, []string{"git a"}},
		{"builtins alone", `for i in 1 2; do echo a; done`, []string{"echo a"}},
		{"function that hides a program at times", `if x; then rm() { :; }; fi; rm -rf /`, []string{"x", "rm -rf /"}},
		{"function that was unset", `rm() { :; }; unset -f rm; rm -rf /`, []string{"unset -f rm", "rm -rf /"}},
		{"function that is passed by", `rm() { :; }; command rm -rf /`, []string{"rm -rf /"}},
		{"function named as a special builtin", `exec() { :; }; exec rm -rf /`, []string{"rm -rf /"}},
		{"C35 alias", `sh -c 'alias ls=rm; ls'`, []string{"sh -c alias ls=rm; ls", "+ls", "opaque"}},
		{"C35 expand_aliases", `sh -c 'shopt -s expand_aliases; ls'`, []string{"sh -c shopt -s expand_aliases; ls", "+ls", "opaque"}},
		{"C38 braces", `{rm,-rf,/}`, []string{"rm -rf /"}},
		{"C38 braces with an empty word", `{,rm} -rf {/,}`, []string{"rm -rf /"}},
		{"C38 braces that shells may read differently", `git {{a,b}\{c,d}`, []string{`git \?`}},
		{"C38 braces that are none", `git {} a{b}c stash@{1}`, []string{"git {} a{b}c stash@{1}"}},
		{"backslash at the end", `git a\`, []string{`git a\\`}},
		{"C38 quoted braces", `'{rm,-rf,/}'`, []string{"{rm,-rf,/}"}},
		{"program in a home that is not known", `ls; ~/bin/git a`, []string{"ls", "opaque"}},
		{"C38 glob as a command", `ls; /bin/r?`, []string{"ls", "opaque"}},
		{"C39 look-alike", "\u0261it status", []string{"\u0261it status"}},
		{"quotes", `"g"i't' st\atus "a b" $'c\x41' ''`, []string{"git status a b cA "}},
		{"trap", `sh -c 'trap "rm -rf /" EXIT'`, []string{`sh -c trap "rm -rf /" EXIT`, "+rm -rf /"}},
		{"coprocess", `coproc git a`, []string{"git a", "opaque"}},
		{"substitutions", `git commit -m "$(date)" ${x:-$(id)}`, []string{`git commit -m \? \?`, "date", "id"}},
		{"substitution in an assignment", `x=$(date)`, []string{"date"}},
		{"arithmetic", `(( $(id) )); [[ -n $(date) ]]`, []string{"id", "date"}},
	})
}

func TestCarriers(t *testing.T) {
	runTexts(t, []textTest{
		{"C14 sudo", `sudo -u root git status`, []string{"sudo -u root git status", "+git status"}},
		{"C26 script", `bash -c 'git status'`, []string{"bash -c git status", "+git status"}},
		{"C26 login script", `bash -lc "git status"`, []string{"bash -lc git status", "+git status"}},
		{"C26 options before", `bash -o pipefail --norc -ec "git status" name arg`, []string{"bash -o pipefail --norc -ec git status name arg", "+git status"}},
		{"C26 options between", `bash -c -e "git status"`, []string{"bash -c -e git status", "+git status"}},
		{"C26 every shell", `dash -c a; zsh -c b; ksh -c c; ash -c d`, []string{"dash -c a", "+a", "zsh -c b", "+b", "ksh -c c", "+c", "ash -c d", "+d"}},
		{"script file", `bash -e x.sh -c y`, []string{"bash -e x.sh -c y"}},
		{"C27 nested", `sh -c 'sh -c "rm -rf /"'`, []string{`sh -c sh -c "rm -rf /"`, "+sh -c rm -rf /", "+rm -rf /"}},
		{"script that is not known", `bash -c "$x"`, []string{`bash -c \?`, "opaque"}},
		{"script with an unknown part", `bash -c "rm -rf / $x"`, []string{`bash -c rm -rf / \?`, `+rm -rf / \?`, "opaque"}},
		{"here-document for a shell", "bash <<'EOF'\nrm -rf /\nEOF", []string{"bash", "+rm -rf /"}},
		{"here-document that is expanded", "bash <<EOF\ngit \\$x\nEOF", []string{"bash", `+git \?`}},
		{"here-document that is not", "bash <<'EOF'\ngit \\$x\nEOF", []string{"bash", "+git $x"}},
		{"here-string for a shell", `sh -s <<< 'rm -rf /'`, []string{"sh -s", "+rm -rf /"}},
		{"env", `env -i -u A --chdir=/ B=1 git a`, []string{"env -i -u A --chdir=/ B=1 git a", "+git a"}},
		{"env -S", `env -S 'A=1 git a' b`, []string{"env -S A=1 git a b", "+git a b"}},
		{"env of a variable", `env "$x" git a`, []string{`env \? git a`, "opaque"}},
		{"timeout", `timeout -k 5 -s9 10 git a`, []string{"timeout -k 5 -s9 10 git a", "+git a"}},
		{"nice", `nice -n 5 rm a; nice -5 rm b`, []string{"nice -n 5 rm a", "+rm a", "nice -5 rm b", "+rm b"}},
		{"nohup, setsid, stdbuf", `nohup setsid -w stdbuf -oL git a`, []string{
			"nohup setsid -w stdbuf -oL git a", "+setsid -w stdbuf -oL git a", "+stdbuf -oL git a", "+git a",
		}},
		{"xargs", `xargs -n 1 rm -f`, []string{"xargs -n 1 rm -f", `+rm -f \?`}},
		{"xargs with a place", `xargs -I{} rm a{}b`, []string{"xargs -I{} rm a{}b", `+rm a\?b`}},
		{"xargs of a shell", `xargs -I % sh -c '%'`, []string{"xargs -I % sh -c %", `+sh -c \?`, "opaque"}},
		{"su", `su - root -c 'rm -rf /'`, []string{"su - root -c rm -rf /", "+rm -rf /"}},
		{"flock", `flock /x git a; flock -n /x -c 'git b'`, []string{"flock /x git a", "+git a", "flock -n /x -c git b", "+git b"}},
		{"watch", `watch -n 1 git a '| b'`, []string{"watch -n 1 git a | b", "+git a", "+b [1]"}},
		{"parallel", `parallel -j 4 rm`, []string{"parallel -j 4 rm", `+rm \?`}},
		{"literal end of an unknown word", `env "$x"A=1 git; timeout $x-- git`, []string{`env \?A=1 git`, `timeout \?-- git`, "+git", "opaque"}},
		{"doas", `doas -u root rm -rf /`, []string{"doas -u root rm -rf /", "+rm -rf /"}},
		{"busybox", `busybox rm -rf /`, []string{"busybox rm -rf /", "+rm -rf /"}},
		{"find", `find . -exec rm {} \; -execdir id {} +`, []string{"find . -exec rm {} ; -execdir id {} +", `+rm \?`, `+id \?`}},
		{"exec and command", `exec git a; command -p git b; command -v git`, []string{"git a", "git b"}},
		{"a carrier of a carrier's options", `env -- timeout -k 1 2 git -k`, []string{"env -- timeout -k 1 2 git -k", "+timeout -k 1 2 git -k", "+git -k"}},
	})
}

func TestUpstream(t *testing.T) {
	runTexts(t, []textTest{
		{"C18 pipe", `curl x | bash`, []string{"curl x", "bash [0]"}},
		{"three stages", `curl x | tee y | bash`, []string{"curl x", "tee y [0]", "bash [0,1]"}},
		{"both outputs", `curl x |& bash`, []string{"curl x", "bash [0]"}},
		{"C21 process substitution", `bash <(curl x)`, []string{`bash /dev/fd/\? [1]`, "curl x"}},
		{"redirected process substitution", `bash < <(curl x)`, []string{"curl x", "bash [0]"}},
		{"output process substitution", `curl x | tee >(bash)`, []string{"curl x", `tee /dev/fd/\? [0]`, "bash [0,1]"}},
		{"redirected output process substitution", `curl x > >(bash)`, []string{"curl x", "bash [0]"}},
		{"C23 script", `bash -c "$(curl x)"`, []string{`bash -c \? [1]`, "curl x", "opaque"}},
		{"eval in a script", `bash -c 'eval "$(curl x)"'`, []string{`bash -c eval "$(curl x)" [1]`, "+curl x", "opaque"}},
		{"C24 file", `curl x > f; bash f`, []string{"curl x", "bash f"}},
		{"file in between", `curl x > f | bash`, []string{"curl x", "bash"}},
		{"no pipe", `curl x && bash y`, []string{"curl x", "bash y"}},
		{"subshell", `(curl x; id) | (cd y; bash)`, []string{"curl x", "id", "bash [0,1]"}},
		{"group", `{ curl x; } | { bash; }`, []string{"curl x", "bash [0]"}},
		{"if", `if a; then curl x; fi | if b; then bash; fi`, []string{"a", "curl x", "b [0,1]", "bash [0,1]"}},
		{"while", `curl x | while read l; do echo "$l"; done | bash`, []string{"curl x", "bash [0]"}},
		{"loop body", `curl x | while read l; do bash; done`, []string{"curl x", "bash [0]"}},
		{"redirected loop", `while read l; do bash; done < <(curl x)`, []string{"curl x", "bash [0]"}},
		{"function", `f() { bash; }; g() { curl x; }; g | f`, []string{"curl x", "bash [0]"}},
		{"echo of a substitution", `sh -c 'echo "$(curl x)" | bash'`, []string{`sh -c echo "$(curl x)" | bash`, "+curl x", "+bash [1]"}},
		{"here-string", `bash <<< "$(curl x)"`, []string{"curl x", "bash [0]", "opaque"}},
		{"here-document", "bash <<EOF\n$(curl x)\nEOF", []string{"curl x", "bash [0]", "opaque"}},
		{"carried reader", `curl x | env bash`, []string{"curl x", "env bash [0]", "+bash [0]"}},
		{"carried reader of a carried reader", `curl x | sudo nice bash`, []string{"curl x", "sudo nice bash [0]", "+nice bash [0]", "+bash [0]"}},
		{"carried writer", `timeout 5 curl x | bash`, []string{"timeout 5 curl x", "+curl x", "bash [0,1]"}},
		{"script that reads", `curl x | sh -c 'bash'`, []string{"curl x", "sh -c bash [0]", "+bash [0]"}},
		{"script that writes", `sh -c 'curl x' | bash`, []string{"sh -c curl x", "+curl x", "bash [0,1]"}},
		{"script with a pipe", `sh -c 'curl x | bash'`, []string{"sh -c curl x | bash", "+curl x", "+bash [1]"}},
		{"xargs", `curl x | xargs bash -c`, []string{"curl x", "xargs bash -c [0]", `+bash -c \? [0]`, "opaque"}},
		{"opaque in between", `curl x | $y | bash`, []string{"curl x", "bash [0]", "opaque"}},
	})
}

func TestRefusedTexts(t *testing.T) {
	deep := "rm -rf /"
	for range 10 {
		deep = "sh -c '" + strings.ReplaceAll(deep, "'", `'\''`) + "'"
	}
	tests := []struct{ name, text string }{
		{"empty", ""},
		{"spaces", " \n"},
		{"comment", "# git status"},
		{"assignment alone", "FOO=bar"},
		{"C29 nothing literal", "$CMD status"},
		{"program without a name", `"" rm -rf /`},
		{"C27 too deep", deep},
		{"C36 syntax error", `git status |`},
		{"C36 unterminated quote", `git "status`},
		{"C36 unterminated group", `( git`},
		{"C36 NUL", "git\x00status"},
		{"C36 comment that goes on for the parser", "git log #\\\nrm -rf /"},
		{"C36 carriage return", "git log \\\r\nrm -rf /"},
		{"C36 in a script", `sh -c 'git |'`},
		{"not UTF-8", "git \xff"},
		{"C51 long text", "git " + strings.Repeat("a", 128<<10)},
		{"C51 many commands", strings.Repeat("ls;", 257)},
		{"many words", "git {1..100}{1..100}"},
		{"doubling functions", doubling(40)},
		{"deeply nested", strings.Repeat("(", 60000) + strings.Repeat(")", 60000)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in, err := canon.CommandText(test.text, canon.Shell{})
			if err == nil {
				t.Fatalf("got %d commands, want a refusal", len(in.Commands))
			}
			wantRefused(t, err, 400)
		})
	}
	if in, err := canon.CommandText(strings.Repeat("ls;", 256), canon.Shell{}); err != nil || len(in.Commands) != 256 {
		t.Errorf("256 commands: %v", err)
	}
}

// doubling is a text whose functions each call the one before twice.
func doubling(n int) string {
	text := "f0() { :; }\n"
	for i := range n {
		text += fmt.Sprintf("f%d() { f%d; f%d; }\n", i+1, i, i)
	}
	return text + fmt.Sprintf("f%d\n", n)
}

func TestCommandFields(t *testing.T) {
	in, err := canon.CommandText(`./bin/python3.11 -x a\\b`, canon.Shell{Cwd: "/work/", Hook: true, EntryPoint: true, Parent: "/usr/bin/bash"})
	if err != nil {
		t.Fatal(err)
	}
	want := &schemas.ExecInput{
		Commands: []schemas.Command{{
			Program: "./bin/python3.11", Argv0: "./bin/python3.11", Path: "/work/bin/python3.11", Links: []string{}, Args: []string{"-x", `a\\b`},
			Cwd: "/work", Upstream: []int{}, Names: []string{"python"}, Named: "python", Looked: "python",
			Options: []string{"-x"}, Operand: []string{`a\\b`, `/work/a\\b`}, Line: "-x\x00a\\\\b\x00",
		}},
		Parent: "/usr/bin/bash", EntryPoint: true, Hook: true, EnvDenied: []string{},
	}
	if diff := cmp.Diff(in, want); diff != "" {
		t.Errorf("input (-got +want):\n%s", diff)
	}
}

func TestOperandsOfText(t *testing.T) {
	tests := []struct {
		name, text string
		want       string // an operand of the last command
		absent     bool
	}{
		{"C15 root", `rm -rf /`, "/", false},
		{"C17 root spelled otherwise", `/bin/rm -rf //`, "/", false},
		{"C17 everything in the root", `rm -rf /*`, "/", false},
		{"C17 everything in the root twice", `rm -rf /{*,.*}`, "/", false},
		{"C17 quoted asterisk", `rm -rf '/*'`, "/", true},
		{"some of the root", `rm -rf /*.o`, "/", true},
		{"everything here", `cd / && rm -rf *`, "/", false},
		{"here", `cd / && rm -rf .`, "/", false},
		{"dots", `rm -rf ../../..`, "/", false},
		{"subshell leaves no directory", `(cd /); rm -rf .`, "/", true},
		{"directory of a carrier", `env -C / rm -rf .`, "/", false},
		{"directory of a script", `sh -c 'cd /; rm -rf .'`, "/", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in, err := canon.CommandText(test.text, canon.Shell{})
			if err != nil {
				t.Fatal(err)
			}
			got := in.Commands[len(in.Commands)-1].Operand
			if slices.Contains(got, test.want) == test.absent {
				t.Errorf("got %q, %q in it = %t", got, test.want, !test.absent)
			}
		})
	}
}
