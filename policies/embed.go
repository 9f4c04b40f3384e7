// Package policies embeds the ready-made policies, so that `--policy
// github-readonly` works from anywhere.
package policies

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Files holds the policies and, beside each, its tests.
func Files() fs.FS { return files }

// Names lists the ready-made policies; the file of each is NAME.yaml.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(fmt.Sprintf("policies: %v", err)) // embedded
	}
	var names []string
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), ".yaml"); !strings.HasSuffix(name, "_test") && name != invariants {
			names = append(names, name)
		}
	}
	return names
}

// invariants is the file of what must hold for the ready-made policies.
const invariants = "invariants"

// Invariants returns what must hold for the ready-made policies, as YAML.
func Invariants() []byte {
	data, err := files.ReadFile(invariants + ".yaml")
	if err != nil {
		panic(fmt.Sprintf("policies: %v", err)) // embedded
	}
	return data
}

// Text returns the YAML of a ready-made policy.
func Text(name string) ([]byte, bool) {
	for _, known := range Names() {
		if known == name {
			data, err := files.ReadFile(name + ".yaml")
			return data, err == nil
		}
	}
	return nil, false
}
