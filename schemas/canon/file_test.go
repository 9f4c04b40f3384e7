package canon_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

func plainFile(op schemas.FileOp, path string) *schemas.FileInput {
	return &schemas.FileInput{Op: op, Path: path, Lexical: path}
}

func TestParseFile(t *testing.T) {
	both := func(op schemas.FileOp) *schemas.FileInput {
		return &schemas.FileInput{Op: op, Path: "/a", Lexical: "/a", Target: &schemas.FileTarget{Path: "/b", Lexical: "/b"}}
	}
	tests := []struct {
		name, text string
		want       *schemas.FileInput // nil if it is refused
	}{
		{"write", "write /workspace/.env", plainFile("write", "/workspace/.env")},
		{"dots and slashes", "read //a/./b/../c/", plainFile("read", "/a/c")},
		{"above the root", "read /../etc", plainFile("read", "/etc")},
		{"spaces around", "  stat   /a ", plainFile("stat", "/a")},
		{"space in the path", "delete /a b", plainFile("delete", "/a b")},
		{"backslash and bytes", "exec /a\\b\xff", plainFile("exec", `/a\\b\xFF`)},
		{"rename", "rename /a /x/../b", both("rename")},
		{"link", "link /a /b", both("link")},
		{"rename with one path", "rename /a", nil},
		{"rename with three paths", "rename /a /b /c", nil},
		{"relative", "write a", nil},
		{"relative target", "rename /a b", nil},
		{"home that is not known", "read ~/.ssh", nil},
		{"no path", "read", nil},
		{"empty", "", nil},
		{"unknown word", "steal /a", nil},
		{"upper case", "READ /a", nil},
		{"NUL", "read /a\x00b", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := canon.ParseFile(test.text)
			if test.want == nil {
				wantRefused(t, err, 400)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, test.want); diff != "" {
				t.Errorf("input (-got +want):\n%s", diff)
			}
		})
	}
}

func TestFileOperation(t *testing.T) {
	got, err := canon.FileOperation(schemas.OpRead, "~/.ssh/../.env", "/home/agent")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, plainFile("read", "/home/agent/.env")); diff != "" {
		t.Errorf("input (-got +want):\n%s", diff)
	}
	if _, err := canon.FileOperation(schemas.OpRename, "/a", ""); err == nil {
		t.Error("rename with one path is accepted")
	}
}

func TestEscape(t *testing.T) {
	tests := map[string]string{
		"": "", "a/b é": "a/b é", `a\b`: `a\\b`, `\\`: `\\\\`, "\xff": `\xFF`, "é\xc3": `é\xC3`, "\ufffd": "\ufffd", "a\x00": "a\x00",
	}
	for in, want := range tests {
		if got := canon.Escape(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
