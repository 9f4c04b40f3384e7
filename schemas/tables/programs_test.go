package tables_test

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/schemas/tables"
)

func TestCarriers(t *testing.T) {
	want := strings.Fields("sh bash dash zsh env xargs timeout nice nohup setsid stdbuf time")
	if diff := cmp.Diff(tables.Carriers(), want); diff != "" {
		t.Errorf("carriers (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(tables.ShellFamily(), strings.Fields("sh bash dash ash zsh ksh")); diff != "" {
		t.Errorf("shells (-got +want):\n%s", diff)
	}
	seen := map[string]bool{}
	for _, c := range tables.CarrierTable() {
		if seen[c.Program] {
			t.Errorf("%s is listed twice", c.Program)
		}
		seen[c.Program] = true
		if c.Shell != slices.Contains(tables.ShellFamily(), c.Program) {
			t.Errorf("%s: shell is %t", c.Program, c.Shell)
		}
		for _, o := range slices.Concat(c.Values, c.Script, c.Split, c.Chdir, c.Exec) {
			if !strings.HasPrefix(o, "-") {
				t.Errorf("%s: %q is not an option", c.Program, o)
			}
		}
	}
	for _, p := range strings.Fields("sudo doas busybox su find") {
		if !seen[p] {
			t.Errorf("%s is missing", p)
		}
	}
}

func TestLoaders(t *testing.T) {
	tests := []struct {
		file string
		want bool
	}{
		{"/lib64/ld-linux-x86-64.so.2", true},
		{"/usr/lib64/ld-linux-x86-64.so.2", true},
		{"/lib/ld-linux-aarch64.so.1", true},
		{"/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", true},
		{"/usr/lib/x86_64-linux-gnu/ld-2.31.so", true},
		{"/lib/ld-musl-x86_64.so.1", true},
		{"/usr/bin/ld.so", true},
		{"/usr/bin/ld", false},
		{"/usr/bin/git", false},
		{"/workspace/ld-linux.so", false},
	}
	for _, test := range tests {
		got := slices.ContainsFunc(tables.Loaders(), func(glob string) bool {
			ok, err := path.Match(glob, test.file)
			if err != nil {
				t.Fatalf("%s: %v", glob, err)
			}
			return ok
		})
		if got != test.want {
			t.Errorf("%s: a loader = %t, want %t", test.file, got, test.want)
		}
	}
}

func TestIsDeniedEnv(t *testing.T) {
	denied := strings.Fields("LD_PRELOAD LD_AUDIT LD_LIBRARY_PATH GIT_SSH_COMMAND NODE_OPTIONS PYTHONSTARTUP BASH_ENV PERL5OPT BASH_FUNC_ls%%")
	for _, name := range denied {
		if !tables.IsDeniedEnv(name) {
			t.Errorf("%s is not denied", name)
		}
	}
	for _, name := range []string{"", "FOO", "PATH", "HOME", "LD_", "LD_PRELOADS", "BASH_FUNC", "GIT_AUTHOR_NAME"} {
		if tables.IsDeniedEnv(name) {
			t.Errorf("%s is denied", name)
		}
	}
}

func TestOptionsAreConsistent(t *testing.T) {
	programs := map[string]bool{}
	for _, o := range tables.Options() {
		if programs[o.Program] {
			t.Errorf("%s is listed twice", o.Program)
		}
		programs[o.Program] = true
		letters := map[string]bool{}
		for name, letter := range o.Long {
			if strings.HasPrefix(name, "-") || len(letter) > 1 {
				t.Errorf("%s: long option %q with letter %q", o.Program, name, letter)
			}
			letters[letter] = true
		}
		for _, v := range slices.Concat(o.Values, o.Optional) {
			name, long := strings.CutPrefix(v, "--")
			letter, known := o.Long[name]
			switch {
			case long && (!known || letter != ""):
				t.Errorf("%s: %s is not the normal spelling of an option", o.Program, v)
			case !long && (len(v) != 2 || v[0] != '-' || o.Same[v[1:]] != ""):
				t.Errorf("%s: %s is not the normal spelling of an option", o.Program, v)
			}
		}
	}
	for _, p := range strings.Fields("rm chmod chown cp mv ln mkdir git curl wget tar kubectl docker npm grep sed") {
		if !programs[p] {
			t.Errorf("%s is missing", p)
		}
	}
	for _, s := range tables.Subcommands() {
		for alias, name := range s.Aliases {
			if s.Aliases[name] != "" {
				t.Errorf("%s: %s is an alias of the alias %s", s.Program, alias, name)
			}
		}
	}
}
