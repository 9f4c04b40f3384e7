package canon_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/schemas/canon"
)

func get(path string) canon.Request {
	return canon.Request{Method: "GET", Scheme: "https", Host: "example.com", RawPath: path, ContentLength: -1}
}

func paths(c *canon.Canonical) []string {
	var out []string
	for _, r := range c.Readings {
		out = append(out, r.Path)
	}
	return out
}

func TestPaths(t *testing.T) {
	tests := []struct {
		name, raw, forward string
		want               []string // the paths of the readings
	}{
		{"root", "/", "/", []string{"/"}},
		{"empty", "", "/", []string{"/"}},
		{"plain", "/repos/a/b.git", "/repos/a/b.git", []string{"/repos/a/b.git"}},
		{"trailing slash", "/a/", "/a/", []string{"/a/"}},
		{"case is kept", "/A/b", "/A/b", []string{"/A/b"}},
		{"dots in names", "/.env/..a/a../...", "/.env/..a/a../...", []string{"/.env/..a/a../..."}},
		{"punctuation", "/a!$&'()*+,=:@~-._", "/a!$&'()*+,=:@~-._", []string{"/a!$&'()*+,=:@~-._"}},
		{"raw characters that are not allowed", `/a"<>[]^{|}` + "`", "/a%22%3C%3E%5B%5D%5E%7B%7C%7D%60", []string{`/a"<>[]^{|}` + "`"}},
		{"unreserved characters", "/%61%7e%2D", "/a~-", []string{"/a~-"}},
		{"reserved characters stay encoded", "/a%3Db%40%2b", "/a%3Db%40%2B", []string{"/a=b@+"}},
		{"UTF-8", "/caf%c3%a9", "/caf%C3%A9", []string{"/café"}},
		{"not UTF-8", "/a%e9", "/a%E9", []string{`/a\xE9`}},
		{"space", "/a%20b", "/a%20b", []string{"/a b"}},
		{"encoded question mark", "/a%3fb%23", "/a%3Fb%23", []string{"/a?b#"}},
		{"encoded percent", "/100%25", "/100%25", []string{"/100%25"}},
		{"encoded twice", "/a%252e%252Fb", "/a%252e%252Fb", []string{"/a%252e%252Fb"}},
		{"D01 dot segments", "/public/../admin", "/admin", []string{"/admin"}},
		{"D01 one dot", "/a/./b/.", "/a/b/", []string{"/a/b/"}},
		{"D01 at the end", "/a/b/..", "/a/", []string{"/a/"}},
		{"D05 encoded slash", "/repos/a%2fb", "/repos/a%2Fb", []string{"/repos/a%2Fb"}},
		{"D08 parameters", "/admin;x=1/b", "/admin;x=1/b", []string{"/admin;x=1/b", "/admin/b"}},
		{"D08 encoded parameters", "/admin%3bx/b", "/admin%3Bx/b", []string{"/admin;x/b", "/admin/b"}},
		{"double slash", "/a//b", "/a//b", []string{"/a//b", "/a/b"}},
		{"double slash first", "//a", "//a", []string{"//a", "/a", "/"}},
		{"an authority", "//host/admin", "//host/admin", []string{"//host/admin", "/host/admin", "/admin"}},
		{"an authority behind many slashes", "////h/admin//x", "////h/admin//x", []string{"////h/admin//x", "/h/admin/x", "/admin//x", "/admin/x"}},
		{"an authority and parameters", "//h/a;x", "//h/a;x", []string{"//h/a;x", "/h/a;x", "//h/a", "/h/a", "/a;x", "/a"}},
		{"many slashes", "/a///", "/a///", []string{"/a///", "/a/"}},
		{"parameters make a double slash", "/;x/a", "/;x/a", []string{"/;x/a", "//a", "/a"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := canon.Network(get(test.raw))
			if err != nil {
				t.Fatal(err)
			}
			if c.ForwardPath != test.forward {
				t.Errorf("forwarded %q, want %q", c.ForwardPath, test.forward)
			}
			if diff := cmp.Diff(paths(c), test.want); diff != "" {
				t.Errorf("readings (-got +want):\n%s", diff)
			}
		})
	}
}

func TestRefusedPaths(t *testing.T) {
	tests := []struct {
		name, raw string
		status    int
	}{
		{"no slash", "a", 400},
		{"fragment", "/a#b", 400},
		{"question mark", "/a?b", 400},
		{"space", "/a b", 400},
		{"D02 encoded dots", "/a/%2e%2e/b", 400},
		{"D02 half encoded dots", "/a/.%2e/b", 400},
		{"D02 the other half", "/a/%2E./b", 400},
		{"D02 one encoded dot", "/a/%2e/b", 400},
		{"D02 encoded dots with a parameter", "/a/%2e%2e;x/b", 400},
		{"D04 above the root", "/../../etc", 400},
		{"D04 above the root later", "/a/../..", 400},
		{"D04 above the root with parameters", "/..;/etc", 400},
		{"D05 dots beside an encoded slash", "/a/..%2fb", 400},
		{"D05 dots after an encoded slash", "/a%2f../b", 400},
		{"D05 encoded slash beside a slash", "/a/%2Fb", 400},
		{"D05 encoded slash in a parameter", "/a;x%2Fb", 400},
		{"D07 backslash", `/a\..\b`, 400},
		{"D07 encoded backslash", "/a/%5c..", 400},
		{"D08 hidden dots", "/pub/..;/admin", 400},
		{"D08 hidden dot", "/a/.;x/b", 400},
		{"D08 hidden dot at the end", "/.;", 400},
		{"D08 encoded parameter", "/a/..%3Bx", 400},
		{"D10 encoded NUL", "/a%00b", 400},
		{"D10 encoded line break", "/a%0d%0aX:y", 400},
		{"D10 encoded DEL", "/a%7Fb", 400},
		{"D11 raw control byte", "/a\x01b", 400},
		{"D11 raw NUL", "/a\x00b", 400},
		{"D13 raw non-ASCII", "/é", 400},
		{"D14 no hex", "/a%zz", 400},
		{"D14 one digit", "/a%2", 400},
		{"D14 lone percent", "/a%", 400},
		{"D16 long path", "/" + strings.Repeat("a", 4096), 414},
		{"D16 long URI", "/" + strings.Repeat("a", 64<<10), 414},
		{"D17 asterisk form", "*", 400},
		{"overlong slash", "/a%c0%afb", 400},
		{"overlong dots", "/%c0%ae%c0%ae/b", 400},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := canon.Network(get(test.raw))
			if c != nil || err == nil {
				t.Fatalf("got %+v, want a refusal", c)
			}
			wantRefused(t, err, test.status)
		})
	}
	t.Run("D16 longest path", func(t *testing.T) {
		if _, err := canon.Network(get("/" + strings.Repeat("a", 4095))); err != nil {
			t.Error(err)
		}
	})
}

// Whatever is sent on is read by the next gateway as by this one, and holds no
// dot segment.
func FuzzPath(f *testing.F) {
	for _, s := range []string{
		"/", "/a/../b", "/a%2Fb", "/a;x/..;/b", "//a", "/%e9%252e", "/a/.;/b", "/a%3b..", "/;/..;/", "/a!\"~", "/..;/a", "/a/%2e",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		c, err := canon.Network(get(raw))
		if err != nil {
			return
		}
		again, err := canon.Network(get(c.ForwardPath))
		if err != nil && len(c.ForwardPath) <= 4096 {
			t.Fatalf("%q: %q is refused: %v", raw, c.ForwardPath, err)
		}
		if err == nil {
			if diff := cmp.Diff(again.Readings, c.Readings); diff != "" || again.ForwardPath != c.ForwardPath {
				t.Errorf("%q, sent as %q: readings (-again +first):\n%s", raw, c.ForwardPath, diff)
			}
		}
		for _, p := range append(paths(c), c.ForwardPath) {
			for s := range strings.SplitSeq(strings.ReplaceAll(p, "%2F", "/"), "/") {
				if s == "." || s == ".." {
					t.Errorf("%q: %q has a dot segment", raw, p)
				}
			}
		}
	})
}
