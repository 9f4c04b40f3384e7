// Package plan holds a policy as resolved: extends merged, patterns parsed once,
// every rule with its id, ordinal and source position. What the author wrote is
// schemas.SandboxPolicy; what is enforced is a plan.
package plan

import (
	"net/netip"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/schemas"
)

// Policy is one resolved policy.
type Policy struct {
	Name        string
	Labels      map[string]string
	Annotations map[string]string
	Pos         diag.Position
	Mode        schemas.Mode
	Network     Network
	File        File
	Exec        Exec
}

// Network holds the rules in the order of precedence within each list: a
// policy's own rules first, then those of its bases in the order of extends.
type Network struct {
	Denied   []NetworkRule
	Outbound []NetworkRule
}

// Origin says where a rule comes from.
type Origin struct {
	ID  string // "outbound[0]", its name, or "BASE/outbound[0]" if inherited
	Pos diag.Position
	// Text is the rule as the author wrote it, for messages: a host, a glob, a
	// command pattern.
	Text string
}

// NetworkRule is a resolved allow or deny rule. Empty lists restrict nothing.
type NetworkRule struct {
	Origin
	Host glob.Pattern // an exact host, a wildcard or a canonical IP literal
	// Allow rules: the scheme and port pairs that match, never empty. Deny
	// rules: AnyPort with the schemes in Endpoints (port 0), or the pairs.
	Endpoints []Endpoint
	AnyPort   bool
	// Methods are sorted; an allow rule's GET has brought its HEAD, a deny
	// rule's likewise.
	Methods []string
	// Written are the methods as the author listed them, for messages.
	Written      []string
	Paths        []glob.Pattern
	Query        []QueryKey // sorted by key
	WebSocket    Tristate
	Passthrough  bool
	Binaries     []glob.Pattern
	AllowPrivate []netip.Prefix
	Mode         schemas.Mode // never empty
	EncodedSlash bool
}

// Endpoint is a scheme with a port.
type Endpoint struct {
	Scheme string // http or https
	Port   int
}

// Tristate is an optional Boolean. In an allow rule Unset means false; in a deny
// rule it means both.
type Tristate int

// The values of a Tristate.
const (
	Unset Tristate = iota
	False
	True
)

// QueryKey is what the values of one query key must match.
type QueryKey struct {
	Key      string
	Match    []glob.Pattern
	AbsentOK bool
}

// File holds the path lists in order of precedence. Sensitive and Baseline are
// expanded from the tables.
type File struct {
	Blocked   []PathRule
	Sensitive []PathRule // id "sensitive"
	Readonly  []PathRule
	Writable  []PathRule
	Baseline  []PathRule // id "baseline"
	// SensitiveHome holds globs relative to the sandbox's $HOME, for inputs
	// whose home lies outside /root and /home/*.
	SensitiveHome []PathRule
}

// PathRule is one path glob of a file list.
type PathRule struct {
	Origin
	Glob glob.Pattern
}

// Exec holds the command patterns.
type Exec struct {
	// Present says that the policy has an execution clause.
	Present bool
	// Restricted says that allowed_commands is given: what Allowed does not
	// match is denied. None says that it is given and empty.
	Restricted bool
	None       bool
	Allowed    []CommandRule
	Blocked    []PipelineRule
	Carriers   bool // carriers are allowed implicitly
}

// CommandRule is an allowed command pattern, matched against the whole argument
// list in order.
type CommandRule struct {
	Origin
	Program Program
	Args    []ArgToken
}

// PipelineRule is a blocked pattern of one or more stages, the first upstream.
type PipelineRule struct {
	Origin
	Stages []Stage
}

// Stage names the least that must be present in one command.
type Stage struct {
	Program  Program
	Sub      *glob.Pattern  // sub-command, nil any
	Options  []glob.Pattern // normalised
	Operands []glob.Pattern // paths cleaned
}

// Program is the first token of a pattern: a family name, or a path glob on the
// resolved executable.
type Program struct {
	Name string        // the family head; "" if Path is set. May hold no wildcard.
	Path *glob.Pattern // nil if Name is set
}

// ArgToken is one token of an allowed pattern after the program.
type ArgToken struct {
	Rest bool // "*": zero or more arguments
	Glob glob.Pattern
}
