package gateway

import (
	"net/http"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// takeUsage counts what the supervisor of a sandbox decided by itself, and shows
// what the sandbox uses.
func (g *Gateway) takeUsage(w http.ResponseWriter, r *http.Request) {
	var in adminapi.Usage
	if !adminBody(w, r, &in) {
		return
	}
	box, err := g.people.find(r.PathValue("id"))
	if err != nil {
		adminError(w, err)
		return
	}
	if box.Status != adminapi.StatusRunning {
		adminFail(w, http.StatusConflict, "ended", "the sandbox has ended")
		return
	}
	g.metrics.used(box, in)
	adminAnswer(w, http.StatusOK, box)
}

// used takes a report of a sandbox.
func (m *metrics) used(box adminapi.Sandbox, u adminapi.Usage) {
	m.cpu.WithLabelValues(box.ID).Set(u.CPUCores)
	m.memory.WithLabelValues(box.ID).Set(float64(u.MemoryBytes))
	for _, a := range u.Actions {
		m.acted(box, a)
	}
}

// acted counts what a sandbox's shim decided.
func (m *metrics) acted(box adminapi.Sandbox, a adminapi.ActionCount) {
	if a.Kind != schemas.KindFile && a.Kind != schemas.KindExec || a.Count <= 0 {
		return
	}
	verdict := "allowed"
	if !a.Allow {
		verdict = "denied"
		if a.Mode == schemas.ModeAudit {
			verdict = "audited"
		}
		m.violations.WithLabelValues(box.Policy, string(a.Kind), string(knownCode(a.Code)), string(a.Mode)).Add(float64(a.Count))
	}
	m.actions.WithLabelValues(string(a.Kind), verdict, m.knownAgent(box.Agent)).Add(float64(a.Count))
}

// reported counts what a shim sent.
func (m *metrics) reported(box adminapi.Sandbox, records []*schemas.Record) {
	counts := map[adminapi.ActionCount]int{}
	for _, r := range records {
		d := r.Result
		counts[adminapi.ActionCount{Kind: r.Input.Kind, Allow: d.Allow, Code: d.Code, Mode: d.Mode}]++
	}
	for a, n := range counts {
		a.Count = n
		m.acted(box, a)
	}
}

// gone forgets what only a running sandbox uses.
func (m *metrics) gone(id string) {
	m.cpu.DeleteLabelValues(id)
	m.memory.DeleteLabelValues(id)
}

// knownCode bounds the label to the codes of the table.
func knownCode(c schemas.Code) schemas.Code {
	for _, known := range schemas.Codes() {
		if known.Code == c {
			return c
		}
	}
	return "other"
}
