package canon_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

func onePath(op schemas.FileOp, path string) *schemas.FileInput {
	return &schemas.FileInput{Op: op, Path: path, Lexical: path}
}

func TestParseFile(t *testing.T) {
	two := onePath(schemas.OpRename, "/a")
	two.Target = &schemas.FileTarget{Path: "/b", Lexical: "/b"}
	link := *two
	link.Op = schemas.OpLink
	tests := []struct {
		name, text string
		want       *schemas.FileInput // nil if it is refused
	}{
		{"F01 read", "read /workspace/a.txt", onePath(schemas.OpRead, "/workspace/a.txt")},
		{"F12 write", "write /workspace/.env", onePath(schemas.OpWrite, "/workspace/.env")},
		{"F18 stat", "stat /workspace/.env", onePath(schemas.OpStat, "/workspace/.env")},
		{"F22 dots", "read /workspace/x/../../etc/shadow", onePath(schemas.OpRead, "/etc/shadow")},
		{"F22 above the root", "read /../etc", onePath(schemas.OpRead, "/etc")},
		{"F27 not UTF-8", "read /workspace/\xff.env", onePath(schemas.OpRead, `/workspace/\xFF.env`)},
		{"backslash", `read /a\b`, onePath(schemas.OpRead, `/a\\b`)},
		{"space in the path", "read /a b", onePath(schemas.OpRead, "/a b")},
		{"F31 rename", "rename /a /x/../b", two},
		{"F33 link", "link /a /b", &link},
		{"F33 link without a target", "link /a", nil},
		{"rename of three", "rename /a /b /c", nil},
		{"spaces around", "  stat   /a ", onePath(schemas.OpStat, "/a")},
		{"dots and slashes", "read //a/./b/../c/", onePath(schemas.OpRead, "/a/c")},
		{"upper case", "READ /a", nil},
		{"relative", "read a", nil},
		{"relative target", "rename /a b", nil},
		{"no home", "read ~/a", nil},
		{"NUL", "read /a\x00b", nil},
		{"unknown operation", "open /a", nil},
		{"no path", "read", nil},
		{"nothing", "", nil},
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
	ops := []schemas.FileOp{
		schemas.OpRead, schemas.OpList, schemas.OpExec, schemas.OpStat, schemas.OpWrite, schemas.OpCreate, schemas.OpTruncate,
		schemas.OpDelete, schemas.OpChmod, schemas.OpChown, schemas.OpXattr, schemas.OpUtimes, schemas.OpMknod,
	}
	for _, op := range ops {
		got, err := canon.FileOperation(op, "~/.ssh/id_rsa", "/home/agent")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, onePath(op, "/home/agent/.ssh/id_rsa")); diff != "" {
			t.Errorf("%s (-got +want):\n%s", op, diff)
		}
	}
	for _, op := range []schemas.FileOp{schemas.OpRename, schemas.OpLink, "open", ""} {
		_, err := canon.FileOperation(op, "/a", "")
		wantRefused(t, err, 400)
	}
}
