package lint

import (
	"strconv"
	"strings"
)

// quoteLike writes a text as a YAML scalar, quoted as the one whose place it
// takes, and where it must be.
func quoteLike(before, text string) string {
	switch {
	case strings.HasPrefix(before, "'"):
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	case strings.HasPrefix(before, `"`) || !plain(text):
		return strconv.Quote(text)
	}
	return text
}

// plain tells whether a text reads as itself without quotes, in flow and in block
// style: narrower than YAML is.
func plain(text string) bool {
	if text == "" || strings.Trim(text, " ") != text || strings.ContainsAny(text[:1], "-?:,[]{}#&*!|>'\"%@`") {
		return false
	}
	for _, r := range text {
		if r <= ' ' && r != ' ' || r > '~' || strings.ContainsRune(",[]{}#&*!|>'\"%@`", r) {
			return false
		}
	}
	if strings.Contains(text, ": ") || strings.HasSuffix(text, ":") {
		return false
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return false
	}
	switch strings.ToLower(text) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n", "~":
		return false
	}
	return strings.Trim(text, "0123456789._-+xobe") != ""
}
