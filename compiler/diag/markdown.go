package diag

import (
	"fmt"
	"io"
	"strings"
)

// maxMarkdown bounds the text: GitHub takes a mebibyte of a summary, and less of a
// comment.
const maxMarkdown = 60000

// writeMarkdown writes a table for a pull request or a step's summary.
func writeMarkdown(w io.Writer, r *Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### Policy lint: %s\n", Summary(r.Diagnostics))
	if len(r.Diagnostics) > 0 {
		b.WriteString("\n| | where | code | what | what to do |\n|---|---|---|---|---|\n")
	}
	marks := map[Severity]string{Error: "❌ error", Warning: "⚠️ warning", Info: "ℹ️ note"}
	for i, d := range r.Diagnostics {
		row := fmt.Sprintf("| %s | %s | %s | %s | %s |\n", marks[d.Severity], code(where(d.Pos)), d.Code, markdown(d.Message), markdown(d.Hint))
		if b.Len()+len(row) > maxMarkdown {
			fmt.Fprintf(&b, "\n... and %d more\n", len(r.Diagnostics)-i)
			break
		}
		b.WriteString(row)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// markdown escapes a text for a cell: nothing of it is markup, a link or a mention.
func markdown(s string) string {
	return strings.NewReplacer(
		`\`, `\\`, "|", `\|`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;", "&", "&amp;",
		"@", "&#64;", "#", "&#35;", "~", `\~`, "://", "&#58;//",
	).Replace(printable(s))
}

func code(s string) string {
	return "`" + strings.NewReplacer("`", "'", "|", `\|`).Replace(printable(s)) + "`"
}
