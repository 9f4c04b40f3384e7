package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/diff"
	"github.com/openshell-policy/openshell/internal/cli"
)

func (c *comparison) write(o *diffOptions) error {
	switch o.format {
	case "json":
		return cli.WriteJSON(o.stdout, c)
	case "sarif":
		return diag.Write(o.stdout, diag.FormatSARIF, &diag.Report{Diagnostics: c.findings(), Sources: c.sources, Version: cli.Build().Version})
	case "markdown":
		_, err := io.WriteString(o.stdout, c.markdown(maxMarkdown))
		return err
	}
	return c.text(o.stdout)
}

// text prints the changes for a terminal:
//
//	dev: wider (network wider)
//	  + now passes  POST https://api.github.com/repos/a/pulls
//	      network: POST on api.github.com /repos/**
//	      before: method_not_allowed  outbound[0]  policies/dev.yaml:10
//	      after:  allowed  outbound[1]  policies/dev.yaml:14
func (c *comparison) text(w io.Writer) error {
	color := cli.Color(w)
	same := 0
	for _, p := range c.Policies {
		if p.Status == "same" && len(p.Ignored) == 0 {
			same++
			continue
		}
		name := p.Policy
		if p.Was != "" {
			name = p.Was + " to " + p.Policy
		}
		fmt.Fprintf(w, "%s: %s%s\n", cli.Paint(color, cli.Bold, name), p.Verdict, surfaceWords(p))
		for i := range p.Surfaces {
			writeSurface(w, color, &p.Surfaces[i])
		}
		for _, ig := range p.Ignored {
			fmt.Fprintf(w, "  = accepted until %s: %s (%s)\n", ig.Until, audit.Printable(ig.Change.Example), ig.Reason)
		}
	}
	_, err := fmt.Fprintf(w, "%s to %s: %s; %s, %s\n", c.Before, c.After, c.summary(), count(len(c.Policies), "policy", "policies"), fmt.Sprintf("%d equivalent", same))
	if err != nil || c.Replay == nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\non the recorded traffic:\n")
	return cmp.Or(err, replayText(w, c.Replay))
}

func (c *comparison) summary() string {
	parts := []string{fmt.Sprintf("%d wider", c.Counts["wider"]), fmt.Sprintf("%d narrower", c.Counts["narrower"])}
	for _, word := range []string{"unknown", "ignored"} {
		if n := c.Counts[word]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, word))
		}
	}
	return strings.Join(parts, ", ")
}

// surfaceWords names the surfaces that changed.
func surfaceWords(p *policyChange) string {
	var parts []string
	for _, s := range p.Surfaces {
		if s.Verdict != diff.Equivalent && s.Name != "policy" {
			parts = append(parts, s.Name+" "+string(s.Verdict))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func writeSurface(w io.Writer, color bool, s *diff.Surface) {
	for _, ch := range s.Changes {
		sign, paint, verb := "+", cli.Red, "now passes"
		if ch.Direction == diff.Narrows {
			sign, paint, verb = "-", cli.Green, "no longer passes"
		}
		fmt.Fprintf(w, "  %s  %s\n      %s: %s\n", cli.Paint(color, paint, sign+" "+verb), audit.Printable(ch.Example), s.Name, audit.Printable(ch.Class))
		if s.Name == "policy" {
			continue
		}
		fmt.Fprintf(w, "      before: %s\n      after:  %s\n", partWords(&ch, &ch.Before), partWords(&ch, &ch.After))
	}
	for _, why := range s.Unknown {
		fmt.Fprintf(w, "  %s  %s: %s\n", cli.Paint(color, cli.Yellow, "? unknown"), s.Name, audit.Printable(why))
	}
}

// partWords says what one policy does with a change, and by which line.
func partWords(ch *diff.Change, p *diff.Part) string {
	out := string(p.Code)
	if ch.Surface == diff.SurfaceMode {
		out = map[bool]string{true: "audit", false: "enforce"}[p.Passes]
	}
	if p.Rule != "" && p.Rule != "mode" {
		out += "  " + p.Rule
	}
	if p.File != "" {
		out += fmt.Sprintf("  %s:%d", p.File, p.Line)
	}
	switch {
	case ch.Tunnel && p.Passes:
		out += "  (unread)"
	case ch.Tunnel:
		out += "  (inspected)"
	case ch.Address != "" && !p.Passes:
		out += "  (but not at " + ch.Address + ")"
	case p.Passes && !p.Allow && ch.Surface != diff.SurfaceMode:
		out += "  (mode audit: passes)"
	}
	return out
}

// The codes of changes in SARIF and GitHub annotations.
const (
	codeWider    = "OSP3901"
	codeNarrower = "OSP3902"
	codeUnsure   = "OSP3903"
)

// findings turns changes into diagnostics at the rule that brings them about.
func (c *comparison) findings() []diag.Diagnostic {
	var out []diag.Diagnostic
	for _, p := range c.Policies {
		for _, s := range p.Surfaces {
			for _, ch := range s.Changes {
				out = append(out, p.finding(&ch))
			}
			for _, why := range s.Unknown {
				out = append(out, diag.New(codeUnsure, p.at.Pos, p.Policy+", "+s.Name+": "+why, ""))
			}
		}
	}
	diag.Sort(out)
	return out
}

func (p *policyChange) finding(ch *diff.Change) diag.Diagnostic {
	code, verb := codeWider, "now passes"
	if ch.Direction == diff.Narrows {
		code, verb = codeNarrower, "no longer passes"
	}
	at := p.at.Pos
	if ch.After.File == at.File && ch.After.Line > 0 {
		at = diag.Position{File: ch.After.File, Line: ch.After.Line, Col: 1}
	}
	d := diag.New(code, at, fmt.Sprintf("%s, %s: %s %s (%s)", p.Policy, ch.Surface, ch.Example, verb, ch.Class), "")
	if ch.Before.File != "" && ch.Surface != "policy" {
		d.Related = []diag.Related{{Pos: diag.Position{File: ch.Before.File, Line: ch.Before.Line, Col: 1}, Message: "before: " + string(ch.Before.Code) + " by " + ch.Before.Rule}}
	}
	return d
}
