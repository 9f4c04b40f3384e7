package audit

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/schemas"
)

// note is the line of a record that is neither a decision nor an outcome,
// without its time.
func note(r *schemas.Record) string {
	c := &r.Custom
	switch {
	case c.Admin != nil:
		return adminNote(c.Admin)
	case c.Recovered != nil:
		return fmt.Sprintf("LOG not closed before: %d bytes cut, %d records that no checkpoint covered, at most %d lost", c.Recovered.CutBytes, c.Recovered.Unsigned, c.Recovered.MayLack)
	case c.Pruned != nil:
		return fmt.Sprintf("LOG records up to %d deleted (%s)", c.Pruned.Through, Printable(c.Pruned.Reason))
	}
	return "LOG " + Printable(c.Type)
}

func adminNote(a *schemas.AdminAction) string {
	words := []string{"ADMIN", Printable(a.Action)}
	for _, w := range []string{a.Target, a.Detail} {
		if w != "" {
			words = append(words, Printable(w))
		}
	}
	s := strings.Join(words, " ") + " (" + Printable(a.Actor) + ")"
	if a.Error != "" {
		s += " refused: " + Printable(a.Error)
	}
	return s
}

// Lines prints records one after the other, with a line that names the date
// ("2006-01-02") before the first record of each further day. With
// LineOptions.Wide an allowed request that failed upstream gets a second line:
//
//	"[" HH:MM:SS "]" SP action SP "⚠️" SP "FAILED" SP "(" why ")" SP "after" SP time
//
// with Plain without the sign.
type Lines struct {
	Options LineOptions

	day     string
	actions map[string]string // of allowed requests, by decision
	order   []string          // of those, the oldest first
}

// pendingActions bounds how many requests Lines remembers until they end.
const pendingActions = 4096

// Next returns what to print for the next record: no, one or two lines.
func (l *Lines) Next(r *schemas.Record) []string {
	line := l.line(r)
	if line == "" {
		return nil
	}
	day := l.Options.clock(r.Timestamp).Format(time.DateOnly)
	before := l.day
	l.day = day
	if before != "" && before != day {
		return []string{day, line}
	}
	return []string{line}
}

func (l *Lines) line(r *schemas.Record) string {
	if !l.Options.Wide {
		return Line(r, l.Options)
	}
	if r.Custom.Type == schemas.RecordOutcome {
		return l.failure(r)
	}
	if r.Result != nil && r.Result.Passes() {
		l.remember(r.DecisionID, Action(r.Input))
	}
	return Line(r, l.Options)
}

func (l *Lines) remember(id, action string) {
	if l.actions == nil {
		l.actions = map[string]string{}
	}
	if len(l.order) >= pendingActions {
		delete(l.actions, l.order[0])
		l.order = l.order[1:]
	}
	l.actions[id] = action
	l.order = append(l.order, id)
}

// failure is the line of an outcome that is an error or a status of 500 or more.
func (l *Lines) failure(r *schemas.Record) string {
	action := l.actions[r.DecisionID]
	delete(l.actions, r.DecisionID)
	o := r.Custom.Outcome
	if o == nil || o.Error == "" && o.Status < 500 {
		return ""
	}
	if action == "" {
		action = "request " + Printable(r.DecisionID) // its decision is not shown
	}
	why := Printable(o.Error)
	if o.Error == "" {
		why = "upstream answered " + strconv.Itoa(o.Status)
	}
	sign := "⚠️ FAILED"
	if l.Options.Plain {
		sign = "FAILED"
	}
	return fmt.Sprintf("%s%s %s (%s) after %d ms", l.Options.stamp(r), action, sign, why, o.DurationMS)
}
