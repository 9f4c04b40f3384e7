package schemas

import "strings"

// MaskOp is one element of data.system.log.mask, OPA's decision that takes
// secrets out of a decision-log event. A bare string is {Op: MaskRemove, Path}.
type MaskOp struct {
	Op    string `json:"op"`
	Path  string `json:"path"` // JSON pointer into the event, below /input
	Value any    `json:"value,omitempty"`
}

// The operations of a MaskOp.
const (
	MaskRemove = "remove" // listed in erased
	MaskUpsert = "upsert" // listed in masked
)

// MaskProtected tells whether a mask rule must not name the pointer: only
// /input may be masked, and never kind, policy, sandbox, host, port, method or
// op, nor what is derived from the host. Without them a record would not say what
// was decided about whom.
func MaskProtected(pointer string) bool {
	rest, ok := strings.CutPrefix(pointer, "/input/")
	if !ok {
		return true
	}
	parts := strings.Split(rest, "/")
	switch parts[0] {
	case "kind", "policy", "sandbox":
		return true
	case "network":
		return len(parts) == 1 || protectedNetwork[parts[1]]
	case "file":
		return len(parts) == 1 || parts[1] == "op"
	case "exec":
		return len(parts) == 1
	}
	return false
}

var protectedNetwork = map[string]bool{
	"host": true, "port": true, "method": true, "authority": true, "parent": true, "host_parent": true,
}
