package tables

import (
	"slices"
	"strings"
)

type group struct {
	Name     string   `json:"name"`
	Doc      string   `json:"doc"`
	Patterns []string `json:"patterns"`
}

var groups = entries[group]("groups.json")

// Groups maps a command group, such as "@coreutils", to the patterns that it
// stands for in allowed_commands.
func Groups() map[string][]string {
	m := make(map[string][]string, len(groups()))
	for _, g := range groups() {
		m[g.Name] = slices.Clone(g.Patterns)
	}
	return m
}

// groupPrograms lists the programs of a group's patterns; nil if there is no
// such group.
func groupPrograms(name string) []string {
	var programs []string
	for _, g := range groups() {
		if g.Name != name {
			continue
		}
		for _, p := range g.Patterns {
			program, _, _ := strings.Cut(p, " ")
			programs = append(programs, program)
		}
	}
	return programs
}

// Helper says what an allowed program may start although no pattern names it:
// executables below its private directories, and its interpreters.
type Helper struct {
	Program      string   `json:"program"`      // last component of the parent's path
	Dirs         []string `json:"dirs"`         // path prefixes
	Interpreters []string `json:"interpreters"` // families of programs
	Reason       string   `json:"reason"`
}

var helpers = entries[Helper]("helpers.json")

// Helpers lists the programs that have helpers.
func Helpers() []Helper {
	list := slices.Clone(helpers())
	for i := range list {
		list[i].Dirs = slices.Clone(list[i].Dirs)
		list[i].Interpreters = slices.Clone(list[i].Interpreters)
	}
	return list
}

var builtins = entries[string]("builtins.json")

// Builtins lists the OPA built-ins that a bundle may call. None does I/O, reads
// the clock or draws random numbers.
func Builtins() []string { return slices.Clone(builtins()) }
