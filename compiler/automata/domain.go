package automata

import "github.com/openshell-policy/openshell/compiler/glob"

// domain builds an automaton of possible strings. Its nodes are deterministic and
// share nothing with patterns.
type domain struct{ *Graph }

// nodes adds n nodes; those listed may end a string.
func (d domain) nodes(n int, finals ...int) []Node {
	out := make([]Node, n)
	for i := range out {
		out[i] = d.add()
		d.Graph.nodes[out[i]].domain = true
	}
	for _, i := range finals {
		d.accept(out[i], final)
	}
	return out
}

func (d domain) accept(at Node, id int32) {
	d.Graph.nodes[at].accepts = append(d.Graph.nodes[at].accepts, id)
}

func (d domain) edge(from Node, s Set, to Node) {
	d.Graph.nodes[from].steps = append(d.Graph.nodes[from].steps, step{set: d.set(s), to: to, sealed: true})
}

// odd adds a node that every string stays in that is unusual.
func (d domain) odd(s Set) Node {
	n := d.nodes(1, 0)[0]
	d.accept(n, unusual)
	d.edge(n, s, n)
	return n
}

var (
	badBytes = Of(glob.Range{Lo: badByte + 0x80, Hi: last})
	controls = Of(glob.Range{Lo: 0, Hi: 0x1f}, glob.Range{Lo: 0x7f, Hi: 0x7f})
	letters  = Of(glob.Range{Lo: 'a', Hi: 'z'}, glob.Range{Lo: '0', Hi: '9'}, glob.Range{Lo: '_', Hi: '_'})
)

// URLPaths is the domain of canonical paths of requests: no dot segments, no
// control characters and backslashes, an encoded slash never beside a slash. Paths
// that origins read in several ways (";", "//") and bytes that are not UTF-8 are
// unusual.
func (g *Graph) URLPaths() Node {
	d := domain{g}
	const (
		start   = iota
		segment // a segment begins
		dot
		dots
		inside
		part // behind an encoded slash
		partDot
		partDots
		inPart
	)
	n := d.nodes(9, segment, inside, part, inPart)
	plain := all.Minus(controls).Minus(badBytes).Minus(One('\\', '/', ';'))
	odd := d.odd(plain.Union(badBytes).Union(One('/', ';', EncodedSlash)))
	name, period := plain.Minus(One('.')), One('.')
	d.edge(n[start], slash, n[segment])
	for at, to := range map[int]int{segment: dot, dot: dots, dots: inside, inside: inside, part: partDot, partDot: partDots, partDots: inPart, inPart: inPart} {
		d.edge(n[at], period, n[to])
	}
	for _, at := range []int{segment, dot, dots, inside} {
		d.edge(n[at], name, n[inside])
	}
	for _, at := range []int{part, partDot, partDots, inPart} {
		d.edge(n[at], name, n[inPart])
	}
	d.edge(n[inside], slash, n[segment])
	d.edge(n[inPart], slash, n[segment])
	d.edge(n[inside], One(EncodedSlash), n[part])
	d.edge(n[inPart], One(EncodedSlash), n[part])
	d.edge(n[segment], slash, odd)
	for at := segment; at <= inPart; at++ {
		d.edge(n[at], badBytes.Union(One(';')), odd)
	}
	return n[start]
}

// FilePaths is the domain of absolute, cleaned paths of files.
func (g *Graph) FilePaths() Node {
	d := domain{g}
	const (
		start = iota
		root
		segment
		dot
		dots
		inside
	)
	n := d.nodes(6, root, inside)
	plain := all.Minus(badBytes).Minus(One('/', 0))
	odd := d.odd(plain.Union(badBytes).Union(slash))
	d.edge(n[start], slash, n[root])
	for at, to := range map[int]int{root: dot, segment: dot, dot: dots, dots: inside, inside: inside} {
		d.edge(n[at], One('.'), n[to])
		d.edge(n[at], plain.Minus(One('.')), n[inside])
		d.edge(n[at], badBytes, odd)
	}
	d.edge(n[inside], slash, n[segment])
	return n[start]
}

// Texts is the domain of all text.
func (g *Graph) Texts() Node {
	d := domain{g}
	n := d.nodes(1, 0)[0]
	d.edge(n, all.Minus(badBytes), n)
	d.edge(n, badBytes, d.odd(all))
	return n
}

// Arguments is the domain of single arguments, those included of which a part is
// not known.
func (g *Graph) Arguments() Node {
	d := domain{g}
	n := d.nodes(1, 0)[0]
	d.edge(n, all.Minus(badBytes).Minus(One(0)), n)
	d.edge(n, badBytes.Union(One(Unknown)), d.odd(all.Union(One(Unknown))))
	return n
}

// ArgLists is the domain of argument lists, each argument ended by ArgEnd.
func (g *Graph) ArgLists() Node {
	d := domain{g}
	n := d.nodes(2, 0)
	plain, end := all.Minus(badBytes).Minus(One(0)), One(ArgEnd)
	odd, oddEnd := d.nodes(1)[0], d.nodes(1, 0)[0]
	d.accept(oddEnd, unusual)
	for i := range n {
		d.edge(n[i], plain, n[1])
		d.edge(n[i], end, n[0])
		d.edge(n[i], badBytes.Union(One(Unknown)), odd)
	}
	for _, at := range []Node{odd, oddEnd} {
		d.edge(at, plain.Union(badBytes).Union(One(Unknown)), odd)
		d.edge(at, end, oddEnd)
	}
	return n[0]
}

// Hosts is the domain of host names from right to left: labels of letters, digits,
// "-" and "_" that neither begin nor end with a hyphen, the last one no number.
// Lengths are not looked at.
func (g *Graph) Hosts() Node {
	d := domain{g}
	const (
		start  = iota // of the last label
		digits        // all digits so far
		hex           // all hexadecimal digits so far
		x             // and an x
		zero          // and a zero: 0x…
		name          // the last label, no number
		hyphen        // the same after a hyphen
		label         // another label begins
		inside
		dash
	)
	n := d.nodes(10, name, inside)
	decimal := Of(glob.Range{Lo: '0', Hi: '9'})
	af := Of(glob.Range{Lo: 'a', Hi: 'f'})
	rest := letters.Minus(decimal).Minus(af).Minus(One('x'))
	d.edge(n[start], decimal, n[digits])
	d.edge(n[digits], decimal, n[digits])
	for _, at := range []int{start, digits, hex} {
		d.edge(n[at], af, n[hex])
		d.edge(n[at], One('x'), n[x])
		d.edge(n[at], rest, n[name])
	}
	d.edge(n[hex], decimal, n[hex])
	d.edge(n[x], One('0'), n[zero])
	d.edge(n[x], letters.Minus(One('0')), n[name])
	for _, at := range []int{zero, name, hyphen} {
		d.edge(n[at], letters, n[name])
	}
	for _, at := range []int{digits, hex, x, zero, name, hyphen} {
		d.edge(n[at], One('-'), n[hyphen])
	}
	for _, at := range []int{hex, x, name, inside} {
		d.edge(n[at], One('.'), n[label])
	}
	for _, at := range []int{label, inside, dash} {
		d.edge(n[at], letters, n[inside])
	}
	for _, at := range []int{inside, dash} {
		d.edge(n[at], One('-'), n[dash])
	}
	for _, at := range []int{hex, x} {
		d.accept(n[at], final)
	}
	return n[start]
}
