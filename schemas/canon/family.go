package canon

import (
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/openshell-policy/openshell/schemas/tables"
)

// programs indexes the tables of programs by name.
type programs struct {
	families  map[string]string
	versioned []tables.ProgramFamily
	shells    map[string]tables.Shell
	shellHead string
	carriers  map[string]tables.Carrier
	builtins  map[string]bool
	subs      map[string]tables.Subcommand
	options   map[string]*optionTable
}

var known = sync.OnceValue(func() *programs {
	p := &programs{
		families: map[string]string{}, shells: map[string]tables.Shell{}, carriers: map[string]tables.Carrier{},
		builtins: map[string]bool{}, subs: map[string]tables.Subcommand{}, options: map[string]*optionTable{},
	}
	p.versioned = tables.Families()
	for _, f := range p.versioned {
		p.families[f.Name] = f.Name
		for _, n := range f.Names {
			p.families[n] = f.Name
		}
	}
	for i, s := range tables.Shells() {
		if i == 0 {
			p.shellHead = s.Name
		}
		p.shells[s.Name] = s
	}
	for _, c := range tables.CarrierTable() {
		p.carriers[c.Program] = c
	}
	for _, b := range tables.ShellBuiltins() {
		p.builtins[b] = true
	}
	for _, s := range tables.Subcommands() {
		p.subs[s.Program] = s
	}
	for _, o := range tables.Options() {
		p.options[o.Program] = newOptionTable(o)
	}
	return p
})

// Family returns the name that heads a program's family, by which allowed
// patterns compare: python for python3.11, and the name itself for most.
func Family(name string) string {
	p := known()
	if head, ok := p.families[name]; ok {
		return head
	}
	for _, f := range p.versioned {
		for _, prefix := range f.Versioned {
			if v, ok := strings.CutPrefix(name, prefix); ok && isVersion(v) {
				return f.Name
			}
		}
	}
	return name
}

func isVersion(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.") == "" && s[0] != '.' && s[len(s)-1] != '.'
}

// BlockedFamily is Family for blocked patterns, which take the shells for one
// program.
func BlockedFamily(name string) string {
	p := known()
	if _, ok := p.shells[name]; ok {
		return p.shellHead
	}
	return Family(name)
}

// base is the last component of a program's name; "" for "".
func base(program string) string {
	if program == "" {
		return ""
	}
	return path.Base(program)
}

// names returns the families by which blocked patterns know a command.
func names(programs ...string) []string {
	out := make([]string, 0, len(programs))
	for _, p := range programs {
		if b := base(p); b != "" {
			out = append(out, BlockedFamily(b))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
