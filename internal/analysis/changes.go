package analysis

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/plan"
)

// Changes says in words what a sandbox gains and loses that goes from one policy
// to another:
//
//	from github-readonly to full-dev:
//	+ 3 hosts, + PATCH POST PUT on api.github.com, + writable /home/agent/**
//	- github.com, - readable /etc/**
//	no longer blocked: **/.env
//	commands now limited to git python node npm pip
//
// It compares rules as they are written, not what they match: it is a summary,
// not a proof.
func Changes(from, to *plan.Policy) []string {
	added, removed := compare(hosts(from), hosts(to))
	gains, losses := signed("+ ", few(added, "hosts")), signed("- ", few(removed, "hosts"))
	more, fewer := methodChanges(from, to)
	gains, losses = append(gains, more...), append(losses, fewer...)
	for _, l := range grants {
		added, removed := compare(texts(l.of(&from.File)), texts(l.of(&to.File)))
		gains = append(gains, signed("+ "+l.word, added)...)
		losses = append(losses, signed("- "+l.word, removed)...)
	}
	before, after := texts(from.File.Blocked), texts(to.File.Blocked)
	blocked := uncovered(after, append(before, texts(from.File.Sensitive)...))
	unblocked := uncovered(before, append(after, texts(to.File.Sensitive)...))
	var out []string
	out = appendLine(out, "", gains, ", ")
	out = appendLine(out, "", losses, ", ")
	out = appendLine(out, "no longer blocked: ", unblocked, " ")
	out = appendLine(out, "now blocked: ", blocked, " ")
	denied, undenied := compare(denials(from), denials(to))
	out = appendLine(out, "no longer denied: ", undenied, ", ")
	out = appendLine(out, "now denied: ", denied, ", ")
	return append(out, commandChanges(&from.Exec, &to.Exec)...)
}

// denials are the deny rules: the name, where there is one, and the host.
func denials(p *plan.Policy) []string {
	var out []string
	for _, r := range p.Network.Denied {
		text := r.Text
		if !strings.Contains(r.ID, "[") {
			text += " (" + r.ID + ")"
		}
		out = append(out, text)
	}
	return out
}

// grants are the lists of files that allow something.
var grants = []struct {
	word string
	of   func(*plan.File) []plan.PathRule
}{
	{"writable ", func(f *plan.File) []plan.PathRule { return f.Writable }},
	{"readable ", func(f *plan.File) []plan.PathRule { return f.Readonly }},
}

func appendLine(out []string, title string, parts []string, sep string) []string {
	if len(parts) == 0 {
		return out
	}
	return append(out, title+strings.Join(parts, sep))
}

func hosts(p *plan.Policy) []string {
	var names []string
	for _, r := range p.Network.Outbound {
		names = append(names, r.Text)
	}
	return names
}

func texts(rules []plan.PathRule) []string {
	var out []string
	for _, r := range rules {
		out = append(out, r.Text)
	}
	return out
}

// compare returns what only the second and only the first list holds, sorted.
func compare(from, to []string) (added, removed []string) {
	return without(to, from), without(from, to)
}

func without(list, other []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(other, s) && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}

// uncovered returns the globs of a list that the other neither holds nor covers
// by a tree: /root/** covers /root/.ssh/**.
func uncovered(list, other []string) []string {
	return slices.DeleteFunc(without(list, other), func(s string) bool {
		return slices.ContainsFunc(other, func(o string) bool {
			tree, ok := strings.CutSuffix(o, "/**")
			return ok && tree != "" && tree != "**" && strings.HasPrefix(s, tree+"/")
		})
	})
}

// few names up to two and counts more.
func few(names []string, noun string) []string {
	if len(names) > 2 {
		return []string{fmt.Sprintf("%d %s", len(names), noun)}
	}
	return names
}

func signed(sign string, names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = sign + n
	}
	return out
}

// methodChanges tells the methods that hosts of both policies gain and lose.
func methodChanges(from, to *plan.Policy) (more, fewer []string) {
	before, after := methods(from), methods(to)
	for _, host := range slices.Sorted(maps.Keys(after)) {
		if before[host] == nil {
			continue
		}
		added, removed := compare(before[host], after[host])
		if len(added) > 0 {
			more = append(more, "+ "+strings.Join(added, " ")+" on "+host)
		}
		if len(removed) > 0 {
			fewer = append(fewer, "- "+strings.Join(removed, " ")+" on "+host)
		}
	}
	return more, fewer
}

// methods lists, by host, the methods that any rule allows there.
func methods(p *plan.Policy) map[string][]string {
	m := map[string][]string{}
	for _, r := range p.Network.Outbound {
		written := r.Written
		if len(written) == 0 {
			written = []string{"every method"}
		}
		m[r.Text] = append(m[r.Text], written...)
	}
	return m
}

// commandChanges tells how the clause of commands changes.
func commandChanges(from, to *plan.Exec) []string {
	var out []string
	before, after := programs(from), programs(to)
	switch {
	case from.Restricted && !to.Restricted:
		out = append(out, "commands no longer limited")
	case !to.Restricted || from.Restricted && slices.Equal(before, after):
	case to.None || len(after) == 0:
		out = append(out, "no commands allowed")
	default:
		out = append(out, "commands now limited to "+strings.Join(after, " "))
	}
	return appendLine(out, "commands no longer blocked: ", without(pipelines(from), pipelines(to)), ", ")
}

func pipelines(e *plan.Exec) []string {
	var out []string
	for _, r := range e.Blocked {
		out = append(out, r.Text)
	}
	return out
}

// programs names what allowed_commands begins with, in the order written.
func programs(e *plan.Exec) []string {
	var out []string
	for _, r := range e.Allowed {
		name := r.Text
		if !strings.HasPrefix(name, "@") {
			name, _, _ = strings.Cut(name, " ")
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
