package query

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/openshell-policy/openshell/audit"
)

// Text prints stats for a terminal: a line of totals, the timeline as bars, what
// was denied most, and the sandboxes.
func (s *Stats) Text(w io.Writer, zone *time.Location) error {
	var b strings.Builder
	if s.Decisions == 0 {
		_, err := io.WriteString(w, "no decision\n")
		return err
	}
	fmt.Fprintf(&b, "%s to %s: %d decisions, %d allowed, %d denied, %d denied but let pass (mode audit)\n",
		s.From.In(zone).Format("2006-01-02 15:04"), s.To.Add(time.Minute).In(zone).Format("2006-01-02 15:04"), s.Decisions, s.Allowed, s.Denied, s.Audited)
	s.bars(&b, zone)
	tw := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	if len(s.Top) > 0 {
		fmt.Fprintln(tw, "\nDENIED\tMETHOD\tHOST\tCODE\tRULE")
	}
	for _, t := range s.Top {
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%s\n", t.Count, cell(t.Method), cell(t.Host), cell(t.Code), cell(t.Rule))
	}
	_ = tw.Flush() // to memory
	fmt.Fprintln(tw, "\nSANDBOX\tALLOWED\tDENIED\tAUDITED")
	for _, c := range s.Sandboxes {
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\n", cell(c.Name), c.Allowed, c.Denied, c.Audited)
	}
	_ = tw.Flush()
	_, err := io.WriteString(w, b.String())
	return err
}

func cell(s string) string { return audit.Printable(dash(s)) }

var blocks = []rune(" ▁▂▃▄▅▆▇█")

func (s *Stats) bars(b *strings.Builder, zone *time.Location) {
	if len(s.Timeline) < 2 {
		return
	}
	step := s.Timeline[1].Start.Sub(s.Timeline[0].Start)
	series := []struct {
		name  string
		count func(TimeBucket) uint64
	}{
		{"allowed", func(t TimeBucket) uint64 { return t.Allowed }},
		{"denied", func(t TimeBucket) uint64 { return t.Denied + t.Audited }},
	}
	b.WriteByte('\n')
	for _, x := range series {
		most := uint64(0)
		for _, t := range s.Timeline {
			most = max(most, x.count(t))
		}
		fmt.Fprintf(b, "%-8s ", x.name)
		for _, t := range s.Timeline {
			b.WriteRune(block(x.count(t), most))
		}
		fmt.Fprintf(b, "  at most %d in %s\n", most, stepText(step))
	}
	first, last := s.Timeline[0].Start.In(zone).Format("15:04"), s.Timeline[len(s.Timeline)-1].Start.In(zone).Format("15:04")
	if step >= 12*time.Hour {
		first, last = s.Timeline[0].Start.In(zone).Format("01-02"), s.Timeline[len(s.Timeline)-1].Start.In(zone).Format("01-02")
	}
	fmt.Fprintf(b, "%-8s %s%s%s\n", "", first, strings.Repeat(" ", max(1, len(s.Timeline)-len(first)-len(last))), last)
}

// block is the bar of one count: empty only for none.
func block(n, most uint64) rune {
	if n == 0 {
		return blocks[0]
	}
	i := int((n*uint64(len(blocks)-1) + most - 1) / most)
	return blocks[max(1, min(i, len(blocks)-1))]
}

func stepText(d time.Duration) string {
	switch {
	case d >= 24*time.Hour && d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}
