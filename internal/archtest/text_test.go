package archtest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// Written in pieces, so that this file does not hold what it looks for.
var machine = []string{
	"/wo" + "rk/main", // where the code was written
	"/wo" + "rk/shared",
	"/wo" + "rk/notes",
	"/root/" + "go/",       // a module cache
	"/tmp/" + "bash_",      // a scratch folder
	".r-" + "seed",         // hosts of one machine's network
	"GOPROXY=" + "http",    // a registry of one's own
	"--registry" + " http", // the same for npm
	"--index-url" + " http",
}

// A fresh clone works on any machine only if no file names one.
func TestNoFileNamesAMachine(t *testing.T) {
	seen := 0
	walk(t, func(rel string) {
		text, err := os.ReadFile(filepath.Join(root, rel))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(text, 0) >= 0 || !utf8.Valid(text) {
			return
		}
		seen++
		for number, line := range strings.Split(string(text), "\n") {
			for _, word := range machine {
				if strings.Contains(line, word) {
					t.Errorf("%s:%d: names %q", rel, number+1, word)
				}
			}
		}
	})
	if seen < 50 {
		t.Errorf("saw %d text files; there are more", seen)
	}
}

// Formats and words are data; init would be order.
func TestNoPackageHasInit(t *testing.T) {
	seen := 0
	for _, s := range sources(t) {
		seen++
		for _, d := range s.syntax.Decls {
			if name, ok := functionName(d); ok && name == "init" {
				t.Errorf("%s: func init", s.fset.Position(d.Pos()))
			}
		}
	}
	if seen == 0 {
		t.Error("saw no file")
	}
}
