package diag

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// writeGitHub writes workflow commands, which GitHub shows beside the lines. It
// shows ten of each severity for a step, so the most severe come first.
func writeGitHub(w io.Writer, r *Report) error {
	ds := slices.Clone(r.Diagnostics)
	slices.SortStableFunc(ds, func(a, b Diagnostic) int {
		switch {
		case a.Severity == b.Severity:
			return 0
		case a.Severity.AtLeast(b.Severity):
			return -1
		}
		return 1
	})
	var b strings.Builder
	for _, d := range ds {
		command := string(d.Severity)
		if d.Severity == Info {
			command = "notice"
		}
		fmt.Fprintf(&b, "::%s file=%s", command, property(d.fileOf()))
		if d.Pos.Line > 0 {
			fmt.Fprintf(&b, ",line=%d,endLine=%d,col=%d,endColumn=%d", d.Pos.Line, d.Pos.Line, d.Pos.Col, d.Pos.Col+max(d.Width, 1))
		}
		fmt.Fprintf(&b, ",title=%s::%s\n", property(d.Code), payload(d.full()))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// payload escapes the text of a workflow command, property one of its values.
func payload(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func property(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}
