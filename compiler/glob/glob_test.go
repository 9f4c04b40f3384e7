package glob_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/compiler/glob"
)

// show renders a pattern so that tables can be read: literals in quotes,
// segments apart by a space, <a-c> a class and <!a> its complement.
func show(p glob.Pattern) string {
	var segs []string
	for _, s := range p.Segments {
		if s.Deep {
			segs = append(segs, "**")
			continue
		}
		var b strings.Builder
		for _, t := range s.Tokens {
			b.WriteString(showToken(t))
		}
		if b.Len() == 0 {
			b.WriteString("''")
		}
		segs = append(segs, b.String())
	}
	return strings.Join(segs, " ")
}

func showToken(t glob.Token) string {
	switch t.Op {
	case glob.Literal:
		return "'" + t.Lit + "'"
	case glob.Star:
		return "*"
	case glob.Any:
		return "?"
	}
	out := "<"
	if t.Negate {
		out = "<!"
	}
	for _, r := range t.Ranges {
		out += string(r.Lo)
		if r.Hi != r.Lo {
			out += "-" + string(r.Hi)
		}
	}
	return out + ">"
}

var parsers = map[string]func(string) (glob.Pattern, error){
	"file": glob.FilePath, "url": glob.URLPath, "text": glob.Text, "host": glob.Host,
}

func TestParse(t *testing.T) {
	tests := []struct{ kind, src, want string }{
		{"file", "/", "''"},
		{"file", "/etc/shadow", "'etc' 'shadow'"},
		{"file", "/etc/**", "'etc' **"},
		{"file", "**/.env", "** '.env'"},
		{"file", "/**", "**"},
		{"file", "/**/**/a", "** 'a'"},
		{"file", "/a/*/b?c[x-z]", "'a' * 'b'?'c'<x-z>"},
		{"file", "/a/[!a-c]*", "'a' <!a-c>*"},
		{"file", "/a/[]a]", "'a' <]a>"},
		{"file", "/a/[a-]", "'a' <a->"},
		{"file", `/a/\*\[`, "'a' '*['"},
		{"file", `/a/b\\c`, `'a' 'b\\c'`},
		{"file", "/a/...", "'a' '...'"},
		{"file", "/a/\xff", `'a' '\xFF'`},
		{"url", "/a%20b/%2f/%25/%", "'a b' '%2F' '%25' '%25'"},
		{"url", "/caf%C3%A9", "'café'"},
		{"url", "/%zz", "'%25zz'"},
		{"url", "/a//b/", "'a' '' 'b' ''"},
		{"text", "", "''"},
		{"text", "a/*", "'a/'*"},
		{"text", "a.b", "'a.b'"},
		{"text", `\*`, "'*'"},
		{"host", "*.example.com", "* 'example' 'com'"},
		{"host", "**.example.com", "** 'example' 'com'"},
		{"host", "*-api.example.com", "*'-api' 'example' 'com'"},
	}
	for _, test := range tests {
		t.Run(test.kind+" "+test.src, func(t *testing.T) {
			p, err := parsers[test.kind](test.src)
			if err != nil {
				t.Fatal(err)
			}
			if got := show(p); got != test.want || p.Source != test.src {
				t.Errorf("got %s of %q, want %s", got, p.Source, test.want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct {
		kind, src string
		offset    int
		want      string // in the message
	}{
		{"file", "", 0, "empty"},
		{"file", "etc/shadow", 0, "relative"},
		{"file", "/a/../b", 3, `".."`},
		{"file", "/a/.", 3, `"."`},
		{"file", "/x..y/a/..", 8, `".."`},
		{"file", "/a/b**", 4, "glued"},
		{"file", "/a/**b", 3, "glued"},
		{"file", "/a/***", 3, "glued"},
		{"file", "/a/[b", 3, "not closed"},
		{"file", "/a/[b/c]", 5, "separator"},
		{"file", "/a/[z-a]", 3, "empty"},
		{"file", `/a\`, 2, "backslash"},
		{"file", `/a\/b`, 2, "escaped"},
		{"file", "/a//b", 3, "empty segment"},
		{"file", "//a", 1, "empty segment"},
		{"file", "/a/", 2, "end in a slash"},
		{"file", "/a/**/", 5, "end in a slash"},
		{"url", "/%2e%2e/a", 1, `".."`},
		{"text", "**", 0, "no meaning"},
		{"text", "a**", 1, "glued"},
		{"host", "a**.example.com", 1, "glued"},
		{"host", "[a.b].example.com", 2, "separator"},
	}
	for _, test := range tests {
		t.Run(test.kind+" "+test.src, func(t *testing.T) {
			p, err := parsers[test.kind](test.src)
			var bad *glob.Error
			if !errors.As(err, &bad) {
				t.Fatalf("got %s and error %v, want a *glob.Error", show(p), err)
			}
			if bad.Offset != test.offset || !strings.Contains(bad.Message, test.want) {
				t.Errorf("got %q at %d, want %q at %d", bad.Message, bad.Offset, test.want, test.offset)
			}
		})
	}
}

func TestLiteral(t *testing.T) {
	tests := []struct {
		src, want string
		ok        bool
	}{
		{"/a/b", "a/b", true},
		{`/a/\*`, "a/*", true},
		{"/a/*", "", false},
		{"/a/**", "", false},
		{"/a/?", "", false},
	}
	for _, test := range tests {
		p, err := glob.FilePath(test.src)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := p.Literal("/"); got != test.want || ok != test.ok {
			t.Errorf("%s: got %q, %t, want %q, %t", test.src, got, ok, test.want, test.ok)
		}
	}
}

// Whatever parses has segments and an offset of an error lies in the text.
func FuzzParse(f *testing.F) {
	for _, src := range []string{"/a/**", "**/.env", "*.example.com", "/[!a-z]?", `\*`, "/%2F%25", "[]", "**", ""} {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		for kind, parse := range parsers {
			p, err := parse(src)
			var bad *glob.Error
			switch {
			case errors.As(err, &bad):
				if bad.Offset < 0 || bad.Offset > len(src) || bad.Message == "" || bad.Hint == "" {
					t.Errorf("%s %q: %q at %d", kind, src, bad.Message, bad.Offset)
				}
			case err != nil:
				t.Errorf("%s %q: %v is no *glob.Error", kind, src, err)
			case len(p.Segments) == 0:
				t.Errorf("%s %q: no segments", kind, src)
			default:
				again, err := parse(src)
				if diff := cmp.Diff(p, again); diff != "" || err != nil {
					t.Errorf("%s %q parses in two ways: %s", kind, src, diff)
				}
			}
		}
	})
}
