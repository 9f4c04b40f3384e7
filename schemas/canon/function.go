package canon

import (
	"mvdan.cc/sh/v3/syntax"
)

// declare notes a function; its body is walked where it is called.
func (s *scope) declare(x *syntax.FuncDecl, c context) {
	for _, n := range append(x.Names, x.Name) {
		if n != nil {
			f := &function{body: x.Body, certain: c.straight}
			s.funcs[n.Value] = f
			s.declared = append(s.declared, f)
		}
	}
}

// uncalled walks the bodies that nothing called.
func (s *scope) uncalled() {
	for i := 0; i < len(s.declared); i++ { // a body may declare more
		if f := s.declared[i]; !f.called {
			s.invoke(f, context{})
		}
	}
}

func (s *scope) invoke(f *function, c context) []source {
	if f.active {
		return nil
	}
	f.called, f.active = true, true
	out := s.stmt(f.body, c.inner())
	f.active = false
	return append(out, c.in...)
}
