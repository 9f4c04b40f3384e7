package audit

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// fieldLimit caps what one field of a printed line may hold, in bytes.
const fieldLimit = 2 << 10

// Printable makes text from a sandbox safe to print on a terminal and on one
// line: control characters, escapes, line and paragraph separators, direction
// overrides and bytes that are not UTF-8 are shown as \xHH or \uHHHH, and text
// longer than 2 KiB is cut.
func Printable(s string) string {
	cut := ""
	if len(s) > fieldLimit {
		s, cut = s[:fieldLimit], "…"
	}
	if isPlain(s) {
		return s + cut
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1, r < 0x80 && !safe(r):
			fmt.Fprintf(&b, `\x%02X`, s[i])
		case !safe(r):
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String() + cut
}

func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// safe admits graphic characters and the ordinary space; other spaces and
// format characters can hide or reorder text.
func safe(r rune) bool {
	return r == ' ' || unicode.IsGraphic(r) && !unicode.Is(unicode.Zs, r) && !unicode.Is(unicode.Cf, r)
}

// SafeJSON is valid JSON with the same meaning that a terminal prints as it
// stands: what Printable would not let through is written as \uHHHH.
func SafeJSON(b []byte) []byte {
	if isTame(b) {
		return b
	}
	out := make([]byte, 0, len(b)+len(b)/8)
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		switch {
		case r < 0x7f || r != utf8.RuneError && safe(r):
			out = append(out, b[i:i+n]...)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += n
	}
	return out
}

// isTame tells whether there is nothing but ASCII that JSON does not escape
// anyway.
func isTame(b []byte) bool {
	for _, c := range b {
		if c >= 0x7f {
			return false
		}
	}
	return true
}
