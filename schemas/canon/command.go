package canon

import (
	"path"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/schemas"
)

const (
	maxText     = 128 << 10 // bytes of a shell text, or of one argument list
	maxCommands = 256
	maxDepth    = 8 // shell texts inside shell texts
	defaultCwd  = "/workspace"
)

// Shell is where a command is started.
type Shell struct {
	Cwd        string // "" means /workspace
	Hook       bool   // the kernel hook checks every execution too
	EntryPoint bool   // the command that the sandbox was created with
	Parent     string // resolved executable that starts the command; "" unknown
}

func (sh Shell) cwd() string {
	if strings.HasPrefix(sh.Cwd, "/") {
		return path.Clean(sh.Cwd)
	}
	return defaultCwd
}

func (sh Shell) input() *schemas.ExecInput {
	return &schemas.ExecInput{
		Commands: []schemas.Command{}, Parent: Escape(sh.Parent), EntryPoint: sh.EntryPoint, Hook: sh.Hook, EnvDenied: []string{},
	}
}

// located puts a program that is only known by name where a trusted directory
// would have it; one with a slash stands as it is.
func located(program, cwd string) string {
	switch {
	case strings.IndexByte(program, '/') < 0:
		return "/usr/bin/" + program
	case strings.HasPrefix(program, "/"):
		return path.Clean(program)
	}
	return path.Join(cwd, program)
}

// derive fills in what follows from the other fields of a command. globs are
// arguments that the shell expands to file names.
func derive(c *schemas.Command, cwdKnown bool, globs []string) {
	second := strings.TrimPrefix(c.Argv0, "-")
	c.Names = names(append([]string{c.Program, second, c.Path}, c.Links...)...)
	c.Named, c.Looked = Family(base(c.Path)), Family(base(c.Program))
	if s := Family(base(second)); s != c.Named && s != c.Looked {
		c.Second = s
	}
	n := &normaliser{name: tableName(c), options: []string{}, operands: []string{}}
	if cwdKnown {
		n.cwd = c.Cwd
	}
	n.run(c.Args)
	for _, g := range globs {
		if slices.Contains(n.operands, g) {
			n.operand(globDir(g))
		}
	}
	slices.Sort(n.options)
	c.Sub, c.Options, c.Operand = n.sub, slices.Compact(n.options), n.operands
	c.Line = line(c.Args)
}

// tableName is the name by which the tables know the command: its file's own,
// or another of its names.
func tableName(c *schemas.Command) string {
	p := known()
	for _, name := range append([]string{c.Path, c.Program, strings.TrimPrefix(c.Argv0, "-")}, c.Links...) {
		f := Family(base(name))
		if _, ok := p.subs[f]; ok || p.options[f] != nil {
			return f
		}
	}
	return ""
}

// globDir is the directory whose entries a glob stands for, as "/" for "/*".
func globDir(glob string) string {
	dir, _ := path.Split(glob)
	if dir == "" {
		return "."
	}
	return dir
}

func line(args []string) string {
	var b strings.Builder
	for _, a := range args {
		b.WriteString(a)
		b.WriteByte(0)
	}
	return b.String()
}

// CommandArgv returns the input for one execve. The caller gives what the kernel
// knows in c: Program, Path, Links, PathWritable, and Upstream if it is known.
// argv[0] becomes Argv0. What a carrier would start is appended.
func CommandArgv(argv []string, c schemas.Command, sh Shell) (*schemas.ExecInput, error) {
	if len(argv) == 0 {
		return nil, refuse("the argument list is empty")
	}
	in := sh.input()
	c.Links, c.Upstream = escapeAll(c.Links), append([]int{}, c.Upstream...)
	c.Program, c.Path = Escape(c.Program), Escape(c.Path)
	c.Argv0, c.Args, c.Cwd = Escape(argv[0]), escapeAll(argv[1:]), Escape(sh.cwd())
	derive(&c, true, nil)
	in.Commands = append(in.Commands, c)
	return in, nil
}

// CommandText returns the input for a shell text.
func CommandText(text string, sh Shell) (*schemas.ExecInput, error) {
	argv := strings.Fields(text)
	if len(argv) == 0 {
		return nil, refuse("the command is empty")
	}
	c := schemas.Command{Program: argv[0], Path: located(argv[0], sh.cwd()), Links: []string{}, Upstream: []int{}}
	return CommandArgv(argv, c, sh)
}
