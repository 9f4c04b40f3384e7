package exact

import (
	"slices"

	"github.com/openshell-policy/openshell/compiler/automata"
	"github.com/openshell-policy/openshell/compiler/plan"
)

// maxQueries bounds the classes of queries of one host class.
const maxQueries = 1 << 12

// allQueries divides queries. Allow rules need every value of a key to match,
// deny rules one, so that lists of values matter, not only single ones.
func (a *aspects) allQueries(budget int) []choice {
	out := []choice{{bits: a.where(func(*rule) bool { return true }), fill: func(*Request) {}}}
	for _, key := range a.keys() {
		lists := a.lists(key, budget)
		var next []choice
		for _, c := range out {
			for _, l := range lists {
				both := choice{bits: newBits(len(a.rules)), fill: func(q *Request) { c.fill(q); l.fill(q) }}
				both.bits.and(c.bits, l.bits)
				next = append(next, both)
			}
		}
		if out = distinct(next); len(out) > maxQueries {
			out, a.whole = out[:maxQueries], false
		}
	}
	return out
}

func (a *aspects) keys() []string {
	var out []string
	for i := range a.rules {
		for _, q := range a.rules[i].Query {
			if !slices.Contains(out, q.Key) {
				out = append(out, q.Key)
			}
		}
	}
	slices.Sort(out)
	return out
}

func (r *rule) query(key string) *plan.QueryKey {
	for i := range r.Query {
		if r.Query[i].Key == key {
			return &r.Query[i]
		}
	}
	return nil
}

// lists are the classes of the values of one key: absent, one value, and what
// more values add.
func (a *aspects) lists(key string, budget int) []choice {
	absent := choice{fill: func(*Request) {}}
	absent.bits = a.where(func(r *rule) bool {
		q := r.query(key)
		return q == nil || q.AbsentOK != r.deny
	})
	single := a.values(key, budget)
	out := distinct(append([]choice{absent}, single...))
	seen := map[string]bool{}
	for i := 1; i < len(out); i++ {
		seen[out[i].bits.key()] = true
	}
	for i := 1; i < len(out); i++ {
		for _, v := range single {
			both := a.joined(out[i], v)
			if seen[both.bits.key()] {
				continue
			}
			seen[both.bits.key()] = true
			if out = append(out, both); len(out) > maxQueries {
				a.whole = false
				return out
			}
		}
	}
	return out
}

// joined has the values of both lists.
func (a *aspects) joined(x, y choice) choice {
	out := choice{bits: newBits(len(a.rules)), fill: func(q *Request) { x.fill(q); y.fill(q) }}
	for i := range a.rules {
		one, two := x.bits.Has(i), y.bits.Has(i)
		if one && two || a.rules[i].deny && (one || two) {
			out.bits.set(i)
		}
	}
	return out
}

func (a *aspects) values(key string, budget int) []choice {
	var known patterns
	ids := make([][]int, len(a.rules))
	for i := range a.rules {
		if q := a.rules[i].query(key); q != nil {
			ids[i] = known.of(q.Match)
		}
	}
	g := automata.NewGraph()
	for id, p := range known.list {
		g.Text(p, id)
	}
	name := raw(automata.Symbols(key, false))
	var out []choice
	whole := g.Explore(automata.Search{Domain: g.Texts(), Budget: budget, Found: func(c automata.Class) bool {
		value, i := raw(c.Word), -1
		out = append(out, choice{
			bits: a.where(func(r *rule) bool {
				i++
				return r.query(key) == nil || anyOf(ids[i], c.IDs)
			}),
			fill: func(q *Request) {
				if q.Query == nil {
					q.Query = map[string][]string{}
				}
				q.Query[name] = append(q.Query[name], value)
			},
		})
		return true
	}})
	a.whole = a.whole && whole
	return distinct(out)
}
