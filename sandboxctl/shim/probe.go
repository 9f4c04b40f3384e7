package shim

import (
	"context"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl/shim/filter"
	"github.com/openshell-policy/openshell/sandboxctl/shim/floor"
	"github.com/openshell-policy/openshell/sandboxctl/shim/sys"
	"github.com/openshell-policy/openshell/schemas"
)

// The self-test: a process that is confined for it tries what must fail, and at
// last executes itself with arguments that are changed behind the supervisor's
// back. The words are its argument; see package bare.
const (
	ProbeAllowed  = "allowed"
	ProbeDenied   = "denied"
	ProbeTampered = "changed" // as long as ProbeAllowed, which it replaces
)

// ProbeConfig confines the process of the self-test, whose program is exe in
// folder dir.
func ProbeConfig(dir string) Config {
	// A program that is linked dynamically needs its loader and libraries.
	grants := []floor.Grant{{Path: dir, Access: floor.Read}}
	for _, lib := range []string{"/lib", "/lib64", "/usr/lib", "/usr/lib64"} {
		grants = append(grants, floor.Grant{Path: lib, Access: floor.Read})
	}
	return Config{
		Grants: grants, Mode: Trapped, Level: Pod, ABI: sys.LandlockABI(),
		Filter: filter.Options{Exec: true, Files: true, Metadata: true, Connect: true},
	}
}

// NewProbe is the supervisor of the self-test. It denies to list dir and to
// execute with the argument ProbeDenied, and turns ProbeAllowed into
// ProbeTampered after it has judged it; caught is called when that was noticed.
func NewProbe(listener int, config Config, dir string, caught func()) (*Supervisor, error) {
	s, err := New(Options{
		Listener: listener, Config: config, Diag: -1, Policy: Policy{Name: "probe", Decider: prober{dir}},
		Record: func(r *schemas.Record) error {
			if r.Custom.Code == schemas.CodeExecRace {
				caught()
			}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	s.tampered = func(c *call, j *judged) {
		m, err := c.memory()
		if err != nil || len(j.input.Exec.Commands[0].Args) == 0 {
			return
		}
		list, err := m.Word(c.n.Args[1] + 8) // argv[1]
		if err == nil {
			_ = sys.WriteMemory(c.n.PID, list, []byte(ProbeTampered))
		}
	}
	return s, nil
}

// prober decides for the self-test.
type prober struct{ dir string }

func (prober) Revision() string { return "probe" }

func (p prober) Decide(_ context.Context, in *schemas.DecisionInput) schemas.Decision {
	d := schemas.Decision{Allow: true, Mode: schemas.ModeEnforce, Code: schemas.CodeAllowed, Rule: schemas.RuleDefault, Policy: in.Policy}
	switch {
	case in.File != nil && in.File.Op == schemas.OpList && in.File.Path == p.dir:
		d.Allow, d.Code = false, schemas.CodeBlockedPath
	case in.Exec != nil && slices.Contains(in.Exec.Commands[0].Args, ProbeDenied):
		d.Allow, d.Code = false, schemas.CodeBlockedCommand
	}
	return d
}

// Harden keeps other processes of the same user from reading the calling process,
// which is a supervisor.
func Harden() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
