// Package schemas holds the wire types that every part of the toolchain meets
// in: the SandboxPolicy and PolicyTest documents, the decision input and
// result, and the audit record, together with their JSON Schemas.
//
// The package does no I/O and reads no clock.
package schemas

// APIVersion is the only apiVersion that policy documents may carry.
const APIVersion = "openshell.nvidia.com/v1alpha1"

// The kinds of document that a policy file may hold.
const (
	KindSandboxPolicy = "SandboxPolicy"
	KindPolicyTest    = "PolicyTest"

	KindPolicyInvariants = "PolicyInvariants"
)
