package query

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
)

// Event is one record of one of the logs that are read. It is valid until the
// next.
type Event struct {
	Log    string // the path that it came from
	Seq    uint64 // its number in the log, or the line of a file
	Line   []byte // the record as one line of JSON
	Raw    []byte // what another program wrote, if it was not a record of ours
	Fields audit.Fields
}

// Time is the record's timestamp.
func (e *Event) Time() (time.Time, error) {
	return time.Parse(time.RFC3339Nano, string(e.Fields.Timestamp))
}

// Record decodes the event.
func (e *Event) Record() (*schemas.Record, error) {
	r := new(schemas.Record)
	if err := json.Unmarshal(e.Line, r); err != nil {
		return nil, fmt.Errorf("%s: record %d: %w", e.Log, e.Seq, err)
	}
	return r, nil
}
