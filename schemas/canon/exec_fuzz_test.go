package canon_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// hostile are texts that cost a parser or a walker more than they should.
var hostile = []string{
	strings.Repeat("(", 60000), strings.Repeat("$(", 60000), strings.Repeat("{,", 450), strings.Repeat("{,", 60000),
	strings.Repeat("{,}", 30000), strings.Repeat("{,}", 30), strings.Repeat("{1..9}", 30), "{1..1000000000}",
	"a" + strings.Repeat("|a", 60000), "a" + strings.Repeat("&&a", 20000), strings.Repeat("if ", 20000),
	"[[ " + strings.Repeat("! ", 60000) + " a ]]", strings.Repeat("`", 60000), strings.Repeat("env ", 30000),
	strings.Repeat("$(')';", 21000), "env -S '" + strings.Repeat("env -S ", 20) + "'",
}

func TestHostileTexts(t *testing.T) {
	for _, text := range hostile {
		in, err := canon.CommandText(text, canon.Shell{})
		if err != nil {
			wantRefused(t, err, 400)
			continue
		}
		checkExec(t, text, in)
	}
}

// checkExec holds what is true of every input.
func checkExec(t *testing.T, text string, in *schemas.ExecInput) {
	t.Helper()
	if in.Commands == nil || in.EnvDenied == nil || !slices.IsSorted(in.EnvDenied) {
		t.Errorf("%q: got %+v, want lists that are sorted and not nil", text, in)
	}
	for i, c := range in.Commands {
		if c.Links == nil || c.Args == nil || c.Upstream == nil || c.Names == nil || c.Options == nil || c.Operand == nil {
			t.Errorf("%q: command %d has a nil list: %+v", text, i, c)
		}
		if !slices.IsSorted(c.Options) || !slices.IsSorted(c.Names) || !slices.IsSorted(c.Upstream) {
			t.Errorf("%q: command %d is not sorted: %+v", text, i, c)
		}
		for _, u := range c.Upstream {
			if u < 0 || u >= len(in.Commands) || u == i {
				t.Errorf("%q: command %d has upstream %d of %d", text, i, u, len(in.Commands))
			}
		}
		if strings.Count(c.Line, "\x00") != len(c.Args) || c.Program == "" || !strings.HasPrefix(c.Path, "/") {
			t.Errorf("%q: command %d: %+v", text, i, c)
		}
		for _, s := range append([]string{c.Program, c.Argv0, c.Path, c.Cwd}, c.Args...) {
			if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
				t.Errorf("%q: command %d holds %q", text, i, s)
			}
		}
	}
}

func FuzzCommandText(f *testing.F) {
	for _, s := range []string{
		`git status && python x.py`, `env -i A=1 timeout 5 git`, `rm -rf /*`, `curl x | tee >(bash)`, `bash -c "$(curl x)"`,
		"bash <<'EOF'\nrm\nEOF", `f() { g; }; g() { f; }; f`, `{rm,-rf,/}`, `$CMD "$@"`, `find . -exec rm {} +`, `xargs -I{} sh -c '{}'`,
		`sh -c 'sh -c "rm -rf /"'`, `if x; then eval y; fi`, `trap 'a' EXIT`, `cd /; (cd x; ls)`, `a $'\x41\u00e9' "b\$c" d\ e`, `[[ a ]]; ((1))`,
		`export A=b PATH=c; unset -f x; alias a=b`, `coproc a { b; }`, `case a in b) c;; esac`, `zsh -c '=rm x'`, `busybox sh -c x`, `exec -a b c`,
		`eval "eval ''; . x"`, `if :; then . <(a); fi`, `su -c 'a|b'`, `watch a b`, `env -S 'a b'`, `{a,{b,c}}{1..3}`, `a <<< b`, `a & b`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		in, err := canon.CommandText(text, canon.Shell{Hook: true})
		if err != nil {
			wantRefused(t, err, 400)
			return
		}
		checkExec(t, text, in)
	})
}

func FuzzCommandArgv(f *testing.F) {
	for _, s := range []string{"sh\x00-c\x00a|b", "env\x00A=b\x00c", "git\x00-C", "-bash\x00-lc\x00x", "xargs\x00-I", "a\xff\x00\\", "find\x00-exec\x00{}\x00;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		argv := strings.Split(line, "\x00")
		if argv[0] == "" {
			return
		}
		in, err := canon.CommandArgv(argv, schemas.Command{Program: argv[0], Path: "/usr/bin/x"}, canon.Shell{})
		if err != nil {
			wantRefused(t, err, 400)
			return
		}
		checkExec(t, line, in)
	})
}

func FuzzAuthority(f *testing.F) {
	for _, s := range []string{"example.com", "a:1", "[::1]:443", "[::1", "a.com:80:90", "user@a", "a:", ":1", "[fe80::1%25eth0]:1", "127.1:1", "[a]:1", "BÜCHER.test:8443"} {
		f.Add(s, "https")
		f.Add(s, "")
	}
	f.Fuzz(func(t *testing.T, s, scheme string) {
		host, port, err := canon.Authority(s, scheme)
		if err != nil {
			wantRefused(t, err, 400)
			return
		}
		if again, err := canon.Host(host); again != host || err != nil || port < 1 || port > 65535 {
			t.Errorf("%q: got %q, %d: again %q, %v", s, host, port, again, err)
		}
	})
}
