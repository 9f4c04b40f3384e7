package format

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	yaml "go.yaml.in/yaml/v4"
)

// patterns are the fields whose texts have a grammar, and stand in double quotes.
var patterns = []string{
	"host", "paths", "binaries", "writable", "readonly", "blocked", "allowed_commands", "blocked_commands",
	"never", "always", "only",
}

// isPattern tells whether a scalar at a path is a pattern.
func isPattern(path []string) bool {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] != "" {
			return slices.Contains(patterns, path[i]) || slices.Contains(path, "query") && path[i] != "absent"
		}
	}
	return false
}

// scalarText writes a scalar of one line, which may stand inside of brackets. words
// says that the document holds no field of patterns.
func scalarText(v *value, words, inside bool) string {
	n := v.node
	switch {
	case n.Tag != "!!str":
		return n.Value
	case !words && isPattern(v.path):
		return quote(n.Value)
	case !words && len(v.path) > 1 && v.path[len(v.path)-2] == "allow_private" && strings.Trim(n.Value, "0123456789abcdef./:") == "":
		return n.Value // a range of addresses reads as itself
	case inside && plain(n.Value), !inside && plainLine(n.Value):
		return n.Value
	case !inside && asWritten(v):
		return n.Value
	}
	return quote(n.Value)
}

// asWritten tells whether a scalar stands on its line without quotes already.
func asWritten(v *value) bool {
	styled := v.node.Style & (yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle)
	return styled == 0 && !flow(v.owner.in.node) && !strings.Contains(v.node.Value, "\n") && v.line == v.endLine
}

// quote puts a text into double quotes, or into single ones where that saves
// backslashes.
func quote(s string) string {
	if strings.ContainsAny(s, `"\`) && printable(s) {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return strconv.Quote(s)
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r == '\ufeff' || !strconv.IsPrint(r) }) < 0
}

// plain tells whether a text reads as itself without quotes inside of brackets:
// narrower than YAML is.
func plain(s string) bool {
	return plainLine(s) && !strings.ContainsAny(s, ",[]{}#&*!|>'\"%@`\\:")
}

// plainLine tells it for a text with a line of its own.
func plainLine(s string) bool {
	if word := strings.TrimLeft(s, "-"); len(s)-len(word) <= 2 && word != "" && unicode.IsLetter(rune(word[0])) {
		s = word // an option of a command
	}
	if s == "" || strings.TrimSpace(s) != s || strings.ContainsAny(s[:1], "-?:.~=<%@`&*!|>'\"#+0123456789,[]{}") || !printable(s) {
		return false
	}
	if strings.Contains(s, ": ") || strings.Contains(s, " #") || strings.HasSuffix(s, ":") {
		return false
	}
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return false
	}
	return true
}
