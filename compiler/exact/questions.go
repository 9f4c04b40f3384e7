package exact

import "slices"

// Answer is a verdict on requests. Example is there for the answer that an
// example shows.
type Answer struct {
	Verdict
	Example *Request
}

// Covered tells whether the other rules together match every request that the
// rule matches; if not, Example is one that they do not. An example of Covered
// may also be unknown: where only unusual requests differ.
func (s *Requests) Covered(r Rule, others ...Rule) Answer {
	return negated(s.find(r, func(at int, others Bits, c *Cell) bool { return !c.Matched.Meets(others) }, others))
}

// Intersect tells whether some request is matched by both rules; Example is one.
func (s *Requests) Intersect(r, other Rule) Answer {
	return s.find(r, func(_ int, others Bits, c *Cell) bool { return c.Matched.Meets(others) }, []Rule{other})
}

// Empty tells whether no request is matched by the rule; if not, Example is one.
func (s *Requests) Empty(r Rule) Answer {
	return negated(s.find(r, func(int, Bits, *Cell) bool { return true }, nil))
}

func negated(a Answer) Answer {
	switch a.Verdict {
	case Yes:
		a.Verdict = No
	case No:
		a.Verdict = Yes
	}
	return a
}

// find looks for the most readable request that the rule matches and that is
// wanted. Where only unusual ones are found the answer is Unknown, with one.
func (s *Requests) find(r Rule, want func(at int, others Bits, c *Cell) bool, others []Rule) Answer {
	classes, whole := s.Hosts()
	var best *Request
	for i := range classes {
		class := &classes[i]
		at, named := slices.BinarySearch(class.Rules, int(r))
		if !named {
			continue
		}
		if class.aspects == nil {
			class.aspects = s.aspects(class)
		}
		rest := newBits(len(class.Rules))
		for _, o := range others {
			if k, ok := slices.BinarySearch(class.Rules, int(o)); ok {
				rest.set(k)
			}
		}
		complete := s.Cells(class, func(b Bits) bool { return b.Has(at) }, func(c *Cell) bool {
			if !want(at, rest, c) {
				return true
			}
			if q := c.Request(); best == nil || q.Weight() < best.Weight() {
				best = q
			}
			return best.Unusual
		})
		switch {
		case best != nil && !best.Unusual && class.Valid:
			return Answer{Yes, best}
		case best != nil && !class.Valid:
			whole, best = false, nil
		}
		whole = whole && complete
	}
	switch {
	case best != nil || !whole:
		return Answer{Unknown, best}
	}
	return Answer{Verdict: No}
}
