package lint

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
)

// An ignore comment silences codes on the line that it ends, or, on a line of its
// own, on the next line with everything that is indented below it:
//
//	# openshell-lint: ignore OSP3004 the trial ends in May
//	mode: audit
//
// Several codes are joined by commas. A reason is required.
type ignore struct {
	line, col   int // of "openshell-lint:"
	codes       []string
	reason      string
	first, last int // the lines that it covers
	used        map[string]bool
	broken      string // why it is not understood
}

const marker = "openshell-lint:"

// silence drops what ignore comments name, and reports comments that have no
// reason, name what there is not, or silence nothing.
func silence(ds []diag.Diagnostic, sources []Source, docs []*parse.Document, c *Config) []diag.Diagnostic {
	byFile := map[string][]*ignore{}
	for _, s := range sources {
		if !bytes.Contains(s.Data, []byte(marker)) {
			continue
		}
		own := slices.DeleteFunc(slices.Clone(docs), func(d *parse.Document) bool { return d.File != s.Name })
		byFile[s.Name] = ignores(s.Data, parse.Comments(own, s.Data))
	}
	var out []diag.Diagnostic
	for _, d := range ds {
		if info, _ := diag.Lookup(d.Code); fixed(info) || !silenced(byFile[d.Pos.File], &d) {
			out = append(out, d)
		}
	}
	for file, list := range byFile {
		for _, ig := range list {
			out = append(out, c.severe(ig.findings(file))...)
		}
	}
	return out
}

func silenced(list []*ignore, d *diag.Diagnostic) bool {
	hit := false
	for _, ig := range list {
		if ig.broken == "" && ig.reason != "" && ig.first <= d.Pos.Line && d.Pos.Line <= ig.last && slices.Contains(ig.codes, d.Code) {
			ig.used[d.Code] = true
			hit = true
		}
	}
	return hit
}

func (ig *ignore) findings(file string) []diag.Diagnostic {
	at := diag.Position{File: file, Line: ig.line, Col: ig.col}
	say := func(code, hint, format string, args ...any) diag.Diagnostic {
		d := diag.New(code, at, fmt.Sprintf(format, args...), hint)
		d.Width = len(marker)
		return d
	}
	if ig.broken != "" {
		return []diag.Diagnostic{say("OSP1103", "write # openshell-lint: ignore OSP3004 and the reason", "%s", ig.broken)}
	}
	if ig.reason == "" {
		return []diag.Diagnostic{say("OSP1101", "say after the code why it is right here", "the ignore comment gives no reason, and silences nothing without one")}
	}
	var out []diag.Diagnostic
	for _, code := range ig.codes {
		info, known := diag.Lookup(code)
		switch {
		case !known:
			out = append(out, say("OSP1103", "openshell-policy explain lists the codes", "unknown code %q", code))
		case fixed(info):
			out = append(out, say("OSP1103", "mend the policy", "%s keeps the policy from being compiled, and cannot be ignored", code))
		case !ig.used[code]:
			out = append(out, say("OSP1102", "remove it", "nothing gives %s here", code))
		}
	}
	return out
}

// ignores finds the ignore comments of a file.
func ignores(data []byte, comments []parse.Comment) []*ignore {
	lines := strings.Split(string(data), "\n")
	var out []*ignore
	for _, c := range comments {
		text := strings.TrimLeft(c.Text, "# \t")
		if !strings.HasPrefix(text, marker) {
			continue
		}
		ig := parseIgnore(strings.TrimSpace(text[len(marker):]))
		ig.line, ig.col = c.Line, c.Col+utf8.RuneCountInString(c.Text[:len(c.Text)-len(text)])
		ig.first, ig.last = c.Line, c.Line
		if c.Own {
			ig.first, ig.last = blockAfter(lines, c.Line-1)
		}
		out = append(out, ig)
	}
	return out
}

func parseIgnore(text string) *ignore {
	ig := &ignore{used: map[string]bool{}}
	verb, rest, _ := strings.Cut(text, " ")
	codes, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
	switch {
	case verb != "ignore":
		ig.broken = fmt.Sprintf("%q is not known; it takes ignore, a code and a reason", verb)
	case codes == "":
		ig.broken = "the ignore comment names no code"
	default:
		for code := range strings.SplitSeq(codes, ",") {
			if code != "" {
				ig.codes = append(ig.codes, code)
			}
		}
		ig.reason = strings.TrimLeft(strings.TrimSpace(reason), "-: ")
	}
	return ig
}

// blockAfter is the next line that is no comment, and the last one of those below
// that are indented further.
func blockAfter(lines []string, i int) (first, last int) {
	content := func(line string) bool {
		t := strings.TrimSpace(line)
		return t != "" && !strings.HasPrefix(t, "#")
	}
	indent := func(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
	j := i + 1
	for j < len(lines) && !content(lines[j]) {
		j++
	}
	if j == len(lines) {
		return i + 1, i + 1
	}
	first, last = j+1, j+1
	for k := j + 1; k < len(lines); k++ {
		if !content(lines[k]) {
			continue
		}
		if indent(lines[k]) <= indent(lines[j]) {
			break
		}
		last = k + 1
	}
	return first, last
}
