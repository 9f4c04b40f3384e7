package shim

import (
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
)

// quiet is how long the same decision about a file, for the same program, is not
// recorded again.
const quiet = 10 * time.Second

// recent remembers what was recorded.
type recent struct {
	mu   sync.Mutex
	last map[recentKey]time.Time
}

type recentKey struct {
	program, path, target string
	op                    schemas.FileOp
	code                  schemas.Code
	revision              string
}

func (r *recent) init() { r.last = map[recentKey]time.Time{} }

// maxRecent bounds the memory; past it everything is recorded again once.
const maxRecent = 8192

func (r *recent) first(k recentKey) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if at, ok := r.last[k]; ok && now.Sub(at) < quiet {
		return false
	}
	if len(r.last) >= maxRecent {
		clear(r.last)
	}
	r.last[k] = now
	return true
}

// forget has the decision recorded again the next time.
func (r *recent) forget(k recentKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.last, k)
}

// recordFile records a decision about a file: each denial and each change, reads
// only if they are asked for. The same one, by the same program, once in ten
// seconds.
func (c *call) recordFile(in *schemas.DecisionInput, d *schemas.Decision) {
	if c.s.opts.Record == nil {
		return
	}
	reading := in.File.Op == schemas.OpRead || in.File.Op == schemas.OpList || in.File.Op == schemas.OpExec || in.File.Op == schemas.OpStat
	if d.Allow && reading && (!c.s.opts.Reads || d.Rule == schemas.RuleBaseline) {
		return
	}
	program, _ := c.link("exe") // "" where it ended meanwhile
	k := recentKey{program: program, path: in.File.Path, op: in.File.Op, code: d.Code, revision: d.Revision}
	if in.File.Target != nil {
		k.target = in.File.Target.Path
	}
	if c.s.recent.first(k) {
		if c.record(in, d); d.Code == schemas.CodeAuditUnavailable {
			c.s.recent.forget(k)
		}
	}
}

// record hands a decision to the log. One that lets the call pass and cannot be
// recorded becomes a denial.
func (c *call) record(in *schemas.DecisionInput, d *schemas.Decision) {
	if c.s.opts.Record == nil {
		return
	}
	result := *d
	r := &schemas.Record{
		Labels:  map[string]string{"component": "shim", "level": string(c.s.opts.Config.Level), "file_mode": string(c.s.opts.Config.Mode)},
		Bundles: map[string]schemas.BundleInfo{"openshell": {Revision: d.Revision}}, DecisionID: uuid.NewString(),
		Path: "openshell/decision", Timestamp: time.Now(), Input: in, Result: &result,
		Custom: schemas.Custom{
			Type: schemas.RecordDecision, Sandbox: c.s.opts.Sandbox.ID, Agent: c.s.opts.Sandbox.Agent, Policy: c.policy.Name,
			Rule: d.Rule, Code: d.Code, Mode: d.Mode,
		},
	}
	if !d.Allow {
		r.Custom.Reason = audit.Reason(d.Code, "", nil)
	}
	if err := c.s.opts.Record(r); err != nil && d.Passes() {
		*d = c.denial(schemas.CodeAuditUnavailable, schemas.CodeAuditUnavailable.Info().Template)
	}
}

// denial is a decision that the shim makes itself.
func (c *call) denial(code schemas.Code, message string) schemas.Decision {
	return schemas.Decision{
		Mode: schemas.ModeEnforce, Code: code, Message: message, Rule: schemas.RuleDefault,
		Policy: c.policy.Name, Revision: c.policy.Revision(),
	}
}
