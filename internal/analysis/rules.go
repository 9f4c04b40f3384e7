package analysis

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
)

// Rule is a rule that an author wrote.
type Rule struct {
	ID    string
	Pos   diag.Position
	Deny  bool
	About string // what it is about, in words
	Lines []int  // of the file; empty unless Locate was called
}

// Rules lists the rules of a policy in the order of its surfaces, inherited ones
// included, each once.
func Rules(p *plan.Policy) []Rule {
	var out []Rule
	seen := map[string]bool{}
	eachRule(p, func(o *plan.Origin, kind schemas.Kind, deny bool) {
		if seen[o.ID] || ofTable(o.ID) {
			return
		}
		seen[o.ID] = true
		out = append(out, Rule{ID: o.ID, Pos: o.Pos, Deny: deny, About: about(p, o, kind)})
	})
	return out
}

func about(p *plan.Policy, o *plan.Origin, kind schemas.Kind) string {
	switch kind {
	case schemas.KindFile:
		return "files at " + o.Text
	case schemas.KindExec:
		return "commands like " + o.Text
	}
	for _, list := range [][]plan.NetworkRule{p.Network.Outbound, p.Network.Denied} {
		for i := range list {
			if list[i].ID == o.ID {
				return request(&list[i])
			}
		}
	}
	return "requests to " + o.Text
}

// request says in words which requests a rule matches.
func request(r *plan.NetworkRule) string {
	methods := "every method"
	if len(r.Methods) > 0 {
		methods = strings.Join(r.Methods, ", ")
	}
	var places []string
	for _, e := range r.Endpoints {
		if !r.AnyPort {
			places = append(places, fmt.Sprintf("%s:%d", e.Scheme, e.Port))
		}
	}
	where := "any port"
	if len(places) > 0 {
		where = strings.Join(places, " and ")
	}
	text := fmt.Sprintf("%s to %s on %s", methods, r.Text, where)
	if len(r.Paths) > 0 {
		var paths []string
		for _, p := range r.Paths {
			paths = append(paths, p.Source)
		}
		text += ", paths " + strings.Join(paths, " ")
	}
	for _, q := range r.Query {
		text += ", with query " + q.Key
	}
	if len(r.Binaries) > 0 {
		text += ", by certain programs"
	}
	return text
}

// Locate finds the lines that rules stand on.
func Locate(rules []Rule, sources map[string][]byte) []Rule {
	out := slices.Clone(rules)
	lines := map[diag.Position][]int{}
	read := map[string]bool{}
	for i := range out {
		file := out[i].Pos.File
		if !read[file] {
			read[file] = true
			docs, _ := parse.File(file, sources[file])
			for _, d := range docs {
				if d.Policy == nil {
					continue
				}
				for pos, l := range linesOf(d) {
					lines[pos] = l
				}
			}
		}
		out[i].Lines = lines[out[i].Pos]
	}
	return out
}
