package audit

import "bytes"

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
	defer func() { s.depth-- }()
	if s.next('}') {
		return true
	}
	for !s.bad {
		s.space()
		name := s.text()
		if !s.next(':') {
			s.bad = true
			return false
		}
		s.space()
		member(name)
		if s.next('}') {
			return !s.bad
		}
		if !s.next(',') {
			s.bad = true
		}
	}
	return false
}

// text consumes a string and returns what is between its quotes; for another
// value it returns nil.
func (s *scanner) text() []byte {
	if s.bad || s.at >= len(s.b) || s.b[s.at] != '"' {
		s.skip()
		return nil
	}
	s.at++
	for from := s.at; ; {
		i := bytes.IndexByte(s.b[s.at:], '"')
		if i < 0 {
			s.bad = true
			return nil
		}
		s.at += i + 1
		if !escaped(s.b[from : s.at-1]) {
			return s.b[from : s.at-1]
		}
	}
}

// escaped tells whether what comes after b is escaped: b ends in an odd number of
// backslashes.
func escaped(b []byte) bool {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
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

// nested skips an object or array by counting brackets outside of strings.
func (s *scanner) nested() {
	for depth := 0; s.at < len(s.b) && !s.bad; {
		switch s.b[s.at] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				s.at++
				return
			}
		case '"':
			s.text()
			continue
		}
		s.at++
	}
	s.bad = true
}
