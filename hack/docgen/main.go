// Command docgen writes the parts of docs/ that are generated from the schemas
// and code tables. Run it at the top of the repository:
//
//	go run ./hack/docgen
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "docgen:", err)
		os.Exit(2)
	}
}

// run writes every generated file below root.
func run(root string) error {
	for name, render := range outputs() {
		text, err := render()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(root, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// outputs maps each generated file, relative to the top of the repository, to
// what renders it.
func outputs() map[string]func() ([]byte, error) {
	return map[string]func() ([]byte, error){
		"docs/policy-reference.md": policyReference,
		"docs/codes.md":            codes,
	}
}
