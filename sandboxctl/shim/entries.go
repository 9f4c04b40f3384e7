package shim

import (
	"slices"
	"sync"

	"github.com/openshell-policy/openshell/schemas"
)

// entries are the commands that are about to be started from outside.
type entries struct {
	mu      sync.Mutex
	waiting []*Expected
}

// Expected is a command that was announced.
type Expected struct {
	entry  Entry
	list   *entries
	denied *schemas.Decision
}

// Expect announces a command that the confined thread is told to start.
func (s *Supervisor) Expect(e Entry) *Expected {
	s.entries.mu.Lock()
	defer s.entries.mu.Unlock()
	x := &Expected{entry: e, list: &s.entries}
	s.entries.waiting = append(s.entries.waiting, x)
	return x
}

// Done ends the announcement: the command was started, or will not be. It returns
// the decision where the command was denied.
func (x *Expected) Done() (denied *schemas.Decision) {
	x.list.mu.Lock()
	defer x.list.mu.Unlock()
	x.list.waiting = slices.DeleteFunc(x.list.waiting, func(w *Expected) bool { return w == x })
	return x.denied
}

// take returns the announced command that an execution is, which it then no
// longer is; nil if it is none: Init's own child, not yet another program, with
// these arguments.
func (e *entries) take(c *call, x *execution) *Expected {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.waiting) == 0 || c.s.procs.known(x.process) {
		return nil
	}
	if ids, err := c.identity(); err != nil || ids.parent != c.s.opts.Init {
		return nil
	}
	i := slices.IndexFunc(e.waiting, func(w *Expected) bool {
		return w.entry.Path == x.given && slices.Equal(w.entry.Args, x.argv)
	})
	if i < 0 {
		return nil
	}
	found := e.waiting[i]
	e.waiting = slices.Delete(e.waiting, i, i+1)
	return found
}

func (x *Expected) deny(d schemas.Decision) {
	if x == nil {
		return
	}
	x.list.mu.Lock()
	defer x.list.mu.Unlock()
	x.denied = &d
}
