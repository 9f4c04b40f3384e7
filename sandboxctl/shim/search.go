package shim

import (
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// search finds what a script names, as the shell that runs it would. What it
// finds says beforehand what is certain; each execution is judged again.
func (c *call) search(x *execution, program, cwd string) (canon.File, bool) {
	candidates := []string{program}
	switch {
	case strings.ContainsAny(program, "\x00"):
		return canon.File{}, false
	case strings.IndexByte(program, '/') > 0:
		candidates[0] = cwd + "/" + program
	case strings.IndexByte(program, '/') < 0:
		candidates = candidates[:0]
		for _, dir := range strings.Split(x.path, ":") {
			if dir == "" {
				dir = cwd
			}
			if strings.HasPrefix(dir, "/") {
				candidates = append(candidates, dir+"/"+program)
			}
		}
	}
	for _, asked := range candidates {
		if f, ok := c.searchAt(x, asked); ok {
			return f, true
		}
	}
	return canon.File{}, false
}

func (c *call) searchAt(x *execution, asked string) (canon.File, bool) {
	if len(asked) >= maxPath {
		return canon.File{}, false
	}
	p, links, err := c.walkSeen(asked, true)
	if err != nil {
		return canon.File{}, false
	}
	defer p.close()
	if !p.exists() || p.kind() != unix.S_IFREG || p.stat.Mode&0o111 == 0 {
		return canon.File{}, false
	}
	if header, err := c.header(p); err == nil && strings.HasPrefix(string(header), "#!") {
		x.scripts = append(x.scripts, canon.Escape(p.program()))
	}
	cmd := c.program(path.Clean(asked), p, links)
	return canon.File{Path: cmd.Path, Links: cmd.Links, PathWritable: cmd.PathWritable}, true
}

// decideCommands decides an execution with all that its script names. What is
// itself a script may be allowed as its interpreter's command: it is judged when
// it is executed, so that no pattern names it is not certain to deny it. Blocked
// patterns hold for it here too.
func (c *call) decideCommands(x *execution, in *schemas.ExecInput) (*schemas.DecisionInput, schemas.Decision) {
	input := c.execInput(c.complete(in, x))
	d := c.decide(input)
	if d.Allow || d.Code == schemas.CodeBlockedCommand || len(x.scripts) == 0 {
		return input, d
	}
	less := *in
	less.Commands = slices.Clone(in.Commands)
	kept := less.Commands[:1]
	for _, cmd := range less.Commands[1:] {
		if !slices.Contains(x.scripts, cmd.Path) {
			kept = append(kept, cmd)
		}
	}
	if len(kept) == len(in.Commands) {
		return input, d
	}
	less.Commands = kept
	for i := range kept {
		kept[i].Upstream = []int{} // pipelines were judged whole
	}
	if again := c.decide(c.execInput(&less)); again.Passes() {
		return input, again
	}
	return input, d
}
