package audit_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// kind is one line of testdata/secrets.txt, drawn.
type kind struct {
	name  string
	text  string   // as it is written in its natural surroundings
	parts []string // what must not be found anywhere: the drawn parts of 8 or more
}

var drawn = regexp.MustCompile(`\{([a-z0-9]+):(\d+)\}`)

// kinds draws one secret of each kind. The same seed draws the same.
func kinds(t testing.TB, seed uint64) []kind {
	t.Helper()
	data, err := os.ReadFile("../testdata/secrets.txt")
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(seed, 1))
	var out []kind
	for number, line := range strings.Split(string(data), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, shape, ok := strings.Cut(line, "\t")
		if !ok {
			t.Fatalf("secrets.txt:%d: no tab", number+1)
		}
		k := kind{name: name}
		k.text = drawn.ReplaceAllStringFunc(strings.ReplaceAll(shape, `\n`, "\n"), func(s string) string {
			m := drawn.FindStringSubmatch(s)
			n, _ := strconv.Atoi(m[2])
			part := draw(t, random, m[1], n)
			if n >= 8 {
				k.parts = append(k.parts, part)
			}
			return part
		})
		if len(k.parts) == 0 {
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
		t.Fatal(fmt.Sprintf("no class %q", class))
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

// found names the parts of a secret that a text still holds, in any case.
func (k kind) found(text string) []string {
	var out []string
	text = strings.ToLower(text)
	for _, p := range k.parts {
		for _, form := range []string{p, p[:len(p)-2], p[2:]} {
			if strings.Contains(text, strings.ToLower(form)) {
				out = append(out, p)
				break
			}
		}
	}
	return out
}
