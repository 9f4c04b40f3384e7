package gateway

import (
	"net/http"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/schemas"
)

// The actions of schemas.AdminAction.
const (
	actionCreate  = "create-sandbox"
	actionEnd     = "end-sandbox"
	actionRotate  = "rotate-token"
	actionBind    = "set-policy"
	actionApply   = "apply-policy"
	actionDelete  = "delete-policy"
	pathAdmin     = "openshell/admin"
	sandboxPrefix = "sb-"
)

// recordAction writes what is about to be done; false means that the log cannot
// be written and the request has been answered: nothing unrecorded is done.
func (g *Gateway) recordAction(w http.ResponseWriter, r *http.Request, a schemas.AdminAction) bool {
	a.Actor = actor(r)
	if err := g.append(g.actionRecord(a)); err != nil {
		adminFail(w, http.StatusServiceUnavailable, string(schemas.CodeAuditUnavailable), "the change was not made: it cannot be recorded")
		return false
	}
	return true
}

// recordFailure follows the record of an action that was then refused.
func (g *Gateway) recordFailure(r *http.Request, a schemas.AdminAction, err error) {
	a.Actor, a.Error = actor(r), err.Error()
	_ = g.append(g.actionRecord(a)) // logged; the refusal is answered anyway
}

func (g *Gateway) actionRecord(a schemas.AdminAction) *schemas.Record {
	record := &schemas.Record{
		Labels: g.labels, DecisionID: newID(), Path: pathAdmin, Timestamp: time.Now(),
		Custom: schemas.Custom{Type: schemas.RecordAdmin, Admin: &a},
	}
	if strings.HasPrefix(a.Target, sandboxPrefix) {
		record.Custom.Sandbox = a.Target
	}
	return record
}
