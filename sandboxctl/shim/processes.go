package shim

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/openshell-policy/openshell/sandboxctl/shim/sys"
	"github.com/openshell-policy/openshell/schemas"
)

// process is what a process of the sandbox is known as.
type process struct {
	born     string // its start time, so that its number is not taken for another's
	program  string // resolved executable
	script   string // the script that it interprets, where that is what was allowed
	entry    bool   // it still is what was started from outside: a script on its way
	commands []schemas.Command
}

// processes holds what was executed in the sandbox, by process.
type processes struct {
	mu    sync.Mutex
	byID  map[int]process
	piped []node // executions that held pipes, oldest first
	// scripts counts what was executed as a script, ever.
	scripts atomic.Int64
}

// maxPiped bounds how many executions are remembered for what they left in pipes.
const maxPiped = 1024

// trace remembers an execution that holds pipes.
func (p *processes) trace(n node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.piped) >= maxPiped {
		p.piped = slices.Delete(p.piped, 0, maxPiped/4)
	}
	p.piped = append(p.piped, n)
}

// traces are the executions that held pipes.
func (p *processes) traces() []node {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.piped)
}

func (p *processes) init() { p.byID = map[int]process{} }

// sweepAt is the size at which processes that ended are forgotten.
const sweepAt = 512

func (p *processes) set(pid int, known process) {
	known.born = born(pid)
	if known.script != "" {
		p.scripts.Add(1)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.byID) >= sweepAt {
		for id, k := range p.byID {
			if born(id) != k.born {
				delete(p.byID, id)
			}
		}
	}
	p.byID[pid] = known
}

func (p *processes) get(pid int) (process, bool) {
	p.mu.Lock()
	known, ok := p.byID[pid]
	p.mu.Unlock()
	if ok && known.born != born(pid) {
		return process{}, false
	}
	return known, ok
}

func (p *processes) known(pid int) bool {
	_, ok := p.get(pid)
	return ok
}

// of is what the caller of an execution is known as: its own last execution, or
// that of the parent it was forked from and still is an image of. The parent
// matters where a script is interpreted, and is looked for only then.
func (p *processes) of(c *call, x *execution) process {
	if known, ok := p.get(x.process); ok {
		if known.program != x.parent {
			return process{}
		}
		return known
	}
	if p.scripts.Load() == 0 {
		return process{}
	}
	ids, err := c.identity()
	if err != nil {
		return process{}
	}
	known, ok := p.get(ids.parent)
	if !ok || known.program != x.parent {
		return process{}
	}
	known.entry = false
	return known
}

// next is what the process will be known as.
func (p *processes) next(x *execution, commands []schemas.Command) process {
	known := process{program: x.file.path, script: x.context.script, commands: commands}
	if x.image.kind == script {
		known.program, known.entry = x.image.file.path, x.entry
	} else if x.context.script != "" && !carries(x.parent) {
		known.script = "" // its interpreter runs by now
	}
	return known
}

// carries tells whether a program is what a script's first line names to find the
// interpreter.
func carries(program string) bool { return strings.HasSuffix(program, "/env") }

// born tells processes with one number apart; "" is one that is gone.
func born(pid int) string {
	id, err := sys.ProcessID(pid)
	if err != nil {
		return ""
	}
	return id
}
