package schemas

// PolicyFiles are the path globs of one policy as resolved: what an enforcement
// point needs beside decisions, because some of what the kernel enforces has to
// be said before anything runs.
type PolicyFiles struct {
	Blocked       []string `json:"blocked"`
	Sensitive     []string `json:"sensitive"`      // absolute, or beginning with "**/"
	SensitiveHome []string `json:"sensitive_home"` // relative to the sandbox's home
	Readonly      []string `json:"readonly"`
	Writable      []string `json:"writable"`
	Baseline      []string `json:"baseline"`
}
