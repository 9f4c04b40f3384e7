package shim

import (
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl/shim/sys"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

const (
	maxArgs = 256 << 10 // bytes of an argument list; more cannot be judged
	maxEnv  = 8 << 20
)

// execution is one execve with what is known of it.
type execution struct {
	asked   string // the path, absolute; of a descriptor what it refers to
	given   string // what a script is told its own name is
	file    *place
	links   []string
	argv    []string
	loader  []string // variables that change what a program runs, sorted
	path    string   // PATH of the environment
	scripts []string // programs that the command names and that are scripts, escaped
	image   image
	process int    // that makes the call
	parent  string // executable that makes the call
	entry   bool
	// announced is the command from outside that this is, nil if it is none.
	announced *Expected
	context   process // what the process is known as
}

// judged is what was decided, and what must be found after the execution.
type judged struct {
	object  object
	cmdline string
	loader  []string
	process process
	input   *schemas.DecisionInput
	policy  *Policy
}

func (c *call) execve() { c.exec(unix.AT_FDCWD, 0, 0) }

func (c *call) execveat() { c.exec(c.int(0), 1, c.int(4)) }

// exec judges an execution and lets it through under verification.
func (c *call) exec(dirfd, arg, flags int) {
	x, err := c.execution(dirfd, arg, flags)
	if err != nil {
		c.answer(err)
		return
	}
	defer x.file.close()
	defer x.image.close()
	j, err := c.judge(x)
	if err != nil {
		c.answer(err)
		return
	}
	c.release(j)
}

// execution reads and resolves the call.
func (c *call) execution(dirfd, arg, flags int) (*execution, error) {
	if flags&^(unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH) != 0 {
		return nil, unix.EINVAL
	}
	x := &execution{}
	file, err := c.path(arg)
	if err != nil {
		return nil, err
	}
	if err := c.arguments(x, arg+1); err != nil {
		return nil, err
	}
	if err := c.executable(x, dirfd, file, flags); err != nil {
		return nil, err
	}
	if x.process, err = c.process(); err == nil {
		x.parent, err = c.link("exe")
	}
	if err == nil && !c.valid() {
		err = unix.ESRCH
	}
	if err == nil {
		x.image, err = c.image(x)
	}
	if err != nil {
		x.image.close()
		x.file.close()
		return nil, err
	}
	return x, nil
}

// unread is the input of an execution whose arguments were not read; arg is that
// of its path.
func (c *call) unread(arg int) *schemas.DecisionInput {
	file, _ := c.path(arg) // "" where it is gone
	first := schemas.Command{Program: canon.Escape(file), Path: canon.Escape(file), Args: []string{}, Links: []string{}, Upstream: []int{}}
	return c.execInput(&schemas.ExecInput{Commands: []schemas.Command{first}, EnvDenied: []string{}})
}

func (c *call) arguments(x *execution, arg int) error {
	m, err := c.memory()
	if err != nil {
		return err
	}
	if x.argv, err = m.Strings(c.n.Args[arg], maxArgs); errors.Is(err, sys.ErrTooLong) {
		d := c.denial(schemas.CodeBadRequest, "the argument list is too long to be judged")
		c.record(c.unread(arg-1), &d)
		return unix.E2BIG
	}
	if err != nil {
		return err
	}
	if len(x.argv) == 0 {
		x.argv = []string{""} // as the kernel does
	}
	env, err := m.Strings(c.n.Args[arg+1], maxEnv)
	if errors.Is(err, sys.ErrTooLong) {
		return unix.E2BIG
	}
	x.loader = loaderVariables(env)
	for _, v := range env {
		if dirs, ok := strings.CutPrefix(v, "PATH="); ok {
			x.path = dirs
			break
		}
	}
	return err
}

// executable locates the file.
func (c *call) executable(x *execution, dirfd int, file string, flags int) (err error) {
	if file == "" {
		if flags&unix.AT_EMPTY_PATH == 0 {
			return unix.ENOENT
		}
		if x.file, err = c.descriptor(dirfd); err != nil {
			return err
		}
		x.asked, x.given = x.file.path, "/dev/fd/"+strconv.Itoa(dirfd)
		return c.regular(x)
	}
	asked, err := c.absolute(dirfd, file)
	if err != nil {
		return err
	}
	x.given = file
	if file[0] != '/' && dirfd != unix.AT_FDCWD {
		x.given = "/dev/fd/" + strconv.Itoa(dirfd) + "/" + file
	}
	if x.file, x.links, err = c.walkSeen(asked, flags&unix.AT_SYMLINK_NOFOLLOW == 0); err != nil {
		return err
	}
	x.asked = path.Clean(asked)
	return c.regular(x)
}

func (c *call) regular(x *execution) error {
	var err error
	switch {
	case !x.file.exists():
		err = unix.ENOENT
	case x.file.kind() == unix.S_IFLNK:
		err = unix.ELOOP
	case x.file.kind() != unix.S_IFREG:
		err = unix.EACCES
	}
	if err != nil {
		x.file.close()
	}
	return err
}

// name is the executable's path; one that was removed says so.
func (p *place) program() string {
	if p.stat.Nlink == 0 && !p.anonymous {
		return p.path + deletedSuffix
	}
	return p.path
}

// judge decides the execution and says what must come of it.
func (c *call) judge(x *execution) (*judged, error) {
	x.context = c.s.procs.of(c, x)
	x.announced = c.s.entries.take(c, x)
	x.entry = x.announced != nil || x.context.entry && carries(x.parent)
	for _, p := range []*place{x.file, x.image.file} {
		if p == nil || p.anonymous {
			continue
		}
		if d := c.files(schemas.OpExec, p, nil); !d.Passes() {
			x.announced.deny(d)
			return nil, unix.EACCES
		}
	}
	j := &judged{policy: c.policy, loader: x.loader, object: x.image.object, cmdline: x.image.cmdline(x)}
	input, d := c.command(x)
	j.input = input
	if !d.Passes() {
		c.record(input, &d)
		x.announced.deny(d)
		return nil, unix.EACCES
	}
	if x.image.kind == unknownImage {
		return nil, unix.ENOEXEC // the program that asked may read it as a script itself
	}
	j.process = c.s.procs.next(x, input.Exec.Commands)
	if c.policy.Pipes {
		if refused := c.pipeline(x, j); refused != nil {
			c.record(refused.input, &refused.decision)
			return nil, unix.EACCES
		}
	}
	if c.record(input, &d); !d.Passes() {
		x.announced.deny(d)
		return nil, unix.EACCES
	}
	return j, nil
}

// command decides an execution. A script is judged as the interpreter's command
// that it becomes, and against blocked patterns as itself; where a pattern
// allows the script, and nothing its interpreter, the script is what counts.
func (c *call) command(x *execution) (*schemas.DecisionInput, schemas.Decision) {
	whole, err := canon.CommandArgv(x.argv, c.program(x.asked, x.file, x.links), c.shell(x))
	if err != nil {
		return c.malformed(x, err)
	}
	own, d := c.decideCommands(x, whole)
	if x.image.kind != script || d.Code == schemas.CodeBlockedCommand {
		return own, d
	}
	as, err := canon.CommandArgv(x.image.argv(x), c.program(x.image.asked, x.image.file, x.image.links), c.shell(x))
	if err != nil {
		return c.malformed(x, err)
	}
	interpreted, di := c.decideCommands(x, as)
	unnamed := di.Code == schemas.CodeCommandNotAllowed || di.Code == schemas.CodeUntrustedProgram && len(x.loader) == 0
	if !di.Passes() && unnamed && d.Passes() {
		x.context.script = x.asked // its interpreter is a helper of it
		return own, d
	}
	return interpreted, di
}

// malformed is the decision about arguments that cannot be judged.
func (c *call) malformed(x *execution, err error) (*schemas.DecisionInput, schemas.Decision) {
	first := schemas.Command{Program: canon.Escape(x.asked), Argv0: canon.Escape(x.argv[0]), Path: canon.Escape(x.file.program()), Args: []string{}}
	for _, a := range x.argv[1:min(len(x.argv), 32)] {
		first.Args = append(first.Args, canon.Escape(a))
	}
	in := &schemas.ExecInput{Commands: []schemas.Command{first}, Parent: canon.Escape(x.parent), Hook: true, EnvDenied: []string{}}
	return c.execInput(in), c.denial(schemas.CodeBadRequest, err.Error())
}

func (c *call) execInput(in *schemas.ExecInput) *schemas.DecisionInput {
	return &schemas.DecisionInput{Kind: schemas.KindExec, Policy: c.policy.Name, Sandbox: c.s.opts.Sandbox, Exec: in}
}

func (c *call) shell(x *execution) canon.Shell {
	return canon.Shell{
		Hook: true, EntryPoint: x.entry, Parent: x.helperOf(),
		Find: func(program, cwd string) (canon.File, bool) { return c.search(x, program, cwd) },
	}
}

// program is what the kernel knows of one executable.
func (c *call) program(asked string, p *place, links []string) schemas.Command {
	cmd := schemas.Command{Program: asked, Path: p.program(), Links: []string{}}
	for _, l := range append([]string{asked}, links...) {
		if l != cmd.Path && !slices.Contains(cmd.Links, l) {
			cmd.Links = append(cmd.Links, l)
		}
	}
	cmd.Cwd, _ = c.link("cwd") // "" is taken for the workspace
	cmd.PathWritable = c.anyWritable(append([]string{asked, cmd.Path}, links...))
	if cmd.PathWritable {
		// What blocks a program blocks its copies. No more is allowed by it: what
		// the sandbox can change matches no allowed name.
		cmd.Links = append(cmd.Links, c.s.copies.of(c, p)...)
	}
	return cmd
}

// anyWritable tells whether the sandbox can change a directory above any of the
// paths.
func (c *call) anyWritable(files []string) bool {
	seen := map[string]bool{}
	for _, f := range files {
		for dir := path.Dir(f); !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			if c.writable(dir) {
				return true
			}
		}
	}
	return false
}

// gitExecPath is set by git itself for what it starts, to the folder of its own
// programs; it is harmless where the sandbox cannot change that.
const gitExecPath = "GIT_EXEC_PATH"

// complete adds the variables that the environment holds.
func (c *call) complete(in *schemas.ExecInput, x *execution) *schemas.ExecInput {
	for _, v := range x.loader {
		name, value, _ := strings.Cut(v, "=")
		if name == gitExecPath && strings.HasPrefix(value, "/") && !c.anyWritable([]string{path.Clean(value) + "/git"}) {
			continue
		}
		in.EnvDenied = append(in.EnvDenied, canon.Escape(name))
	}
	slices.Sort(in.EnvDenied)
	in.EnvDenied = slices.Compact(in.EnvDenied)
	return in
}

// helperOf is whose helper the program may be: the caller's executable, or the
// script that it interprets.
func (x *execution) helperOf() string {
	if x.context.script != "" {
		return x.context.script
	}
	return x.parent
}
