package lint

import (
	"slices"

	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// sensitiveAllowed finds policies that do not block the well-known secrets.
func sensitiveAllowed(p *policy, r *reporter) {
	if p.spec.Filesystem != nil && p.spec.Filesystem.Sensitive == "allow" {
		r.at([]any{"spec", "filesystem", "sensitive"}, "remove it; name under readonly what is needed, and leave the rest blocked", "sensitive: allow makes SSH keys, cloud credentials and the like ordinary files")
	}
}

// writableExecutables finds writable entries over what is executed.
func writableExecutables(p *policy, r *reporter) {
	for _, f := range p.files("writable") {
		if e, ok := p.tables.path(tables.KnownExecutables, f.plan.Glob); ok && !p.guarded(e.Pattern) {
			r.at(f.at(), "leave it out: programs are installed when the image is built", "%q lets programs be replaced: %s", f.plan.Text, e.Reason)
			continue
		}
		for _, c := range p.plan.Exec.Allowed {
			if c.Program.Path == nil || everyPath(*c.Program.Path) || !pathsMeet(*c.Program.Path, f.plan.Glob) || p.readOnly(*c.Program.Path) {
				continue
			}
			d := r.at(f.at(), "leave it out, or move the program elsewhere", "%q lets the program of %q be replaced, which is allowed to run", f.plan.Text, c.Text)
			related(d, c.Pos, c.ID+" stands here")
			break
		}
	}
}

// guarded tells whether a path is readonly or blocked after all.
func (p *policy) guarded(path string) bool { return p.readOnly(fileGlob(path)) }

// writableSystem finds writable entries over what configures the system.
func writableSystem(p *policy, r *reporter) {
	for _, f := range p.files("writable") {
		if everyFile(f.plan.Glob) {
			r.at(f.at(), "name the directories that are needed, such as /workspace/** and /tmp/**", "%q makes every file writable", f.plan.Text)
			continue
		}
		if e, ok := p.tables.path(tables.KnownSystem, f.plan.Glob); ok && !p.guarded(e.Pattern) {
			r.at(f.at(), "leave it out, or name the one file that is needed", "%q makes the system's own files writable: %s", f.plan.Text, e.Reason)
		}
	}
}

func everyFile(g glob.Pattern) bool { return everyPath(g) }

// readsEverything finds readonly entries over everything, or everybody's homes.
func readsEverything(p *policy, r *reporter) {
	for _, f := range p.files("readonly") {
		switch {
		case everyFile(f.plan.Glob):
			r.at(f.at(), "name the directories that are needed", "%q makes every file readable that is not blocked", f.plan.Text)
		case slices.Contains([]string{"/home/**", "/root/**", "/home/*/**"}, f.plan.Text):
			r.at(f.at(), "name the directory that is needed", "%q makes whole home directories readable, with whatever secrets no table knows", f.plan.Text)
		}
	}
}

// startup finds writable entries over files that a later program runs.
func startup(p *policy, r *reporter) {
	for _, f := range p.files("writable") {
		if everyFile(f.plan.Glob) {
			continue
		}
		if e, ok := p.tables.path(tables.KnownStartup, f.plan.Glob); ok && !p.guarded(e.Pattern) {
			r.at(f.at(), `add "**/.bashrc", "**/.profile", "**/.gitconfig" and "**/.npmrc" to readonly, or make one directory below writable`,
				"%q holds files such as %s: %s", f.plan.Text, e.Pattern, e.Reason)
		}
	}
}

// trapped finds what only the slower file mode can enforce.
func trapped(p *policy, r *reporter) {
	for _, list := range []string{"blocked", "readonly"} {
		for _, f := range p.files(list) {
			i := slices.IndexFunc(p.plan.File.Writable, func(w plan.PathRule) bool {
				return pathsMeet(f.plan.Glob, w.Glob) && !pathCovered(w.Glob, f.plan.Glob)
			})
			if i < 0 {
				continue
			}
			w := p.plan.File.Writable[i]
			d := r.at(f.at(), "nothing needs to be done; keep such files outside writable directories if opens must be fast",
				"%q lies in part inside %q, which is writable: sandboxes need the file mode trapped", f.plan.Text, w.Text)
			related(d, w.Pos, w.ID+" stands here")
			return // once for a policy
		}
	}
}

// blocksPrograms finds blocked entries over what programs need in order to run.
func blocksPrograms(p *policy, r *reporter) {
	for _, f := range p.files("blocked") {
		for _, e := range p.tables.paths[tables.KnownNeeded] {
			if pathsMeet(e.path, f.plan.Glob) || pathsMeet(e.path, below(f.plan.Glob)) {
				r.at(f.at(), "name the files that are meant", "%q blocks %s, which is %s: nothing will run", f.plan.Text, e.Pattern, e.Reason)
				break
			}
		}
	}
}

// blocksProgramFiles finds globs for secrets that catch parts of programs.
func blocksProgramFiles(p *policy, r *reporter) {
	for _, f := range p.files("blocked") {
		if len(f.plan.Glob.Segments) == 0 || !f.plan.Glob.Segments[0].Deep || everyFile(f.plan.Glob) {
			continue
		}
		for _, e := range p.tables.paths[tables.KnownProgramFile] {
			if pathsMeet(e.path, f.plan.Glob) || pathsMeet(e.path, below(f.plan.Glob)) {
				r.at(f.at(), `name where the secrets are, such as "/workspace/**/`+baseName(f.plan.Text)+`", or their suffix`,
					"%q also blocks program files, such as %s (%s)", f.plan.Text, e.Pattern, e.Reason)
				break
			}
		}
	}
}

func baseName(glob string) string {
	for len(glob) > 3 && glob[:3] == "**/" {
		glob = glob[3:]
	}
	return glob
}

// nothingReadable finds policies under which no program can start.
func nothingReadable(p *policy, r *reporter) {
	f := p.spec.Filesystem
	if f == nil || f.Baseline != "none" || len(p.plan.File.Readonly) > 0 && p.readable("/usr/bin/env") {
		return
	}
	r.at([]any{"spec", "filesystem", "baseline"}, "remove it, or add what programs need to readonly: /usr/**, /lib/**, /etc/ld.so.cache", "baseline: none leaves no program readable, so none starts")
}

func (p *policy) readable(path string) bool {
	g := fileGlob(path)
	return slices.ContainsFunc(slices.Concat(p.plan.File.Readonly, p.plan.File.Writable), func(x plan.PathRule) bool { return pathCovered(g, x.Glob) })
}

// nothingWritable finds filesystem clauses without a writable directory.
func nothingWritable(p *policy, r *reporter) {
	if p.spec.Filesystem != nil && len(p.plan.File.Writable) == 0 && !p.extended[p.plan.Name] && len(p.spec.Extends) == 0 {
		r.key([]any{"spec", "filesystem"}, `add writable: ["/workspace/**", "/tmp/**"]; without a filesystem clause that is the default`, "nothing is writable, /tmp included: most programs fail")
	}
}
