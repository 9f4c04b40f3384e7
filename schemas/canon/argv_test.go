package canon_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

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
	t.Run("C06 names of every link", func(t *testing.T) {
		in, err := canon.CommandArgv([]string{"-bash"}, schemas.Command{
			Program: "./git", Path: "/opt/tool", Links: []string{"/workspace/git", "/workspace/bin/rm"},
		}, canon.Shell{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(in.Commands[0].Names, []string{"git", "rm", "sh", "tool"}); diff != "" {
			t.Errorf("names (-got +want):\n%s", diff)
		}
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
