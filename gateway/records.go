package gateway

import (
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// record writes the decision, once however often it is called, and returns why
// it could not be written.
func (ex *exchange) record() error {
	ex.recording.Do(func() {
		ex.recorded = true
		if ex.tunnel != nil {
			ex.tunnel.recorded.Store(true)
		}
		ex.fillInput()
		ex.g.metrics.decided(ex)
		r := ex.decisionRecord()
		if !ex.decision.Passes() {
			ex.mask(r)
		}
		ex.recordErr = ex.g.append(r)
	})
	return ex.recordErr
}

// mask takes secrets out of the record of a denial, by the generation that
// decided, and keeps what the client may be told. Other records are masked by the
// log, on no request's time.
func (ex *exchange) mask(r *schemas.Record) {
	if err := audit.MaskRecord(ex.g.base, r, maskRules(ex.gen)); err != nil {
		ex.g.log.Error("mask rules failed; the record holds nothing that they may name", "decision_id", ex.id, "error", err)
	}
	told := *r.Result
	ex.told = &told
}

// append waits until the record is written, whether or not the client waits.
func (g *Gateway) append(r *schemas.Record) error {
	err := g.audit.Append(g.base, r)
	if g.health.setAudit(err); err != nil {
		g.log.Error("decision not recorded", "decision_id", r.DecisionID, "error", err)
	}
	return err
}

// fillInput completes what a refusal before the canonical form left open.
func (ex *exchange) fillInput() {
	if ex.input.Host == "" {
		ex.input.Scheme, ex.input.Host, ex.input.Port = ex.dest.Scheme, ex.dest.Host, ex.dest.Port
	}
}

func (ex *exchange) decisionRecord() *schemas.Record {
	all := &struct { // one allocation instead of three
		record   schemas.Record
		input    schemas.DecisionInput
		decision schemas.Decision
	}{input: ex.question(), decision: ex.decision}
	all.input.Network = &ex.input
	r, d := &all.record, &all.decision
	ex.g.setRecord(r, ex.id, ex.box)
	r.Input, r.Result = &all.input, d
	r.Bundles = ex.g.bundleInfo(ex.gen.Revision())
	r.Metrics = map[string]int64{"timer_rego_query_eval_ns": ex.took.Nanoseconds()}
	r.Custom.Type = schemas.RecordDecision
	r.Custom.Rule, r.Custom.Code, r.Custom.Mode = d.Rule, d.Code, d.Mode
	if !d.Allow {
		r.Custom.Reason = audit.Reason(d.Code, ex.input.Method, ex.rule.Methods)
	}
	return r
}

// recordOutcome follows the record of an allowed request; nothing waits for it.
func (ex *exchange) recordOutcome(o schemas.Outcome) {
	o.DurationMS = time.Since(ex.start).Milliseconds()
	r := ex.g.newRecord(ex.id, ex.box)
	r.Custom.Type = schemas.RecordOutcome
	r.Custom.Code = ex.decision.Code
	r.Custom.Outcome = &o
	if err := ex.g.audit.Enqueue(ex.g.base, r); err != nil {
		ex.g.log.Error("outcome not recorded", "decision_id", ex.id, "error", err)
	}
}

func (g *Gateway) newRecord(id string, box adminapi.Sandbox) *schemas.Record {
	r := new(schemas.Record)
	g.setRecord(r, id, box)
	return r
}

func (g *Gateway) setRecord(r *schemas.Record, id string, box adminapi.Sandbox) {
	r.Labels, r.DecisionID, r.Path, r.Timestamp = g.labels, id, "openshell/decision", time.Now()
	r.Custom.Sandbox, r.Custom.Agent, r.Custom.Policy = box.ID, box.Agent, box.Policy
}

// bundleInfo is what records say of a revision. It is made once for each: records
// share the map, which nobody changes.
func (g *Gateway) bundleInfo(revision string) map[string]schemas.BundleInfo {
	if m := g.recordedBundle.Load(); m != nil && (*m)["openshell"].Revision == revision {
		return *m
	}
	m := map[string]schemas.BundleInfo{"openshell": {Revision: revision}}
	g.recordedBundle.Store(&m)
	return m
}

// closedConn is a refusal that no answer told the client of.
type closedConn struct {
	sandbox adminapi.Sandbox
	dest    destination
	method  string // "" CONNECT
	code    schemas.Code
	detail  string
}

// recordClosed records a connection that was closed without an answer.
func (g *Gateway) recordClosed(c closedConn) {
	ex := &exchange{g: g, id: newID(), box: c.sandbox, gen: g.engine.Current(), dest: c.dest}
	ex.input.Method = c.method
	ex.setRefusal(c.code, c.detail)
	_ = ex.record() // logged; there is nobody to tell
}
