package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/internal/analysis/replay"
	"github.com/openshell-policy/openshell/internal/cli"
)

// changeWords says what people read of a kind of change.
func changeWords(color bool, k replay.Kind) string {
	switch k {
	case replay.NewlyDenied:
		return cli.Paint(color, cli.Red, "- would be denied")
	case replay.NewlyAllowed:
		return cli.Paint(color, cli.Yellow, "+ would be allowed")
	case replay.Audited:
		return cli.Paint(color, cli.Yellow, "~ would only pass by mode audit")
	}
	return cli.Paint(color, cli.Green, "~ would pass by a rule, not by mode audit")
}

func writeReplay(w io.Writer, r *replay.Report, format string) error {
	switch format {
	case "json":
		return cli.WriteJSON(w, r)
	case "markdown":
		b := &bounded{limit: maxMarkdown - 200}
		b.add("### Replay\n\n")
		replaySection(b, r)
		if b.left > 0 {
			b.force(fmt.Sprintf("\n…and %d more; `openshell-policy replay` prints all of them.\n", b.left))
		}
		_, err := io.WriteString(w, b.String())
		return err
	}
	return replayText(w, r)
}

// replayText prints the changes for a terminal:
//
//   - would be denied  12 times, 2026-11-20 10:31 to 2026-11-25 09:12
//     POST https://api.github.com/repos/a/pulls
//     dev, before: allowed  outbound[1]
//     dev, now:    method_not_allowed  outbound[0]  policies/dev.yaml:10
func replayText(w io.Writer, r *replay.Report) error {
	color := cli.Color(w)
	for _, c := range r.Changes {
		fmt.Fprintf(w, "%s  %s, %s\n    %s\n    %s, before: %s\n    %s, now:    %s\n", changeWords(color, c.Kind),
			count(c.Count, "time", "times"), period(c.First, c.Last), audit.Printable(c.Sample), c.Policy, sideWords(&c.Before), c.Policy, sideWords(&c.Now))
	}
	if _, err := fmt.Fprintf(w, "%s\n", replaySummary(r)); err != nil {
		return err
	}
	for _, why := range slices.Sorted(maps.Keys(r.NotReplayable)) {
		fmt.Fprintf(w, "  not replayable: %d, %s\n", r.NotReplayable[why], audit.Printable(why))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Others)) {
		fmt.Fprintf(w, "  left out: %s of policy %s\n", count(r.Others[name], "record", "records"), audit.Printable(name))
	}
	return nil
}

// replaySummary is the line that diff and review print too.
func replaySummary(r *replay.Report) string {
	parts := []string{}
	for _, x := range []struct {
		kind replay.Kind
		one  string
		many string
	}{
		{replay.NewlyAllowed, "1 denial would become an allow", "denials would become allows"},
		{replay.NewlyDenied, "1 allow would become a denial", "allows would become denials"},
		{replay.Audited, "1 would only pass by mode audit", "would only pass by mode audit"},
		{replay.Settled, "1 would no longer need mode audit", "would no longer need mode audit"},
	} {
		switch n := r.Counts[x.kind]; {
		case n == 1:
			parts = append(parts, x.one)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", n, x.many))
		}
	}
	if len(parts) == 0 {
		parts = []string{"nothing would change"}
	}
	left := 0
	for _, n := range r.NotReplayable {
		left += n
	}
	out := fmt.Sprintf("%s; %s from %s: %d the same", strings.Join(parts, ", "), count(r.Records, "record", "records"), period(r.First, r.Last), r.Unchanged)
	if left > 0 {
		out += fmt.Sprintf(", %d not replayable", left)
	}
	return out
}

func period(from, to time.Time) string {
	const layout = "2006-01-02 15:04"
	a, b := from.UTC().Format(layout), to.UTC().Format(layout)
	if a == b {
		return a + " UTC"
	}
	return a + " to " + b + " UTC"
}

func sideWords(s *replay.Side) string {
	out := string(s.Code)
	if s.Rule != "" {
		out += "  " + s.Rule
	}
	if s.Source != nil {
		out += fmt.Sprintf("  %s:%d", s.Source.File, s.Source.Line)
	}
	if s.Verdict == "audit" {
		out += "  (mode audit: passes)"
	}
	return audit.Printable(out)
}

// replaySection is the replay as a part of a comment.
func replaySection(b *bounded, r *replay.Report) {
	b.add("#### On the recorded traffic\n\n" + escape(replaySummary(r)) + ".\n\n")
	for _, c := range r.Changes {
		mark := map[replay.Kind]string{replay.NewlyDenied: "🔻", replay.NewlyAllowed: "🔺"}[c.Kind]
		if mark == "" {
			mark = "▫️"
		}
		b.item(fmt.Sprintf("- %s **%s** %s: %s, %s before, now %s\n", mark, escape(c.Policy), code(audit.Printable(c.Sample)),
			count(c.Count, "time", "times"), code(sideWords(&c.Before)), code(sideWords(&c.Now))))
	}
}
