package canon

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

var ansiEscapes = map[byte]byte{
	'a': '\a', 'b': '\b', 'e': 0x1b, 'E': 0x1b, 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v', '\\': '\\', '\'': '\'',
	'"': '"', '?': '?',
}

// ansiC decodes the text of $'...' as bash does. It gives up on escapes that
// shells read differently and on NUL, which ends the string in some.
func ansiC(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if c, ok := ansiEscapes[s[i]]; ok {
			b.WriteByte(c)
			continue
		}
		n, ok := ansiNumber(&b, s[i:])
		if !ok {
			return "", false
		}
		i += n - 1
	}
	return b.String(), strings.IndexByte(b.String(), 0) < 0
}

// ansiNumber decodes a numeric escape without its backslash and returns its
// length.
func ansiNumber(b *strings.Builder, s string) (int, bool) {
	base, digits, prefix := 16, 2, 1
	switch c := s[0]; {
	case '0' <= c && c <= '7':
		base, digits, prefix = 8, 3, 0
	case c == 'x':
	case c == 'u':
		digits = 4
	case c == 'U':
		digits = 8
	default:
		return 0, false
	}
	end := prefix
	for end < len(s) && end < prefix+digits && int(unhex(s[end])) < base {
		end++
	}
	v, err := strconv.ParseUint(s[prefix:end], base, 32)
	switch {
	case err != nil:
		return 0, false
	case digits < 4 && v < 256:
		b.WriteByte(byte(v))
	case digits >= 4 && v <= utf8.MaxRune:
		b.WriteRune(rune(v))
	default:
		return 0, false
	}
	return end, true
}
