package audit

import (
	"bytes"
	"encoding/json"
	"testing"
)

// slowEnd is endOfText, a byte at a time.
func slowEnd(b []byte, from int) int {
	for i := from; i < len(b); i++ {
		if b[i] == '\\' {
			i++
		} else if b[i] == '"' {
			return i
		}
	}
	return -1
}

func TestEndOfText(t *testing.T) {
	for n := range 26 {
		for at := range n {
			for _, mark := range []string{`"`, `\"`, `\\"`, `\\\"`, "\xa2", "!", `#"`} {
				b := bytes.Repeat([]byte{'a'}, n)
				copy(b[at:], mark)
				for from := range n {
					if got, want := endOfText(b, from), slowEnd(b, from); got != want {
						t.Fatalf("%q from %d: got %d, want %d", b, from, got, want)
					}
				}
			}
		}
	}
}

// FuzzParseFields holds that no line makes the scanner panic, and that one that is
// JSON gives what decoding gives.
func FuzzParseFields(f *testing.F) {
	text, err := new(line).encode(full())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	for _, s := range []string{`{}`, `null`, `[]`, `{"custom":{"seq":3}}`, `{"custom":{"seq":"3"}}`, `{"a":[{"b":"}\""}],"timestamp":"x"}`, `{"result":{"allow":true}}`, "{\"a\":\"\\", `{"input":{"network":null}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ParseFields(data)
		var want struct {
			DecisionID json.RawMessage `json:"decision_id"`
		}
		if !json.Valid(data) || err != nil || bytes.Count(data, []byte(`decision_id`)) > 1 || bytes.ContainsAny(data, "\\") {
			return
		}
		if json.Unmarshal(data, &want) != nil || len(want.DecisionID) == 0 || want.DecisionID[0] != '"' {
			return
		}
		if string(got.DecisionID) != string(want.DecisionID[1:len(want.DecisionID)-1]) && bytes.Contains(data, []byte(`"decision_id"`)) {
			t.Errorf("got %q, want %s", got.DecisionID, want.DecisionID)
		}
	})
}

// FuzzFrames holds that no file makes the reader of compressed segments panic or
// take more than it may.
func FuzzFrames(f *testing.F) {
	h := frame{packed: 4, plain: 10, records: 2, first: 1, from: 5, to: 6}
	f.Add(h.append(nil))
	f.Add(append(h.append(nil), 0x28, 0xb5, 0x2f, 0xfd, 1, 2, 3))
	f.Fuzz(func(t *testing.T, data []byte) {
		fr, err := newFrameReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		defer fr.close()
		for {
			h, err := fr.header()
			if err != nil {
				return
			}
			lines, err := fr.lines(h)
			if err != nil {
				return
			}
			if len(lines) != int(h.plain) {
				t.Fatalf("%d bytes, want %d", len(lines), h.plain)
			}
		}
	})
}

func FuzzParseProof(f *testing.F) {
	p := Proof{Record: []byte(`{"custom":{"seq":1}}`), Seq: 1, Checkpoint: []byte("x\n1\nAAAA\n\n")}
	f.Add(p.Format())
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parseProof(data)
		if err == nil && !bytes.Equal(p.Format(), data) {
			t.Errorf("got %q, want %q", p.Format(), data)
		}
	})
}

func FuzzParseRollup(f *testing.F) {
	r := Rollup{First: 1, Records: 2, Rows: []RollupRow{{RollupKey{Minute: 3, Host: "h"}, 4}}}
	text, err := r.format()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := ParseRollup(data); err == nil {
			if _, err := r.format(); err != nil {
				t.Error(err)
			}
		}
	})
}
