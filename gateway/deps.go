package gateway

import (
	"context"
	"log/slog"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// Compile turns the configured policies into a bundle. The gateway takes
// bundles; what knows YAML is handed in.
type Compile func(ctx context.Context) (bundle []byte, warnings []string, err error)

// Recorder takes decision records; *audit.Log is one.
type Recorder interface {
	// Append returns when the record is written.
	Append(ctx context.Context, r *schemas.Record) error
	// Enqueue returns when the record will be written.
	Enqueue(ctx context.Context, r *schemas.Record) error
}

// Deps is what the gateway is given. Compile is required.
type Deps struct {
	Compile Compile
	// Watch are the files and folders whose change makes the gateway compile
	// again; nil watches Config.Policies.
	Watch []string
	// Follow looks for new policies instead of watching files; nil watches.
	Follow Follow
	// InForce is told that what Compile returned last is in force. Nil tells nobody.
	InForce func(ctx context.Context) error
	// Origin describes where policies come from, for /readyz. Nil says nothing.
	Origin Origin
	// Apply stores a policy's YAML where Compile will find it, or changes
	// nothing and returns an *adminapi.Error. Nil refuses PUT /v1/policies.
	Apply func(ctx context.Context, name string, yaml []byte) (adminapi.Applied, error)
	// Delete removes a policy that Apply stored, or changes nothing and returns an
	// *adminapi.Error. Nil refuses DELETE /v1/policies.
	Delete func(ctx context.Context, name string) (adminapi.Applied, error)
	// Join is told before Compile which policies must be there joined: a policy and
	// those bound beside it. Nil joins none.
	Join func(joins [][]string)
	// Compare says in words what changes for a sandbox that goes from one policy
	// to another. Nil says nothing.
	Compare func(ctx context.Context, from, to string) ([]string, error)
	// Source returns a policy's YAML. Nil has none.
	Source func(name string) (string, bool)

	Peers   Peers   // who opened a connection; nil: nobody knows
	Sources Sources // whose an address is; nil: nobody knows
	// Identities are sandboxes besides those of the admin API. Nil: there are none.
	Identities Identities

	Engine Engine       // nil: OPA
	Audit  Recorder     // nil: the file that Config names
	Log    *slog.Logger // nil: nothing is logged
}
