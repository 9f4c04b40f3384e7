package tables

import (
	"maps"
	"slices"
	"strings"
)

// ProgramFamily is a program with several names. Versioned holds prefixes that
// digits and dots follow.
type ProgramFamily struct {
	Name      string   `json:"name"`
	Names     []string `json:"names"`
	Versioned []string `json:"versioned"`
}

var families = entries[ProgramFamily]("families.json")

// Families lists the programs that have several names.
func Families() []ProgramFamily {
	list := slices.Clone(families())
	for i := range list {
		list[i].Names = slices.Clone(list[i].Names)
		list[i].Versioned = slices.Clone(list[i].Versioned)
	}
	return list
}

// Shell is a shell and how it takes its options: the letters of Values and the
// options of LongValues have an argument of their own.
type Shell struct {
	Name       string   `json:"name"`
	Values     string   `json:"values"`
	LongValues []string `json:"long_values"`
}

var shells = entries[Shell]("shells.json")

// Shells lists the shells, which blocked patterns take for one program.
func Shells() []Shell {
	list := slices.Clone(shells())
	for i := range list {
		list[i].LongValues = slices.Clone(list[i].LongValues)
	}
	return list
}

// ShellFamily lists the names of the shells; the first heads the family.
func ShellFamily() []string {
	names := make([]string, 0, len(shells()))
	for _, s := range shells() {
		names = append(names, s.Name)
	}
	return names
}

// Carrier is a program that starts the command in its own arguments, and how
// the command is found there. Options are in their full spelling.
type Carrier struct {
	Program     string   `json:"program"`
	Carrier     bool     `json:"carrier"`     // allowed implicitly under the kernel hook
	Shell       bool     `json:"shell"`       // described by Shells
	Assignments bool     `json:"assignments"` // NAME=value may stand before the command
	Operands    int      `json:"operands"`    // operands before the command
	Values      []string `json:"values"`      // options with an argument of their own
	Script      []string `json:"script"`      // options whose argument is shell text
	Split       []string `json:"split"`       // options whose argument is split into words
	Chdir       []string `json:"chdir"`       // options whose argument is the working directory
	Exec        []string `json:"exec"`        // options that a command follows, up to ; or +
	Appends     bool     `json:"appends"`     // arguments are added at run time
	Applet      bool     `json:"applet"`      // the command is a part of the program
	Joined      bool     `json:"joined"`      // the words are joined and given to a shell
	Nothing     bool     `json:"nothing"`     // operands are no command
}

var carriers = entries[Carrier]("carriers.json")

// CarrierTable lists the programs that start other commands, those that are not
// allowed implicitly included.
func CarrierTable() []Carrier {
	list := slices.Clone(carriers())
	for i := range list {
		c := &list[i]
		for _, l := range []*[]string{&c.Values, &c.Script, &c.Split, &c.Chdir, &c.Exec} {
			*l = slices.Clone(*l)
		}
	}
	return list
}

// Carriers lists the programs that are allowed implicitly where what they start
// is checked itself.
func Carriers() []string {
	var names []string
	for _, c := range carriers() {
		if c.Carrier {
			names = append(names, c.Program)
		}
	}
	return names
}

var loaders = entries[string]("loaders.json")

// Loaders lists path globs of dynamic loaders.
func Loaders() []string { return slices.Clone(loaders()) }

var deniedEnv = entries[string]("env.json")

// DeniedEnv lists the environment variables that the sandboxed side may not
// set. One that ends in "*" stands for every name with that beginning.
func DeniedEnv() []string { return slices.Clone(deniedEnv()) }

// IsDeniedEnv tells whether DeniedEnv names the variable.
func IsDeniedEnv(name string) bool {
	for _, e := range deniedEnv() {
		if prefix, ok := strings.CutSuffix(e, "*"); e == name || ok && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

var shellBuiltins = entries[string]("shellbuiltins.json")

// ShellBuiltins lists what shells do themselves.
func ShellBuiltins() []string { return slices.Clone(shellBuiltins()) }

// Subcommand is a program whose first operand says what it does.
type Subcommand struct {
	Program string            `json:"program"`
	Values  []string          `json:"values"` // options before it with an argument of their own
	Aliases map[string]string `json:"aliases"`
}

var subcommands = entries[Subcommand]("subcommands.json")

// Subcommands lists the programs that have sub-commands.
func Subcommands() []Subcommand {
	list := slices.Clone(subcommands())
	for i := range list {
		list[i].Values = slices.Clone(list[i].Values)
		list[i].Aliases = maps.Clone(list[i].Aliases)
	}
	return list
}

// ProgramOptions is how a program, or one of its sub-commands ("git push"),
// spells its options.
type ProgramOptions struct {
	Program  string            `json:"program"`
	Long     map[string]string `json:"long"`     // long option to short letter; "" if it has none
	Same     map[string]string `json:"same"`     // letter to the letter that means the same
	Values   []string          `json:"values"`   // normal spellings of what takes an argument of its own
	Optional []string          `json:"optional"` // what takes the rest of its own word, if any
}

var options = entries[ProgramOptions]("options.json")

// Options lists the programs whose options are compared in one spelling.
func Options() []ProgramOptions {
	list := slices.Clone(options())
	for i := range list {
		o := &list[i]
		o.Long, o.Same = maps.Clone(o.Long), maps.Clone(o.Same)
		o.Values, o.Optional = slices.Clone(o.Values), slices.Clone(o.Optional)
	}
	return list
}
