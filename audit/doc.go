// Package audit writes and reads decision logs: newline-delimited JSON, one
// schemas.Record a line, in the shape of OPA's decision-log event. Secrets are
// masked before a record is written (Mask), and what people read is printed with
// every control character neutralised (Line).
package audit
