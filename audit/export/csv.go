package export

import (
	"strconv"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/audit/query"
	"github.com/openshell-policy/openshell/schemas"
)

// columns are the columns of the CSV, in order.
var columns = []string{
	"time", "log", "seq", "type", "decision_id", "sandbox", "agent", "policy", "kind", "decision", "mode", "code", "rule", "source",
	"scheme", "host", "port", "method", "path", "command", "message", "status", "bytes", "duration_ms", "error", "revision",
}

// Write writes one row.
func (t *table) Write(e *query.Event) error {
	r, err := e.Record()
	if err != nil {
		return err
	}
	row := make(map[string]string, len(columns))
	c := &r.Custom
	row["time"], row["log"], row["seq"] = r.Timestamp.UTC().Format(time.RFC3339Nano), e.Log, strconv.FormatUint(e.Seq, 10)
	row["type"], row["decision_id"] = c.Type, r.DecisionID
	row["sandbox"], row["agent"], row["policy"] = c.Sandbox, c.Agent, c.Policy
	row["decision"], row["code"], row["rule"], row["mode"] = e.Fields.Verdict(), string(c.Code), c.Rule, string(c.Mode)
	if d := r.Result; d != nil {
		row["message"], row["revision"] = d.Message, d.Revision
		if d.Source != nil {
			row["source"] = d.Source.File + ":" + strconv.Itoa(d.Source.Line)
		}
	}
	inputCells(row, r.Input)
	if o := c.Outcome; o != nil {
		row["status"], row["bytes"] = strconv.Itoa(o.Status), strconv.FormatInt(o.Bytes, 10)
		row["duration_ms"], row["error"] = strconv.FormatInt(o.DurationMS, 10), o.Error
	}
	cells := make([]string, len(columns))
	for i, name := range columns {
		cells[i] = Cell(row[name])
	}
	return t.w.Write(cells)
}

func inputCells(row map[string]string, in *schemas.DecisionInput) {
	if in == nil {
		return
	}
	row["kind"] = string(in.Kind)
	switch {
	case in.Network != nil:
		n := in.Network
		row["scheme"], row["host"], row["port"], row["method"], row["path"] = n.Scheme, n.Host, strconv.Itoa(n.Port), n.Method, n.Path
	case in.File != nil:
		row["method"], row["path"] = string(in.File.Op), in.File.Path
	case in.Exec != nil:
		row["method"], row["command"] = "exec", strings.TrimPrefix(audit.Action(in), "EXEC ")
	}
}

// Cell makes text safe in a spreadsheet, which takes a cell that begins with =,
// +, - or @ for a formula, also behind spaces: such a cell gets a quote before it.
// Control characters are shown as \xHH.
func Cell(s string) string {
	s = audit.Printable(s)
	switch trimmed := strings.TrimLeft(s, " \"'"); {
	case trimmed == "":
		return s
	case strings.ContainsRune("=+-@|%", rune(trimmed[0])), strings.HasPrefix(trimmed, "＝"), strings.HasPrefix(trimmed, "＋"),
		strings.HasPrefix(trimmed, "－"), strings.HasPrefix(trimmed, "＠"), strings.HasPrefix(trimmed, "−"):
		return "'" + s
	}
	return s
}
