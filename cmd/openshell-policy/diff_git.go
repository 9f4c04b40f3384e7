package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/internal/policyset"
)

// gitSources reads the policy files that paths held in a revision, by the names
// that the files of the working tree get. A path that did not exist holds none.
func gitSources(ctx context.Context, revision string, paths []string) ([]compiler.Source, error) {
	if revision == "" || strings.HasPrefix(revision, "-") {
		return nil, fmt.Errorf("%q is not a revision", revision)
	}
	commit, err := git(ctx, nil, "rev-parse", "--verify", "--quiet", "--end-of-options", revision+"^{commit}")
	if err != nil {
		return nil, gitError(ctx, revision, err)
	}
	var sources []compiler.Source
	for _, p := range paths {
		found, err := gitTree(ctx, strings.TrimSpace(string(commit)), p)
		if err != nil {
			return nil, err
		}
		for _, s := range found {
			if !slices.ContainsFunc(sources, func(o compiler.Source) bool { return o.Name == s.Name }) {
				sources = append(sources, s)
			}
		}
	}
	slices.SortFunc(sources, func(a, b compiler.Source) int { return strings.Compare(a.Name, b.Name) })
	return sources, nil
}

// gitError says whether git, the repository or the revision is missing.
func gitError(ctx context.Context, revision string, err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return cli.WithHint(errors.New("git is not installed"), "compare two folders instead: openshell-policy diff BEFORE AFTER")
	}
	if _, err := git(ctx, nil, "rev-parse", "--git-dir"); err != nil {
		return cli.WithHint(errors.New("this folder is in no git repository"), "compare two folders instead: openshell-policy diff BEFORE AFTER")
	}
	return cli.WithHint(fmt.Errorf("git knows no revision %q", revision), "git branch -a lists the branches; a shallow clone in CI needs git fetch origin %s first", revision)
}

// gitTree reads the policy files at or below one path of a commit.
func gitTree(ctx context.Context, commit, p string) ([]compiler.Source, error) {
	if filepath.IsAbs(p) || strings.HasPrefix(filepath.ToSlash(filepath.Clean(p)), "../") {
		return nil, cli.WithHint(fmt.Errorf("%q is not below the working folder", p), "with --against, run it in the folder that holds the policies")
	}
	clean := filepath.ToSlash(filepath.Clean(p))
	list, err := git(ctx, nil, "ls-tree", "-r", "-z", commit, "--", ":(literal)"+clean)
	if err != nil {
		list, err = git(ctx, nil, "ls-tree", "-r", "-z", commit, "--", clean)
	}
	if err != nil {
		return nil, err
	}
	var all []gitFile
	folders := map[string]bool{clean: true}
	for entry := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		meta, name, ok := strings.Cut(entry, "\t")
		if fields := strings.Fields(meta); ok && len(fields) == 3 {
			all = append(all, gitFile{name, fields[2], fields[0]})
			if wanted(clean, name) {
				folders[path.Dir(name)] = true
			}
		}
	}
	var names, ids []string
	for _, f := range all {
		module := policyset.IsModule(f.name) && folders[path.Dir(f.name)] && !strings.HasPrefix(path.Base(f.name), ".")
		if f.name != clean && !wanted(clean, f.name) && !module {
			continue
		}
		if !strings.HasPrefix(f.mode, "100") {
			return nil, fmt.Errorf("%s in %.12s is a symbolic link or a submodule, which is not followed", f.name, commit)
		}
		names, ids = append(names, f.name), append(ids, f.id)
	}
	return gitBlobs(ctx, names, ids)
}

// gitFile is an entry of a tree.
type gitFile struct{ name, id, mode string }

// wanted tells whether a file below a folder is a policy, as for files on disk.
func wanted(folder, name string) bool {
	rel := strings.TrimPrefix(name, folder+"/")
	for part := range strings.SplitSeq(rel, "/") {
		if strings.HasPrefix(part, ".") {
			return false
		}
	}
	base := path.Base(name)
	return policyset.IsYAML(base) && !policyset.IsTest(base)
}

// gitBlobs reads files by their object ids through one process.
func gitBlobs(ctx context.Context, names, ids []string) ([]compiler.Source, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	out, err := git(ctx, strings.NewReader(strings.Join(ids, "\n")+"\n"), "cat-file", "--batch")
	if err != nil {
		return nil, err
	}
	var sources []compiler.Source
	for _, name := range names {
		head, rest, ok := bytes.Cut(out, []byte("\n"))
		var id, kind string
		var size int
		if _, err := fmt.Sscan(string(head), &id, &kind, &size); err != nil || !ok || kind != "blob" || size > len(rest)-1 {
			return nil, fmt.Errorf("git gave no content for %s", name)
		}
		sources = append(sources, compiler.Source{Name: name, Data: rest[:size:size]})
		out = rest[size+1:]
	}
	return sources, nil
}

// git runs git in the working folder.
func git(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Stdin = stdin
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && stderr.Len() > 0 {
		err = fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return out, err
}
