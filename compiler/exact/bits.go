package exact

// Bits is a set of small numbers.
type Bits []uint64

func newBits(n int) Bits { return make(Bits, (n+63)/64) }

// Has tells whether a number is in the set.
func (b Bits) Has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }

func (b Bits) set(i int) { b[i/64] |= 1 << (i % 64) }

// and stores the numbers of both x and y, and tells whether there are any.
func (b Bits) and(x, y Bits) bool {
	any := uint64(0)
	for i := range b {
		b[i] = x[i] & y[i]
		any |= b[i]
	}
	return any != 0
}

// Meets tells whether the sets have a number in common.
func (b Bits) Meets(other Bits) bool {
	for i := range b {
		if b[i]&other[i] != 0 {
			return true
		}
	}
	return false
}

// Any tells whether the set holds a number.
func (b Bits) Any() bool { return b.Meets(b) }

func (b Bits) key() string {
	out := make([]byte, 0, 8*len(b))
	for _, w := range b {
		for s := 0; s < 64; s += 8 {
			out = append(out, byte(w>>s))
		}
	}
	return string(out)
}
