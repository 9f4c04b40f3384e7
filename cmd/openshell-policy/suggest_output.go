package main

import (
	"fmt"
	"io"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/internal/analysis/suggest"
	"github.com/openshell-policy/openshell/internal/cli"
)

// print prints the patch on stdout and what it is about on stderr, so that the
// patch can be applied by other programs; or all of it as JSON.
func (o *suggestOptions) print(s *suggestion) error {
	if o.json {
		return cli.WriteJSON(o.stdout, s)
	}
	if o.unused != "" {
		writeUnused(o.stderr, s.Unused)
	} else {
		writeSuggested(o.stderr, s)
	}
	if s.Change != nil {
		fmt.Fprintln(o.stderr, "what that means:")
		if err := s.Change.text(o.stderr); err != nil {
			return err
		}
	}
	if o.write && s.Patch != "" {
		_, err := fmt.Fprintf(o.stderr, "the policy's file was changed\n")
		return err
	}
	_, err := io.WriteString(o.stdout, s.Patch+s.YAML)
	return err
}

func writeSuggested(w io.Writer, s *suggestion) {
	switch {
	case s.Denied == 0:
		fmt.Fprintf(w, "%s: %s from %s, none of them denied\n", s.Policy, count(s.Records, "record", "records"), period(s.First, s.Last))
	case s.Empty():
		fmt.Fprintf(w, "%s: %s of %d from %s, and nothing to suggest for them\n", s.Policy, count(s.Denied, "denial", "denials"), s.Records, period(s.First, s.Last))
	default:
		fmt.Fprintf(w, "%s: %s of %d from %s; the patch allows %d of them\n", s.Policy, count(s.Denied, "denial", "denials"), s.Records, period(s.First, s.Last), s.Covered)
	}
	for i, r := range s.Refused {
		if i == maxRefused {
			fmt.Fprintf(w, "  and %d more; -o json has all of them\n", len(s.Refused)-i)
			break
		}
		fmt.Fprintf(w, "  not suggested  %s (%s): %s\n", audit.Printable(r.Ask), count(r.Count, "time", "times"), audit.Printable(r.Why))
	}
}

// maxRefused is how many denials without a suggestion are listed as text.
const maxRefused = 20

func writeUnused(w io.Writer, list []suggest.Unused) {
	if len(list) == 0 {
		fmt.Fprintln(w, "every rule was used")
	}
	for _, u := range list {
		kept := ""
		if u.Kept != "" {
			kept = "; kept: " + u.Kept
		}
		fmt.Fprintf(w, "  unused  %s:%d  %s  %s%s\n", u.File, u.Line, u.Rule, u.About, kept)
	}
}
