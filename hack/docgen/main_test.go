package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCommittedFilesAreCurrent(t *testing.T) {
	if len(outputs()) == 0 {
		t.Fatal("nothing is generated")
	}
	for name, render := range outputs() {
		want, err := render()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not what go run ./hack/docgen writes (-generated +committed):\n%s", name, diff)
		}
	}
}

// A field that the page lists and one that it must not lose.
func TestReferenceListsFields(t *testing.T) {
	text, err := policyReference()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"### `spec.network.outbound[]`", "### `spec.network.denied[]`", "### `spec.network.outbound[].query.KEY`",
		"### `spec.filesystem`", "### `spec.execution`", "### `spec.cases[]`", "### `spec.cases[].request`",
		"| `allow_private` | list of strings, at least one | none |",
		"| `ports` | list of whole numbers from 1 to 65535, at least one | 443 for https, 80 for http |",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the reference has no %q", want)
		}
	}
}
