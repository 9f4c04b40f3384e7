package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/audit/query"
	"github.com/openshell-policy/openshell/compiler/exact"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// Question is one input that logs hold, with how often and how it was decided.
type Question struct {
	Input schemas.DecisionInput
	// Readings are all readings of a request, the recorded one among them.
	Readings []schemas.NetworkInput
	Asked    []Occurrence // by what was decided

	raw    []byte // the recorded input, until it is decoded
	policy string
	bad    string // why it cannot be replayed
}

// Occurrence says how often one decision was recorded of a Question.
type Occurrence struct {
	Verdict     string // allow, deny, or audit
	Code        schemas.Code
	Rule        string
	Count       int
	First, Last time.Time
	Log         string // of the first record
	Seq         uint64
}

// Asks is the policy that the records name, which Target is asked for.
func (q *Question) Asks() string { return q.policy }

// Decide decides the question, in all readings, under the policy of a name.
func (q *Question) Decide(ctx context.Context, e Evaluator, policy string) schemas.Decision {
	q.Input.Policy = policy
	if len(q.Readings) == 0 {
		return e.Decide(ctx, &q.Input)
	}
	in := q.Input
	in.Network = nil
	d, _ := e.DecideReadings(ctx, in, q.Readings)
	return d
}

// Text says what was asked, as eval takes it.
func (q *Question) Text() string {
	switch in := &q.Input; {
	case in.Network != nil:
		r := request(in.Network)
		return in.Network.Method + " " + r.URL()
	case in.File != nil && in.File.Target != nil:
		return fmt.Sprintf("%s %s %s", in.File.Op, in.File.Path, in.File.Target.Path)
	case in.File != nil:
		return fmt.Sprintf("%s %s", in.File.Op, in.File.Path)
	case in.Exec != nil:
		return CommandLine(in.Exec)
	}
	return string(q.Input.Kind)
}

// CommandLine writes an execution as one line, without what its commands start in
// turn; the parts of a pipeline are joined by "|".
func CommandLine(x *schemas.ExecInput) string {
	var b strings.Builder
	for i, c := range x.Commands {
		switch {
		case c.Origin == "carried":
			continue
		case i == 0:
		case len(c.Upstream) > 0:
			b.WriteString(" | ")
		default:
			b.WriteString("; ")
		}
		name := c.Named
		if name == "" {
			name = c.Program
		}
		b.WriteString(strings.Join(append([]string{name}, c.Args...), " "))
	}
	return b.String()
}

// decidedByPolicy tells the codes that policies give from those of what enforces
// them.
func decidedByPolicy(code schemas.Code) bool {
	switch code {
	case schemas.CodePrivateAddress, schemas.CodeNoPolicy, schemas.CodeIdentityRequired, schemas.CodeUnknownSandbox,
		schemas.CodePolicyError, schemas.CodeIdentityMismatch, schemas.CodeAuthorityMismatch, schemas.CodeAuditUnavailable,
		schemas.CodeUpstreamError, schemas.CodeLimitExceeded, schemas.CodeExecRace, schemas.CodeRestartRequired:
		return false
	}
	return true
}

// refusal says why a record cannot be replayed, "" if it may be.
func refusal(f *audit.Fields) string {
	switch {
	case f.Input == nil:
		return "the record holds no input"
	case !decidedByPolicy(schemas.Code(f.Code)):
		return "decided by what was seen at the time (" + string(f.Code) + "), not by the policy"
	}
	for _, list := range [][]byte{f.Erased, f.Masked} {
		if len(list) == 0 {
			continue
		}
		var pointers []string
		if err := json.Unmarshal(list, &pointers); err != nil {
			return "what was masked or erased cannot be read"
		}
		for _, pointer := range pointers {
			if strings.HasPrefix(pointer, "/input") {
				return "the input was masked or erased (" + pointer + ")"
			}
		}
	}
	return ""
}

// key identifies a question: the recorded input and the policy that is asked.
func key(seed maphash.Seed, policy string, raw []byte) [2]uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	_, _ = h.WriteString(policy)
	_ = h.WriteByte(0)
	_, _ = h.Write(raw)
	a := h.Sum64()
	_ = h.WriteByte(1)
	return [2]uint64{a, h.Sum64()}
}

// decode reads the recorded input and, of a request, every way in which it can be
// read.
func (q *Question) decode() {
	if err := json.Unmarshal(q.raw, &q.Input); err != nil {
		q.bad = "the recorded input is none"
		return
	}
	q.raw = nil
	in := &q.Input
	switch {
	case in.Kind == schemas.KindNetwork && in.Network != nil:
		q.bad = q.read()
	case in.Kind == schemas.KindFile && in.File != nil, in.Kind == schemas.KindExec && in.Exec != nil:
	default:
		q.bad = "the recorded input is none"
	}
}

// read makes the readings of a request. A tunnel that was opened and not read
// inside is recorded as CONNECT without a path, and was decided as GET /.
func (q *Question) read() string {
	n := q.Input.Network
	r := request(n).Canon()
	r.ContentLength = n.ContentLength
	if n.Method == "CONNECT" {
		r.Method, r.RawPath = "GET", "/"
	}
	c, err := canon.Network(r)
	if err != nil {
		return "the request is one that is refused before any policy is asked"
	}
	q.Readings = c.Readings
	for i := range c.Readings {
		if n.Method == "CONNECT" || c.Readings[i].Path == n.Path && maps.EqualFunc(c.Readings[i].Query, n.Query, slices.Equal) {
			return ""
		}
	}
	return "the recorded input is not canonical"
}

func request(n *schemas.NetworkInput) *exact.Request {
	r := &exact.Request{
		Method: n.Method, Scheme: n.Scheme, Host: n.Host, Port: n.Port, WebSocket: n.WebSocket,
		Binary: n.Binary, Ancestors: n.Ancestors, Query: map[string][]string{},
	}
	for k, values := range n.Query {
		for _, v := range values {
			r.Query[unescape(k)] = append(r.Query[unescape(k)], unescape(v))
		}
	}
	if n.Path != "" {
		r.Path = encodePath(n.Path)
	}
	return r
}

// encodePath writes a path as it is sent, of the form that policies compare.
func encodePath(path string) string {
	var b strings.Builder
	path = unescape(path)
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '%' && (strings.HasPrefix(path[i:], "%2F") || strings.HasPrefix(path[i:], "%25")):
			b.WriteByte(c)
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("/-._~!$&'()*+,;=:@", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// unescape undoes canon.Escape: doubled backslashes and \xHH.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if v, err := strconv.ParseUint(s[min(i+2, len(s)):min(i+4, len(s))], 16, 8); s[i+1] == 'x' && err == nil {
				b, i = append(b, byte(v)), i+3
				continue
			}
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

func occurrence(e *query.Event) (Occurrence, error) {
	at, err := e.Time()
	if err != nil {
		return Occurrence{}, fmt.Errorf("%s: record %d: %w", e.Log, e.Seq, err)
	}
	f := &e.Fields
	return Occurrence{
		Verdict: f.Verdict(), Code: schemas.Code(f.Code), Rule: string(f.Rule), Count: 1,
		First: at, Last: at, Log: e.Log, Seq: e.Seq,
	}, nil
}

// add counts one more record.
func (q *Question) add(o *Occurrence) {
	for i := range q.Asked {
		a := &q.Asked[i]
		if a.Verdict != o.Verdict || a.Code != o.Code || a.Rule != o.Rule {
			continue
		}
		a.Count++
		if o.First.Before(a.First) {
			a.First = o.First
		}
		if o.Last.After(a.Last) {
			a.Last = o.Last
		}
		return
	}
	q.Asked = append(q.Asked, *o)
}
