package regotest_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/rego/regotest"
)

const extension = `package openshell.extension.size

deny contains {"code": "too_large", "message": "too large"} if input.network.content_length > 10
`

func run(t *testing.T, tests string, choose func(string) bool) ([]regotest.Result, error) {
	t.Helper()
	return regotest.Run(t.Context(), map[string]string{"size.rego": extension, "size_test.rego": tests}, choose)
}

func TestRun(t *testing.T) {
	tests := `package openshell.extension.size_test

import data.openshell.extension.size

test_large if count(size.deny) == 1 with input as {"network": {"content_length": 11}}

test_small if count(size.deny) == 0 with input as {"network": {"content_length": 10}}

test_wrong if count(size.deny) == 5

todo_test_later if false

test_table[name] if {
	some name, length in {"a": 11, "b": 3}
	count(size.deny) == 1 with input as {"network": {"content_length": length}}
}
`
	got, err := run(t, tests, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []regotest.Result{
		{Name: "test_large", Line: 5, Pass: true},
		{Name: "test_small", Line: 7, Pass: true},
		{Name: "test_wrong", Line: 9, Reason: "the test is false or undefined"},
		{Name: "todo_test_later", Line: 11, Skipped: true},
		{Name: "test_table/a", Line: 13, Pass: true},
		{Name: "test_table/b", Line: 13, Reason: "the case is false or undefined"},
	}
	for i := range want {
		want[i].Package, want[i].File = "openshell.extension.size_test", "size_test.rego"
	}
	slices.SortFunc(got, func(a, b regotest.Result) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return strings.Compare(a.Name, b.Name)
	})
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got (-) want (+):\n%s", diff)
	}
	got, err = run(t, tests, func(name string) bool { return name == "test_small" })
	if err != nil || len(got) != 1 || !got[0].Pass {
		t.Errorf("chosen: %+v, %v", got, err)
	}
}

// What reaches out or does not end is refused or fails.
func TestRunIsRestricted(t *testing.T) {
	for name, body := range map[string]string{
		"http":     `test_x if http.send({"method": "get", "url": "http://127.0.0.1"})`,
		"clock":    `test_x if time.now_ns() > 0`,
		"runtime":  `test_x if opa.runtime().env`,
		"random":   `test_x if rand.intn("x", 5) < 5`,
		"no rego":  `test_x if {`,
		"no names": `test_x if nothing_known`,
	} {
		var wrong *regotest.SyntaxError
		_, err := run(t, "package p_test\n\n"+body+"\n", nil)
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "size_test.rego:") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBuiltinErrorsFail(t *testing.T) {
	got, err := run(t, "package p_test\n\ntest_x if not to_number(input.x) with input as {\"x\": \"a\"}\n", nil)
	if err != nil || len(got) != 1 || got[0].Pass || got[0].Reason == "" {
		t.Errorf("got %+v, %v", got, err)
	}
}
