package scaffold

import (
	"context"
	"fmt"
	"strings"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/schemas"
)

// Result is a policy with its test.
type Result struct {
	Policy []byte // NAME.yaml
	Test   []byte // NAME_test.yaml, beside it
	Bases  []string
}

// Make writes a policy and its test. An error is an *UnknownError, or a name
// that no policy may have.
func Make(ctx context.Context, c Choice) (*Result, error) {
	bases, err := c.bases()
	if err != nil {
		return nil, err
	}
	r := &Result{Policy: c.policy(bases), Bases: bases}
	asked, err := ask(ctx, compiler.Source{Name: c.Name + ".yaml", Data: r.Policy}, c.Name, bases)
	if err != nil {
		return nil, err
	}
	r.Test = c.test(asked)
	return r, nil
}

func (c Choice) policy(bases []string) []byte {
	var b strings.Builder
	modeline(&b, c.Schema)
	fmt.Fprintf(&b, `# Policy: %s
#
# Built on %s.
# What no rule names is denied.
apiVersion: %s
kind: %s
metadata:
  name: %s
spec:
  extends: [%s]

  # Hosts of your own:
  # network:
  #   outbound:
  #     - host: "api.example.com"
  #       methods: [GET]
  #       paths: ["/v1/**"]
`, c.Name, strings.Join(bases, ", "), schemas.APIVersion, schemas.KindSandboxPolicy, c.Name, strings.Join(bases, ", "))
	if !files(bases) {
		b.WriteString(`
  filesystem:
    writable:
      - "/workspace/**"
      - "/tmp/**"
    blocked:
      - "**/.env" # secrets of the project
`)
	}
	return []byte(b.String())
}

func modeline(b *strings.Builder, schema string) {
	if schema != "" {
		fmt.Fprintf(b, "# yaml-language-server: $schema=%s\n", schema)
	}
}

func (c Choice) test(asked []askedCase) []byte {
	var b strings.Builder
	modeline(&b, c.TestSchema)
	fmt.Fprintf(&b, `# openshell-policy test %s_test.yaml --coverage --mutate
apiVersion: %s
kind: %s
metadata:
  name: %s
spec:
  policies: [%s.yaml]
  policy: %s
  cases:
`, c.Name, schemas.APIVersion, schemas.KindPolicyTest, c.Name, c.Name, c.Name)
	about := ""
	for _, a := range asked {
		if a.about != about {
			if about != "" {
				b.WriteByte('\n')
			}
			about = a.about
			fmt.Fprintf(&b, "    # %s\n", about)
		}
		a.write(&b)
	}
	return []byte(b.String())
}

// wrong is an error for a policy that does not compile.
func wrong(ds []diag.Diagnostic) error {
	for _, d := range ds {
		if d.Severity == diag.Error {
			return fmt.Errorf("%s: %s", d.Code, d.Message)
		}
	}
	return nil
}
