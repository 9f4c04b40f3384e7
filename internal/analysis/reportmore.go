package analysis

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/openshell-policy/openshell/audit"
)

// WriteText prints a coverage for people: a line for each policy, and one for
// each rule that no case hit with the reason; with verbose also for the others.
//
//	coverage  9 of 10 rules, 90.0 %
//	POLICY           RULES  COVERED
//	github-readonly  10     9  90.0 %
//	not hit  github-readonly outbound[1], policies/github-readonly.yaml:14: github.com
//	         no case reaches its host, github.com
func (c *Coverage) WriteText(w io.Writer, verbose bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\ncoverage  %d of %s, %.1f %%\n\n", c.Covered, plural(c.Rules, "rule"), c.Percent)
	tw := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "POLICY\tRULES\tCOVERED\tPERCENT\tFILE")
	for _, p := range c.Policies {
		fmt.Fprintf(tw, "%s\t%d\t%d\t%.1f\t%s\n", p.Policy, p.Rules, p.Covered, p.Percent, p.File)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, r := range c.Details {
		if r.Hits == 0 {
			fmt.Fprintf(&b, "\nnot hit  %s %s, %s:%d: %s\n         %s\n", r.Policy, r.Rule, r.Pos.File, r.Pos.Line, audit.Printable(r.Text), audit.Printable(r.Reason))
		}
	}
	if verbose {
		b.WriteByte('\n')
		for _, r := range c.Details {
			if r.Hits > 0 {
				fmt.Fprintf(&b, "hit %3d  %s %s, %s:%d: %s\n", r.Hits, r.Policy, r.Rule, r.Pos.File, r.Pos.Line, audit.Printable(r.Text))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteText prints a mutation run for people: a line for each policy, and each
// mutant that survived as a diff of the policy's file; with verbose also which
// case killed the others.
func (m *Mutation) WriteText(w io.Writer, verbose bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\nmutation  %s: %d killed, %d survived, %d equivalent, %d do not compile; score %.1f %%\n\n",
		plural(m.Tally.Mutants, "mutant"), m.Killed, m.Survived, m.Equivalent, m.Invalid, m.Score)
	tw := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "POLICY\tMUTANTS\tKILLED\tSURVIVED\tEQUIVALENT\tSCORE")
	for _, p := range m.Policies {
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d\t%.1f\n", p.Policy, p.Mutants, p.Killed, p.Survived, p.Equivalent, p.Score)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, r := range m.Mutants {
		switch {
		case r.Fate == Survived:
			writeSurvivor(&b, r)
		case verbose && r.Fate == Killed:
			fmt.Fprintf(&b, "\nkilled    %s\n          by %q (%s): %s\n", r.title(), audit.Printable(r.By.Name), place(r.By.Pos), audit.Printable(r.By.Reason))
		case verbose:
			fmt.Fprintf(&b, "\n%-8s  %s\n", r.Fate, r.title())
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *MutantResult) title() string {
	return fmt.Sprintf("%s: %s %s (%s), %s:%d", r.Policy, r.Operator, r.Rule, audit.Printable(r.Change), r.Pos.File, r.Pos.Line)
}

func writeSurvivor(b *strings.Builder, r MutantResult) {
	fmt.Fprintf(b, "\nsurvived  %s\n", r.title())
	if r.Example != nil {
		fmt.Fprintf(b, "          a case that notices: %s, expect %s\n", audit.Printable(r.Example.Ask), r.Example.Expect)
	}
	if r.Undecided {
		b.WriteString("          it was not found out whether it decides everything alike\n")
	}
	for line := range strings.Lines(r.Diff) {
		b.WriteString("  " + line)
	}
}
