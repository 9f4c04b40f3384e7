package canon

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// scope walks one shell text.
type scope struct {
	*builder
	depth    int
	owner    int    // the command that runs the text; -1 none
	shell    string // its name; "" for the text that was asked about
	cwd      string
	cwdKnown bool
	funcs    map[string]*function
	declared []*function
}

// within is the scope of a text that command owner runs in this one.
func (s *scope) within(owner int, shell string) *scope {
	return &scope{builder: s.builder, depth: s.depth + 1, owner: owner, shell: shell, cwd: s.cwd, cwdKnown: s.cwdKnown}
}

// function is a declared function.
type function struct {
	body    *syntax.Stmt
	certain bool // declared wherever control comes from
	active  bool
	called  bool
}

// context is where a statement stands.
type context struct {
	in       []source
	stdin    *syntax.Redirect // the here-document or here-string it reads
	straight bool             // it runs whenever the text does
	top      bool             // it is no part of a compound command of the text asked about
}

// inner is the context of a part that may run or not.
func (c context) inner() context { return context{in: c.in} }

func (c context) reading(in []source) context {
	c.in, c.stdin = in, nil
	return c
}

// stmts walks statements that share their input and returns what they write.
func (s *scope) stmts(list []*syntax.Stmt, c context) (out []source) {
	for _, st := range list {
		out = append(out, s.stmt(st, c)...)
	}
	return out
}

func (s *scope) stmt(st *syntax.Stmt, c context) []source {
	if s.steps++; s.steps > maxSteps {
		s.fail(refuse("the command is too long to follow"))
	}
	if st == nil || s.err != nil {
		return nil
	}
	if st.Background || st.Coprocess || st.Disown {
		c.straight = false
	}
	in := slices.Clone(c.in)
	for _, r := range st.Redirs {
		in = append(in, s.redirect(r, c)...)
	}
	var out []source
	if st.Cmd != nil {
		inside := c.reading(in)
		inside.stdin = hereDocument(st.Redirs)
		out = s.command(st.Cmd, inside)
	}
	for _, r := range st.Redirs {
		s.sinks(r, out)
	}
	if writesToFile(st.Redirs) {
		return nil
	}
	return out
}

func hereDocument(redirs []*syntax.Redirect) *syntax.Redirect {
	for _, r := range slices.Backward(redirs) {
		if (r.Op == syntax.Hdoc || r.Op == syntax.DashHdoc || r.Op == syntax.WordHdoc) && (r.N == nil || r.N.Value == "0") {
			return r
		}
	}
	return nil
}

// redirect returns what a redirection feeds into the command: the output of
// <(...), and of substitutions in here-documents and here-strings.
func (s *scope) redirect(r *syntax.Redirect, c context) (in []source) {
	for _, w := range []*syntax.Word{r.Word, r.Hdoc} {
		if w == nil {
			continue
		}
		fed := r.Op == syntax.WordHdoc || w == r.Hdoc
		nested(w, func(cs *syntax.CmdSubst) {
			if out := s.stmts(cs.Stmts, c.inner()); fed {
				in = append(in, out...)
			}
		}, func(p *syntax.ProcSubst) {
			if p.Op != syntax.CmdOut {
				in = append(in, s.stmts(p.Stmts, c.inner())...)
			}
		})
	}
	return in
}

// sinks walks the >(...) of a redirection, which read what the command writes.
func (s *scope) sinks(r *syntax.Redirect, out []source) {
	if r.Word == nil {
		return
	}
	nested(r.Word, func(*syntax.CmdSubst) {}, func(p *syntax.ProcSubst) {
		if p.Op == syntax.CmdOut {
			s.stmts(p.Stmts, context{in: out})
		}
	})
}

// writesToFile tells whether standard output goes to a file that is named, and
// no other descriptor is made to lead where it led before.
func writesToFile(redirs []*syntax.Redirect) bool {
	away := false
	for _, r := range redirs {
		switch r.Op {
		case syntax.DplOut, syntax.DplIn, syntax.RdrInOut:
			return false
		case syntax.RdrOut, syntax.AppOut, syntax.RdrClob, syntax.RdrAll, syntax.AppAll:
			w := newWord(r.Word)
			if r.N != nil && r.N.Value != "1" || !w.literal() {
				continue
			}
			p := path.Clean(w.raw)
			away = !strings.HasPrefix(p, "/dev/") && !strings.HasPrefix(p, "/proc/") || p == "/dev/null"
		}
	}
	return away
}

// command walks one command and returns what it writes.
func (s *scope) command(cmd syntax.Command, c context) []source {
	switch x := cmd.(type) {
	case *syntax.CallExpr:
		s.assigns(x.Assigns, c)
		return s.call(s.words(x.Args), c)
	case *syntax.DeclClause:
		return s.declaration(x, c)
	case *syntax.BinaryCmd:
		return s.binary(x, c)
	case *syntax.Block:
		c.top = false
		return s.stmts(x.Stmts, c)
	case *syntax.Subshell:
		return s.apart(func() []source { return s.stmts(x.Stmts, c.inner()) })
	case *syntax.FuncDecl:
		s.declare(x, c)
		return nil
	case *syntax.TimeClause:
		return s.stmt(x.Stmt, c)
	case *syntax.CoprocClause:
		s.in.Opaque = true // its descriptors can be used anywhere
		return s.stmt(x.Stmt, c.inner())
	case *syntax.TestClause, *syntax.ArithmCmd, *syntax.LetClause:
		s.substitutions(x, c)
		return nil
	}
	return s.compound(cmd, c.inner())
}

func (s *scope) compound(cmd syntax.Command, c context) []source {
	cwd := s.cwd
	out := s.branches(cmd, c)
	if s.cwd != cwd {
		s.cwdKnown = false // it may have gone there, or not
	}
	return append(out, c.in...) // what is read inside may be written inside
}

func (s *scope) branches(cmd syntax.Command, c context) (out []source) {
	switch x := cmd.(type) {
	case *syntax.IfClause:
		for ; x != nil; x = x.Else {
			out = append(out, s.stmts(x.Cond, c)...)
			out = append(out, s.stmts(x.Then, c)...)
		}
	case *syntax.WhileClause:
		out = append(s.stmts(x.Cond, c), s.stmts(x.Do, c)...)
	case *syntax.ForClause:
		if each, ok := x.Loop.(*syntax.WordIter); ok {
			s.setEnv(each.Name.Value)
		}
		out = append(s.substitutions(x.Loop, c), s.stmts(x.Do, c)...)
	case *syntax.CaseClause:
		out = s.substitutions(x.Word, c)
		for _, item := range x.Items {
			for _, p := range item.Patterns {
				s.substitutions(p, c)
			}
			out = append(out, s.stmts(item.Stmts, c)...)
		}
	default:
		s.in.Opaque = true
		out = s.substitutions(cmd, c)
	}
	return out
}

func (s *scope) binary(x *syntax.BinaryCmd, c context) []source {
	switch x.Op {
	case syntax.Pipe, syntax.PipeAll:
		c.straight = false
		return s.apart(func() []source {
			out := s.stmt(x.X, c)
			return s.stmt(x.Y, c.reading(out))
		})
	case syntax.OrStmt:
		out := s.stmt(x.X, c)
		c.straight = false
		return append(out, s.apart(func() []source { return s.stmt(x.Y, c) })...)
	}
	out := s.stmt(x.X, c)
	c.straight = false
	return append(out, s.stmt(x.Y, c)...)
}

// apart walks what runs in a process of its own: it changes no directory for
// what follows.
func (s *scope) apart(walk func() []source) []source {
	cwd, known := s.cwd, s.cwdKnown
	out := walk()
	s.cwd, s.cwdKnown = cwd, known
	return out
}

// substitutions walks the substitutions in any node and returns what they write.
func (s *scope) substitutions(n syntax.Node, c context) (out []source) {
	if n == nil {
		return nil
	}
	nested(n, func(cs *syntax.CmdSubst) {
		out = append(out, s.substitution(cs.Stmts, c)...)
	}, func(p *syntax.ProcSubst) {
		out = append(out, s.substitution(p.Stmts, c)...)
	})
	return out
}

func (s *scope) substitution(list []*syntax.Stmt, c context) []source {
	return s.apart(func() []source { return s.stmts(list, c.inner()) })
}

// assigns notes the variables that are set.
func (s *scope) assigns(list []*syntax.Assign, c context) {
	for _, a := range list {
		if a.Name != nil {
			s.setEnv(a.Name.Value)
		}
		s.substitutions(a, c)
	}
}

// declaration is export and its kin. At the top of the text asked about it
// counts as a command, as every builtin does there.
func (s *scope) declaration(x *syntax.DeclClause, c context) []source {
	words := []word{literalWord(x.Variant.Value)}
	for _, a := range x.Args {
		w := word{text: unknown, dyn: true}
		switch {
		case a.Name == nil && a.Value != nil:
			w = newWord(a.Value)
			if name, _, ok := strings.Cut(w.text, "="); ok {
				s.setEnv(name)
			}
		case a.Name != nil && a.Value != nil:
			v := newWord(a.Value)
			w = word{text: a.Name.Value + "=" + v.text, raw: a.Name.Value + "=" + v.raw, dyn: v.dyn}
		case a.Name != nil && a.Naked:
			w = literalWord(a.Name.Value)
		}
		words = append(words, w)
	}
	s.assigns(x.Args, c)
	if c.top {
		return s.execute(words, c, "")
	}
	return c.in
}
