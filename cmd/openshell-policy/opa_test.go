package main

import (
	"bytes"
	order "cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/schemas"
)

const policiesDir = "../../policies"

// Stock OPA decides every case of the ready-made policies as eval does, by the
// bundle that compile writes and the input that eval prints.
func TestStockOPADecidesAlike(t *testing.T) {
	opa := stockOPA(t)
	bundle := filepath.Join(t.TempDir(), "bundle.tar.gz")
	if status, _, stderr := call("compile", policiesDir, "-o", bundle); status != cli.ExitOK {
		t.Fatalf("compile ended with %d: %s", status, stderr)
	}
	files, err := filepath.Glob(policiesDir + "/*_test.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("found the tests %q, %v", files, err)
	}
	for _, file := range files {
		for _, q := range questions(t, file) {
			t.Run(q.name, func(t *testing.T) {
				t.Parallel()
				q.compare(t, opa, bundle)
			})
		}
	}
}

// question is what a case asks, as arguments of eval.
type question struct {
	name string
	args []string
}

func questions(t *testing.T, file string) []question {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	docs, ds := parse.File(file, text)
	if len(docs) != 1 || docs[0].Test == nil || len(docs[0].Test.Spec.Cases) == 0 {
		t.Fatalf("%s holds no cases: %v", file, ds)
	}
	var list []question
	for i, c := range docs[0].Test.Spec.Cases {
		policy := order.Or(c.Policy, docs[0].Test.Spec.Policy, docs[0].Test.Metadata.Name)
		args := []string{"eval", "--policy", policiesDir + "/:" + policy, "--agent", c.Agent}
		list = append(list, question{fmt.Sprintf("%s/%d", policy, i), append(args, asked(c)...)})
	}
	return list
}

func asked(c schemas.TestCase) []string {
	switch {
	case c.Request != nil:
		args := []string{"--request", c.Request.Method + " " + c.Request.URL, "--binary", c.Request.Binary}
		if c.Request.WebSocket {
			args = append(args, "--websocket")
		}
		return args
	case c.File != "":
		return []string{"--file", c.File}
	}
	return []string{"--command", c.Command}
}

func (q question) compare(t *testing.T, opa, bundle string) {
	status, input, stderr := call(append(q.args, "--print-input")...)
	if status != cli.ExitOK {
		t.Fatalf("%q ended with %d: %s", q.args, status, stderr)
	}
	_, ours, stderr := call(append(q.args, "-o", "json")...)
	command := exec.CommandContext(t.Context(), opa, "eval", "--strict-builtin-errors", "--bundle", bundle,
		"--stdin-input", "--format", "raw", "data.openshell.decision")
	command.Stdin = bytes.NewReader(input)
	var failed bytes.Buffer
	command.Stderr = &failed
	theirs, err := command.Output()
	if err != nil {
		t.Fatalf("opa: %v: %s%s", err, theirs, failed.Bytes())
	}
	if diff := cmp.Diff(decision(t, ours), decision(t, theirs)); diff != "" {
		t.Errorf("%q: eval (-) opa (+):\n%s\ninput: %s%s", q.args, diff, input, stderr)
	}
}

func decision(t *testing.T, text []byte) (d schemas.Decision) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		t.Fatalf("%v: %q is no decision", err, text)
	}
	if d.Code == "" || d.Revision == "" {
		t.Fatalf("%q lacks a code or a revision", text)
	}
	return d
}

// call runs the command in this process.
func call(args ...string) (status int, stdout, stderr []byte) {
	var out, errs bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&errs)
	status = cli.Run(context.Background(), root)
	return status, out.Bytes(), errs.Bytes()
}

// stockOPA returns the opa command of the version in go.mod: the one that make
// built, or one built here.
func stockOPA(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("OPENSHELL_OPA"); path != "" {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	path := filepath.Join(t.TempDir(), "opa")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "github.com/open-policy-agent/opa").CombinedOutput(); err != nil {
		t.Fatalf("build opa: %v: %s", err, out)
	}
	return path
}
