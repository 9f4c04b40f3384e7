package audit_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/audit"
)

func TestSafeJSON(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":"b\u001b"}`:                    `{"a":"b\u001b"}`,
		"\"é 漢字 ❌\"":                         "\"é 漢字 ❌\"",
		"\"\u009b2J\"":                       `"\u009b2J"`,
		"\"\u202e\u200b\u2028\ufeff\u00a0\"": `"\u202e\u200b\u2028\ufeff\u00a0"`,
		"\"\x7f\"":                           `"\u007f"`,
		"\"\U000e0041\"":                     `"\udb40\udc41"`,
		"\"\xff\x9b\"":                       `"\ufffd\ufffd"`,
		"[\n  \"\u0085\"\n]":                 "[\n  \"\\u0085\"\n]",
	} {
		got := string(audit.SafeJSON([]byte(in)))
		if got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
		var a, b any
		if json.Unmarshal([]byte(in), &a) != nil || json.Unmarshal([]byte(got), &b) != nil {
			t.Errorf("%q: not JSON any more: %q", in, got)
		}
		if x, y := mustJSON(t, a), mustJSON(t, b); x != y {
			t.Errorf("%q means %s, and then %s", in, x, y)
		}
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func FuzzSafeJSON(f *testing.F) {
	f.Add("a\u009b\x1b\xff\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		safe := audit.SafeJSON(b)
		var got, want string
		if json.Unmarshal(safe, &got) != nil || json.Unmarshal(b, &want) != nil || got != want {
			t.Errorf("%q became %q", b, safe)
		}
		if strings.ContainsAny(string(safe), "\x1b\x7f\u009b\u202e\u2028\u0085") {
			t.Errorf("%q", safe)
		}
	})
}
