// Command docgen writes what is generated: the parts of docs/ that come from the
// schemas and code tables, and the admin API's OpenAPI document and client. Run
// it at the top of the repository:
//
//	go run ./hack/docgen
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(moduleRoot()); err != nil {
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
		"docs/admin-api.md":        adminAPI,

		"schemas/adminapi/openapi.json":  openAPI,
		"schemas/adminapi/client_gen.go": adminClient,
	}
}

// moduleRoot is the folder of go.mod, from the top or from this folder, where its
// tests run.
func moduleRoot() string {
	if _, err := os.Stat("go.mod"); err == nil {
		return "."
	}
	return filepath.Join("..", "..")
}
