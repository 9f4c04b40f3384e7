package lint

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// base finds a policy that others may extend.
func (s *set) base(name string) *parse.Document {
	for _, p := range s.policies {
		if p.plan.Name == name {
			return p.doc
		}
	}
	return s.library[name]
}

// deadExtends finds bases that add nothing: they are extended through another one
// already, or say nothing.
func deadExtends(p *policy, r *reporter) {
	for i, name := range p.spec.Extends {
		at := []any{"spec", "extends", i}
		other := slices.IndexFunc(p.spec.Extends, func(o string) bool { return o != name && o != p.doc.Policy.Metadata.Name && p.reaches(o, name, 0) })
		switch base := p.base(name); {
		case base == nil:
		case slices.Contains(p.spec.Extends[:i], name):
			d := r.at(at, "remove it", "%s is extended twice", name)
			r.remove(d, true, at...)
		case other >= 0 && !p.reaches(name, p.spec.Extends[other], 0):
			d := r.at(at, "remove it", "%s adds nothing: %s extends it", name, p.spec.Extends[other])
			r.remove(d, true, at...)
		case reflect.DeepEqual(base.Policy.Spec, schemas.Spec{}):
			r.at(at, "remove it", "%s says nothing that a policy without it does not say", name)
		}
	}
}

// reaches tells whether a policy extends another one, directly or not.
func (s *set) reaches(name, target string, depth int) bool {
	base := s.base(name)
	if base == nil || depth > 20 {
		return false
	}
	return slices.ContainsFunc(base.Policy.Spec.Extends, func(e string) bool { return e == target || s.reaches(e, target, depth+1) })
}

// scalar is a value of which a policy's own wins over those of its bases.
type scalar struct {
	path  []any
	of    func(*schemas.Spec) string
	order []string // from the strictest on
}

func scalars() []scalar {
	return []scalar{
		{[]any{"spec", "mode"}, func(s *schemas.Spec) string { return string(s.Mode) }, []string{"enforce", "audit"}},
		{[]any{"spec", "filesystem", "baseline"}, func(s *schemas.Spec) string {
			if s.Filesystem == nil {
				return ""
			}
			return s.Filesystem.Baseline
		}, []string{"none", "runtime"}},
		{[]any{"spec", "filesystem", "sensitive"}, func(s *schemas.Spec) string {
			if s.Filesystem == nil {
				return ""
			}
			return s.Filesystem.Sensitive
		}, []string{"everywhere", "block", "allow"}},
		{[]any{"spec", "execution", "carriers"}, func(s *schemas.Spec) string {
			if s.Execution == nil {
				return ""
			}
			return s.Execution.Carriers
		}, []string{"deny", "allow"}},
	}
}

// looser finds values that undo what a base is strict about.
func looser(p *policy, r *reporter) {
	for _, sc := range scalars() {
		own := slices.Index(sc.order, sc.of(p.spec))
		if own < 0 {
			continue
		}
		if name, doc := p.stricter(p.spec, sc, own, 0); doc != nil {
			d := r.at(sc.path, "remove it, or do not extend "+name, "%s: %s is looser than %s of %s, which it undoes", sc.path[len(sc.path)-1], sc.order[own], sc.of(&doc.Policy.Spec), name)
			related(d, doc.Pos(sc.path...), "the stricter value")
		}
	}
}

func (s *set) stricter(spec *schemas.Spec, sc scalar, own, depth int) (string, *parse.Document) {
	for _, name := range spec.Extends {
		base := s.base(name)
		if base == nil || depth > 20 {
			continue
		}
		if i := slices.Index(sc.order, sc.of(&base.Policy.Spec)); i >= 0 {
			if i < own {
				return name, base
			}
			continue
		}
		if n, d := s.stricter(&base.Policy.Spec, sc, own, depth+1); d != nil {
			return n, d
		}
	}
	return "", nil
}

// libraryNames finds policies that have the name of a ready-made one and differ.
func libraryNames(p *policy, r *reporter) {
	other := p.library[p.doc.Policy.Metadata.Name]
	if other == nil || reflect.DeepEqual(other.Policy, p.doc.Policy) {
		return
	}
	r.at([]any{"metadata", "name"}, "rename it, so that nobody gets the other one", "%s is also the name of a ready-made policy, and the two differ", p.doc.Policy.Metadata.Name)
}

// untested finds policies that no test names.
func untested(p *policy, r *reporter) {
	if p.opts.NoTests {
		return
	}
	name := p.doc.Policy.Metadata.Name
	for _, t := range slices.Concat(p.tests, p.known) {
		if t.Test != nil && tests(t.Test, name, p.doc.File) {
			return
		}
	}
	hint := fmt.Sprintf("write %s_test.yaml beside it: kind: PolicyTest, with a request that must be allowed and one that must not", strings.TrimSuffix(strings.TrimSuffix(baseOf(p.doc.File), ".yml"), ".yaml"))
	r.at([]any{"metadata", "name"}, hint, "no test asks anything of %s", name)
}

func baseOf(file string) string { return file[strings.LastIndexByte(file, '/')+1:] }

func tests(t *schemas.PolicyTest, name, file string) bool {
	if t.Spec.Policy == name {
		return true
	}
	if t.Spec.Policy == "" && slices.ContainsFunc(t.Spec.Policies, func(f string) bool { return baseOf(f) == baseOf(file) }) {
		return true
	}
	return slices.ContainsFunc(t.Spec.Cases, func(c schemas.TestCase) bool { return c.Policy == name || slices.Contains(c.With, name) })
}

// unknownRules finds cases of tests that expect a rule which the policy does not
// have: such a case fails for a reason that its author did not mean, or never runs.
func unknownRules(s *set, d *parse.Document, r *reporter) {
	for i, c := range d.Test.Spec.Cases {
		name := c.Policy
		if name == "" {
			name = d.Test.Spec.Policy
		}
		j := slices.IndexFunc(s.policies, func(p *policy) bool { return p.doc.Policy.Metadata.Name == name })
		if c.Rule == "" || j < 0 || len(c.With) > 0 || c.Agent != "" {
			continue
		}
		ids := ruleIDs(s.policies[j].plan)
		if slices.Contains(ids, c.Rule) || slices.Contains(fixedRules, c.Rule) {
			continue
		}
		hint := "remove rule, or write the id of one of the policy's rules"
		if best := parse.Closest(c.Rule, ids); best != "" {
			hint = "did you mean " + best + "?"
		}
		r.at([]any{"spec", "cases", i, "rule"}, hint, "%s has no rule %q", name, c.Rule)
	}
}

// cannotAsk finds cases of tests that no input can be made of, unless that is what
// they ask.
func cannotAsk(_ *set, d *parse.Document, r *reporter) {
	for i, c := range d.Test.Spec.Cases {
		var err error
		field := "request"
		switch {
		case c.Request != nil:
			_, err = canon.ParseRequest(c.Request.Method, c.Request.URL)
		case c.File != "":
			field = "file"
			_, err = canon.ParseFile(c.File)
		case c.Command != "":
			field = "command"
			_, err = canon.CommandText(c.Command, canon.Shell{})
		}
		refused := c.Code == schemas.CodeBadRequest || c.Code == schemas.CodeAuthorityMismatch
		if err != nil && !refused {
			r.at([]any{"spec", "cases", i, field}, "write it as in GET https://api.example.com/, read /workspace/a or git status", "%s", err)
		}
	}
}

func ruleIDs(p *plan.Policy) []string {
	var ids []string
	for _, x := range slices.Concat(p.Network.Denied, p.Network.Outbound) {
		ids = append(ids, x.ID)
	}
	for _, x := range slices.Concat(p.File.Blocked, p.File.Readonly, p.File.Writable) {
		ids = append(ids, x.ID)
	}
	for _, x := range p.Exec.Allowed {
		ids = append(ids, x.ID)
	}
	for _, x := range p.Exec.Blocked {
		ids = append(ids, x.ID)
	}
	return ids
}

// fixedRules are the ids of rules that no policy writes.
var fixedRules = []string{
	schemas.RuleBaseline, schemas.RuleSensitive, schemas.RuleCarrier, schemas.RuleHelper, schemas.RuleEntryPoint, schemas.RuleDefault,
}
