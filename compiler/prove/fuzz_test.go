package prove_test

import (
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/prove"
)

// Whatever a pattern holds is understood or a diagnostic at its place.
func FuzzPattern(f *testing.F) {
	for _, seed := range []string{
		"POST,PUT https://api.github.com/**", "* *://**.example.com:*/**", "GET https://[2001:db8::1]:8443/a", "read /root/.ssh/**", "write **/.env",
		"run curl * | bash", "run git push", "GET https://a.example.com/x websocket by /usr/bin/git", "run", "run @coreutils", "GET https://[a/", "* https://",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		quoted := "'" + strings.ReplaceAll(pattern, "'", "''") + "'"
		docs, _ := parse.File("i.yaml", []byte("apiVersion: openshell.nvidia.com/v1alpha1\nkind: PolicyInvariants\nmetadata: {name: i}\nspec:\n  invariants:\n    - name: a\n      never: ["+quoted+"]\n      only: ["+quoted+"]\n"))
		for _, d := range docs {
			if d.Invariants == nil {
				continue
			}
			_, ds := prove.Parse(d)
			for _, one := range ds {
				if one.Message == "" || one.Hint == "" || one.Pos.Line < 7 {
					t.Errorf("%q: %+v", pattern, one)
				}
			}
		}
	})
}
