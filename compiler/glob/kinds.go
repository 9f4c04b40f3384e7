package glob

import (
	"fmt"
	"strings"

	"github.com/openshell-policy/openshell/schemas/canon"
)

// FilePath parses a path glob of a file list or of an executable: absolute, or
// beginning with "**/".
func FilePath(src string) (Pattern, error) {
	if err := absolute(src); err != nil {
		return Pattern{}, err
	}
	p, err := pathPattern(src, canon.Escape)
	if err != nil {
		return Pattern{}, err
	}
	if bad := noEmptySegment(src); bad != nil {
		return Pattern{}, bad
	}
	return p, nil
}

// noEmptySegment refuses what no resolved path of a file has: "//", and a slash at
// the end of anything but the root.
func noEmptySegment(src string) *Error {
	if i := strings.Index(src, "//"); i >= 0 {
		return errorAt(i+1, "write it with single slashes", `a resolved path has no empty segment, so %q never matches`, src)
	}
	if bare := strings.TrimSuffix(src, "/"); bare != src && bare != "" {
		return errorAt(len(bare), fmt.Sprintf("write %s/** for the directory and everything in it", strings.TrimSuffix(bare, "/**")), `a resolved path does not end in a slash, so %q never matches`, src)
	}
	return nil
}

// URLPath parses a path glob of a network rule. "%HH" in it is decoded as the
// paths of requests are; any other "%" is itself.
func URLPath(src string) (Pattern, error) {
	if err := absolute(src); err != nil {
		return Pattern{}, err
	}
	return pathPattern(src, decodeURL)
}

// Text parses a glob over a string without segments: a query value or one
// command argument.
func Text(src string) (Pattern, error) {
	p, err := scan(src, 0, canon.Escape)
	if err != nil {
		return Pattern{}, err
	}
	if p.Segments[0].Deep {
		return Pattern{}, errorAt(0, `write *, which also matches "/" here`, `** has no meaning here`)
	}
	return p, nil
}

// Host parses a host pattern whose labels are already in lower-case ASCII.
// Which wildcards a policy may use is for package check to say.
func Host(src string) (Pattern, error) {
	return scan(src, '.', func(s string) string { return s })
}

func absolute(src string) error {
	switch {
	case src == "**" || strings.HasPrefix(src, "/") || strings.HasPrefix(src, "**/"):
		return nil
	case src == "":
		return errorAt(0, `write /** for every path`, `the path is empty`)
	}
	bare := src
	for strings.HasPrefix(bare, "./") || strings.HasPrefix(bare, "../") {
		_, bare, _ = strings.Cut(bare, "/")
	}
	return errorAt(0, fmt.Sprintf("write it from the root, as in /workspace/%s, or **/%s for any depth", bare, bare), `the path %q is relative`, src)
}

// pathPattern drops the empty segment before the leading "/", refuses segments
// that no canonical path holds, and folds runs of "**".
func pathPattern(src string, decode func(string) string) (Pattern, error) {
	p, err := scan(src, '/', decode)
	if err != nil {
		return Pattern{}, err
	}
	shift := 0
	if strings.HasPrefix(src, "/") {
		p.Segments, shift = p.Segments[1:], 1
	}
	var segs []Segment
	for i, s := range p.Segments {
		if lit, ok := s.Literal(); ok && (lit == "." || lit == "..") {
			return Pattern{}, errorAt(segmentOffset(src, i+shift), "write the path without it", `the segment %q never occurs in a resolved path`, lit)
		}
		if s.Deep && len(segs) > 0 && segs[len(segs)-1].Deep {
			continue
		}
		segs = append(segs, s)
	}
	p.Segments = segs
	return p, nil
}

// segmentOffset is where segment n of a pattern begins: no separator of a pattern
// that parses is escaped or in a class.
func segmentOffset(src string, n int) int {
	at := 0
	for ; n > 0; n-- {
		at += strings.IndexByte(src[at:], '/') + 1
	}
	return at
}

// decodeURL puts literal text of a URL path pattern into the compare form of
// DecisionInput.network.path: decoded, except for %2F and %25.
func decodeURL(lit string) string {
	var b strings.Builder
	for i := 0; i < len(lit); i++ {
		if lit[i] != '%' {
			b.WriteByte(lit[i])
			continue
		}
		if hi, lo := unhex(lit, i+1), unhex(lit, i+2); hi >= 0 && lo >= 0 {
			i += 2
			if c := byte(hi<<4 | lo); c != '/' && c != '%' {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, "%%%02X", c)
			}
			continue
		}
		b.WriteString("%25")
	}
	return canon.Escape(b.String())
}

func unhex(s string, i int) int {
	if i >= len(s) {
		return -1
	}
	return strings.Index("0123456789abcdef", strings.ToLower(s[i:i+1]))
}
