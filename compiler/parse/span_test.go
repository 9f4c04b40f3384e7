package parse_test

import (
	"testing"

	"github.com/openshell-policy/openshell/compiler/parse"
)

const spanned = "\ufeffapiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: x}\n" + `spec:
  network:
    outbound:
      - host: "ü.example.com" # of theirs
        methods: [GET, 'POST', "PUT"]
      - host: b.example.com
        paths:
          - /a
          # kept
          - /b

      - host: c.example.com
        query: {q: ['it''s'], r: ["\"x"]}
  execution:
    blocked_commands: [
      a, b,
    ]
`

func TestSpans(t *testing.T) {
	docs, ds := parse.File("p.yaml", []byte(spanned))
	if len(docs) != 1 || len(ds) != 0 {
		t.Fatalf("%d documents, %v", len(docs), ds)
	}
	d := docs[0]
	out := func(path ...any) []any { return append([]any{"spec", "network", "outbound"}, path...) }
	tests := []struct {
		name string
		span func(...any) (int, int, bool)
		path []any
		want string // "" for none
	}{
		{"a quoted scalar after a wide one", d.Span, out(0, "host"), `"ü.example.com"`},
		{"a plain scalar", d.Span, out(0, "methods", 0), "GET"},
		{"single quotes", d.Span, out(2, "query", "q", 0), "'it''s'"},
		{"double quotes", d.Span, out(2, "query", "r", 0), `"\"x"`},
		{"a list", d.Span, out(0, "methods"), ""},
		{"what is not there", d.Span, out(0, "paths", 0), ""},
		{"a key", d.KeySpan, out(0, "methods"), "methods"},
		{"the last flow entry", d.EntrySpan, out(0, "methods", 2), `, "PUT"`},
		{"a flow entry", d.EntrySpan, out(0, "methods", 0), "GET, "},
		{"a flow entry over lines", d.EntrySpan, []any{"spec", "execution", "blocked_commands", 1}, ", b"},
		{"a flow field", d.EntrySpan, out(2, "query", "q"), "q: ['it''s'], "},
		{"the last flow field", d.EntrySpan, out(2, "query", "r"), `, r: ["\"x"]`},
		{"a block entry", d.EntrySpan, out(1, "paths", 0), "          - /a\n"},
		{"an entry with a comment", d.EntrySpan, out(1), ""},
		{"a comment at the end", d.EntrySpan, out(0), ""},
		{"the last block entry", d.EntrySpan, out(2), "      - host: c.example.com\n        query: {q: ['it''s'], r: [\"\\\"x\"]}\n"},
		{"a block field", d.EntrySpan, out(2, "query"), "        query: {q: ['it''s'], r: [\"\\\"x\"]}\n"},
		{"the first field of an entry", d.EntrySpan, out(2, "host"), ""},
		{"a field over lines", d.EntrySpan, []any{"spec", "execution"}, "  execution:\n    blocked_commands: [\n      a, b,\n    ]\n"},
		{"the only entry", d.EntrySpan, []any{"metadata", "name"}, ""},
	}
	for _, test := range tests {
		start, end, ok := test.span(test.path...)
		got := ""
		if ok {
			got = string(d.Data()[start:end])
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
