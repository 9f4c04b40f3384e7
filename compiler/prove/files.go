package prove

import (
	"context"
	"slices"

	"github.com/openshell-policy/openshell/compiler/automata"
	"github.com/openshell-policy/openshell/compiler/diff"
	"github.com/openshell-policy/openshell/compiler/exact"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// cells are the classes of paths by the lists of the policy and by all patterns
// of the invariants, the short ones first.
type cells struct {
	list  []exact.FileCell
	whole bool
	ids   map[*pattern]int
}

func (pr *prover) divide() *cells {
	if pr.cells != nil {
		return pr.cells
	}
	c := &cells{ids: map[*pattern]int{}}
	same := map[string]int{}
	c.list, c.whole = exact.FileCells(pr.Budget*2, []*plan.File{&pr.policy.File}, func(id func(int) int, g *automata.Graph) {
		for _, v := range pr.invariants {
			for _, list := range v.claims {
				for _, p := range list {
					if p.glob == nil {
						continue
					}
					if _, known := same[p.glob.Source]; !known {
						same[p.glob.Source] = len(same)
						g.FilePath(*p.glob, id(same[p.glob.Source]))
					}
					c.ids[p] = same[p.glob.Source]
				}
			}
		}
	})
	slices.SortStableFunc(c.list, func(a, b exact.FileCell) int { return weigh(&a) - weigh(&b) })
	pr.cells = c
	return c
}

// files decides a claim over operations on files exactly. An operation on two
// paths passes where it does on each, and one through a link where it does
// without.
func (pr *prover) files(ctx context.Context, r *Result, list []*pattern) error {
	c := pr.divide()
	if !c.whole {
		defer r.doubt("the path patterns make too many classes to look at each")
	}
	for i := range c.list {
		cell := &c.list[i]
		matched := slices.ContainsFunc(list, func(p *pattern) bool { return slices.Contains(cell.Also, c.ids[p]) })
		if matched == (r.Claim == Only) {
			continue
		}
		done, err := pr.cell(ctx, r, list[0].op, cell)
		if done || err != nil {
			return err
		}
	}
	return nil
}

func weigh(c *exact.FileCell) int {
	if c.Unusual {
		return len(c.Path) + 1<<20
	}
	return len(c.Path)
}

// cell tries one class of paths. The sandbox's home is taken to be /root or below
// /home, where the lists have its secrets.
func (pr *prover) cell(ctx context.Context, r *Result, op schemas.FileOp, c *exact.FileCell) (done bool, err error) {
	if diff.FilePasses(pr.policy, op, c.Views[0], false) == (r.Claim == Always) {
		return false, nil
	}
	file, err := canon.FileOperation(op, c.Path, "")
	if err != nil {
		r.doubt("no example shows whether %s %q passes", op, c.Path)
		return false, nil
	}
	in := schemas.DecisionInput{Kind: schemas.KindFile, Policy: pr.policy.Name, File: file}
	text := string(op) + " " + file.Path
	d := pr.Evaluator.Decide(ctx, &in)
	if r.refute(&d, &in, text) {
		return true, nil
	}
	if c.Unusual || pr.Extended {
		r.doubt("no example shows whether %s passes", text)
		return false, ctx.Err()
	}
	return false, r.mismatch(&d, text)
}
