// Package secrettest draws one secret of each kind that must never reach a
// decision log, for tests that plant them and look for them.
package secrettest

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Kind is one line of testdata/secrets.txt, drawn.
type Kind struct {
	Name  string
	Text  string   // as it is written in its natural surroundings
	Parts []string // what must not be found anywhere: the drawn parts of 8 or more
}

var drawn = regexp.MustCompile(`\{([a-z0-9]+):(\d+)\}`)

// Kinds draws one secret of each kind. The same seed draws the same.
func Kinds(t testing.TB, seed uint64) []Kind {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root(t), "testdata", "secrets.txt"))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(seed, 1))
	var out []Kind
	for number, line := range strings.Split(string(data), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, shape, ok := strings.Cut(line, "\t")
		if !ok {
			t.Fatalf("secrets.txt:%d: no tab", number+1)
		}
		k := Kind{Name: name}
		k.Text = drawn.ReplaceAllStringFunc(strings.ReplaceAll(shape, `\n`, "\n"), func(s string) string {
			m := drawn.FindStringSubmatch(s)
			n, _ := strconv.Atoi(m[2])
			part := draw(t, random, m[1], n)
			if n >= 8 {
				k.Parts = append(k.Parts, part)
			}
			return part
		})
		if len(k.Parts) == 0 {
			t.Fatalf("secrets.txt:%d: nothing is drawn", number+1)
		}
		out = append(out, k)
	}
	if len(out) < 50 {
		t.Fatalf("%d kinds of secrets; there are 50", len(out))
	}
	return out
}

func draw(t testing.TB, random *rand.Rand, class string, n int) string {
	t.Helper()
	const word = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	alphabet := map[string]string{
		"word": word, "url": word + "-_", "hex": "0123456789abcdef", "digits": "0123456789", "base64": word + "+/",
	}[class]
	if alphabet == "" {
		t.Fatalf("no class %q", class)
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[random.IntN(len(alphabet))]
	}
	b[0], b[n-1] = 'x', '7' // a letter and a digit, whatever is drawn
	if class == "hex" || class == "digits" {
		b[0] = '4'
	}
	return string(b)
}

// Found names the parts of a secret that a text still holds, in any case.
func (k Kind) Found(text string) []string {
	var out []string
	text = strings.ToLower(text)
	for _, p := range k.Parts {
		for _, form := range []string{p, p[:len(p)-2], p[2:]} {
			if strings.Contains(text, strings.ToLower(form)) {
				out = append(out, p)
				break
			}
		}
	}
	return out
}

// root is the module's folder.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("the test runs outside of the module")
		}
		dir = up
	}
}
