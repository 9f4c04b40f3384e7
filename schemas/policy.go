package schemas

// SandboxPolicy says what a sandboxed agent may do: which requests leave, which
// files it touches, which commands run. The JSON Schema beside it
// (json/sandboxpolicy.schema.json) describes every field.
type SandboxPolicy struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   Metadata `json:"metadata"`
	Spec       Spec     `json:"spec"`
}

// Metadata names a document. Labels select policies in invariants; annotations
// carry free text such as the client version a policy was verified with.
type Metadata struct {
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Spec holds the clauses of a policy. A nil clause says nothing: its defaults
// apply after extends is merged.
type Spec struct {
	Extends    []string    `json:"extends,omitempty"`
	Mode       Mode        `json:"mode,omitempty"`
	Network    *Network    `json:"network,omitempty"`
	Filesystem *Filesystem `json:"filesystem,omitempty"`
	Execution  *Execution  `json:"execution,omitempty"`
}

// Mode says whether a denial is enforced or only recorded.
type Mode string

// The modes of a policy, a rule and a decision.
const (
	ModeEnforce Mode = "enforce"
	ModeAudit   Mode = "audit"
)

// Network lists the requests that may leave (outbound) and those that never may
// (denied). What no rule names is denied.
type Network struct {
	Outbound []NetworkRule `json:"outbound,omitempty"`
	Denied   []NetworkRule `json:"denied,omitempty"`
}

// NetworkRule is one allow or deny rule. A nil field is not restricted; its
// default depends on the list the rule stands in.
type NetworkRule struct {
	Name         string                `json:"name,omitempty"`
	Host         string                `json:"host"`
	Scheme       Scheme                `json:"scheme,omitempty"`
	Ports        []int                 `json:"ports,omitempty"`
	Methods      []string              `json:"methods,omitempty"`
	Paths        []string              `json:"paths,omitempty"`
	Query        map[string]QueryMatch `json:"query,omitempty"`
	WebSocket    *bool                 `json:"websocket,omitempty"`
	TLS          TLSMode               `json:"tls,omitempty"`
	Binaries     []string              `json:"binaries,omitempty"`
	AllowPrivate []string              `json:"allow_private,omitempty"`
	Mode         Mode                  `json:"mode,omitempty"`
	EncodedSlash string                `json:"encoded_slash,omitempty"`
}

// Scheme restricts a rule to plain or encrypted HTTP.
type Scheme string

// The schemes a rule may name.
const (
	SchemeHTTPS Scheme = "https"
	SchemeHTTP  Scheme = "http"
	SchemeAny   Scheme = "any"
)

// TLSMode says whether the gateway reads inside a TLS connection.
type TLSMode string

// The TLS modes of an allow rule.
const (
	TLSInspect     TLSMode = "inspect"
	TLSPassthrough TLSMode = "passthrough"
)

// QueryMatch holds the globs that the values of one query key are compared
// with. In YAML it is a list of globs, or {match: [globs], absent: ok}.
type QueryMatch struct {
	Match []string `json:"match"`
	// Absent is "ok" when the key may be missing (allow) or when a missing key
	// does not match (deny).
	Absent string `json:"absent,omitempty"`
}

// Filesystem lists path globs, decided in the order blocked, readonly, writable,
// baseline. A nil list says nothing; a non-nil empty list is empty.
type Filesystem struct {
	Writable  []string `json:"writable,omitempty"`
	Readonly  []string `json:"readonly,omitempty"`
	Blocked   []string `json:"blocked,omitempty"`
	Baseline  string   `json:"baseline,omitempty"`  // runtime (default) or none
	Sensitive string   `json:"sensitive,omitempty"` // block (default), everywhere or allow
}

// Execution lists command patterns. AllowedCommands nil allows every command
// that is not blocked; empty allows none.
type Execution struct {
	AllowedCommands *[]string `json:"allowed_commands,omitempty"`
	BlockedCommands []string  `json:"blocked_commands,omitempty"`
	Carriers        string    `json:"carriers,omitempty"` // allow (default) or deny
}
