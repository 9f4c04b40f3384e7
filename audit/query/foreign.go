package query

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
)

// foreignEvent is a decision-log event as any OPA writes it, whatever its policy
// takes and answers.
type foreignEvent struct {
	Labels     map[string]string             `json:"labels"`
	DecisionID string                        `json:"decision_id"`
	Bundles    map[string]schemas.BundleInfo `json:"bundles"`
	Path       string                        `json:"path"`
	Input      json.RawMessage               `json:"input"`
	Result     json.RawMessage               `json:"result"`
	Erased     []string                      `json:"erased"`
	Masked     []string                      `json:"masked"`
	Metrics    map[string]any                `json:"metrics"`
	Timestamp  time.Time                     `json:"timestamp"`
	Custom     json.RawMessage               `json:"custom"`
}

// Convert returns the record that a decision-log event stands for: the event's
// own bytes if it is one of ours, else what can be told of it. ok is false for
// JSON that is no decision, such as another line of OPA's console.
func Convert(raw []byte, seq uint64) (line []byte, ok bool, err error) {
	fields, err := audit.ParseFields(raw)
	if err != nil {
		return nil, false, err
	}
	if len(fields.Type) > 0 && len(fields.Timestamp) > 0 {
		// ParseFields skips what it does not look for; a file may come from anywhere.
		if !json.Valid(raw) {
			return nil, false, errors.New("not JSON")
		}
		return raw, true, nil
	}
	if len(fields.DecisionID) == 0 {
		return nil, false, nil
	}
	r, err := foreign(raw, seq)
	if err != nil {
		return nil, false, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, false, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), true, nil
}

func foreign(raw []byte, seq uint64) (*schemas.Record, error) {
	var e foreignEvent
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, fmt.Errorf("not a decision-log event: %w", err)
	}
	r := &schemas.Record{
		Labels: e.Labels, DecisionID: e.DecisionID, Bundles: e.Bundles, Path: e.Path, Erased: e.Erased, Masked: e.Masked,
		Metrics: wholeNumbers(e.Metrics), Timestamp: e.Timestamp,
		Input: foreignInput(e.Input), Result: foreignResult(e.Result),
	}
	r.Custom = schemas.Custom{Type: schemas.RecordDecision, Seq: seq}
	c := &r.Custom
	if in := r.Input; in != nil {
		c.Sandbox, c.Agent, c.Policy = in.Sandbox.ID, in.Sandbox.Agent, in.Policy
	}
	if d := r.Result; d != nil {
		c.Rule, c.Code, c.Mode = d.Rule, d.Code, d.Mode
		if d.Policy != "" {
			c.Policy = d.Policy
		}
		if !d.Allow && d.Code != "" {
			c.Reason = audit.Reason(d.Code, method(r.Input), nil)
		}
	}
	return r, nil
}

func method(in *schemas.DecisionInput) string {
	if in == nil || in.Network == nil {
		return ""
	}
	return in.Network.Method
}

func wholeNumbers(m map[string]any) map[string]int64 {
	out := make(map[string]int64, len(m))
	for name, v := range m {
		if n, ok := v.(float64); ok {
			out[name] = int64(n)
		}
	}
	return out
}

// foreignInput is the input if it is one that our policies take.
func foreignInput(raw json.RawMessage) *schemas.DecisionInput {
	in := new(schemas.DecisionInput)
	if len(raw) == 0 || json.Unmarshal(raw, in) != nil {
		return nil
	}
	if in.Network == nil && in.File == nil && in.Exec == nil {
		return nil
	}
	return in
}

// foreignResult reads our decision, an object with allow, or a plain true or
// false; anything else says neither.
func foreignResult(raw json.RawMessage) *schemas.Decision {
	var allow struct {
		Allow *bool `json:"allow"`
	}
	text := strings.TrimSpace(string(raw))
	switch {
	case text == "true":
		return &schemas.Decision{Allow: true, Code: schemas.CodeAllowed}
	case text == "false":
		return &schemas.Decision{}
	case json.Unmarshal(raw, &allow) != nil || allow.Allow == nil:
		return nil
	}
	d := new(schemas.Decision)
	if json.Unmarshal(raw, d) != nil {
		d = &schemas.Decision{Allow: *allow.Allow}
	}
	if d.Allow && d.Code == "" {
		d.Code = schemas.CodeAllowed
	}
	return d
}
