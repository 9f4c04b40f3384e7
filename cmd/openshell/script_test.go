package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/openshell-policy/openshell/internal/clitest"
)

var update = flag.Bool("update", false, "write expected outputs again")

func TestMain(m *testing.M) {
	if status, is := insideSandbox(); is {
		os.Exit(status)
	}
	if filepath.Base(os.Args[0]) == "openshell" && len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-test.") {
		main() // started by TestOrdinaryUser, or by what that started
	}
	testscript.Main(m, map[string]func(){"openshell": main})
}

func TestScripts(t *testing.T) { runScripts(t, "testdata/script") }

// TestSeed runs the commands of the document that the product was asked for
// from, with the outputs that it shows.
func TestSeed(t *testing.T) { runScripts(t, "../../testdata/seed") }

func runScripts(t *testing.T, dir string) {
	scripts, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts in %s: %v", dir, err)
	}
	// The gateway's own variables would reach the scripts.
	for _, name := range []string{"OPENSHELL_GATEWAY", "OPENSHELL_STATE_DIR", "OPENSHELL_GATEWAY_TOKEN"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	testscript.Run(t, clitest.Params(t, dir, *update))
}
