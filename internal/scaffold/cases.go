package scaffold

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/policies"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
)

// askedCase is a case with the decision that it got.
type askedCase struct {
	about string
	key   string // request, file or command
	text  string
	got   schemas.Decision
	full  bool // with what else a case may say
}

// perBase bounds the requests that are taken over from the tests of one base.
const perBase = 3

// ask asks the new policy what the tests of its bases ask, and about files.
func ask(ctx context.Context, source compiler.Source, name string, bases []string) ([]askedCase, error) {
	result := policyset.Compile([]compiler.Source{source}, compiler.Options{})
	if result.Bundle == nil {
		return nil, wrong(result.Diagnostics)
	}
	g, err := rego.New(rego.Options{CacheSize: -1}).Load(result.Bundle)
	if err != nil {
		return nil, fmt.Errorf("load the new policy: %w", err)
	}
	out, err := requests(ctx, g, name, bases)
	if err != nil {
		return nil, err
	}
	files := []string{
		"write /workspace/app/main.go", "write /tmp/a/b", "read /workspace/app/.env", "read /workspace/app/.env.example",
		"read /usr/bin/env", "write /etc/hosts", "read /root/.ssh/id_ed25519",
	}
	out = append(out, askedCase{about: "anything else", key: "request", text: "POST https://example.com/", full: true})
	for _, f := range files {
		out = append(out, askedCase{about: "files", key: "file", text: f})
	}
	for i := range out {
		if out[i].got, err = decide(ctx, g, name, out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func decide(ctx context.Context, g *rego.Generation, name string, a askedCase) (schemas.Decision, error) {
	q := analysis.Question{Policy: name}
	if a.key == "file" {
		q.File = a.text
	} else {
		method, url, _ := strings.Cut(a.text, " ")
		q.Request = &schemas.TestRequest{Method: method, URL: url}
	}
	answer, err := analysis.Ask(ctx, g, q)
	return answer.Decision, err
}

// requests takes from the tests of each base a few requests that it allows, by
// different rules, and one that it denies.
func requests(ctx context.Context, g *rego.Generation, name string, bases []string) ([]askedCase, error) {
	var out []askedCase
	for _, base := range bases {
		rules := map[string]bool{}
		denied := false
		for _, c := range casesOf(base) {
			if c.Request == nil || c.Request.WebSocket || c.Request.Binary != "" || len(c.With) > 0 || c.Policy != "" && c.Policy != base {
				continue
			}
			a := askedCase{about: "what " + base + " brings", key: "request", text: c.Request.Method + " " + c.Request.URL}
			d, err := decide(ctx, g, name, a)
			if err != nil {
				return nil, err
			}
			switch {
			case d.Allow != (c.Expect == "allow"):
			case d.Allow && len(rules) < perBase && !rules[d.Rule]:
				rules[d.Rule] = true
				out = append(out, a)
			case !d.Allow && !denied && len(rules) > 0:
				denied = true
				out = append(out, a)
			}
		}
	}
	return out, nil
}

// casesOf returns the cases of the test beside a ready-made policy.
func casesOf(name string) []schemas.TestCase {
	data, err := fs.ReadFile(policies.Files(), name+"_test.yaml")
	if err != nil {
		return nil
	}
	docs, _ := parse.File(name+"_test.yaml", data)
	if len(docs) == 0 || docs[0].Test == nil {
		return nil
	}
	return docs[0].Test.Spec.Cases
}

func (a askedCase) write(b *strings.Builder) {
	fmt.Fprintf(b, "    - %s: %s\n", a.key, scalar(a.text))
	expect := "deny"
	if a.got.Allow {
		expect = "allow"
	}
	fmt.Fprintf(b, "      expect: %s\n", expect)
	if a.full {
		fmt.Fprintf(b, "      mode: %s\n", a.got.Mode)
	}
	if !a.got.Allow {
		fmt.Fprintf(b, "      code: %s\n", a.got.Code)
	}
	if a.got.Rule != schemas.RuleDefault && (a.got.Allow || a.got.Code == schemas.CodeDeniedRule || a.got.Code == schemas.CodeBlockedPath) {
		fmt.Fprintf(b, "      rule: %s\n", scalar(a.got.Rule))
	}
}

// scalar quotes what YAML would read otherwise.
func scalar(s string) string {
	if s != "" && !strings.ContainsAny(s[:1], "-?:,[]{}#&*!|>'\"%@` ") && !strings.Contains(s, ": ") && !strings.Contains(s, " #") && !strings.HasSuffix(s, ":") {
		return s
	}
	quoted, err := json.Marshal(s)
	if err != nil {
		return s // strings always encode
	}
	return string(quoted)
}
