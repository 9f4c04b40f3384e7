package audit

import (
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/schemas"
)

// LineOptions choose how a record is printed.
type LineOptions struct {
	Wide  bool // adds code, rule and file:line
	Plain bool // ALLOWED and BLOCKED instead of the marks
	UTC   bool // instead of local time
}

// Line prints a decision as one line without a newline:
//
//	line   = "[" HH:MM:SS "]" SP action SP mark [ SP note ] [ wide ]
//	action = METHOD SP [ "http://" ] host [ ":" port ] path
//	       | "READ" SP path | "RENAME" SP path SP path | "EXEC" SP command
//	mark   = "✅" | "❌", with Plain "ALLOWED" | "BLOCKED"
//	note   = "BLOCKED (" reason ")", with Plain "(" reason ")"
//	       | "AUDIT (" reason ")"    ; denied, but mode audit let it pass
//	wide   = SP SP code SP rule [ SP file ":" line ]
//
// The scheme is printed only for http and the port only where it is not the
// scheme's default. An outcome has no line of its own: "" is returned. What was
// done to the gateway or the log reads
//
//	line   = "[" HH:MM:SS "]" SP "ADMIN" SP what SP target [ SP detail ] SP "(" who ")"
//	       | "[" HH:MM:SS "]" SP "LOG" SP text
func Line(r *schemas.Record, opts LineOptions) string {
	switch r.Custom.Type {
	case schemas.RecordOutcome:
		return ""
	case schemas.RecordDecision, "":
		return decisionLine(r, opts)
	}
	return opts.stamp(r) + note(r)
}

func (o LineOptions) stamp(r *schemas.Record) string {
	return "[" + o.clock(r.Timestamp).Format("15:04:05") + "] "
}

func decisionLine(r *schemas.Record, opts LineOptions) string {
	var b strings.Builder
	b.WriteString(opts.stamp(r))
	b.WriteString(Action(r.Input))
	b.WriteString(" " + verdict(r, opts))
	if opts.Wide {
		b.WriteString(wide(r))
	}
	return b.String()
}

func (o LineOptions) clock(t time.Time) time.Time {
	if o.UTC {
		return t.UTC()
	}
	return t.Local()
}

func verdict(r *schemas.Record, opts LineOptions) string {
	allowed, blocked, note := "✅", "❌", "BLOCKED "
	if opts.Plain {
		allowed, blocked, note = "ALLOWED", "BLOCKED", ""
	}
	reason := r.Custom.Reason
	if reason == "" {
		reason = r.Custom.Code.Info().Reason
	}
	switch {
	case r.Result != nil && r.Result.Allow:
		return allowed
	case r.Result != nil && r.Result.Passes():
		return allowed + " AUDIT (" + Printable(reason) + ")"
	}
	return blocked + " " + note + "(" + Printable(reason) + ")"
}

// Action says in one line what was asked for, as Line prints it.
func Action(in *schemas.DecisionInput) string {
	switch {
	case in == nil:
		return "- -"
	case in.Network != nil:
		return networkAction(in.Network)
	case in.File != nil:
		return fileAction(in.File)
	case in.Exec != nil:
		return execAction(in.Exec)
	}
	return Printable(strings.ToUpper(string(in.Kind))) + " -"
}

func networkAction(n *schemas.NetworkInput) string {
	method, host := n.Method, n.Host
	if method == "" {
		method = "-"
	}
	if host == "" {
		host = "-"
	}
	def := 443
	scheme := ""
	if n.Scheme == "http" {
		def, scheme = 80, "http://"
	}
	if n.Port != 0 && n.Port != def {
		host = net.JoinHostPort(host, strconv.Itoa(n.Port))
	} else if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return Printable(method) + " " + scheme + Printable(host) + Printable(n.Path)
}

func fileAction(f *schemas.FileInput) string {
	s := Printable(strings.ToUpper(string(f.Op))) + " " + Printable(f.Path)
	if f.Target != nil {
		s += " " + Printable(f.Target.Path)
	}
	return s
}

func execAction(e *schemas.ExecInput) string {
	parts := make([]string, 0, len(e.Commands))
	for _, c := range e.Commands {
		if c.Origin != "" {
			continue // what a carrier starts is in the carrier's own words
		}
		name := c.Program
		if name == "" {
			name = path.Base(c.Path)
		}
		words := append([]string{name}, c.Args...)
		for i, w := range words {
			words[i] = quoteWord(w)
		}
		parts = append(parts, strings.Join(words, " "))
	}
	// A process that forked stands in the list twice.
	return "EXEC " + strings.Join(slices.Compact(parts), " | ")
}

// quoteWord quotes an argument that a shell would split or expand.
func quoteWord(w string) string {
	w = Printable(w)
	if w != "" && !strings.ContainsAny(w, " \t'\"\\$`&|;<>()*?[]#~!{}") {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

func wide(r *schemas.Record) string {
	s := "  " + Printable(string(r.Custom.Code))
	if r.Custom.Rule != "" {
		s += " " + Printable(r.Custom.Rule)
	}
	if r.Result != nil && r.Result.Source != nil {
		s += " " + Printable(r.Result.Source.File) + ":" + strconv.Itoa(r.Result.Source.Line)
	}
	return s
}
