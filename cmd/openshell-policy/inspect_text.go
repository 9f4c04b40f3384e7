package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// print writes the form for people.
func (out *inspected) print(o *inspectOptions) error {
	w := tabwriter.NewWriter(o.stdout, 0, 0, 2, ' ', 0)
	line := func(key, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", key, fmt.Sprintf(format, args...)) }
	line("bundle", "%s (%d bytes, sha256 %.12s)", out.File, out.Bytes, out.Digest)
	line("revision", "%s", out.Revision)
	line("name", "%s", orNone(out.Name))
	line("serial", "%d", out.Serial)
	line("expires", "%s", out.expiry(time.Now()))
	line("signature", "%s", out.Signature.text())
	line("roots", "%s", strings.Join(out.Roots, " "))
	line("compiler", "%s", orNone(out.Compiler))
	line("extensions", "%s", orNone(strings.Join(out.Extensions, " ")))
	line("sources", "%s", orNone(strings.Join(out.Sources, " ")))
	fmt.Fprintf(w, "\nPOLICY\tMODE\tRULES\tFROM\n")
	for _, p := range out.Policies {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s:%d\n", p.Name, p.Mode, len(p.Rules), p.File, p.Line)
	}
	if o.rules {
		out.printRules(w)
	}
	return w.Flush()
}

func (out *inspected) printRules(w *tabwriter.Writer) {
	for _, p := range out.Policies {
		fmt.Fprintf(w, "\nRULE OF %s\tEFFECT\tFROM\n", strings.ToUpper(p.Name))
		for _, r := range p.Rules {
			from := "a table: openshell-policy explain " + r.ID
			if r.Line > 0 {
				from = fmt.Sprintf("%s:%d", r.File, r.Line)
			}
			id := r.ID
			if r.Host != "" {
				id += " (" + r.Host + ")"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", id, r.Effect, from)
		}
	}
}

func (out *inspected) expiry(now time.Time) string {
	switch {
	case out.Expires == nil:
		return "never"
	case !now.Before(*out.Expires):
		return out.Expires.UTC().Format(time.RFC3339) + " (past: a gateway refuses it)"
	}
	return out.Expires.UTC().Format(time.RFC3339)
}

func (s inspectedSignature) text() string {
	switch s.State {
	case "verified":
		return fmt.Sprintf("verified, %s key %s", s.Algorithm, s.KeyID)
	case "unverified":
		return fmt.Sprintf("not verified (says %s key %s); --key FILE verifies it", s.Algorithm, s.KeyID)
	}
	return "none; gateways refuse it from servers and registries"
}

func orNone(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
