package schemas_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/schemas"
)

func TestShortForms(t *testing.T) {
	const text = `[
		{"request": "GET  https://a.example.com/ ", "expect": "allow"},
		{"request": {"method": "GET", "url": "https://a.example.com/", "websocket": true}, "expect": "deny"},
		{"command": "git status | cat", "expect": "allow"},
		{"command": ["git", "commit", "-m", "it's $done"], "expect": "allow"}
	]`
	want := []schemas.TestCase{
		{Request: &schemas.TestRequest{Method: "GET", URL: "https://a.example.com/"}, Expect: "allow"},
		{Request: &schemas.TestRequest{Method: "GET", URL: "https://a.example.com/", WebSocket: true}, Expect: "deny"},
		{Command: "git status | cat", Expect: "allow"},
		{Command: `'git' 'commit' '-m' 'it'\''s $done'`, Expect: "allow"},
	}
	var got []schemas.TestCase
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestShortQuery(t *testing.T) {
	const text = `{"a": ["x", "y"], "b": {"match": ["z"], "absent": "ok"}}`
	want := map[string]schemas.QueryMatch{"a": {Match: []string{"x", "y"}}, "b": {Match: []string{"z"}, Absent: "ok"}}
	var got map[string]schemas.QueryMatch
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestShortFormsRefuse(t *testing.T) {
	for _, text := range []string{`{"command": [1]}`, `{"command": {}}`, `{"request": []}`, `{"request": 1}`} {
		var c schemas.TestCase
		if err := json.Unmarshal([]byte(text), &c); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}
