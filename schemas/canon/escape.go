package canon

import (
	"strings"
	"unicode/utf8"
)

const upperHex = "0123456789ABCDEF"

// unknown stands for text that is not known before the program runs, such as
// the value of $x. Escape never produces it, because it doubles a backslash
// that it finds; so no literal matches it, and an allowed pattern matches an
// argument that holds it by a "*" alone.
const unknown = `\?`

// Escape makes a string safe for JSON and for comparing, losing nothing: a
// backslash is doubled, and a byte that is not UTF-8 becomes \xHH in upper-case
// hex. Policy globs are compared in the same form.
func Escape(s string) string {
	if strings.IndexByte(s, '\\') < 0 && utf8.ValidString(s) {
		return s
	}
	b := make([]byte, 0, len(s)+8)
	for i := 0; i < len(s); {
		if s[i] == '\\' {
			b = append(b, `\\`...)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			b = append(b, '\\', 'x', upperHex[s[i]>>4], upperHex[s[i]&15])
		} else {
			b = append(b, s[i:i+n]...)
		}
		i += n
	}
	return string(b)
}

func escapeAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = Escape(s)
	}
	return out
}
