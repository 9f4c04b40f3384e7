package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/openshell-policy/openshell/internal/cli"
)

// width is that of a narrow terminal.
const width = 100

// report prints the demo for people.
type report struct {
	w     io.Writer
	color bool
	begun time.Time
}

func (r *report) paint(code, text string) string { return cli.Paint(r.color, code, text) }

func (r *report) title(text string) {
	rule := strings.Repeat("─", max(2, width-4-utf8.RuneCountInString(text)))
	fmt.Fprintf(r.w, "\n%s\n", r.paint(cli.Bold, "── "+text+" "+rule))
}

func (r *report) act(number int, a act, s *session) {
	r.title(fmt.Sprintf("%d. %s", number, a.title))
	if a.again {
		return
	}
	r.command("openshell sandbox create --policy " + a.policy + " -- " + a.agent)
	for _, note := range s.notes {
		fmt.Fprintf(r.w, "  %s\n", r.paint(cli.Dim, note))
	}
}

func (r *report) step(st step, s *session) {
	fmt.Fprintf(r.w, "\n  %s\n", r.paint(cli.Bold, st.says))
	if st.outside != "" {
		r.command(strings.ReplaceAll(st.outside, "$ID", s.id))
		return
	}
	fmt.Fprintf(r.w, "  %s $ %s\n", s.agent, st.run)
}

func (r *report) command(text string) { fmt.Fprintf(r.w, "  $ %s\n", text) }

// output shows what a command printed: a JSON object spread out, and long lines
// cut unless the whole is wanted.
func (r *report) output(text string, whole bool) {
	var spread bytes.Buffer
	if whole && strings.HasPrefix(text, "{") && json.Indent(&spread, []byte(text), "", "  ") == nil {
		text = spread.String()
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if !whole && utf8.RuneCountInString(line) > width-4 {
			line = string([]rune(line)[:width-5]) + "…"
		}
		fmt.Fprintf(r.w, "  %s %s\n", r.paint(cli.Dim, "│"), line)
	}
}

func (r *report) decisions(lines []string) {
	for _, line := range lines {
		code := cli.Green
		if strings.Contains(line, "❌") {
			code = cli.Red
		}
		fmt.Fprintf(r.w, "  %s\n", r.paint(code, line))
	}
}

func (r *report) end(decisions, sandboxes int) {
	r.title("Done")
	fmt.Fprintf(r.w, "  %d decisions in %d sandboxes, each as expected, and nothing denied reached the origin (%.1f s)\n",
		decisions, sandboxes, time.Since(r.begun).Seconds())
}
