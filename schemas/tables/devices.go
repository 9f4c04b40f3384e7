package tables

import (
	"slices"
	"strings"
)

// Device is a device node that the sandbox may write to wherever it may read it.
type Device struct {
	Glob   string `json:"glob"`
	Reason string `json:"reason"`
}

var devices = entries[Device]("devices.json")

// Devices lists the device nodes that may be written to.
func Devices() []Device { return slices.Clone(devices()) }

// IsDevice tells whether the resolved path is one of Devices. That the node is
// a character device is for the caller to see.
func IsDevice(path string) bool {
	for _, d := range devices() {
		if base, ok := strings.CutSuffix(d.Glob, "**"); d.Glob == path || ok && len(path) > len(base) && strings.HasPrefix(path, base) {
			return true
		}
	}
	return false
}
