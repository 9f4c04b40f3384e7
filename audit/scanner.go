package audit

import (
	"encoding/binary"
	"math/bits"
)

// maxDepth bounds the nesting of what is scanned.
const maxDepth = 64

// scanner walks over JSON without decoding it. It is as strict as it must be to
// find where values end; once bad, it stays at its place.
type scanner struct {
	b     []byte
	at    int
	depth int
	bad   bool
}

func (s *scanner) space() {
	if s.at < len(s.b) && s.b[s.at] > ' ' {
		return // nearly always
	}
	for s.at < len(s.b) && (s.b[s.at] == ' ' || s.b[s.at] == '\t' || s.b[s.at] == '\r' || s.b[s.at] == '\n') {
		s.at++
	}
}

// next skips space and one byte that must be there.
func (s *scanner) next(want byte) bool {
	if s.space(); s.bad || s.at >= len(s.b) || s.b[s.at] != want {
		return false
	}
	s.at++
	return true
}

// object calls member for each member, which must consume its value, and tells
// whether there was an object rather than null.
func (s *scanner) object(member func(name []byte)) bool {
	if s.space(); s.at < len(s.b) && s.b[s.at] != '{' {
		s.skip()
		return false
	}
	if s.depth++; s.depth > maxDepth || !s.next('{') {
		s.bad = true
		return false
	}
	s.members(member)
	s.depth--
	return !s.bad
}

func (s *scanner) members(member func(name []byte)) {
	if s.next('}') {
		return
	}
	for !s.bad {
		s.space()
		name := s.text()
		if !s.next(':') {
			break
		}
		s.space()
		member(name)
		if s.next('}') {
			return
		}
		if !s.next(',') {
			break
		}
	}
	s.bad = true
}

// text consumes a string and returns what is between its quotes; for another
// value it returns nil.
func (s *scanner) text() []byte {
	if s.bad || s.at >= len(s.b) || s.b[s.at] != '"' {
		s.skip()
		return nil
	}
	from := s.at + 1
	end := endOfText(s.b, from)
	if end < 0 {
		s.bad = true
		return nil
	}
	s.at = end + 1
	return s.b[from:end]
}

// endOfText is where the quote is that ends a text, -1 nowhere. It looks at eight
// bytes at a time until one of them may be a quote or a backslash.
func endOfText(b []byte, from int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	i := from
	for i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, slash := w^ones*'"', w^ones*'\\'
		found := ((quote-ones)&^quote | (slash-ones)&^slash) & tops
		if found == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(found) / 8 // the lowest is exact
		if b[i] == '"' {
			return i
		}
		i += 2
	}
	for ; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i
		case '\\':
			i++
		}
	}
	return -1
}

// raw consumes a value and returns it as it is written.
func (s *scanner) raw() []byte {
	from := s.at
	s.skip()
	return s.b[min(from, s.at):s.at]
}

// skip consumes one value of any kind.
func (s *scanner) skip() {
	if s.space(); s.bad || s.at >= len(s.b) {
		s.bad = true
		return
	}
	switch s.b[s.at] {
	case '"':
		s.text()
	case '{', '[':
		s.nested()
	default:
		s.literal()
	}
}

func (s *scanner) literal() {
	from := s.at
	for s.at < len(s.b) {
		switch s.b[s.at] {
		case ',', '}', ']', ' ', '\t', '\r', '\n', ':', '"', '{', '[':
			s.bad = s.bad || s.at == from
			return
		}
		s.at++
	}
	s.bad = s.bad || s.at == from
}

// nested skips an object or array by counting brackets outside of texts.
func (s *scanner) nested() {
	b, depth := s.b, 0
	for i := s.at; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				s.at = i + 1
				return
			}
		case '"':
			if i = endOfText(b, i+1); i < 0 {
				s.bad = true
				return
			}
		}
	}
	s.bad = true
}
