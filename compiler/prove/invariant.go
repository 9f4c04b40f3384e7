package prove

import (
	"errors"
	"fmt"
	"slices"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
)

// Invariant is what must hold for some policies.
type Invariant struct {
	Name     string
	Pos      diag.Position
	policies *schemas.InvariantTargets
	claims   map[string][]*pattern
}

// Parse reads the invariants of a document. What is wrong with a pattern is a
// diagnostic.
func Parse(d *parse.Document) ([]*Invariant, []diag.Diagnostic) {
	if d.Invariants == nil {
		return nil, nil
	}
	var out []*Invariant
	var ds []diag.Diagnostic
	names := map[string]diag.Position{}
	for i, spec := range d.Invariants.Spec.Invariants {
		at := d.Pos("spec", "invariants", i, "name")
		if other, taken := names[spec.Name]; taken {
			found := diag.New("OSP2005", at, fmt.Sprintf("two invariants are named %s", spec.Name), "rename one of them")
			found.Related = []diag.Related{{Pos: other, Message: "the other"}}
			ds = append(ds, found)
		}
		names[spec.Name] = at
		v := &Invariant{Name: spec.Name, Pos: at, policies: spec.Policies, claims: map[string][]*pattern{}}
		for claim, list := range map[string][]string{Never: spec.Never, Always: spec.Always, Only: spec.Only} {
			for k, text := range list {
				p, err := parsePattern(claim, text, d.Pos("spec", "invariants", i, claim, k))
				if err != nil {
					ds = append(ds, broken(d, text, err, i, claim, k))
					continue
				}
				v.claims[claim] = append(v.claims[claim], p)
			}
		}
		out = append(out, v)
	}
	diag.Sort(ds)
	return out, ds
}

func broken(d *parse.Document, text string, err error, i int, claim string, k int) diag.Diagnostic {
	hint := `such as "POST,PUT https://api.example.com/**", "read /root/.ssh/**" or "run git push *"`
	var bad *glob.Error
	if errors.As(err, &bad) && bad.Hint != "" {
		hint = bad.Hint
	}
	return diag.New("OSP2040", d.Pos("spec", "invariants", i, claim, k), fmt.Sprintf("%q: %s", text, err), hint)
}

// About tells whether the invariant is about a policy; name is its own, or the one
// that it is chosen by.
func (v *Invariant) About(p *plan.Policy, name string) bool {
	t := v.policies
	if t == nil {
		return true
	}
	for key, value := range t.Labels {
		if p.Labels[key] != value {
			return false
		}
	}
	return (len(t.Names) == 0 || slices.Contains(t.Names, name)) && !slices.Contains(t.Except, name)
}
