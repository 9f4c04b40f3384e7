// Package automata decides questions about sets of patterns: which combinations
// of them some string matches, and the shortest string for each.
//
// Patterns become a graph of nodes that consume symbols (a nondeterministic
// automaton whose common beginnings are shared); Explore determinises it lazily,
// breadth first, beside an automaton of the strings that can occur at all. The
// letters of a state are the minterms of what leaves it, so that neither the
// alphabet nor its size matters. Hosts are read from right to left.
//
// A symbol is a character of the compare form (a rune), or one of the constants
// below: what stays encoded there is one symbol.
package automata

// The symbols beyond Unicode.
const (
	EncodedSlash rune = 0x110000 + iota // %2F inside a segment of a URL path
	ArgEnd                              // the end of one argument of a list
	Unknown                             // a part of an argument that is not known yet: a star alone matches it

	badByte rune = 0x110100 // + a byte that is not UTF-8
	last    rune = 0x1101FF
)

// BadByte is the symbol of a byte that is not part of UTF-8 text.
func BadByte(b byte) rune { return badByte + rune(b) }

// Byte returns the byte that a BadByte stands for.
func Byte(symbol rune) (byte, bool) {
	if symbol < badByte || symbol > last {
		return 0, false
	}
	return byte(symbol - badByte), true
}
