package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/sandboxctl/local/ns"
)

// shared are the host's top-level folders that a sandbox sees at their own
// paths; the rest it does not share.
func shared(path string) bool {
	for _, top := range []string{"/usr/", "/bin/", "/sbin/", "/lib", "/opt/", "/etc/", "/var/", "/nix/"} {
		if strings.HasPrefix(path, top) {
			return true
		}
	}
	return false
}

// inside is a path of the host as the sandbox sees it; false if it does not.
func inside(path, workspace string) (string, bool) {
	if workspace != "" {
		if rel, err := filepath.Rel(workspace, path); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			return filepath.Join(ns.Workspace, rel), true
		}
	}
	return path, shared(path)
}

// entry finds the program that a sandbox is made for, as the user's shell would.
// One that the sandbox does not see by itself is shown to it, the file alone.
func entry(args []string, workspace string) (inner []string, show []string) {
	if !strings.Contains(args[0], "/") && visible(args[0]) {
		return args, nil
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return args, nil // looked up in the sandbox, whose answer is the better one
	}
	if path, err = filepath.Abs(path); err != nil {
		return args, nil
	}
	seen, ok := inside(path, workspace)
	if ok && (seen == path && !strings.Contains(args[0], "/")) {
		return args, nil
	}
	if ok {
		return append([]string{seen}, args[1:]...), nil
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return args, nil
	}
	if seen, ok := inside(real, workspace); ok {
		return append([]string{seen}, args[1:]...), nil
	}
	return append([]string{real}, args[1:]...), []string{real}
}

// visible tells whether the sandbox finds a program by itself.
func visible(name string) bool {
	return slices.ContainsFunc(filepath.SplitList(innerPath("")), func(dir string) bool {
		info, err := os.Stat(filepath.Join(dir, name))
		return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
	})
}

// passed are the variables of the user's that every sandbox gets: how to talk to
// people, and nothing that may hold a secret.
var passed = []string{"TERM", "COLORTERM", "LANG", "LANGUAGE", "TZ", "NO_COLOR", "FORCE_COLOR", "EDITOR", "VISUAL", "PAGER"}

// environ is what the sandbox's commands start with; given are further variables,
// as NAME or NAME=VALUE.
func environ(workspace string, given []string, set map[string]string) []string {
	values := map[string]string{"HOME": "/home/agent", "USER": "agent", "LOGNAME": "agent", "SHELL": "/bin/sh", "TMPDIR": "/tmp", "PATH": innerPath(workspace)}
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		if slices.Contains(passed, name) || strings.HasPrefix(name, "LC_") || slices.Contains(given, name) {
			values[name] = value
		}
	}
	for name, value := range set {
		values[name] = value
	}
	for _, g := range given {
		if name, value, ok := strings.Cut(g, "="); ok {
			values[name] = value
		}
	}
	env := make([]string, 0, len(values))
	for name, value := range values {
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env
}

// innerPath is the user's PATH as far as the sandbox sees it.
func innerPath(workspace string) string {
	var dirs []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if seen, ok := inside(filepath.Clean(dir)+"/", workspace); ok && filepath.IsAbs(dir) {
			dirs = append(dirs, filepath.Clean(seen))
		}
	}
	for _, dir := range []string{"/usr/local/bin", "/usr/bin", "/bin"} {
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return strings.Join(dirs, ":")
}
