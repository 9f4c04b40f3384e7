package globs_test

import (
	"testing"

	"github.com/openshell-policy/openshell/sandboxctl/shim/globs"
)

func TestBase(t *testing.T) {
	tests := []struct {
		glob, base  string
		exact, tree bool
	}{
		{"/workspace/**", "/workspace", true, true},
		{"/etc/shadow", "/etc/shadow", true, false},
		{"/lib*/**", "/", false, true},
		{"/home/*/.ssh/**", "/home", false, true},
		{"**/.env", "/", false, true},
		{"/**", "/", true, true},
		{"/", "/", true, false},
	}
	for _, test := range tests {
		base, exact, tree := globs.Parse(test.glob).Base()
		if base != test.base || exact != test.exact || tree != test.tree {
			t.Errorf("%s: got %s, %t, %t; want %s, %t, %t", test.glob, base, exact, tree, test.base, test.exact, test.tree)
		}
	}
}

func TestCovers(t *testing.T) {
	tests := []struct {
		glob, path string
		want       bool
	}{
		{"**/.env", "/workspace/.env", true},
		{"**/.env", "/.env", true},
		{"**/.env", "/workspace/.env/below", true},
		{"**/.env", "/workspace/.env.example", false},
		{"**/credentials*", "/workspace/credentials.json", true},
		{"/root/.ssh/**", "/root/.ssh", true},
		{"/root/.ssh/**", "/root/.ssh/id", true},
		{"/root/.ssh/**", "/root", false},
		{"/a/*/c", "/a/b/c", true},
		{"/a/*/c", "/a/b", false},
		{"/a/[!x]", "/a/x", false},
		{"/a/[!x]", "/a/y", true},
		{`/a/\*`, "/a/*", true},
		{`/a/\*`, "/a/b", false},
		{"/a/**/z", "/a/z", true},
		{"/a/**/z", "/a/b/c/z", true},
	}
	for _, test := range tests {
		if got := globs.Parse(test.glob).Covers(test.path); got != test.want {
			t.Errorf("%s over %s: got %t, want %t", test.glob, test.path, got, test.want)
		}
	}
}

// Moving a directory must not carry something out of a glob, or into it.
func TestSame(t *testing.T) {
	tests := []struct {
		glob, from, to string
		want           bool
	}{
		{"/workspace/secret/key", "/workspace/secret", "/workspace/open", false},
		{"/workspace/secret/key", "/workspace/other", "/workspace/open", true},
		{"/workspace/secret/key", "/workspace/open", "/workspace/secret", false},
		{"/workspace/*/key", "/workspace/a", "/workspace/b", true},
		{"/workspace/*/key", "/workspace/a", "/workspace/b/c", false},
		{"**/.env", "/workspace/a", "/tmp/b", true},
		{"**/.aws/credentials", "/workspace/.aws", "/workspace/aws", false},
		{"**/.aws/credentials", "/workspace/x", "/workspace/.aws", false},
		{"**/.aws/credentials", "/workspace/x", "/workspace/y", true},
	}
	for _, test := range tests {
		if got := globs.Parse(test.glob).Same(test.from, test.to); got != test.want {
			t.Errorf("%s, %s to %s: got %t, want %t", test.glob, test.from, test.to, got, test.want)
		}
	}
}
