package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/openshell-policy/openshell/internal/analysis/replay"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/internal/policyset"
)

// replayTarget finds which policy of a side decides the records of a policy: the
// one of that name, or the only one for those of --policy. Records of a policy
// that others were bound beside are decided by the same joined.
type replayTarget struct {
	side *policySide
	of   string // the policy that the records are of; "" any of the same name

	mu    sync.Mutex
	found map[string]*decider
}

// decider is who decides the records of one policy; e is nil where nobody does.
type decider struct {
	e    replay.Evaluator
	name string
	err  error
}

func newReplayTarget(side *policySide, of string) (*replayTarget, error) {
	if names := side.names(); of != "" && len(names) != 1 && !slices.Contains(names, of) {
		err := fmt.Errorf("%s holds %s: which of them is to decide the records of %s?", side.label, count(len(names), "policy", "policies"), of)
		return nil, cli.WithHint(err, "name one of them, as in --against %s:%s", side.label, names[0])
	}
	return &replayTarget{side: side, of: of, found: map[string]*decider{}}, nil
}

func (s *policySide) names() []string { return slices.Sorted(maps.Keys(s.policies())) }

// find is a replay.Target.
func (t *replayTarget) find(policy string) (replay.Evaluator, string, bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.found[policy]
	if d == nil {
		d = t.decider(policy)
		t.found[policy] = d
	}
	return d.e, d.name, d.e != nil, d.err
}

func (t *replayTarget) decider(policy string) *decider {
	names := t.side.names()
	for _, name := range names {
		was := name
		if t.of != "" && len(names) == 1 {
			was = t.of
		}
		if t.of != "" && was != t.of {
			continue
		}
		if policy == was {
			return t.load(t.side, name)
		}
		rest, joined := strings.CutSuffix(policy, ".joined")
		if with, ok := strings.CutPrefix(rest, was+"."); ok && joined {
			return t.join(name, strings.Split(with, "."))
		}
	}
	return &decider{}
}

func (t *replayTarget) load(side *policySide, name string) *decider {
	if t.found[""] != nil && side == t.side {
		return &decider{e: t.found[""].e, name: name}
	}
	e, err := side.load()
	if err != nil {
		return &decider{err: err}
	}
	if side == t.side {
		t.found[""] = &decider{e: e} // shared by its policies
	}
	return &decider{e: e, name: name}
}

// join compiles the policy with those that were bound beside it. One that is not
// there any more decides nothing.
func (t *replayTarget) join(name string, with []string) *decider {
	joined := policyset.Joined("bound", name, with)
	side := compiledSide(t.side.label, "", append(slices.Clone(t.side.sources), joined))
	if side.result.Bundle == nil || t.side.extensions != side.extensions {
		return &decider{}
	}
	for _, p := range side.result.Policies {
		if strings.HasSuffix(p.Name, ".joined") {
			return t.load(side, p.Name)
		}
	}
	return &decider{}
}

// compiled refuses a side that does not compile.
func compiled(o output, ref string) (*policySide, error) {
	side, err := readSide(ref)
	if err != nil {
		return nil, err
	}
	return side, output{o.stderr, o.stderr, false}.refuse(side.result, cli.ExitError)
}
