package schemas

// PolicyTest is a table of requests, file operations and command lines with the
// expected decision of a policy.
type PolicyTest struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   Metadata       `json:"metadata"`
	Spec       PolicyTestSpec `json:"spec"`
}

// PolicyTestSpec names the policies and the cases.
type PolicyTestSpec struct {
	Policies []string   `json:"policies"` // files, relative to the test's own
	Policy   string     `json:"policy,omitempty"`
	Cases    []TestCase `json:"cases"`
}

// TestCase holds one of Request, File and Command.
type TestCase struct {
	Name    string       `json:"name,omitempty"`
	Policy  string       `json:"policy,omitempty"`
	With    []string     `json:"with,omitempty"`
	Agent   string       `json:"agent,omitempty"`
	Request *TestRequest `json:"request,omitempty"`
	File    string       `json:"file,omitempty"`
	Command string       `json:"command,omitempty"`
	Expect  string       `json:"expect"` // allow or deny
	Mode    Mode         `json:"mode,omitempty"`
	Code    Code         `json:"code,omitempty"`
	Rule    string       `json:"rule,omitempty"`
}

// TestRequest is a request; in YAML also the short form "METHOD URL".
type TestRequest struct {
	Method    string   `json:"method"`
	URL       string   `json:"url"`
	WebSocket bool     `json:"websocket,omitempty"`
	Binary    string   `json:"binary,omitempty"`
	Ancestors []string `json:"ancestors,omitempty"`
}
