package schemas

// PolicyInvariants is a list of what must hold for policies, whatever else they
// say: `openshell-policy prove` proves each or shows what refutes it.
type PolicyInvariants struct {
	APIVersion string               `json:"apiVersion"`
	Kind       string               `json:"kind"`
	Metadata   Metadata             `json:"metadata"`
	Spec       PolicyInvariantsSpec `json:"spec"`
}

// PolicyInvariantsSpec holds the invariants.
type PolicyInvariantsSpec struct {
	Invariants []Invariant `json:"invariants"`
}

// Invariant holds one or more of Never, Always and Only. Each entry is a pattern
// over requests ("POST https://api.github.com/**"), file operations ("read
// /root/.ssh/**") or commands ("run git push *").
type Invariant struct {
	Name     string            `json:"name"`
	Policies *InvariantTargets `json:"policies,omitempty"` // nil: all
	// Never: nothing that a pattern matches passes. Always: everything that it
	// matches passes. Only: nothing passes on the surfaces that the patterns are
	// about but what one of them matches.
	Never  []string `json:"never,omitempty"`
	Always []string `json:"always,omitempty"`
	Only   []string `json:"only,omitempty"`
}

// InvariantTargets chooses policies: those with one of the names, if there are
// any, and all of the labels, less the exceptions.
type InvariantTargets struct {
	Names  []string          `json:"names,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	Except []string          `json:"except,omitempty"`
}
