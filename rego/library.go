package rego

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed lib/*.rego
var embedded embed.FS

// Library returns the Rego library by file name, without its tests.
func Library() map[string]string {
	out := map[string]string{}
	entries, err := fs.ReadDir(embedded, "lib")
	if err != nil {
		panic(err) // embedded
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "_test.rego") {
			continue
		}
		text, err := fs.ReadFile(embedded, "lib/"+e.Name())
		if err != nil {
			panic(err) // embedded
		}
		out[e.Name()] = string(text)
	}
	return out
}
