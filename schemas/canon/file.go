package canon

import (
	"path"
	"strings"

	"github.com/openshell-policy/openshell/schemas"
)

// fileOps tells how many paths an operation takes; 0 if it is none.
func fileOps(op schemas.FileOp) int {
	switch op {
	case schemas.OpRename, schemas.OpLink:
		return 2
	case schemas.OpRead, schemas.OpList, schemas.OpExec, schemas.OpStat, schemas.OpWrite, schemas.OpCreate,
		schemas.OpTruncate, schemas.OpDelete, schemas.OpChmod, schemas.OpChown, schemas.OpXattr, schemas.OpUtimes,
		schemas.OpMknod:
		return 1
	}
	return 0
}

// FileOperation returns the input for an operation on one absolute path, taken
// as if it held no links. A leading "~/" stands for home. Rename and link have
// two paths and are built by ParseFile.
func FileOperation(op schemas.FileOp, file, home string) (*schemas.FileInput, error) {
	switch fileOps(op) {
	case 0:
		return nil, refuse("%q is not a file operation", op)
	case 2:
		return nil, refuse("%s needs two paths", op)
	}
	p, err := absolutePath(file, home)
	if err != nil {
		return nil, err
	}
	return &schemas.FileInput{Op: op, Path: p, Lexical: p}, nil
}

// ParseFile reads an operation as eval and policy tests write it: a word and a
// path, "write /workspace/.env", or two paths without spaces for rename and
// link.
func ParseFile(text string) (*schemas.FileInput, error) {
	word, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	op, rest := schemas.FileOp(word), strings.TrimLeft(rest, " ")
	if fileOps(op) != 2 {
		return FileOperation(op, rest, "")
	}
	paths := strings.Fields(rest)
	if len(paths) != 2 {
		return nil, refuse("%s needs two paths", op)
	}
	from, err := absolutePath(paths[0], "")
	if err != nil {
		return nil, err
	}
	to, err := absolutePath(paths[1], "")
	if err != nil {
		return nil, err
	}
	return &schemas.FileInput{
		Op: op, Path: from, Lexical: from, Target: &schemas.FileTarget{Path: to, Lexical: to},
	}, nil
}

func absolutePath(file, home string) (string, error) {
	if rest, ok := strings.CutPrefix(file, "~/"); ok && strings.HasPrefix(home, "/") {
		file = home + "/" + rest
	}
	switch {
	case strings.IndexByte(file, 0) >= 0:
		return "", refuse("the path %q holds a NUL byte", file)
	case !strings.HasPrefix(file, "/"):
		return "", refuse("the path %q is not absolute", file)
	}
	return Escape(path.Clean(file)), nil
}
