package sink

import (
	"bytes"
	"context"
)

// OPA uploads records as OPA does: gzip-compressed arrays of decision-log events
// by POST, to an address that ends in /logs by convention.
type OPA struct{ HTTP }

// Send uploads records.
func (o *OPA) Send(ctx context.Context, records []Record) (int, error) {
	return o.send(ctx, records, "application/json", events, nil)
}

func events(records []Record) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('[')
	for i, r := range records {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(r.Line)
	}
	b.WriteByte(']')
	return b.Bytes(), nil
}
