package floor

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/sandboxctl/shim/globs"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// Grant gives access to a path and, if it is a directory, to everything below.
type Grant struct {
	Path   string `json:"path"`
	Access Access `json:"access"`
}

// View is the file system as the sandbox sees it at its start.
type View interface {
	// Stat tells whether a path exists and is a directory, following links.
	Stat(path string) (dir, exists bool)
	// Names lists a directory; nil if it cannot.
	Names(dir string) []string
}

// Plan is what Landlock will enforce of a policy.
type Plan struct {
	Grants []Grant
	// Trapped says why grants alone are not the policy: then every open has to
	// be decided one by one. Empty means that they are exact.
	Trapped []string
	// Missing are granted paths that do not exist at the start.
	Missing []string
}

// New plans for the policy in force; ceiling are the policies that may be in
// force later. home is the sandbox's home directory, "" if it has none.
func New(policy schemas.PolicyFiles, ceiling []schemas.PolicyFiles, home string, view View) Plan {
	p := &planner{view: view, granted: map[string]Access{}}
	p.reasons(policy, home)
	for _, files := range append([]schemas.PolicyFiles{policy}, ceiling...) {
		p.policy(files, home)
	}
	plan := Plan{Trapped: p.trapped, Missing: p.missing}
	for file, access := range p.granted {
		plan.Grants = append(plan.Grants, Grant{file, access})
	}
	slices.SortFunc(plan.Grants, func(a, b Grant) int { return strings.Compare(a.Path, b.Path) })
	return plan
}

type planner struct {
	view    View
	granted map[string]Access
	trapped []string
	missing []string
}

func (p *planner) grant(file string, access Access) {
	p.granted[file] = max(p.granted[file], access)
}

// refusals are the globs that a policy blocks.
func refusals(files schemas.PolicyFiles, home string) []globs.Glob {
	out := globs.ParseAll(slices.Concat(files.Blocked, files.Sensitive))
	for _, s := range files.SensitiveHome {
		if home != "" {
			out = append(out, globs.Parse(path.Join(home, s)))
		}
	}
	return out
}

// reasons finds what grants cannot say of the policy in force.
func (p *planner) reasons(files schemas.PolicyFiles, home string) {
	blocked := refusals(files, home)
	own := globs.ParseAll(slices.Concat(files.Writable, files.Readonly))
	for _, g := range own {
		base, exact, _ := g.Base()
		switch _, exists := p.view.Stat(base); {
		case !exact:
			p.trap("%s has a wildcard before its end", g.Source)
		case !exists:
			p.trap("%s does not exist at the start", g.Source)
		}
		for _, b := range blocked {
			if b.Below(base) {
				p.trap("%s is blocked inside %s", b.Source, g.Source)
			}
		}
	}
	for _, w := range globs.ParseAll(files.Writable) {
		base, _, _ := w.Base()
		for _, r := range globs.ParseAll(files.Readonly) {
			if r.Below(base) {
				p.trap("%s is read-only inside %s", r.Source, w.Source)
			}
		}
	}
	// What is blocked by the policy itself is also blocked inside the baseline,
	// where grants leave out only what exists at the start.
	for _, b := range globs.ParseAll(files.Blocked) {
		if b.Floating() && len(files.Baseline) > 0 {
			p.trap("%s is blocked at any depth", b.Source)
		}
	}
}

func (p *planner) trap(format string, args ...any) {
	p.trapped = append(p.trapped, fmt.Sprintf(format, args...))
}

// policy adds the grants of one policy. Inside what is only read, what is blocked
// and has a fixed place is left out by granting what stands beside it; inside
// what is written that cannot be done, because new files would be refused.
func (p *planner) policy(files schemas.PolicyFiles, home string) {
	var fixed []globs.Glob
	for _, g := range refusals(files, home) {
		if !g.Floating() {
			fixed = append(fixed, g)
		}
	}
	for _, g := range globs.ParseAll(slices.Concat(files.Baseline, files.Readonly)) {
		for _, base := range p.bases(g) {
			p.read(base, fixed)
		}
	}
	for _, g := range globs.ParseAll(files.Writable) {
		base, _, _ := g.Base()
		if base = p.existing(base); base != "" {
			p.grant(base, Write)
		}
	}
	for _, d := range tables.Devices() {
		base, _, _ := globs.Parse(d.Glob).Base()
		if p.granted[base] == Read {
			p.grant(base, Device)
		}
	}
}

// existing is a path, or the directory above it in which it can be made; "" if
// that is the root.
func (p *planner) existing(file string) string {
	for dir := file; dir != "/"; dir = path.Dir(dir) {
		if _, ok := p.view.Stat(dir); ok {
			if dir != file {
				p.missing = append(p.missing, file)
			}
			return dir
		}
	}
	if file == "/" {
		return file
	}
	p.missing = append(p.missing, file)
	return ""
}

// bases are the paths at which a glob that is read begins: its literal beginning,
// or what matches the first segments now.
func (p *planner) bases(g globs.Glob) []string {
	base, exact, _ := g.Base()
	if exact {
		if _, ok := p.view.Stat(base); ok {
			return []string{base}
		}
		return nil
	}
	if g.Floating() {
		return []string{"/"}
	}
	var out []string
	p.expand(base, g, 0, &out)
	return out
}

// maxDepth bounds how deep wildcards are followed in the file system; what is
// deeper is granted as a whole, and the openers decide.
const maxDepth = 3

func (p *planner) expand(dir string, g globs.Glob, depth int, out *[]string) {
	for _, name := range p.view.Names(dir) {
		file := path.Join(dir, name)
		isDir, exists := p.view.Stat(file)
		switch {
		case !exists || !g.Below(file):
		case g.Covers(file):
			*out = append(*out, file)
		case isDir && depth < maxDepth:
			p.expand(file, g, depth+1, out)
		case isDir:
			*out = append(*out, file)
		}
	}
}

// unlisted are trees that the kernel makes up as it goes: they are granted whole,
// and what is blocked in them needs capabilities that no sandbox has.
var unlisted = []string{"/proc", "/sys", "/dev"}

// read grants a path less what is blocked in it.
func (p *planner) read(file string, blocked []globs.Glob) {
	var inside []globs.Glob
	for _, g := range blocked {
		if g.Covers(file) {
			return
		}
		if g.Below(file) && p.exists(g) {
			inside = append(inside, g)
		}
	}
	dir, exists := p.view.Stat(file)
	if !exists {
		return
	}
	if !dir || len(inside) == 0 || slices.Contains(unlisted, file) || file == "/" {
		p.grant(file, Read)
		return
	}
	if !p.hidesDirectory(file, inside) {
		p.grant(file, List)
	}
	for _, name := range p.view.Names(file) {
		p.read(path.Join(file, name), inside)
	}
}

// exists tells whether a blocked glob can match anything that is there now.
func (p *planner) exists(g globs.Glob) bool {
	base, _, _ := g.Base()
	_, ok := p.view.Stat(base)
	return ok
}

// hidesDirectory tells whether a directory is among what is blocked, so that
// names below dir must not be listed.
func (p *planner) hidesDirectory(dir string, blocked []globs.Glob) bool {
	for _, name := range p.view.Names(dir) {
		file := path.Join(dir, name)
		isDir, _ := p.view.Stat(file)
		if !isDir {
			continue
		}
		for _, g := range blocked {
			if g.Covers(file) || g.Below(file) && p.hidesDirectory(file, blocked) {
				return true
			}
		}
	}
	return false
}
