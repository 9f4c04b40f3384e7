package format

import (
	"slices"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// patterns are the fields whose texts have a grammar, and stand in double quotes.
var patterns = []string{
	"host", "paths", "binaries", "writable", "readonly", "blocked", "allowed_commands", "blocked_commands",
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

// scalarText writes a scalar of one line.
func scalarText(v *value, test bool) string {
	n := v.node
	switch {
	case n.Tag != "!!str":
		return n.Value
	case !test && isPattern(v.path):
		return quote(n.Value)
	case !test && len(v.path) > 1 && v.path[len(v.path)-2] == "allow_private" && strings.Trim(n.Value, "0123456789abcdef./:") == "":
		return n.Value // a range of addresses reads as itself
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0 && !strings.Contains(n.Value, "\n") && v.line == v.endLine:
		return n.Value
	case plain(n.Value):
		return n.Value
	}
	return quote(n.Value)
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

// plain tells whether a text reads as itself without quotes everywhere: narrower
// than YAML is.
func plain(s string) bool {
	if s == "" || strings.TrimSpace(s) != s || strings.ContainsAny(s[:1], "-?:.~=<%@`&*!|>'\"#+0123456789") || !printable(s) {
		return false
	}
	if strings.ContainsAny(s, ",[]{}#&*!|>'\"%@`\\") || strings.Contains(s, ": ") || strings.HasSuffix(s, ":") {
		return false
	}
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return false
	}
	return true
}
