package query

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
)

// Filter selects records; the zero value selects all. Every field that is set
// must match.
type Filter struct {
	Since, Until time.Time // Since included, Until not
	Type         string    // decision, outcome, admin, …
	Sandbox      string    // as sb-a1b2c3 or a1b2c3
	Policy       string
	Kind         string // network, file or exec
	Decision     string // allow, deny, audit, or violation for the last two
	Code         string
	Host         string // exact, or with * and ? for any characters
	Method       string // or file operation
	Rule         string // id
	Text         string // anywhere in the record, as it is written
}

// Decisions are the values of Filter.Decision.
var Decisions = []string{"allow", "deny", "audit", "violation"}

// Check tells what is wrong with a filter's words.
func (f *Filter) Check() error {
	switch {
	case f.Decision != "" && !slices.Contains(Decisions, f.Decision):
		return fmt.Errorf("decision %q is not one of %s", f.Decision, strings.Join(Decisions, ", "))
	case f.Kind != "" && !slices.Contains([]string{"network", "file", "exec"}, f.Kind):
		return fmt.Errorf("kind %q is not one of network, file, exec", f.Kind)
	case !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until):
		return fmt.Errorf("the time from %s to %s is empty", f.Since.Format(time.RFC3339), f.Until.Format(time.RFC3339))
	}
	if f.Code != "" && !strings.HasPrefix(f.Code, "ext_") && !slices.ContainsFunc(schemas.Codes(), func(c schemas.CodeInfo) bool { return string(c.Code) == f.Code }) {
		return fmt.Errorf("code %q is not a decision code", f.Code)
	}
	if _, err := path.Match(f.Host, ""); err != nil {
		return fmt.Errorf("host %q: malformed pattern", f.Host)
	}
	return nil
}

// matcher is a filter made ready. Needles are what a line that matches must hold,
// members what it must hold if it is canonical: looking for bytes costs a fiftieth
// of reading fields.
type matcher struct {
	Filter
	needles [][]byte
	members [][]byte
	pattern bool // Host is one
	sandbox string
	text    []byte
	skipped int               // lines of files that hold no decision
	last    map[string]uint64 // number of the last record that was read, by log
}

func newMatcher(f Filter) *matcher {
	m := &matcher{Filter: f, last: map[string]uint64{}, pattern: strings.ContainsAny(f.Host, `*?[\`)}
	m.Host, m.sandbox = strings.ToLower(f.Host), strings.TrimPrefix(f.Sandbox, "sb-")
	for _, s := range []string{m.sandbox, f.Policy, f.Code, f.Rule, f.Text} {
		if s != "" {
			m.needles = append(m.needles, escaped(s))
		}
	}
	if f.Host != "" && !m.pattern {
		m.needles = append(m.needles, escaped(m.Host))
	}
	if f.Text != "" {
		m.text = escaped(f.Text)
	}
	if f.Type != "" {
		m.members = append(m.members, []byte(`"type":"`+f.Type+`"`))
	}
	if f.Kind != "" {
		m.members = append(m.members, []byte(`"kind":"`+f.Kind+`"`))
	}
	switch f.Decision {
	case "allow":
		m.members = append(m.members, []byte(`"allow":true`))
	case "deny", "audit", "violation":
		m.members = append(m.members, []byte(`"allow":false`))
	}
	return m
}

// escaped is a text as records hold it: in JSON, without the quotes.
func escaped(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string can be encoded
	text := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	return text[1 : len(text)-1]
}

// may tells whether a line can match. What package audit writes has no space
// between a name and its value.
func (m *matcher) may(line []byte) bool {
	if !holds(line, m.needles) {
		return false
	}
	if len(m.members) == 0 || holds(line, m.members) {
		return true
	}
	return !bytes.HasPrefix(line, []byte(`{"labels":`)) || bytes.Contains(line, []byte(`": `)) || bytes.Contains(line, []byte(`" :`))
}

func holds(line []byte, all [][]byte) bool {
	for _, n := range all {
		if !bytes.Contains(line, n) {
			return false
		}
	}
	return true
}

// match decides on an event whose fields are known.
func (m *matcher) match(e *Event) bool {
	f := &e.Fields
	switch {
	case m.Type != "" && string(f.Type) != m.Type,
		m.sandbox != "" && strings.TrimPrefix(audit.Text(f.Sandbox), "sb-") != m.sandbox,
		m.Policy != "" && audit.Text(f.Policy) != m.Policy,
		m.Kind != "" && string(f.Kind) != m.Kind,
		m.Code != "" && string(f.Code) != m.Code,
		m.Method != "" && !strings.EqualFold(audit.Text(f.Method), m.Method),
		m.Rule != "" && audit.Text(f.Rule) != m.Rule,
		m.Host != "" && !m.host(audit.Text(f.Host)),
		m.Decision != "" && !m.verdict(f.Verdict()),
		m.text != nil && !bytes.Contains(e.Line, m.text):
		return false
	}
	return m.inTime(e)
}

func (m *matcher) host(h string) bool {
	if !m.pattern {
		return strings.EqualFold(h, m.Host)
	}
	ok, err := path.Match(m.Host, h)
	return ok && err == nil
}

func (m *matcher) verdict(v string) bool {
	return v == m.Decision || m.Decision == "violation" && (v == "deny" || v == "audit")
}

func (m *matcher) inTime(e *Event) bool {
	if m.Since.IsZero() && m.Until.IsZero() {
		return true
	}
	t, err := e.Time()
	return err == nil && !t.Before(m.Since) && (m.Until.IsZero() || t.Before(m.Until))
}
