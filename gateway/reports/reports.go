// Package reports reads the decisions that the shim in a sandbox made by itself
// and sends to the gateway. Whoever sends them may be the sandboxed program
// instead, so nothing in them says whose they are: that is the connection's
// identity. Every record says that it was reported.
package reports

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// The bounds of one request.
const (
	MaxBody    = 1 << 20 // bytes
	MaxRecords = 4096
)

// Label marks a record that a sandbox's shim reported, in Record.Labels.
const Label = "reported_by"

// Parse reads lines of JSON, each a schemas.Record of kind file or exec. Either
// all of them are taken or none: the error names the line.
func Parse(body []byte, box adminapi.Sandbox, now time.Time) ([]*schemas.Record, error) {
	var records []*schemas.Record
	number := 0
	for line := range bytes.Lines(body) {
		number++
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			continue
		}
		if len(records) == MaxRecords {
			return nil, fmt.Errorf("line %d: more than %d records in one request", number, MaxRecords)
		}
		r, err := parse(line, box, now)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		records = append(records, r)
	}
	if len(records) == 0 {
		return nil, errors.New("line 1: there is no record")
	}
	return records, nil
}

func parse(line []byte, box adminapi.Sandbox, now time.Time) (*schemas.Record, error) {
	var r schemas.Record
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return nil, fmt.Errorf("not a record: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the record in its line")
	}
	if err := check(&r); err != nil {
		return nil, err
	}
	return stamped(&r, box, now), nil
}

// check tells whether a shim could have made the record.
func check(r *schemas.Record) error {
	if _, err := uuid.Parse(r.DecisionID); err != nil || len(r.DecisionID) != 36 {
		return errors.New("decision_id is not a UUID")
	}
	if r.Custom.Type != schemas.RecordDecision {
		return fmt.Errorf("custom.type is %.40q, not %q", r.Custom.Type, schemas.RecordDecision)
	}
	if r.Input == nil || r.Result == nil {
		return errors.New("input and result are required")
	}
	if err := checkInput(r.Input); err != nil {
		return err
	}
	d := r.Result
	switch {
	case !known(d.Code):
		return fmt.Errorf("result.code %.40q is no code", d.Code)
	case d.Allow != (d.Code == schemas.CodeAllowed):
		return fmt.Errorf("result.allow is %t with code %q", d.Allow, d.Code)
	case d.Mode != schemas.ModeEnforce && d.Mode != schemas.ModeAudit:
		return fmt.Errorf("result.mode is %.40q", d.Mode)
	}
	return nil
}

func checkInput(in *schemas.DecisionInput) error {
	switch in.Kind {
	case schemas.KindFile:
		if in.File == nil || in.Exec != nil || in.Network != nil || in.File.Path == "" || in.File.Op == "" {
			return errors.New("input of kind file holds file, with op and path, and nothing else")
		}
		if !slices.Contains(fileOps(), in.File.Op) {
			return fmt.Errorf("input.file.op is %.40q", in.File.Op)
		}
	case schemas.KindExec:
		if in.Exec == nil || in.File != nil || in.Network != nil || len(in.Exec.Commands) == 0 {
			return errors.New("input of kind exec holds exec, with commands, and nothing else")
		}
	default:
		return fmt.Errorf("input.kind is %.40q; a shim reports file and exec", in.Kind)
	}
	return nil
}

func fileOps() []schemas.FileOp {
	return []schemas.FileOp{
		schemas.OpRead, schemas.OpList, schemas.OpExec, schemas.OpStat, schemas.OpWrite, schemas.OpCreate, schemas.OpTruncate,
		schemas.OpDelete, schemas.OpRename, schemas.OpLink, schemas.OpChmod, schemas.OpChown, schemas.OpXattr, schemas.OpUtimes, schemas.OpMknod,
	}
}

// known tells codes of the table, and those of an extension, from others.
func known(c schemas.Code) bool {
	isCode := func(i schemas.CodeInfo) bool { return i.Code == c }
	return slices.ContainsFunc(schemas.Codes(), isCode) || strings.HasPrefix(string(c), "ext_") && len(c) <= 128
}

// stamped is the record as it is kept: what was decided, by the word of the
// shim, and whose it is, by the identity.
func stamped(r *schemas.Record, box adminapi.Sandbox, now time.Time) *schemas.Record {
	in, d := *r.Input, *r.Result
	in.Policy = box.Effective()
	in.Sandbox = schemas.Sandbox{ID: box.ID, Agent: box.Agent, Home: r.Input.Sandbox.Home}
	d.Policy = in.Policy
	return &schemas.Record{
		Labels:     labels(r.Labels),
		DecisionID: r.DecisionID,
		Bundles:    map[string]schemas.BundleInfo{"openshell": {Revision: d.Revision}},
		Path:       "openshell/decision",
		Input:      &in, Result: &d,
		Timestamp: within(r.Timestamp, box.Created, now),
		Custom: schemas.Custom{
			Type: schemas.RecordDecision, Sandbox: box.ID, Agent: box.Agent, Policy: box.Policy,
			Rule: d.Rule, Code: d.Code, Mode: d.Mode, Reason: reason(&d),
		},
	}
}

func reason(d *schemas.Decision) string {
	if d.Allow {
		return ""
	}
	return audit.Reason(d.Code, "", nil)
}

// labels keeps what the shim says of its own level.
func labels(said map[string]string) map[string]string {
	out := map[string]string{Label: "shim", "component": "shim"}
	for _, name := range []string{"level", "file_mode"} {
		if v := said[name]; v != "" && len(v) <= 32 && !strings.ContainsFunc(v, notPlain) {
			out[name] = v
		}
	}
	return out
}

func notPlain(c rune) bool { return (c < 'a' || c > 'z') && c != '_' && c != '-' }

// within holds a time to the life of the sandbox: a record cannot be dated to
// before it began, or to later than now.
func within(t, created, now time.Time) time.Time {
	if t.Before(created) || t.After(now) {
		return now
	}
	return t
}
