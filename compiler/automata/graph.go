package automata

import (
	"encoding/binary"
	"slices"
)

// Node names a place in a Graph.
type Node = int32

// Graph is a nondeterministic automaton under construction. Nodes are only ever
// added: what begins alike shares its nodes.
type Graph struct {
	nodes []node
	sets  []Set
	ids   map[string]int32 // of sets
	sinks map[int]Node     // see Sink
	Root  Node             // where all patterns begin
}

type node struct {
	domain  bool  // of an automaton of possible strings
	loop    int32 // the set that leads back here, -1 none
	steps   []step
	free    []free
	accepts []int32
	closure []Node // with itself, sorted; nil until asked for
}

// step consumes a symbol of a set.
type step struct {
	set    int32
	to     Node
	sealed bool // no pattern goes on from there
}

// free consumes nothing. kind and set say what was asked for, so that it is
// shared.
type free struct {
	kind byte
	set  int32
	to   Node
}

// The accept ids below zero belong to the automaton of possible strings.
const (
	final   int32 = -1
	unusual int32 = -2
)

// NewGraph returns a graph with a root.
func NewGraph() *Graph {
	g := &Graph{ids: map[string]int32{}, sinks: map[int]Node{}}
	g.Root = g.add()
	return g
}

func (g *Graph) add() Node {
	g.nodes = append(g.nodes, node{loop: -1})
	return Node(len(g.nodes) - 1)
}

// set interns a set.
func (g *Graph) set(s Set) int32 {
	key := make([]byte, 0, 8*len(s))
	for _, r := range s {
		key = binary.LittleEndian.AppendUint32(key, uint32(r.Lo))
		key = binary.LittleEndian.AppendUint32(key, uint32(r.Hi))
	}
	id, ok := g.ids[string(key)]
	if !ok {
		id = int32(len(g.sets))
		g.sets = append(g.sets, s)
		g.ids[string(key)] = id
	}
	return id
}

// Step leads on by one symbol of the set. An empty set leads nowhere.
func (g *Graph) Step(from Node, s Set) Node {
	set := g.set(s)
	for _, e := range g.nodes[from].steps {
		if e.set == set && !e.sealed {
			return e.to
		}
	}
	to := g.add()
	g.nodes[from].steps = append(g.nodes[from].steps, step{set: set, to: to})
	return to
}

// Loop leads on by any number of symbols of the set.
func (g *Graph) Loop(from Node, s Set) Node {
	return g.shared(from, 'l', s, func(to Node) { g.nodes[to].loop = g.set(s) })
}

// Optional leads on by nothing, or by first, any number of inner, and end; an
// end that is nil is left out.
func (g *Graph) Optional(from Node, first, inner, end Set) Node {
	kind := byte('o')
	if end != nil {
		kind = 'e'
	}
	if first == nil {
		kind -= 32
	}
	return g.shared(from, kind, inner, func(to Node) {
		at := from
		if first != nil {
			at = g.Step(from, first)
		}
		at = g.Loop(at, inner)
		if end != nil {
			g.nodes[at].steps = append(g.nodes[at].steps, step{set: g.set(end), to: to, sealed: true})
			return
		}
		g.nodes[at].free = append(g.nodes[at].free, free{'j', -1, to})
	})
}

// shared returns the node that a free edge leads to, made once.
func (g *Graph) shared(from Node, kind byte, s Set, fill func(Node)) Node {
	set := g.set(s)
	for _, f := range g.nodes[from].free {
		if f.kind == kind && f.set == set {
			return f.to
		}
	}
	to := g.add()
	g.nodes[from].free = append(g.nodes[from].free, free{kind, set, to})
	fill(to)
	return to
}

// Join makes what is at from be at to as well.
func (g *Graph) Join(from, to Node) {
	g.nodes[from].free = append(g.nodes[from].free, free{'j', -1, to})
}

// Accept makes strings that end at the node match the pattern id, from 0.
func (g *Graph) Accept(at Node, id int) {
	if n := &g.nodes[at]; !slices.Contains(n.accepts, int32(id)) {
		n.accepts = append(n.accepts, int32(id))
	}
}

// closed returns the nodes that are reached from one without a symbol.
func (g *Graph) closed(at Node) []Node {
	n := &g.nodes[at]
	if n.closure != nil {
		return n.closure
	}
	out := []Node{at}
	for i := 0; i < len(out); i++ {
		for _, f := range g.nodes[out[i]].free {
			if !slices.Contains(out, f.to) {
				out = append(out, f.to)
			}
		}
	}
	slices.Sort(out)
	n.closure = out
	return out
}

// leading marks the nodes from which one of the ids can still be accepted.
func (g *Graph) leading(ids []int) []bool {
	before := make([][]Node, len(g.nodes))
	var queue []Node
	marked := make([]bool, len(g.nodes))
	for i := range g.nodes {
		n := &g.nodes[i]
		for _, e := range n.steps {
			before[e.to] = append(before[e.to], Node(i))
		}
		for _, f := range n.free {
			before[f.to] = append(before[f.to], Node(i))
		}
		if slices.ContainsFunc(n.accepts, func(a int32) bool { return slices.Contains(ids, int(a)) }) {
			marked[i] = true
			queue = append(queue, Node(i))
		}
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, from := range before[at] {
			if !marked[from] {
				marked[from] = true
				queue = append(queue, from)
			}
		}
	}
	return marked
}

// Sink is the node of an id that nothing leaves: whatever follows matches. Many
// patterns of one id that end there, such as the entries of a list of trees, do
// not multiply: once one of them matched, the others are not followed any more.
func (g *Graph) Sink(id int, s Set) Node {
	at, ok := g.sinks[id]
	if !ok {
		at = g.add()
		g.nodes[at].loop = g.set(s)
		g.sinks[id] = at
		g.Accept(at, id)
	}
	return at
}

// What a node leads to, besides an id.
const (
	leadsNowhere int32 = -1
	leadsToMore  int32 = -2
)

// only tells of each node the one id that it leads to.
func (g *Graph) only() []int32 {
	out := make([]int32, len(g.nodes))
	before := make([][]Node, len(g.nodes))
	var queue []Node
	for i := range g.nodes {
		n := &g.nodes[i]
		out[i] = leadsNowhere
		for _, a := range n.accepts {
			out[i] = join(out[i], a)
		}
		if n.domain {
			out[i] = leadsToMore
		}
		for _, e := range n.steps {
			before[e.to] = append(before[e.to], Node(i))
		}
		for _, f := range n.free {
			before[f.to] = append(before[f.to], Node(i))
		}
		queue = append(queue, Node(i))
	}
	for len(queue) > 0 {
		at := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, from := range before[at] {
			if j := join(out[from], out[at]); j != out[from] {
				out[from] = j
				queue = append(queue, from)
			}
		}
	}
	return out
}

func join(a, b int32) int32 {
	switch {
	case a == leadsNowhere || a == b:
		return b
	case b == leadsNowhere:
		return a
	}
	return leadsToMore
}
