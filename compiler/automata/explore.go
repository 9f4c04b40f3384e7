package automata

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// Class is a set of strings that match the same patterns.
type Class struct {
	IDs []int // the patterns, ascending
	// Word is the shortest string of the class.
	Word []rune
	// Unusual says that all strings of the class are ones that programs read in
	// several ways, or that are no text.
	Unusual bool
}

// Search says what to look for.
type Search struct {
	Domain Node // the strings that can occur
	// Need lists ids of which one must match; nil asks for all classes.
	Need []int
	// Budget bounds the states; Explore gives up at more.
	Budget int
	// Found is told each class once, the one with the shortest word first. It
	// returns false to end the search.
	Found func(Class) bool
}

// Explore finds the classes of strings. It returns false if it gave up before it
// had seen every class; what it told until then holds.
func (g *Graph) Explore(s Search) bool {
	x := &explorer{Graph: g, Search: s, index: map[string]int32{}, seen: map[string]bool{}, mark: make([]int32, len(g.nodes))}
	if s.Need != nil {
		x.useful = g.leading(s.Need)
	}
	if len(g.sinks) > 0 {
		x.leads = g.only()
	}
	x.enter([]Node{g.Root, s.Domain}, -1, 0)
	for at := 0; at < len(x.states); at++ {
		if len(x.states) > s.Budget {
			return false
		}
		if stop := x.report(at); stop {
			return true
		}
		if !x.expand(int32(at)) {
			return false
		}
	}
	x.late()
	return true
}

type explorer struct {
	*Graph
	Search
	useful []bool  // nodes that lead to what is needed; nil all
	leads  []int32 // the one id that a node leads to; nil if there are no sinks

	states []state
	index  map[string]int32
	seen   map[string]bool // classes told
	odd    []Class         // unusual classes, told at the end

	mark   []int32 // generation stamps of nodes
	stamp  int32
	nodes  []Node // scratch
	key    []byte
	arcs   []arc
	events []event
	groups []group
	next   []Node
}

type state struct {
	set    []Node
	parent int32
	symbol rune
}

// arc is one way on from a state, grouped by its set.
type arc struct {
	set     int32
	targets []Node
}

type event struct {
	at    rune
	arc   int32
	opens bool
}

// mask is a set of arcs.
const maskWords = 8

type mask [maskWords]uint64

// group is a minterm, the symbols that take the same arcs, by its most readable
// one.
type group struct {
	arcs   mask
	symbol rune
}

// enter adds the state of a set of nodes, unless it is known or dead.
func (x *explorer) enter(from []Node, parent int32, symbol rune) {
	x.stamp++
	x.nodes = x.nodes[:0]
	useful := x.useful == nil
	for _, n := range from {
		for _, c := range x.closed(n) {
			if x.mark[c] != x.stamp {
				x.mark[c] = x.stamp
				x.nodes = append(x.nodes, c)
				useful = useful || x.useful[c]
			}
		}
	}
	if !useful {
		return
	}
	x.settle()
	slices.Sort(x.nodes)
	x.key = x.key[:0]
	for _, n := range x.nodes {
		x.key = binary.LittleEndian.AppendUint32(x.key, uint32(n))
	}
	if _, known := x.index[string(x.key)]; known {
		return
	}
	x.index[string(x.key)] = int32(len(x.states))
	x.states = append(x.states, state{slices.Clone(x.nodes), parent, symbol})
}

// settle drops the nodes that lead only to what matches already for good.
func (x *explorer) settle() {
	if x.leads == nil {
		return
	}
	x.nodes = slices.DeleteFunc(x.nodes, func(n Node) bool {
		id := x.leads[n]
		if id < 0 {
			return id == leadsNowhere
		}
		sink, ok := x.sinks[int(id)]
		return ok && sink != n && x.mark[sink] == x.stamp
	})
}

// report tells the class of a state, if strings may end there and it is new.
func (x *explorer) report(at int) (stop bool) {
	ended, odd := false, false
	var ids []int
	for _, n := range x.states[at].set {
		for _, a := range x.Graph.nodes[n].accepts {
			switch {
			case a == final:
				ended = true
			case a == unusual:
				odd = true
			default:
				ids = append(ids, int(a))
			}
		}
	}
	if !ended || x.Need != nil && !slices.ContainsFunc(ids, func(id int) bool { return slices.Contains(x.Need, id) }) {
		return false
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	key := classKey(ids, odd)
	if x.seen[key] {
		return false
	}
	x.seen[key] = true
	c := Class{IDs: ids, Word: x.word(at), Unusual: odd}
	if odd {
		x.odd = append(x.odd, c)
		return false
	}
	return !x.Found(c)
}

func classKey(ids []int, odd bool) string {
	key := make([]byte, 0, 4*len(ids)+1)
	for _, id := range ids {
		key = binary.LittleEndian.AppendUint32(key, uint32(id))
	}
	if odd {
		key = append(key, '!')
	}
	return string(key)
}

// late tells the classes that have unusual strings only.
func (x *explorer) late() {
	for _, c := range x.odd {
		if !x.seen[classKey(c.IDs, false)] && !x.Found(c) {
			return
		}
	}
}

func (x *explorer) word(at int) []rune {
	var out []rune
	for s := &x.states[at]; s.parent >= 0; s = &x.states[s.parent] {
		out = append(out, s.symbol)
	}
	slices.Reverse(out)
	return out
}

// expand enters the states that follow one; false if it has too many arcs.
func (x *explorer) expand(at int32) bool {
	x.collect(x.states[at].set)
	if len(x.arcs) > maskWords*64 {
		return false
	}
	x.minterms()
	for i := range x.groups {
		x.next = x.next[:0]
		for w, word := range x.groups[i].arcs[:x.words()] {
			for ; word != 0; word &= word - 1 {
				x.next = append(x.next, x.arcs[w*64+bits.TrailingZeros64(word)].targets...)
			}
		}
		if slices.ContainsFunc(x.next, x.inDomain) {
			x.enter(x.next, at, x.groups[i].symbol)
		}
	}
	return true
}

func (x *explorer) inDomain(n Node) bool { return x.Graph.nodes[n].domain }

// collect gathers the arcs that leave a set of nodes.
func (x *explorer) collect(set []Node) {
	x.arcs = x.arcs[:0]
	for _, n := range set {
		node := &x.Graph.nodes[n]
		if node.loop >= 0 {
			x.arc(node.loop, n)
		}
		for _, e := range node.steps {
			x.arc(e.set, e.to)
		}
	}
}

func (x *explorer) arc(set int32, to Node) {
	for i := range x.arcs {
		if x.arcs[i].set == set {
			x.arcs[i].targets = append(x.arcs[i].targets, to)
			return
		}
	}
	if n := len(x.arcs); n < cap(x.arcs) { // keep the memory of targets
		x.arcs = x.arcs[:n+1]
		x.arcs[n].set, x.arcs[n].targets = set, append(x.arcs[n].targets[:0], to)
		return
	}
	x.arcs = append(x.arcs, arc{set, []Node{to}})
}

// minterms cuts the alphabet where the arcs begin and end, and puts together
// what takes the same arcs.
func (x *explorer) minterms() {
	x.events, x.groups = x.events[:0], x.groups[:0]
	for i := range x.arcs {
		for _, r := range x.sets[x.arcs[i].set] {
			x.events = append(x.events, event{r.Lo, int32(i), true}, event{r.Hi + 1, int32(i), false})
		}
	}
	slices.SortFunc(x.events, func(a, b event) int { return int(a.at) - int(b.at) })
	var open mask
	for i := 0; i < len(x.events); {
		at := x.events[i].at
		for ; i < len(x.events) && x.events[i].at == at; i++ {
			e := x.events[i]
			open[e.arc/64] ^= 1 << (e.arc % 64)
		}
		if !slices.ContainsFunc(open[:x.words()], func(w uint64) bool { return w != 0 }) {
			continue
		}
		symbol := best(at, x.events[i].at-1)
		k := x.group(&open)
		if k < 0 {
			x.groups = append(x.groups, group{open, symbol})
		} else if g := &x.groups[k]; rank(symbol) < rank(g.symbol) {
			g.symbol = symbol
		}
	}
	slices.SortFunc(x.groups, func(a, b group) int { return rank(a.symbol) - rank(b.symbol) })
}

func (x *explorer) group(arcs *mask) int {
	n := x.words()
	for k := range x.groups {
		if slices.Equal(x.groups[k].arcs[:n], arcs[:n]) {
			return k
		}
	}
	return -1
}

// words is how much of a mask is used.
func (x *explorer) words() int { return (len(x.arcs) + 63) / 64 }
