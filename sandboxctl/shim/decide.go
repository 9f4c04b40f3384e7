package shim

import (
	"context"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
	"github.com/openshell-policy/openshell/schemas/tables"
)

func (c *call) decide(in *schemas.DecisionInput) schemas.Decision {
	return c.policy.Decide(context.Background(), in) // the engine bounds its time itself
}

// file decides an operation on a place, and records it.
func (c *call) file(op schemas.FileOp, p *place) error { return c.both(op, p, nil) }

// both is file for a rename or link, which has a target.
func (c *call) both(op schemas.FileOp, p, target *place) error {
	if d := c.files(op, p, target); !d.Passes() {
		return unix.EACCES
	}
	return nil
}

func (c *call) files(op schemas.FileOp, p, target *place) schemas.Decision {
	if writes(op) && p.kind() == unix.S_IFCHR && p.exists() && tables.IsDevice(p.path) {
		op = schemas.OpRead // it changes no file
	}
	in := &schemas.FileInput{
		Op: op, Path: canon.Escape(p.path), Lexical: canon.Escape(p.lexical()), KnownBlocked: c.s.linked.blocked(c, p),
	}
	if target != nil {
		in.Target = &schemas.FileTarget{
			Path: canon.Escape(target.path), Lexical: canon.Escape(target.lexical()), KnownBlocked: c.s.linked.blocked(c, target),
		}
	}
	input := &schemas.DecisionInput{Kind: schemas.KindFile, Policy: c.policy.Name, Sandbox: c.s.opts.Sandbox, File: in}
	d := c.decide(input)
	if c.s.guarded(p.path) || target != nil && c.s.guarded(target.path) {
		d = c.denial(schemas.CodeBlockedPath, "the process is not the sandbox's")
	}
	c.recordFile(input, &d)
	return d
}

func writes(op schemas.FileOp) bool {
	switch op {
	case schemas.OpWrite, schemas.OpCreate, schemas.OpTruncate:
		return true
	}
	return false
}

// verdict asks about a path without a record: whether the policy lets the
// sandbox do it.
func (c *call) verdict(op schemas.FileOp, file string) schemas.Decision {
	escaped := canon.Escape(path.Clean(file))
	return c.decide(&schemas.DecisionInput{
		Kind: schemas.KindFile, Policy: c.policy.Name, Sandbox: c.s.opts.Sandbox,
		File: &schemas.FileInput{Op: op, Path: escaped, Lexical: escaped},
	})
}

// writable tells whether the sandbox may put something else at a path.
func (c *call) writable(file string) bool {
	if !strings.HasPrefix(file, "/") {
		return true
	}
	d := c.verdict(schemas.OpWrite, file)
	return d.Passes()
}

// refuse records a denial of the shim's own about files.
func (c *call) refuse(op schemas.FileOp, p, target *place, message string) error {
	in := &schemas.FileInput{Op: op, Path: canon.Escape(p.path), Lexical: canon.Escape(p.lexical())}
	if target != nil {
		in.Target = &schemas.FileTarget{Path: canon.Escape(target.path), Lexical: canon.Escape(target.lexical())}
	}
	d := c.denial(schemas.CodeBlockedPath, message)
	c.recordFile(&schemas.DecisionInput{Kind: schemas.KindFile, Policy: c.policy.Name, Sandbox: c.s.opts.Sandbox, File: in}, &d)
	return unix.EACCES
}
