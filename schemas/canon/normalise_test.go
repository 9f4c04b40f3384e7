package canon_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

func TestNormalise(t *testing.T) {
	const cwd = "/work"
	tests := []struct {
		name, cwd, line   string
		sub               string
		options, operands string // separated by spaces
	}{
		{"C15 cluster", cwd, "rm -rfv /", "", "-f -r -v", "/"},
		{"C17 other order", cwd, "rm -fr /", "", "-f -r", "/"},
		{"C17 apart", cwd, "rm -r -f / x", "", "-f -r", "/ x /work/x"},
		{"C17 capital", cwd, "rm -R /", "", "-r", "/"},
		{"C17 long", cwd, "rm --recursive --force -- /", "", "-f -r", "/"},
		{"C17 shortened", cwd, "rm --recurs --f /", "", "-f -r", "/"},
		{"C17 ambiguous", cwd, "rm --ver /", "", "--ver", "/"},
		{"C17 after the operand", cwd, "rm / -rf --no-preserve-root", "", "--no-preserve-root -f -r", "/"},
		{"C17 path", cwd, "/bin/rm -rf // /../ /a/..", "", "-f -r", "// / /../ /a/.."},
		{"no options after --", cwd, "rm -- -rf", "", "", "-rf /work/-rf"},
		{"a dash", cwd, "cat -", "", "", "- /work/-"},
		{"pattern", "", "rm -rf / x /a/../b", "", "-f -r", "/ x /b"},
		{"program that is not known", cwd, "foo -abc --x=1 --y y -- -z", "", "--x=1 --y -abc", "y /work/y -z /work/-z"},
		{"value apart", cwd, "curl -X POST -o f http://x", "", "-X -X=POST -o -o=f", "http://x /work/http:/x"},
		{"value attached", cwd, "curl -XPOST -sSof", "", "-S -X -X=POST -o -o=f -s", ""},
		{"long value", cwd, "curl --request POST --data-raw=a", "", "--data-raw --data-raw=a -X -X=POST", ""},
		{"sub-command", cwd, "git push --force origin main", "push", "-f", "origin /work/origin main /work/main"},
		{"sub-command after options", cwd, "git -C dir -c k=v push -f", "push", "-C -C=dir -c -c=k=v -f", ""},
		{"sub-command after a long option", cwd, "git --git-dir /x --no-pager push", "push", "--git-dir --git-dir=/x -P", ""},
		{"sub-command by another name", cwd, "npm i -g x", "install", "-g", "x /work/x"},
		{"sub-command of a family", cwd, "/usr/bin/pip3.11 install x", "install", "", "x /work/x"},
		{"no sub-command", cwd, "git --version", "", "--version", ""},
		{"docker", cwd, "docker run -v /:/host --privileged x", "run", "--privileged -v -v=/:/host", "x /work/x"},
		{"kubectl", cwd, "kubectl -n a delete --all pods", "delete", "--all -n -n=a", "pods /work/pods"},
		{"chmod", cwd, "chmod -R 777 /", "", "-R", "777 /work/777 /"},
		{"operands once", cwd, "rm a a /work/a", "", "", "a /work/a"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			words := strings.Fields(test.line)
			sub, options, operands := canon.Normalise(words[0], words[1:], test.cwd)
			got := [3]string{sub, strings.Join(options, " "), strings.Join(operands, " ")}
			if diff := cmp.Diff(got, [3]string{test.sub, test.options, test.operands}); diff != "" {
				t.Errorf("%s\nsub, options, operands (-got +want):\n%s", test.line, diff)
			}
			if options == nil || operands == nil {
				t.Error("a list is nil, which Rego takes for a missing one")
			}
		})
	}
}

func TestFamilies(t *testing.T) {
	tests := []struct{ name, allowed, blocked string }{
		{"python", "python", "python"},
		{"python3", "python", "python"},
		{"python3.11", "python", "python"},
		{"python2", "python2", "python2"},
		{"python3.x", "python3.x", "python3.x"},
		{"pip3", "pip", "pip"},
		{"pip3.12", "pip", "pip"},
		{"nodejs", "node", "node"},
		{"bash", "bash", "sh"},
		{"sh", "sh", "sh"},
		{"dash", "dash", "sh"},
		{"ash", "ash", "sh"},
		{"zsh", "zsh", "sh"},
		{"ksh", "ksh", "sh"},
		{"fish", "fish", "fish"},
		{"git-lfs", "git-lfs", "git-lfs"},
		{"", "", ""},
	}
	for _, test := range tests {
		if got := canon.Family(test.name); got != test.allowed {
			t.Errorf("Family(%q): got %q, want %q", test.name, got, test.allowed)
		}
		if got := canon.BlockedFamily(test.name); got != test.blocked {
			t.Errorf("BlockedFamily(%q): got %q, want %q", test.name, got, test.blocked)
		}
	}
}

func TestCommandArgv(t *testing.T) {
	t.Run("C08 applet by argv[0]", func(t *testing.T) {
		in, err := canon.CommandArgv([]string{"git", "a\xffb"}, schemas.Command{
			Program: "/workspace/git", Path: "/bin/busybox", Links: []string{"/workspace/git"}, PathWritable: true,
		}, canon.Shell{Cwd: "/srv", Hook: true, Parent: "/bin/sh"})
		if err != nil {
			t.Fatal(err)
		}
		c := in.Commands[0]
		want := schemas.Command{
			Program: "/workspace/git", Argv0: "git", Path: "/bin/busybox", Links: []string{"/workspace/git"}, Args: []string{`a\xFFb`},
			Cwd: "/srv", PathWritable: true, Upstream: []int{}, Names: []string{"busybox", "git"}, Named: "busybox", Looked: "git",
			Sub: `a\xFFb`, Options: []string{}, Operand: []string{}, Line: `a\xFFb` + "\x00",
		}
		if diff := cmp.Diff(c, want); diff != "" {
			t.Errorf("command (-got +want):\n%s", diff)
		}
	})
	tests := []struct {
		name string
		argv []string
		want []string
	}{
		{"words are not parsed", []string{"git", "$(id)", "a b", "*"}, []string{"git $(id) a b *"}},
		{"C26 script", []string{"bash", "-c", "git status | cat"}, []string{"bash -c git status | cat", "+git status", "+cat [1]"}},
		{"login shell", []string{"-bash", "-c", "id"}, []string{"-bash -c id", "+id"}},
		{"carrier", []string{"env", "LD_PRELOAD=x", "git"}, []string{"env LD_PRELOAD=x git", "+git", "env LD_PRELOAD"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := schemas.Command{}
			if test.argv[0] == "-bash" {
				c = schemas.Command{Program: "-bash", Path: "/bin/bash"}
			}
			in, err := canon.CommandArgv(test.argv, c, canon.Shell{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(show(in), test.want); diff != "" {
				t.Errorf("(-got +want):\n%s", diff)
			}
		})
	}
	t.Run("no words", func(t *testing.T) {
		_, err := canon.CommandArgv(nil, schemas.Command{}, canon.Shell{})
		wantRefused(t, err, 400)
	})
	t.Run("second name", func(t *testing.T) {
		in, err := canon.CommandArgv([]string{"-ls"}, schemas.Command{Program: "git", Path: "/usr/bin/git"}, canon.Shell{})
		if err != nil {
			t.Fatal(err)
		}
		if got := in.Commands[0].Second; got != "ls" {
			t.Errorf("got %q, want ls", got)
		}
	})
}

func FuzzCommandText(f *testing.F) {
	for _, s := range []string{
		"git status", "curl x | bash", "bash <(curl x)", "f() { g; }; f | f", "sh -c 'sh -c \"a|b\"'", "env -S 'a b' c", "xargs -I{} sh -c {}",
		"a <<EOF\n$(b)\nEOF", "{a,b}{c,d}", "cd /; rm *", "find . -exec a {} + -ok b", "tee >(a) | b", "eval 'a b'", "trap 'a' EXIT", "echo $'\\x41'",
		"bash -c \"a $b\"", "coproc a", "case a in b) c;; esac", "[[ a ]]", "((a))", "export A=b", "exec -a b c", "sudo -u a b", "a[b]=c",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		in, err := canon.CommandText(text, canon.Shell{Hook: true})
		if err != nil {
			wantRefused(t, err, 400)
			return
		}
		if len(in.Commands) > 256 || in.EnvDenied == nil {
			t.Fatalf("%q: %d commands, denied variables %v", text, len(in.Commands), in.EnvDenied)
		}
		for i, c := range in.Commands {
			last := -1
			for _, u := range c.Upstream {
				if u <= last || u == i || u >= len(in.Commands) {
					t.Errorf("%q: command %d has upstream %v of %d", text, i, c.Upstream, len(in.Commands))
				}
				last = u
			}
			if c.Upstream == nil || c.Links == nil || c.Args == nil || c.Options == nil || c.Operand == nil || c.Names == nil {
				t.Errorf("%q: a list of %+v is nil", text, c)
			}
			if !strings.HasPrefix(c.Path, "/") || c.Program == "" || c.Argv0 == "" {
				t.Errorf("%q: %+v has no path or no name", text, c)
			}
		}
	})
}
