package shim

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl/shim/floor"
	"github.com/openshell-policy/openshell/sandboxctl/shim/globs"
	"github.com/openshell-policy/openshell/schemas"
)

// Swap puts another policy into force: every call that is read from now on is
// decided by it. The Landlock domain stays what it is, so Change names the paths
// where it, or file mode floor, holds the sandbox to the policy it began with.
func (s *Supervisor) Swap(p Policy) (Change, error) {
	if p.Decider == nil {
		return Change{}, errors.New("no policy to decide by")
	}
	old := s.current.Load()
	s.enforce(p)
	return s.change(old.Files, p), nil
}

func (s *Supervisor) change(old schemas.PolicyFiles, p Policy) Change {
	var c Change
	if s.opts.Config.Mode == Floor {
		for _, pair := range [][2][]string{
			{old.Blocked, p.Files.Blocked},
			{old.Sensitive, p.Files.Sensitive},
			{old.Readonly, p.Files.Readonly},
			{old.Writable, p.Files.Writable},
			{old.Baseline, p.Files.Baseline},
		} {
			c.RestartRequired = append(c.RestartRequired, differing(pair[0], pair[1])...)
		}
		return c
	}
	for _, list := range []struct {
		sources []string
		need    floor.Access
	}{{p.Files.Baseline, floor.Read}, {p.Files.Readonly, floor.Read}, {p.Files.Writable, floor.Write}} {
		for _, g := range globs.ParseAll(list.sources) {
			if !s.granted(g, list.need) {
				c.RestartRequired = append(c.RestartRequired, g.Source)
			}
		}
	}
	return c
}

// differing are the entries that only one of two lists has.
func differing(a, b []string) []string {
	count := map[string]int{}
	for _, s := range a {
		count[s] |= 1
	}
	for _, s := range b {
		count[s] |= 2
	}
	var out []string
	for _, s := range append(append([]string{}, a...), b...) {
		if count[s] == 1 || count[s] == 2 {
			out, count[s] = append(out, s), 3
		}
	}
	return out
}

// granted tells whether the Landlock domain gives what a glob needs. What does
// not exist cannot be held back by it, unless it can be made later.
func (s *Supervisor) granted(g globs.Glob, need floor.Access) bool {
	base, exact, _ := g.Base()
	if !exact {
		return true // what matches now was granted one by one
	}
	for _, grant := range s.opts.Config.Grants {
		tree := globs.Parse(grant.Path + "/**")
		if grant.Access >= need && tree.Covers(base) {
			return true
		}
	}
	fd, err := s.open(base, true)
	if err != nil {
		return need == floor.Read
	}
	_ = unix.Close(fd)
	return s.pieces(base, need)
}

// pieces tells whether a directory was granted piece by piece, to leave something
// out.
func (s *Supervisor) pieces(base string, need floor.Access) bool {
	if need != floor.Read {
		return false
	}
	tree := globs.Parse(base + "/**")
	for _, grant := range s.opts.Config.Grants {
		if tree.Covers(grant.Path) {
			return true
		}
	}
	return false
}
