package audit

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/schemas"
)

// TestEncodeIsJSON holds that the encoder written by hand and encoding/json make
// the same bytes.
func TestEncodeIsJSON(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 31, 2, 123456789, time.FixedZone("", 3600))
	form := schemas.PathForm{Path: "/a", Dir: "/a/", Segments: []string{"a"}}
	full := schemas.Record{
		Labels: map[string]string{"id": "g", "app": "x"}, DecisionID: "d", Bundles: map[string]schemas.BundleInfo{"b": {Revision: "r"}},
		Path: "openshell/decision", Erased: []string{"/e"}, Masked: []string{"/m", "/n"}, Metrics: map[string]int64{"t": 5, "a": -1}, Timestamp: at,
		Input: &schemas.DecisionInput{
			Kind: schemas.KindNetwork, Policy: "p", Sandbox: schemas.Sandbox{ID: "sb-a", Agent: "claude", Home: "/h"},
			Network: &schemas.NetworkInput{
				Scheme: "https", Host: "h", Port: 443, Method: "GET", Path: "/é\n\"<&>\\\x7f\u2028\xff", Query: map[string][]string{"b": {"1", "2"}, "a": {}},
				WebSocket: true, ContentLength: -1, Binary: "/b", Ancestors: []string{"/c"}, Authority: "h", Parent: "p", HostParent: "q", Dir: "/d/", Segments: []string{"d"}, Folded: form, Split: form,
			},
		},
		Result: &schemas.Decision{Allow: true, Mode: schemas.ModeAudit, Code: "c", Message: "m", Rule: "r", Source: &schemas.Source{File: "f", Line: 3}, Policy: "p", Revision: "v", Hint: "h"},
		Custom: schemas.Custom{Type: "decision", Sandbox: "sb-a", Agent: "claude", Policy: "p", Rule: "r", Code: "c", Mode: "enforce", Reason: "why", Outcome: &schemas.Outcome{Status: 200, Bytes: 5, DurationMS: 7, Error: "e"}},
	}
	file := schemas.Record{Timestamp: at.UTC(), Input: &schemas.DecisionInput{Kind: schemas.KindFile, File: &schemas.FileInput{Op: "read", Path: "/<x>"}}}
	same := full
	same.Input = &schemas.DecisionInput{Network: &schemas.NetworkInput{Path: "/a", Dir: "/a/", Segments: []string{"a"}, Folded: form, Split: form}}
	bare := full
	bare.Input = &schemas.DecisionInput{Network: &schemas.NetworkInput{}}
	bare.Result = &schemas.Decision{}
	for name, r := range map[string]schemas.Record{"empty": {Timestamp: at.Truncate(time.Second)}, "full": full, "file": file, "bare": bare, "same forms": same} {
		t.Run(name, func(t *testing.T) {
			got, err := new(line).encode(&r)
			if err != nil {
				t.Fatal(err)
			}
			var want bytes.Buffer
			enc := json.NewEncoder(&want)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(&r); err != nil {
				t.Fatal(err)
			}
			if string(got)+"\n" != want.String() {
				t.Errorf("got\n%s\nwant\n%s", got, want.String())
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	r := &schemas.Record{
		Labels: map[string]string{"id": "g"}, DecisionID: "0123456789", Timestamp: time.Now(),
		Input:  &schemas.DecisionInput{Network: &schemas.NetworkInput{Host: "api.github.com", Path: "/repos/org/app", Segments: []string{"repos", "org", "app"}}},
		Result: &schemas.Decision{Allow: true},
	}
	l := new(line)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.encode(r); err != nil {
			b.Fatal(err)
		}
	}
}

// TestPlainJSON holds that the quick look at a string agrees with the slow one,
// for every byte at every place.
func TestPlainJSON(t *testing.T) {
	for n := range 20 {
		for at := range n {
			s := bytes.Repeat([]byte{'~'}, n)
			for c := range 256 {
				s[at] = byte(c)
				if got, want := plainJSON(string(s)), plainBytes(string(s)); got != want {
					t.Fatalf("%q: got %v, want %v", s, got, want)
				}
			}
		}
	}
}

// FuzzEncode holds that any record is one line of JSON that gives the same record
// back, whatever is in its texts.
func FuzzEncode(f *testing.F) {
	for _, s := range []string{"", "/repos/org", "\"\\\x00\x7f", "\u2028é\xff", "a b", `{"seq":9}}`} {
		f.Add(s, s, int64(5))
	}
	f.Fuzz(func(t *testing.T, path, other string, n int64) {
		form := schemas.PathForm{Path: path, Dir: other, Segments: []string{path, other}}
		r := schemas.Record{
			Labels: map[string]string{other: path, "a": "b"}, DecisionID: path, Timestamp: time.Unix(n%1e9, 0).UTC(),
			Input: &schemas.DecisionInput{Network: &schemas.NetworkInput{
				Path: path, Dir: other, Segments: form.Segments, Folded: form, Split: schemas.PathForm{Path: other}, Query: map[string][]string{path: {other}},
			}},
			Custom: schemas.Custom{Type: path, Reason: other, Sandbox: path},
		}
		raw, err := new(line).encode(&r)
		if err != nil {
			t.Fatal(err)
		}
		got := appendNumbered(nil, raw, 17)
		r.Custom.Seq = 17
		want, err := json.Marshal(&r)
		if err != nil {
			t.Fatal(err)
		}
		var compact bytes.Buffer
		enc := json.NewEncoder(&compact)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(&r); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, compact.Bytes()) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		if seq, ok := lineSeq(bytes.TrimSuffix(got, []byte("\n"))); !ok || seq != 17 {
			t.Errorf("number %d, %v: %s", seq, ok, got)
		}
		fields, err := ParseFields(bytes.TrimSuffix(got, []byte("\n")))
		if err != nil || fields.Seq != 17 {
			t.Fatalf("%+v, %v", fields, err)
		}
		var back schemas.Record
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatal(err)
		}
		if Text(fields.Path) != back.Input.Network.Path || Text(fields.Type) != back.Custom.Type || Text(fields.DecisionID) != back.DecisionID {
			t.Errorf("fields say %q, want %q", fields.Path, back.Input.Network.Path)
		}
	})
}
