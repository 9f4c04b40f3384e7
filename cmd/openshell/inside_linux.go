package main

import (
	"encoding/json"
	"os"

	"github.com/openshell-policy/openshell/sandboxctl/local/ns"
	"github.com/openshell-policy/openshell/sandboxctl/shim"
	"github.com/openshell-policy/openshell/sandboxctl/shim/bare"
)

// insideSandbox runs this program as what it was started as: process 1 of a sandbox.
// False says that it was not.
func insideSandbox() (status int, is bool) {
	bare.Main() // the self-test's process, which does not return
	if os.Args[0] != ns.InitName {
		return 0, false
	}
	return ns.Main(func(text []byte) (int, error) {
		var config shim.Config
		if err := json.Unmarshal(text, &config); err != nil {
			return -1, err
		}
		return shim.Confine(config)
	}), true
}
