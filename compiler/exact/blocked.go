package exact

import (
	"github.com/openshell-policy/openshell/compiler/automata"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
)

// BlockedCovered tells whether one of the other blocked patterns blocks all that
// the pattern blocks: Yes, or Unknown. A pattern names the least that must be
// there, so that one which names less, or fewer stages, blocks more.
func BlockedCovered(r *plan.PipelineRule, others ...*plan.PipelineRule) Verdict {
	for _, o := range others {
		if stagesCovered(r.Stages, o.Stages) {
			return Yes
		}
	}
	return Unknown
}

// stagesCovered finds the stages of by, in order, among those of r: output that
// reaches a stage through others reaches it.
func stagesCovered(r, by []plan.Stage) bool {
	for len(by) > 0 {
		if len(r) < len(by) {
			return false
		}
		if StageCovered(&r[0], &by[0]) {
			by = by[1:]
		}
		r = r[1:]
	}
	return true
}

// StageCovered tells whether a stage is certain to block all that another blocks.
func StageCovered(s, by *plan.Stage) bool {
	return programCovered(&s.Program, &by.Program) == Yes &&
		(by.Sub == nil || s.Sub != nil && textCovered(*s.Sub, *by.Sub)) &&
		needed(s.Options, by.Options) && needed(s.Operands, by.Operands)
}

// needed tells whether each of the globs of by is met by what one of has meets.
func needed(has, by []glob.Pattern) bool {
	for _, b := range by {
		met := false
		for _, h := range has {
			met = met || textCovered(h, b)
		}
		if !met {
			return false
		}
	}
	return true
}

type texts struct{ list []glob.Pattern }

func (t *texts) count() int { return len(t.list) }

func (t *texts) add(g *automata.Graph) automata.Node {
	for i, p := range t.list {
		g.Text(p, i)
	}
	return g.Arguments()
}

// textCovered tells whether a glob over text certainly matches all that another
// matches.
func textCovered(p, by glob.Pattern) bool {
	v, _ := covered(&texts{[]glob.Pattern{p, by}})
	return v == Yes
}
