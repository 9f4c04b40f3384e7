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
	writable, readonly, blocked, baseline, sensitive []string
}

func newFiles(f *schemas.Filesystem, home string) *files {
	if f == nil {
		f = &schemas.Filesystem{Writable: []string{"/workspace/**", "/tmp/**"}}
	}
	out := &files{writable: f.Writable, readonly: f.Readonly, blocked: f.Blocked}
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
func (f *files) write(p string) (string, bool) {
	hit := func(glob string) bool { return matchFile(glob, p) }
	rule, ok := first(f.writable, hit, "filesystem.writable")
	if readonly, found := first(f.readonly, hit, "filesystem.readonly"); found {
		return readonly, false
	}
	if !ok {
		return schemas.RuleDefault, false
	}
	return rule, true
}

func (f *files) read(p string) (string, bool) {
	hit := func(glob string) bool { return matchFile(glob, p) }
	if rule, ok := first(f.writable, hit, "filesystem.writable"); ok {
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
	rule, ok := f.write(in.Path)
	if !ok {
		return denied(schemas.CodeNotWritable, rule)
	}
	if in.Target != nil {
		if rule, ok := f.write(in.Target.Path); !ok {
			return denied(schemas.CodeNotWritable, rule)
		}
	}
	return allowed(rule)
}
