package main

import (
	"fmt"
	"strings"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/diff"
	"github.com/openshell-policy/openshell/compiler/prove"
)

// markdown is the review as one comment: the verdict, what more passes, what no
// longer holds, and the rest folded.
func (r *review) markdown(limit int) string {
	b := &bounded{limit: limit - 400}
	verdict := "✅ passes"
	if len(r.Failures) > 0 {
		verdict = "❌ does not pass"
	}
	b.force(fmt.Sprintf("## Policy review: %s\n\n%s", verdict, r.table()))
	for _, f := range r.Failures {
		b.item("- " + escape(f) + "\n")
	}
	for _, n := range r.Notes {
		b.item("- note: " + escape(n) + "\n")
	}
	b.add("\n")
	if r.Diff != nil {
		r.Diff.section(b, "Now passes", diff.Widens, "🔺")
		r.Diff.doubts(b)
	}
	r.refuted(b)
	r.failed(b)
	if r.Diff != nil && r.Diff.Replay != nil {
		b.add("\n")
		replaySection(b, r.Diff.Replay)
	}
	if r.Diff != nil {
		b.add("\n")
		r.Diff.section(b, "No longer passes", diff.Narrows, "🔻")
		r.accepted(b)
	}
	r.linted(b)
	if b.left > 0 {
		b.force(fmt.Sprintf("\n…and %d more; `openshell-policy review -o json` has all of them.\n", b.left))
	}
	return b.String()
}

// table is the line of each part.
func (r *review) table() string {
	rows := []string{"| check | result |", "| --- | --- |", "| lint | " + diag.Summary(r.Lint.Diagnostics) + " |"}
	if r.Tests != nil {
		rows = append(rows, fmt.Sprintf("| tests | %d of %s passed |", r.Tests.Totals.Cases-r.Tests.Totals.Failed, count(r.Tests.Totals.Cases, "case", "cases")))
	}
	if r.Diff != nil {
		rows = append(rows, fmt.Sprintf("| change since %s | **%s**: %s |", code(r.Against), r.Diff.Verdict, r.Diff.summary()))
	}
	if r.Diff != nil && r.Diff.Replay != nil {
		rows = append(rows, "| recorded traffic | "+escape(replaySummary(r.Diff.Replay))+" |")
	}
	if r.Proof != nil {
		rows = append(rows, fmt.Sprintf("| invariants | %d proved, %d refuted, %d unknown |", r.Proof.Counts["proved"], r.Proof.Counts["refuted"], r.Proof.Counts["unknown"]))
	}
	return strings.Join(rows, "\n") + "\n\n"
}

func (r *review) refuted(b *bounded) {
	if r.Proof == nil || !r.Proof.fails(false) {
		return
	}
	b.add("#### Invariants that do not hold\n\n")
	for _, p := range r.Proof.Results {
		switch p.Verdict {
		case prove.Refuted:
			b.item(fmt.Sprintf("- ❌ **%s** %s: %s %s<br>%s\n", escape(p.Policy), escape(p.Invariant), p.Claim, code(p.Pattern), escape(refutation(&p))))
		case prove.Unknown:
			b.item(fmt.Sprintf("- ❔ **%s** %s: %s %s<br>%s\n", escape(p.Policy), escape(p.Invariant), p.Claim, code(p.Pattern), escape(p.Why)))
		}
	}
	for _, name := range r.Proof.Unmatched {
		b.item(fmt.Sprintf("- ❔ %s is about none of the policies\n", escape(name)))
	}
}

func (r *review) failed(b *bounded) {
	if r.Tests == nil || r.Tests.Totals.Failed+r.Tests.Totals.Broken == 0 {
		return
	}
	b.add("\n#### Failed tests\n\n")
	for _, f := range r.Tests.Failed {
		b.item(fmt.Sprintf("- %s %s: %s, %s\n", code(fmt.Sprintf("%s:%d", f.File, f.Pos.Line)), escape(f.Name), code(f.Ask), escape(f.Reason)))
	}
	for _, d := range r.Tests.Broken {
		b.item(finding(&d))
	}
}

func (r *review) accepted(b *bounded) {
	for _, p := range r.Diff.Policies {
		for _, ig := range p.Ignored {
			b.item(fmt.Sprintf("- accepted until %s: %s in %s (%s)\n", ig.Until, code(ig.Change.Example), code(p.Policy), escape(ig.Reason)))
		}
	}
}

// linted folds the findings of lint.
func (r *review) linted(b *bounded) {
	if len(r.Lint.Diagnostics) == 0 {
		return
	}
	b.add(fmt.Sprintf("\n<details><summary>lint: %s</summary>\n\n", diag.Summary(r.Lint.Diagnostics)))
	for _, d := range r.Lint.Diagnostics {
		b.item(finding(&d))
	}
	b.force("\n</details>\n")
}

func finding(d *diag.Diagnostic) string {
	return fmt.Sprintf("- %s %s %s: %s\n", code(fmt.Sprintf("%s:%d", d.Pos.File, d.Pos.Line)), d.Severity, d.Code, escape(d.Message))
}
