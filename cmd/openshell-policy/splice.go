package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/openshell-policy/openshell/internal/cli"
)

// unified is the difference of two texts of a file as patch takes it; "" if there
// is none.
func unified(name string, before, after []byte) string {
	return string(diff.Diff("a/"+name, before, "b/"+name, after))
}

// rewrite writes a file anew, unless somebody changed it since it was read.
func rewrite(path string, before, after []byte) error {
	now, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, before) {
		return cli.WithHint(fmt.Errorf("%q has changed since it was read", path), "run it again")
	}
	return writeFile(path, after)
}
