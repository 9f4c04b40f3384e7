package analysis

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
)

// WriteLCOV writes a coverage in the format of lcov's tracefiles, version 1. The
// lines of a file are those that its rules stand on, hit as often as the rule;
// each rule is a function POLICY:RULE.
func (c *Coverage) WriteLCOV(w io.Writer) error {
	b := bufio.NewWriter(w)
	var files []string
	for _, p := range c.Policies {
		if !slices.Contains(files, p.File) {
			files = append(files, p.File)
		}
	}
	for _, f := range files {
		c.writeFile(b, f)
	}
	return b.Flush()
}

func (c *Coverage) writeFile(b *bufio.Writer, file string) {
	fmt.Fprintf(b, "TN:\nSF:%s\n", file)
	hits := map[int]int{}
	rules, covered := 0, 0
	for _, r := range c.Details {
		if r.Pos.File != file {
			continue
		}
		rules++
		if r.Hits > 0 {
			covered++
		}
		name := r.Policy + ":" + r.Rule
		fmt.Fprintf(b, "FN:%d,%s\nFNDA:%d,%s\n", r.Pos.Line, name, r.Hits, name)
		for _, line := range r.Lines {
			hits[line] += r.Hits
		}
	}
	fmt.Fprintf(b, "FNF:%d\nFNH:%d\n", rules, covered)
	hit := 0
	for _, line := range slices.Sorted(maps.Keys(hits)) {
		fmt.Fprintf(b, "DA:%d,%d\n", line, hits[line])
		if hits[line] > 0 {
			hit++
		}
	}
	fmt.Fprintf(b, "LF:%d\nLH:%d\nend_of_record\n", len(hits), hit)
}
