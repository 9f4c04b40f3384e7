package canon

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/schemas"
)

// originCarried marks what a carrier or a script starts.
const originCarried = "carried"

const (
	maxText     = 128 << 10 // bytes of a shell text, or of one argument list
	maxCommands = 256
	maxDepth    = 8 // shell texts inside shell texts
	maxSteps    = 1 << 17
	maxNesting  = 500
	maxBraces   = 32 // opening braces in one word; expanding more takes all memory
	defaultCwd  = "/workspace"
)

// Shell is where a command is started.
type Shell struct {
	Cwd        string // "" means /workspace
	Hook       bool   // the kernel hook checks every execution too
	EntryPoint bool   // the command that the sandbox was created with
	Parent     string // resolved executable that starts the command; "" unknown
	// Find tells which file a program is that a script or a carrier names, where
	// the caller can see files; cwd is escaped. nil, or false, leaves it where a
	// trusted directory would have it.
	Find func(program, cwd string) (File, bool)
}

// File is an executable as the file system has it; see schemas.Command.
type File struct {
	Path         string
	Links        []string
	PathWritable bool
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
		if dir, ok := globDir(g); ok && slices.Contains(n.operands, g) {
			n.operand(dir)
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

// globDir is the directory that a glob stands for because it matches whatever
// is in it, as "/" for "/*".
func globDir(glob string) (string, bool) {
	dir, last := path.Split(strings.TrimRight(glob, "/"))
	if !strings.HasSuffix(last, "*") || strings.Trim(anyClass.ReplaceAllString(last, ""), "*?.") != "" {
		return "", false
	}
	if dir == "" {
		dir = "."
	}
	return dir, true
}

// anyClass matches classes that leave out little.
var anyClass = regexp.MustCompile(`\[([!^][^]]*|[^]]*a-z[^]]*)\]`)

func line(args []string) string {
	var b strings.Builder
	for _, a := range args {
		b.WriteString(a)
		b.WriteByte(0)
	}
	return b.String()
}

// CommandArgv returns the input for one execve. The caller gives what the kernel
// knows in c: Program, Path, Links and PathWritable. What the command would
// start, a script of sh -c or what a carrier carries, is appended. Without a
// Program the command is as CommandText would have it.
func CommandArgv(argv []string, c schemas.Command, sh Shell) (*schemas.ExecInput, error) {
	if len(argv) == 0 || argv[0] == "" && c.Program == "" {
		return nil, refuse("the argument list names no program")
	}
	words, size := make([]word, len(argv)), 0
	for i, a := range argv {
		words[i] = literalWord(a)
		if size += len(a) + 1; size > maxText {
			return nil, refuse("the argument list is longer than %d bytes", maxText)
		}
	}
	if c.Program == "" {
		c.Program = argv[0]
	}
	if c.Path == "" {
		c.Path = located(c.Program, sh.cwd())
	}
	if c.Cwd != "" {
		sh.Cwd = c.Cwd
	}
	c.Program, c.Path, c.Links = Escape(c.Program), Escape(c.Path), escapeAll(c.Links)
	c.Argv0, c.Args, c.Cwd = words[0].text, make([]string, len(argv)-1), Escape(sh.cwd())
	for i, w := range words[1:] {
		c.Args[i] = w.text
	}
	b := &builder{in: sh.input(), find: sh.Find}
	i := b.add(c, node{cwdKnown: true})
	s := &scope{builder: b, owner: -1, cwd: c.Cwd, cwdKnown: true}
	s.carry(i, words)
	return b.finish()
}

func (b *builder) text(text string, sh Shell) {
	b.script(text, &scope{builder: b, owner: -1, cwd: Escape(sh.cwd()), cwdKnown: true}, true)
}

// CommandText returns the input for a shell text: every simple command of it, of
// the scripts that it gives to shells, and of what carriers start. At the top of
// the text a builtin counts as a command too; elsewhere builtins start nothing,
// unless there is nothing else: one command at least is needed to be decided.
func CommandText(text string, sh Shell) (*schemas.ExecInput, error) {
	if strings.TrimSpace(text) == "" {
		return nil, refuse("the command is empty")
	}
	b := &builder{in: sh.input(), find: sh.Find}
	b.text(text, sh)
	if len(b.in.Commands) == 0 && b.err == nil {
		b = &builder{in: sh.input(), find: sh.Find, alone: true}
		b.text(text, sh)
	}
	if len(b.in.Commands) == 0 {
		b.fail(refuse("the text names no program that it would start"))
	}
	return b.finish()
}
