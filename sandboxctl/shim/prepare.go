package shim

import (
	"os"

	"github.com/openshell-policy/openshell/sandboxctl/shim/filter"
	"github.com/openshell-policy/openshell/sandboxctl/shim/floor"
	"github.com/openshell-policy/openshell/sandboxctl/shim/sys"
	"github.com/openshell-policy/openshell/schemas"
)

// Request is what a sandbox is to be confined to.
type Request struct {
	Policy  Policy
	Ceiling []schemas.PolicyFiles // policies that may come into force later
	Home    string                // the sandbox's; "" if it has none
	Level   Level                 // that Probe found, at most
	// Hot asks for file mode trapped, so that file clauses can change.
	Hot bool
	// Datagrams allows Internet datagram sockets, for a network of its own.
	Datagrams bool
	// View is the file system of the sandbox; nil is the process's own.
	View floor.View
}

// Prepare says what the sandbox is confined to, and why its file mode is what it
// is; see floor.Plan.
func Prepare(r Request) (Config, floor.Plan) {
	if r.View == nil {
		r.View = OwnView{}
	}
	plan := floor.New(r.Policy.Files, r.Ceiling, r.Home, r.View)
	mode := Floor
	if r.Level == Full || r.Level == Pod {
		if r.Hot {
			plan.Trapped = append(plan.Trapped, "file clauses were asked to be changeable")
		}
		if r.Policy.Audit {
			plan.Trapped = append(plan.Trapped, "the policy is in audit mode")
		}
		if len(plan.Trapped) > 0 {
			mode = Trapped
		}
	}
	notifies := r.Level == Full || r.Level == Pod
	return Config{
		Grants: plan.Grants, Mode: mode, Level: r.Level, ABI: sys.LandlockABI(),
		Filter: filter.Options{
			Exec: notifies, Files: mode == Trapped, Metadata: notifies, Connect: notifies, Datagrams: r.Datagrams,
		},
	}, plan
}

// OwnView is the file system as this process sees it.
type OwnView struct{}

// Stat implements floor.View.
func (OwnView) Stat(path string) (dir, exists bool) {
	info, err := os.Stat(path)
	if err != nil {
		return false, false
	}
	return info.IsDir(), true
}

// Names implements floor.View.
func (OwnView) Names(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}
