package main

import (
	"flag"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/openshell-policy/openshell/internal/clitest"
)

var update = flag.Bool("update", false, "write expected outputs again")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"openshell-gateway": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, clitest.Params(t, "testdata/script", *update))
}
