package adminapi

import (
	"time"

	"github.com/openshell-policy/openshell/schemas"
)

// The states of a sandbox.
const (
	StatusRunning   = "running"
	StatusStopped   = "stopped"
	StatusFailed    = "failed"
	StatusTimedOut  = "timedout"
	StatusOOMKilled = "oomkilled"
)

// Sandbox is what the gateway knows of a sandbox.
type Sandbox struct {
	ID     string `json:"id"` // sb-a1b2c3
	Agent  string `json:"agent,omitempty"`
	Policy string `json:"policy"`
	// With are policies bound beside it, such as an agent's own.
	With     []string   `json:"with,omitempty"`
	Status   string     `json:"status"`
	Created  time.Time  `json:"created"`
	Ended    *time.Time `json:"ended,omitempty"`
	ExitCode *int       `json:"exit_code,omitempty"`
	// Socket is the sandbox's own listener, if it asked for one.
	Socket string `json:"socket,omitempty"`
}

// Effective names the policy that decides for the sandbox: its own, or the one
// that stands for it and those bound beside it.
func (s Sandbox) Effective() string { return schemas.JoinedName(s.Policy, s.With) }

// SandboxList is the answer to a list request, the oldest sandbox first.
type SandboxList struct {
	Sandboxes []Sandbox `json:"sandboxes"`
}

// CreateSandbox asks for an identity bound to a policy.
type CreateSandbox struct {
	Agent  string `json:"agent,omitempty"`
	Policy string `json:"policy"`
	// With are policies to bind beside it: what one of them allows is allowed, and
	// what one of them denies or blocks is denied.
	With []string `json:"with,omitempty"`
	// Socket asks for a Unix socket that is this sandbox's identity by itself.
	Socket bool `json:"socket,omitempty"`
}

// CreatedSandbox is the only answer that ever holds the token.
type CreatedSandbox struct {
	Sandbox
	Token  string `json:"token"`
	Proxy  string `json:"proxy"`   // host:port of the proxy listener
	CAPEM  string `json:"ca_pem"`  // what clients must trust
	CAFile string `json:"ca_file"` // the same on the gateway's disk
}

// ProxyURL is the value of HTTP_PROXY and HTTPS_PROXY; it holds the token.
func (c CreatedSandbox) ProxyURL() string {
	return "http://" + c.ID + ":" + c.Token + "@" + c.Proxy
}

// Usage is what a sandbox's supervisor reports: what it uses now, and what was
// decided about files and commands since its last report.
type Usage struct {
	CPUCores    float64       `json:"cpu_cores"`
	MemoryBytes int64         `json:"memory_bytes"`
	Actions     []ActionCount `json:"actions,omitempty"`
}

// ActionCount counts decisions of one kind that ended alike.
type ActionCount struct {
	Kind  schemas.Kind `json:"kind"` // file or exec
	Allow bool         `json:"allow"`
	Code  schemas.Code `json:"code"`
	Mode  schemas.Mode `json:"mode"`
	Count int          `json:"count"`
}

// SetPolicy binds a sandbox to another policy.
type SetPolicy struct {
	Policy string `json:"policy"`
}

// PolicyChange tells what a new binding changed. When the answer arrives the new
// policy is in force.
type PolicyChange struct {
	Sandbox  string   `json:"sandbox"`
	From     string   `json:"from"`
	To       string   `json:"to"`
	Changed  bool     `json:"changed"`
	Enforced int      `json:"enforced"` // gateways that enforce it
	Gateways int      `json:"gateways"` // gateways there are
	Changes  []string `json:"changes,omitempty"`
}

// Policy describes a loaded policy.
type Policy struct {
	Name  string       `json:"name"`
	File  string       `json:"file"`
	Line  int          `json:"line"`
	Mode  schemas.Mode `json:"mode"`
	Rules int          `json:"rules"`
}

// PolicyList describes the generation in force.
type PolicyList struct {
	Revision   string    `json:"revision"`
	Generation uint64    `json:"generation"`
	Loaded     time.Time `json:"loaded"`
	Policies   []Policy  `json:"policies"`
}

// PolicyDetail is a policy with its text, where the gateway has it.
type PolicyDetail struct {
	Policy
	Source    string   `json:"source,omitempty"` // YAML
	Sandboxes []string `json:"sandboxes"`        // running ones bound to it
}

// Applied tells what storing a policy changed. The new text is in force.
type Applied struct {
	Policies  []string `json:"policies"` // names in the document
	Changed   bool     `json:"changed"`
	Changes   []string `json:"changes,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`
	Revision  string   `json:"revision"`
	Sandboxes []string `json:"sandboxes"` // running ones bound to one of them
}

// DecideRequest is a dry run. It names a sandbox or a policy, and holds a
// request, a file operation or a command line, or a whole input.
type DecideRequest struct {
	Sandbox string                 `json:"sandbox,omitempty"`
	Policy  string                 `json:"policy,omitempty"`
	Request *schemas.TestRequest   `json:"request,omitempty"`
	File    string                 `json:"file,omitempty"`
	Command string                 `json:"command,omitempty"`
	Input   *schemas.DecisionInput `json:"input,omitempty"`
}

// Readiness is the answer of /readyz.
type Readiness struct {
	Ready      bool      `json:"ready"`
	Generation uint64    `json:"generation"`
	Revision   string    `json:"revision"`
	Loaded     time.Time `json:"loaded"`
	// Refused is why the policies last read are not in force; the generation
	// before still is.
	Refused   string     `json:"refused,omitempty"`
	RefusedAt *time.Time `json:"refused_at,omitempty"`
	Audit     string     `json:"audit,omitempty"` // why the log cannot be written
	Draining  bool       `json:"draining,omitempty"`
	// Source is where the policies come from, if that is a source of bundles.
	Source *PolicySource `json:"source,omitempty"`
}

// PolicySource is a source of signed bundles, and the bundle in force.
type PolicySource struct {
	From   string `json:"from"` // a file, an address or a reference, without credentials
	Name   string `json:"name"`
	Serial int64  `json:"serial"`
	KeyID  string `json:"key_id,omitempty"` // of the key that signed it
	// Unsigned warns that insecure_unsigned is set.
	Unsigned bool       `json:"unsigned,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
	// Expired warns that the bundle in force would be refused now.
	Expired   bool       `json:"expired,omitempty"`
	Activated *time.Time `json:"activated,omitempty"`
	// Fault is why the bundle seen last, or the last look for one, is not in force,
	// and FaultCode its code (OSP50xx).
	Fault     string `json:"fault,omitempty"`
	FaultCode string `json:"fault_code,omitempty"`
}

// Error is the body of every 4xx and 5xx answer.
type Error struct {
	Status  int    `json:"-"`
	Code    string `json:"error"` // a stable word: not_found, invalid_policy, ...
	Message string `json:"message"`
	// Detail holds the diagnostics of an invalid policy, as text.
	Detail string `json:"detail,omitempty"`
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }
