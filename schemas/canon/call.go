package canon

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/openshell-policy/openshell/schemas"
)

// call walks one simple command.
func (s *scope) call(words []word, c context) []source {
	if len(words) == 0 || s.err != nil {
		return nil
	}
	head := &words[0]
	if !head.literal() || s.shell == "zsh" && strings.HasPrefix(head.raw, "=") {
		s.in.Opaque = true
		return append(s.wordSubstitutions(words, c), c.in...)
	}
	if head.raw == "" {
		return append(s.wordSubstitutions(words, c), c.in...) // no program has this name
	}
	if f := s.funcs[head.raw]; f != nil {
		out := append(s.wordSubstitutions(words, c), s.invoke(f, c)...)
		if f.certain && !known().builtins[head.raw] { // POSIX finds special built-ins first
			return out
		}
		return append(out, s.direct(words, c)...)
	}
	return s.direct(words, c)
}

// direct walks a simple command that is no function.
func (s *scope) direct(words []word, c context) []source {
	name := words[0].raw
	if !known().builtins[name] {
		return s.execute(words, c, "")
	}
	if rest, ok := prefixed(words); ok {
		return s.prefixed(words, rest, c)
	}
	var out []source
	if c.top || s.alone {
		out = s.execute(words, c, "")
	} else {
		// What a builtin reads it may write.
		out = append(s.wordSubstitutions(words, c), c.in...)
	}
	s.effects(words, out)
	return out
}

// prefixed returns the words after command, exec or builtin, which run what
// they are given in place of themselves.
func prefixed(words []word) ([]word, bool) {
	switch words[0].raw {
	case "command", "exec", "builtin":
	default:
		return nil, false
	}
	rest := words[1:]
	for len(rest) > 0 && !rest[0].dyn && len(rest[0].raw) > 1 && rest[0].raw[0] == '-' {
		option := rest[0].raw
		rest = rest[1:]
		switch {
		case option == "--":
			return rest, true
		case words[0].raw == "command" && strings.ContainsAny(option, "vV"):
			return nil, true
		case words[0].raw == "exec" && strings.HasSuffix(option, "a") && len(rest) > 0:
			rest = rest[1:]
		}
	}
	return rest, true
}

func (s *scope) prefixed(words, rest []word, c context) []source {
	switch {
	case len(rest) == 0:
		return append(s.wordSubstitutions(words, c), c.in...)
	case !rest[0].literal() || rest[0].raw == "":
		s.in.Opaque = true
		return append(s.wordSubstitutions(words, c), c.in...)
	case words[0].raw == "exec":
		if a := execName(words); a != "" {
			return s.execute(rest, c, a)
		}
		return s.execute(rest, c, "")
	}
	return s.direct(rest, c)
}

// execName is the argv[0] that exec -a gives.
func execName(words []word) string {
	for i := 1; i+1 < len(words) && strings.HasPrefix(words[i].raw, "-"); i++ {
		if strings.HasSuffix(words[i].raw, "a") {
			return words[i+1].text
		}
	}
	return ""
}

// effects of the builtins that matter to what follows; read is what flows into
// them.
func (s *scope) effects(words []word, read []source) {
	switch words[0].raw {
	case "cd", "pushd", "popd":
		s.changeDir(words)
	case "eval":
		s.in.Opaque = true
		s.evaluate(words[1:])
		s.feedOwner(read)
	case "source", ".":
		s.in.Opaque = true
		s.feedOwner(read)
	case "alias", "enable", "hash", "autoload", "emulate":
		s.in.Opaque = s.in.Opaque || len(words) > 1
	case "shopt":
		s.in.Opaque = s.in.Opaque || slices.ContainsFunc(words, func(w word) bool { return w.dyn || w.raw == "expand_aliases" })
	case "unset":
		for _, w := range words[1:] {
			delete(s.funcs, w.raw)
		}
	case "trap":
		if len(words) > 2 {
			s.evaluate(words[1:2])
		}
	case "export", "readonly", "declare", "typeset", "local", "read", "printf":
		for _, w := range words[1:] {
			name, _, _ := strings.Cut(w.text, "=")
			s.setEnv(name)
		}
	}
}

// evaluate walks words that the shell joins and parses again.
func (s *scope) evaluate(words []word) {
	texts := make([]string, len(words))
	for i, w := range words {
		if !w.literal() {
			s.in.Opaque = true
			return
		}
		texts[i] = w.raw
	}
	s.script(strings.Join(texts, " "), s.within(s.owner, s.shell), false)
}

// feedOwner connects what eval and source read to the shell that runs them.
func (s *scope) feedOwner(read []source) {
	if s.owner >= 0 {
		s.connect(s.owner, read...)
	}
}

func (s *scope) changeDir(words []word) {
	var dirs []word
	for _, w := range words[1:] {
		if w.dyn || w.raw == "-" || len(w.raw) == 0 || w.raw[0] != '-' {
			dirs = append(dirs, w)
		}
	}
	if words[0].raw != "cd" || len(dirs) != 1 || !dirs[0].literal() || dirs[0].raw == "-" {
		s.cwdKnown = false
		return
	}
	dir := dirs[0].text
	if strings.HasPrefix(dir, "/") {
		s.cwd, s.cwdKnown = path.Clean(dir), true
		return
	}
	s.cwd = path.Join(s.cwd, dir)
}

// wordSubstitutions walks the substitutions of words that make no command.
func (s *scope) wordSubstitutions(words []word, c context) (out []source) {
	for i := range words {
		for _, sub := range words[i].subs {
			out = append(out, s.substitution(sub.Stmts, c)...)
		}
		for _, p := range words[i].procs {
			out = append(out, s.substitution(p.Stmts, c)...)
		}
	}
	return out
}

// execute appends a command with all that it carries, and returns what they
// write.
func (s *scope) execute(words []word, c context, argv0 string) []source {
	origin := ""
	if s.owner >= 0 {
		origin = originCarried
	}
	i := s.place(words, argv0, origin)
	if s.err != nil {
		return nil
	}
	s.connect(i, c.in...)
	for k := range words {
		s.connectWord(i, words, k, c)
	}
	out := append([]source{source(i)}, s.carry(i, words)...)
	return append(out, s.hereScript(i, words, c.stdin)...)
}

// place appends a command and returns its index.
func (s *scope) place(words []word, argv0, origin string) int {
	program := words[0].text
	if argv0 == "" {
		argv0 = program
	}
	c := schemas.Command{
		Program: program, Argv0: argv0, Path: located(program, s.cwd), Links: []string{}, Args: []string{}, Cwd: s.cwd, Origin: origin,
	}
	if s.find != nil && (s.cwdKnown || strings.IndexByte(program, '/') <= 0) {
		s.found(&c, words[0].raw)
	}
	if !s.cwdKnown && strings.IndexByte(program, '/') > 0 {
		s.in.Opaque = true // a relative path of which the beginning is not known
	}
	n := node{cwdKnown: s.cwdKnown}
	for _, w := range words[1:] {
		c.Args = append(c.Args, w.text)
		if w.glob {
			n.globs = append(n.globs, w.text)
		}
	}
	return s.add(c, n)
}

// found puts the file that the caller sees in the place of the one that is
// supposed.
func (s *scope) found(c *schemas.Command, program string) {
	if f, ok := s.find(program, s.cwd); ok {
		c.Path, c.Links, c.PathWritable = Escape(f.Path), escapeAll(f.Links), f.PathWritable
	}
}

// connectWord walks the substitutions of one argument: <(...) is read by the
// command, >(...) reads from it, and $(...) reaches it where the argument is
// code, or what echo and printf write.
func (s *scope) connectWord(i int, words []word, k int, c context) {
	w := &words[k]
	for _, sub := range w.subs {
		out := s.substitution(sub.Stmts, c)
		if k > 0 && isCode(words, k) {
			s.connect(i, out...)
		}
	}
	for _, p := range w.procs {
		if p.Op == syntax.CmdOut {
			s.substitution(p.Stmts, context{in: []source{source(i)}})
			continue
		}
		s.connect(i, s.substitution(p.Stmts, c)...)
	}
}

// codeOption matches the options of shells and interpreters before code.
var codeOption = regexp.MustCompile(`^(-[A-Za-z]*[ce]|--eval|--command|--execute)$`)

func isCode(words []word, k int) bool {
	if head := words[0].raw; head == "echo" || head == "printf" {
		return true
	}
	for _, w := range words[1:k] {
		if codeOption.MatchString(w.text) {
			return true
		}
	}
	option, _, _ := strings.Cut(words[k].text, unknown)
	return codeOption.MatchString(strings.TrimSuffix(option, "="))
}
