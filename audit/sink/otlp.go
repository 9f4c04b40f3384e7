package sink

import (
	"context"
	"errors"
	"fmt"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/openshell-policy/openshell/audit"
)

// OTLP sends records as OpenTelemetry logs (OTLP/HTTP in protobuf), one log
// record each: the record's JSON as the body, what people filter by as
// attributes.
type OTLP struct {
	HTTP
	Service string // service.name; "" is openshell-gateway
	Log     string // openshell.log.origin, the log's name
	now     func() time.Time
}

// Send exports records. A part that the receiver rejects is not sent again, as
// the protocol asks.
func (o *OTLP) Send(ctx context.Context, records []Record) (int, error) {
	return o.send(ctx, records, "application/x-protobuf", o.encode, partial)
}

// encode makes an ExportLogsServiceRequest, which has the wire form of LogsData.
func (o *OTLP) encode(records []Record) ([]byte, error) {
	now := time.Now
	if o.now != nil {
		now = o.now
	}
	service := o.Service
	if service == "" {
		service = "openshell-gateway"
	}
	scope := &logs.ScopeLogs{Scope: &common.InstrumentationScope{Name: "github.com/openshell-policy/openshell/audit"}}
	observed := uint64(now().UnixNano())
	for _, r := range records {
		rec, err := logRecord(r)
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", r.Seq, err)
		}
		rec.ObservedTimeUnixNano = observed
		scope.LogRecords = append(scope.LogRecords, rec)
	}
	return proto.Marshal(&logs.LogsData{ResourceLogs: []*logs.ResourceLogs{{
		Resource:  &resource.Resource{Attributes: []*common.KeyValue{text("service.name", service), text("openshell.log.origin", o.Log)}},
		ScopeLogs: []*logs.ScopeLogs{scope},
	}}})
}

func logRecord(r Record) (*logs.LogRecord, error) {
	f, err := audit.ParseFields(r.Line)
	if err != nil {
		return nil, err
	}
	at, err := time.Parse(time.RFC3339Nano, string(f.Timestamp))
	if err != nil {
		return nil, err
	}
	out := &logs.LogRecord{
		TimeUnixNano: uint64(at.UnixNano()), EventName: "openshell." + string(f.Type),
		SeverityNumber: logs.SeverityNumber_SEVERITY_NUMBER_INFO, SeverityText: "INFO",
		Body: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: string(r.Line)}},
	}
	if v := f.Verdict(); v == "deny" || v == "audit" {
		out.SeverityNumber, out.SeverityText = logs.SeverityNumber_SEVERITY_NUMBER_WARN, "WARN"
	}
	for _, a := range []struct {
		name string
		raw  []byte
	}{
		{"openshell.decision_id", f.DecisionID},
		{"openshell.type", f.Type},
		{"openshell.sandbox", f.Sandbox},
		{"openshell.agent", f.Agent},
		{"openshell.policy", f.Policy},
		{"openshell.rule", f.Rule},
		{"openshell.code", f.Code},
		{"openshell.kind", f.Kind},
		{"openshell.verdict", []byte(f.Verdict())},
		{"server.address", f.Host},
		{"http.request.method", f.Method},
		{"url.path", f.Path},
	} {
		if len(a.raw) > 0 {
			out.Attributes = append(out.Attributes, text(a.name, audit.Text(a.raw)))
		}
	}
	out.Attributes = append(out.Attributes, &common.KeyValue{
		Key: "openshell.seq", Value: &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: int64(r.Seq)}},
	})
	return out, nil
}

func text(key, value string) *common.KeyValue {
	return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value}}}
}

// partial reads the rejected records of an ExportLogsServiceResponse: field 1 is
// partial_success, its field 1 how many, its field 2 why.
func partial(answer []byte) error {
	inner, err := field(answer, 1)
	if err != nil || inner == nil {
		return nil // an answer that says nothing of rejected records
	}
	rejected, why := uint64(0), ""
	for len(inner) > 0 {
		num, typ, n := protowire.ConsumeTag(inner)
		if n < 0 {
			return nil
		}
		inner = inner[n:]
		switch {
		case num == 1 && typ == protowire.VarintType:
			rejected, n = protowire.ConsumeVarint(inner)
		case num == 2 && typ == protowire.BytesType:
			var b []byte
			b, n = protowire.ConsumeBytes(inner)
			why = string(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, inner)
		}
		if n < 0 {
			return nil
		}
		inner = inner[n:]
	}
	if rejected == 0 {
		return nil
	}
	return &PartialError{Rejected: rejected, Why: why}
}

var errWire = errors.New("malformed protobuf")

// field returns a field of a message that is bytes.
func field(b []byte, want protowire.Number) ([]byte, error) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, errWire
		}
		b = b[n:]
		if num == want && typ == protowire.BytesType {
			v, m := protowire.ConsumeBytes(b)
			if m < 0 {
				return nil, errWire
			}
			return v, nil
		}
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return nil, errWire
		}
		b = b[n:]
	}
	return nil, nil
}
