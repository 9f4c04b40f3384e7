package oracle_test

import (
	"fmt"
	"path"
	"slices"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// files is the filesystem clause with its defaults.
type files struct {
	byDefault                                        bool // the policy has no such clause
	writable, readonly, blocked, baseline, sensitive []string

	changeable map[string]bool // paths of programs, as asked for
}

func newFiles(f *schemas.Filesystem, home string) *files {
	absent := f == nil
	if absent {
		f = &schemas.Filesystem{Writable: []string{"/workspace/**", "/tmp/**"}}
	}
	out := &files{byDefault: absent, changeable: map[string]bool{}, writable: f.Writable, readonly: f.Readonly, blocked: f.Blocked}
	if f.Baseline != "none" {
		out.baseline = tables.Baseline()
	}
	if f.Sensitive == "allow" {
		return out
	}
	for _, s := range tables.Sensitive() {
		switch {
		case s.Anchor == tables.AnchorAbsolute:
			out.sensitive = append(out.sensitive, s.Glob)
		case f.Sensitive == "everywhere":
			out.sensitive = append(out.sensitive, "**/"+s.Glob)
		default:
			out.sensitive = append(out.sensitive, "/root/"+s.Glob, "/home/*/"+s.Glob)
			if home != "" {
				out.sensitive = append(out.sensitive, home+"/"+s.Glob)
			}
		}
	}
	return out
}

func first(globs []string, match func(glob string) bool, list string) (string, bool) {
	i := slices.IndexFunc(globs, match)
	return fmt.Sprintf("%s[%d]", list, i), i >= 0
}

// covers tells whether the glob matches the path or a directory above it.
func covers(glob, p string) bool {
	for !matchFile(glob, p) {
		if p == "/" {
			return false
		}
		p = path.Dir(p)
	}
	return true
}

// writer returns the entry that makes a path writable.
func (f *files) writer(p string) (string, bool) {
	rule, ok := first(f.writable, func(glob string) bool { return matchFile(glob, p) }, "filesystem.writable")
	if f.byDefault {
		rule = schemas.RuleDefault
	}
	return rule, ok
}

// block returns the rule that blocks one of the paths.
func (f *files) block(paths []string, known bool) (string, bool) {
	hit := func(glob string) bool {
		return slices.ContainsFunc(paths, func(p string) bool { return covers(glob, p) })
	}
	if rule, ok := first(f.blocked, hit, "filesystem.blocked"); ok {
		return rule, true
	}
	if slices.ContainsFunc(f.sensitive, hit) {
		return schemas.RuleSensitive, true
	}
	return schemas.RuleDefault, known
}

// write returns the entry that makes a path writable, or the one that does not.
func (f *files) write(paths ...string) (string, bool) {
	for _, p := range paths {
		if rule, ok := first(f.readonly, func(glob string) bool { return matchFile(glob, p) }, "filesystem.readonly"); ok {
			return rule, false
		}
	}
	for _, p := range paths {
		if _, ok := f.writer(p); !ok {
			return schemas.RuleDefault, false
		}
	}
	return f.writer(paths[0])
}

func (f *files) read(p string) (string, bool) {
	hit := func(glob string) bool { return matchFile(glob, p) }
	if rule, ok := f.writer(p); ok {
		return rule, true
	}
	if rule, ok := first(f.readonly, hit, "filesystem.readonly"); ok {
		return rule, true
	}
	if slices.ContainsFunc(f.baseline, hit) {
		return schemas.RuleBaseline, true
	}
	return schemas.RuleDefault, false
}

func decideFile(f *files, in *schemas.FileInput) answer {
	if in.Op == schemas.OpStat {
		return allowed(schemas.RuleDefault)
	}
	paths, known := []string{in.Path, in.Lexical}, in.KnownBlocked
	if t := in.Target; t != nil {
		paths, known = append(paths, t.Path, t.Lexical), known || t.KnownBlocked
	}
	if rule, ok := f.block(paths, known); ok {
		return denied(schemas.CodeBlockedPath, rule)
	}
	switch in.Op {
	case schemas.OpRead, schemas.OpList, schemas.OpExec:
		if rule, ok := f.read(in.Path); ok {
			return allowed(rule)
		}
		return denied(schemas.CodeNotReadable, schemas.RuleDefault)
	}
	paths = []string{in.Path}
	if in.Target != nil {
		paths = append(paths, in.Target.Path)
	}
	rule, ok := f.write(paths...)
	if !ok {
		return denied(schemas.CodeNotWritable, rule)
	}
	return allowed(rule)
}
