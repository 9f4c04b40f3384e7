package exact

// maxCells bounds the combinations of choices that one search looks at.
const maxCells = 4 << 20

// Cell is a class of requests that all rules judge alike: one choice of every
// aspect. It is valid during the call that gets it.
type Cell struct {
	Host *HostClass
	// Matched holds the rules, by their place in Host.Rules, that match.
	Matched Bits

	aspects *aspects
	choices [6]*choice // endpoint, opener, method, upgrade, query, path
}

// The places of choices.
const (
	atEndpoint = iota
	atOpener
	atMethod
	atUpgrade
	atQuery
	atPath
)

// Request returns an example.
func (c *Cell) Request() *Request {
	r := &Request{Host: c.Host.Host}
	for _, choice := range c.choices {
		choice.fill(r)
	}
	return r
}

// Weight orders examples: the usual before the unusual, then the short ones.
func (r *Request) Weight() int {
	n := len(r.String())
	if r.Unusual {
		n += 1 << 20
	}
	return n
}

// Stage is a check of a rule, in the order in which a request goes through them.
type Stage int

// The checks, as many as a rule has passed when it fails there, from the host on.
const (
	StageHost Stage = iota
	StagePort
	StageScheme
	StageBinary
	StageMethod
	StagePath
	StageSlash
	StageQuery
	StageUpgrade
	StageMatched // fails nowhere
)

// Fails returns the first check that a rule of the host class fails.
func (c *Cell) Fails(i int) Stage {
	ch := &c.choices
	for _, check := range []struct {
		bits Bits
		Stage
	}{
		{ch[atEndpoint].before, StagePort},
		{ch[atEndpoint].bits, StageScheme},
		{ch[atOpener].bits, StageBinary},
		{ch[atMethod].bits, StageMethod},
		{ch[atPath].bits, StagePath},
		{ch[atPath].before, StageSlash},
		{ch[atQuery].bits, StageQuery},
		{ch[atUpgrade].bits, StageUpgrade},
	} {
		if !check.bits.Has(i) {
			return check.Stage
		}
	}
	return StageMatched
}

// Cells calls visit for the combinations of choices of one host class. Those
// where useful says no about the rules that may still match are left out; nil
// leaves none out. It returns false if there are more than it looked at: visit
// returns false to end the search, which leaves nothing out that matters.
func (s *Requests) Cells(class *HostClass, useful func(Bits) bool, visit func(*Cell) bool) (whole bool) {
	a := class.aspects
	if a == nil {
		a = s.aspects(class)
	}
	w := &walk{useful: useful, visit: visit, left: maxCells}
	w.cell = Cell{Host: class, aspects: a}
	w.lists = [6][]choice{a.endpoints, a.openers, a.methods, a.upgrades, a.query, a.path}
	all := a.where(func(*rule) bool { return true })
	for i := range w.acc {
		w.acc[i] = newBits(len(a.rules))
	}
	w.down(0, all)
	return w.ended || a.whole && w.left > 0
}

type walk struct {
	lists  [6][]choice
	acc    [7]Bits
	cell   Cell
	useful func(Bits) bool
	visit  func(*Cell) bool
	left   int
	ended  bool
}

func (w *walk) down(depth int, acc Bits) {
	if depth == len(w.lists) {
		w.cell.Matched = acc
		w.left--
		w.ended = !w.visit(&w.cell)
		return
	}
	for i := range w.lists[depth] {
		c := &w.lists[depth][i]
		w.acc[depth].and(acc, c.bits)
		if depth == atPath {
			w.acc[6].and(w.acc[depth], c.before)
		}
		next := w.acc[depth]
		if depth == atPath {
			next = w.acc[6]
		}
		if w.useful != nil && !w.useful(next) {
			continue
		}
		w.cell.choices[depth] = c
		if w.down(depth+1, next); w.ended || w.left <= 0 {
			return
		}
	}
}
