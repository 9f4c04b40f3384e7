package automata_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/compiler/automata"
	"github.com/openshell-policy/openshell/compiler/glob"
)

// kind is one way to read patterns, with a plain matcher to compare with.
type kind struct {
	name    string
	parse   func(string) (glob.Pattern, error)
	add     func(*automata.Graph, glob.Pattern, int)
	domain  func(*automata.Graph) automata.Node
	matches func(p glob.Pattern, word []rune) bool
	valid   func(word []rune) bool
	reverse bool
	letters []rune
	atoms   []string
}

func kinds() []kind {
	return []kind{
		{
			"file", glob.FilePath, (*automata.Graph).FilePath, (*automata.Graph).FilePaths,
			func(p glob.Pattern, w []rune) bool { return path(p.Segments, cut(w, '/')[1:]) },
			func(w []rune) bool { return len(w) > 0 && w[0] == '/' && cleanPath(w) },
			false, []rune("/ab."),
			[]string{"/", "/", "a", "b", "*", "?", "[ab]", "[!a]", "**", "."},
		},
		{
			"url", glob.URLPath, (*automata.Graph).URLPath, (*automata.Graph).URLPaths,
			func(p glob.Pattern, w []rune) bool { return path(p.Segments, cut(w, '/')[1:]) },
			validURL, false,
			[]rune{'/', 'a', 'b', automata.EncodedSlash, '.'},
			[]string{"/", "/", "a", "b", "*", "?", "%2F", "[!b]", "**", "A"},
		},
		{
			"text", glob.Text, (*automata.Graph).Text, (*automata.Graph).Texts,
			func(p glob.Pattern, w []rune) bool { return tokens(p.Segments[0].Tokens, w) },
			func([]rune) bool { return true }, false, []rune("ab/"),
			[]string{"a", "b", "*", "?", "[ab]", "[!a]", "/"},
		},
		{
			"host", glob.Host, (*automata.Graph).Host, (*automata.Graph).Hosts,
			func(p glob.Pattern, w []rune) bool { return host(p.Segments, cut(w, '.')) },
			validHost, true, []rune("a0.-x"),
			[]string{".", ".", "a", "0", "*", "?", "[!a]", "x", "-"},
		},
	}
}

func cut(w []rune, sep rune) [][]rune {
	out := [][]rune{{}}
	for _, r := range w {
		if r == sep {
			out = append(out, []rune{})
			continue
		}
		out[len(out)-1] = append(out[len(out)-1], r)
	}
	return out
}

func cleanPath(w []rune) bool {
	segments := cut(w, '/')[1:]
	return len(segments) == 1 && len(segments[0]) == 0 || !slices.ContainsFunc(segments, func(s []rune) bool {
		return len(s) == 0 || string(s) == "." || string(s) == ".."
	})
}

func validURL(w []rune) bool {
	if len(w) == 0 || w[0] != '/' {
		return false
	}
	segments := cut(w, '/')[1:]
	for i, s := range segments {
		last := i == len(segments)-1
		parts := cut(s, automata.EncodedSlash)
		for j, p := range parts {
			end := j == len(parts)-1
			if string(p) == "." || string(p) == ".." || len(p) == 0 && !(last && end) {
				return false
			}
			if len(p) == 0 && len(parts) > 1 && !(last && end) {
				return false
			}
		}
	}
	return true
}

func validHost(w []rune) bool {
	labels := cut(w, '.')
	for _, l := range labels {
		if len(l) == 0 || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
	}
	last := string(labels[len(labels)-1])
	hex, is := strings.CutPrefix(last, "0x")
	return strings.Trim(last, "0123456789") != "" && !(is && strings.Trim(hex, "0123456789abcdef") == "")
}

// path matches segments by the definition of globs.
func path(glob []glob.Segment, segments [][]rune) bool {
	switch {
	case len(glob) == 0:
		return len(segments) == 0
	case glob[0].Deep:
		return path(glob[1:], segments) || len(segments) > 0 && path(glob, segments[1:])
	case len(segments) == 0:
		return false
	}
	return segment(glob[0], segments[0]) && path(glob[1:], segments[1:])
}

func host(glob []glob.Segment, labels [][]rune) bool {
	if glob[0].Deep {
		n := len(glob) - 1
		return len(labels) > n && path(glob[1:], labels[len(labels)-n:])
	}
	return path(glob, labels)
}

func segment(s glob.Segment, w []rune) bool {
	if s.Whole() {
		return len(w) > 0
	}
	return tokens(s.Tokens, w)
}

func tokens(ts []glob.Token, w []rune) bool {
	if len(ts) == 0 {
		return len(w) == 0
	}
	switch t := ts[0]; t.Op {
	case glob.Star:
		return tokens(ts[1:], w) || len(w) > 0 && tokens(ts, w[1:])
	case glob.Literal:
		lit := automata.Symbols(t.Lit, true)
		return len(w) >= len(lit) && slices.Equal(lit, w[:len(lit)]) && tokens(ts[1:], w[len(lit):])
	default:
		return len(w) > 0 && one(t, w[0]) && tokens(ts[1:], w[1:])
	}
}

func one(t glob.Token, r rune) bool {
	in := slices.ContainsFunc(t.Ranges, func(g glob.Range) bool { return g.Lo <= r && r <= g.Hi })
	return t.Op == glob.Any || in != t.Negate
}

func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s: %q is not a number above zero", name, text)
	}
	return n
}

// words calls fn for every word up to a length, the short ones first.
func words(letters []rune, longest int, fn func([]rune)) {
	level := [][]rune{{}}
	for n := 0; n <= longest; n++ {
		var next [][]rune
		for _, w := range level {
			fn(w)
			for _, r := range letters {
				next = append(next, append(slices.Clone(w), r))
			}
		}
		level = next
	}
}

// Of random sets of patterns, every combination that some short word matches is
// found, each with a shortest word, and no combination that none matches.
// OPENSHELL_EXACT_ROUNDS says how many sets are drawn.
func TestClassesAgreeWithEnumeration(t *testing.T) {
	rounds := setting(t, "OPENSHELL_EXACT_ROUNDS", 60)
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			r, classes := rand.New(rand.NewPCG(7, 11)), 0
			for range rounds {
				classes += enumerate(t, k, k.draw(r))
			}
			if classes < rounds*3/2 {
				t.Errorf("%d classes in %d rounds", classes, rounds)
			}
		})
	}
}

func (k kind) draw(r *rand.Rand) []glob.Pattern {
	var out []glob.Pattern
	for len(out) < 1+r.IntN(4) {
		var b strings.Builder
		for range 1 + r.IntN(6) {
			b.WriteString(k.atoms[r.IntN(len(k.atoms))])
		}
		src := b.String()
		if k.name == "file" || k.name == "url" {
			src = "/" + src
		}
		p, err := k.parse(src)
		if err != nil || k.name == "host" && !hostPattern(p) {
			continue
		}
		out = append(out, p)
	}
	return out
}

// hostPattern tells the patterns that check lets pass.
func hostPattern(p glob.Pattern) bool {
	for i, s := range p.Segments {
		if s.Deep && i > 0 || !s.Deep && len(s.Tokens) == 0 {
			return false
		}
	}
	return len(p.Segments) > 1
}

func enumerate(t *testing.T, k kind, patterns []glob.Pattern) int {
	t.Helper()
	g := automata.NewGraph()
	for i, p := range patterns {
		k.add(g, p, i)
	}
	label := func(w []rune) string {
		var ids []int
		for i, p := range patterns {
			if k.matches(p, w) {
				ids = append(ids, i)
			}
		}
		return fmt.Sprint(ids)
	}
	found := map[string]int{}
	whole := g.Explore(automata.Search{Domain: k.domain(g), Budget: 100_000, Found: func(c automata.Class) bool {
		w := slices.Clone(c.Word)
		if k.reverse {
			slices.Reverse(w)
		}
		if !c.Unusual {
			if got := label(w); got != fmt.Sprint(c.IDs) || !k.valid(w) {
				t.Errorf("%s: %q matches %s (valid %t), not %v", sources(patterns), string(w), got, k.valid(w), c.IDs)
			}
		}
		if found[fmt.Sprint(c.IDs)] = len(w); c.Unusual {
			found[fmt.Sprint(c.IDs)] = 99
		}
		return true
	}})
	if !whole {
		t.Fatalf("%s: out of states", sources(patterns))
	}
	words(k.letters, 5, func(w []rune) {
		if !k.valid(w) {
			return
		}
		if n, ok := found[label(w)]; !ok || n > len(w) {
			t.Errorf("%s: %q matches %s, found %d %t", sources(patterns), string(w), label(w), n, ok)
			found[label(w)] = len(w)
		}
	})
	return len(found)
}

func sources(patterns []glob.Pattern) string {
	var out []string
	for _, p := range patterns {
		out = append(out, p.Source)
	}
	return strings.Join(out, "  ")
}

// Trees of one list are not told apart, however many there are, and what goes on
// from the root of one is still found.
func TestTreesOfOneList(t *testing.T) {
	g := automata.NewGraph()
	parsed := func(src string) glob.Pattern {
		p, err := glob.FilePath(src)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for c := 'a'; c <= 'z'; c++ {
		g.FileTree(parsed("**/."+string(c)+"/**"), 0)
	}
	g.FilePath(parsed("/x/.a/y"), 1)
	g.FilePath(parsed("/x/.a/**"), 2)
	var got []string
	if !g.Explore(automata.Search{Domain: g.FilePaths(), Budget: 4000, Found: func(c automata.Class) bool {
		got = append(got, fmt.Sprint(string(c.Word), c.IDs))
		return true
	}}) {
		t.Fatal("out of states")
	}
	want := []string{"/[]", "/.a[0]", "/x/.a[0 2]", "/x/.a/y[0 1 2]"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Whatever two globs are, the shortest words of their classes match as told.
func FuzzClasses(f *testing.F) {
	for _, seed := range [][2]string{{"/a/**", "/a/*/b"}, {"/**/.env", "/w/[!a]?*"}, {"/a%2Fb/*", "/A/**/c"}, {"/é/*x", `/\\*`}} {
		f.Add(seed[0], seed[1])
	}
	url := kinds()[1]
	f.Fuzz(func(t *testing.T, a, b string) {
		var list []glob.Pattern
		for _, src := range []string{a, b} {
			p, err := glob.URLPath(src)
			if err != nil || len(src) > 60 || strings.Count(src, "*") > 8 {
				return
			}
			list = append(list, p)
		}
		g := automata.NewGraph()
		for i, p := range list {
			g.URLPath(p, i)
		}
		g.Explore(automata.Search{Domain: g.URLPaths(), Budget: 5000, Found: func(c automata.Class) bool {
			for i, p := range list {
				if got := url.matches(p, c.Word); got != slices.Contains(c.IDs, i) {
					t.Errorf("%q matches %q: %t, found %v", a, string(c.Word), got, c.IDs)
				}
			}
			if !c.Unusual && !validURL(c.Word) {
				t.Errorf("%q is no path", string(c.Word))
			}
			return true
		}})
	})
}
