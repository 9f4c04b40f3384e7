package audit

import (
	"fmt"

	"github.com/openshell-policy/openshell/schemas"
)

// encode renders the record as one line without a number and a newline, so that
// callers encode in parallel and only the writer orders.
func (l *line) encode(r *schemas.Record) ([]byte, error) {
	l.b = l.b[:0]
	if err := l.record(r); err != nil {
		return nil, fmt.Errorf("encode audit record: %w", err)
	}
	return l.b, nil
}
