package parse

import (
	"fmt"
	"unicode/utf8"

	"github.com/openshell-policy/openshell/compiler/diag"
)

// checkText refuses what no policy is, before YAML looks at it.
func checkText(name string, data []byte) *diag.Diagnostic {
	if len(data) > MaxSize {
		d := diag.New("OSP1011", start(name), fmt.Sprintf("the file has %d bytes; a policy file has at most %d", len(data), MaxSize), "split it, or check that the right file was named")
		return &d
	}
	line, col := 1, 1
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if why := refused(data[i:], r, n); why != "" {
			hint := "save the file as UTF-8 text, or check that the right file was named"
			if r > 0x7f && n > 1 {
				hint = "remove the character"
			}
			d := diag.New("OSP1001", diag.Position{File: name, Line: line, Col: col}, why, hint)
			return &d
		}
		i += n
		if r == '\ufeff' && i == n {
			continue // a byte order mark is not in the first column
		}
		col++
		if r == '\n' {
			line, col = line+1, 1
		}
	}
	return nil
}

// refused says why a character may not stand in a policy: it is not text, or a
// reader would see another text than the parser.
func refused(rest []byte, r rune, n int) string {
	switch {
	case r == utf8.RuneError && n == 1:
		return fmt.Sprintf("byte 0x%02x is not UTF-8", rest[0])
	case r == '\r' && len(rest) > 1 && rest[1] == '\n', r == '\n', r == '\t':
		return ""
	case r == '\r' && len(rest) == 1:
		return ""
	case r < ' ' || r == 0x7f:
		return fmt.Sprintf("byte 0x%02x is not text", rest[0])
	case 0x80 <= r && r < 0xa0 || r == '\u2028' || r == '\u2029':
		return fmt.Sprintf("U+%04X is a control character", r)
	case '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069':
		return fmt.Sprintf("U+%04X changes the order in which the line is shown", r)
	}
	return ""
}
