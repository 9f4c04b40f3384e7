package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/openshell-policy/openshell/schemas"
)

// Fields are the members of a record that filters and counts look at. Texts are
// as in JSON, without quotes and with escapes left in (Text decodes one); they
// are parts of the line.
type Fields struct {
	Type, Sandbox, Agent, Policy, Rule, Code, Mode []byte // of custom
	Reason, DecisionID, Timestamp                  []byte
	Kind, AsksPolicy                               []byte // of input: network, file or exec; the policy that is asked
	Input, Erased, Masked                          []byte // as JSON, nil where there is none
	Scheme, Host, Method, Path                     []byte // of input.network, and the method and path of a file: its op and path
	Seq                                            uint64
	HasResult, Allow                               bool
	ResultMode                                     []byte
}

// Verdict is "allow", "deny", or "audit" for a denial that mode audit let pass;
// "" for a record that holds no decision.
func (f *Fields) Verdict() string {
	switch {
	case !f.HasResult:
		return ""
	case f.Allow:
		return "allow"
	}
	d := schemas.Decision{Mode: schemas.Mode(f.ResultMode), Code: schemas.Code(f.Code)}
	if d.Passes() {
		return "audit"
	}
	return "deny"
}

// Text decodes a text of Fields.
func Text(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw)
	}
	var s string
	if err := json.Unmarshal(append(append([]byte{'"'}, raw...), '"'), &s); err != nil {
		return string(raw)
	}
	return s
}

var errNotJSON = errors.New("not a record: malformed JSON")

// ParseFields reads the Fields of a record, whatever the order of its members,
// without decoding the rest. Duplicate members are not refused: the last counts,
// as with encoding/json.
func ParseFields(line []byte) (f Fields, err error) {
	s := scanner{b: line}
	s.object(func(name []byte) {
		switch string(name) {
		case "decision_id":
			f.DecisionID = s.text()
		case "timestamp":
			f.Timestamp = s.text()
		case "input":
			from := s.at
			if s.object(func(name []byte) { f.input(&s, name) }) {
				f.Input = s.b[from:s.at]
			}
		case "erased":
			f.Erased = s.raw()
		case "masked":
			f.Masked = s.raw()
		case "result":
			f.HasResult = s.object(func(name []byte) { f.result(&s, name) })
		case "custom":
			s.object(func(name []byte) { f.custom(&s, name) })
		default:
			s.skip()
		}
	})
	if s.space(); s.bad || s.at != len(line) {
		return Fields{}, errNotJSON
	}
	return f, nil
}

func (f *Fields) input(s *scanner, name []byte) {
	switch string(name) {
	case "kind":
		f.Kind = s.text()
	case "policy":
		f.AsksPolicy = s.text()
	case "network":
		s.object(func(name []byte) {
			switch string(name) {
			case "scheme":
				f.Scheme = s.text()
			case "host":
				f.Host = s.text()
			case "method":
				f.Method = s.text()
			case "path":
				f.Path = s.text()
			default:
				s.skip()
			}
		})
	case "file":
		s.object(func(name []byte) {
			switch string(name) {
			case "op":
				f.Method = s.text()
			case "path":
				f.Path = s.text()
			default:
				s.skip()
			}
		})
	default:
		s.skip()
	}
}

func (f *Fields) result(s *scanner, name []byte) {
	switch string(name) {
	case "allow":
		f.Allow = s.at < len(s.b) && s.b[s.at] == 't'
		s.skip()
	case "mode":
		f.ResultMode = s.text()
	default:
		s.skip()
	}
}

func (f *Fields) custom(s *scanner, name []byte) {
	switch string(name) {
	case "type":
		f.Type = s.text()
	case "sandbox":
		f.Sandbox = s.text()
	case "agent":
		f.Agent = s.text()
	case "policy":
		f.Policy = s.text()
	case "rule":
		f.Rule = s.text()
	case "code":
		f.Code = s.text()
	case "mode":
		f.Mode = s.text()
	case "reason":
		f.Reason = s.text()
	case "seq":
		from := s.at
		s.skip()
		n, err := strconv.ParseUint(string(s.b[min(from, s.at):s.at]), 10, 64)
		if err != nil {
			s.bad = true
		}
		f.Seq = n
	default:
		s.skip()
	}
}

// lineSeq is the number at the end of a record that this package encoded.
func lineSeq(line []byte) (uint64, bool) {
	body, ok := bytes.CutSuffix(line, []byte("}}"))
	if !ok {
		return 0, false
	}
	digits := len(body)
	for digits > 0 && body[digits-1] >= '0' && body[digits-1] <= '9' {
		digits--
	}
	if !bytes.HasSuffix(body[:digits], []byte(`"seq":`)) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(body[digits:]), 10, 64)
	return n, err == nil
}
