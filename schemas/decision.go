package schemas

// Kind is the surface a decision is about.
type Kind string

// The surfaces of a policy.
const (
	KindNetwork Kind = "network"
	KindFile    Kind = "file"
	KindExec    Kind = "exec"
)

// DecisionInput is the document that Rego decides on, in any OPA. Package canon
// is the only code that builds one: every field is canonical, and the derived
// fields, which exist so that OPA's rule index can prune, agree with the others.
// An input that lacks a field its kind needs is decided as bad_request.
//
// In strings a backslash is doubled and a byte that is not UTF-8 is \xHH.
type DecisionInput struct {
	Kind    Kind          `json:"kind"`
	Policy  string        `json:"policy"`
	Sandbox Sandbox       `json:"sandbox"`
	Network *NetworkInput `json:"network,omitempty"`
	File    *FileInput    `json:"file,omitempty"`
	Exec    *ExecInput    `json:"exec,omitempty"`
}

// Sandbox names who asks.
type Sandbox struct {
	ID    string `json:"id"`
	Agent string `json:"agent,omitempty"`
	// Home is the sandbox's home directory, for sensitive paths beneath it.
	Home string `json:"home,omitempty"`
}

// NetworkInput is one reading of one HTTP request.
type NetworkInput struct {
	Scheme        string              `json:"scheme"` // http or https
	Host          string              `json:"host"`   // lower-case A-label or canonical IP, no brackets
	Port          int                 `json:"port"`
	Method        string              `json:"method"`
	Path          string              `json:"path"`           // decoded; only %2F and %25 stay encoded
	Query         map[string][]string `json:"query"`          // decoded
	WebSocket     bool                `json:"websocket"`      // a validated upgrade
	ContentLength int64               `json:"content_length"` // bytes; -1 unknown
	Binary        string              `json:"binary"`         // resolved executable; "" unknown
	Ancestors     []string            `json:"ancestors"`      // its parents, nearest first

	// Derived.
	Authority  string   `json:"authority"`   // host, with :port unless the scheme's default
	Parent     string   `json:"parent"`      // authority without its first label; "" if none or an IP
	HostParent string   `json:"host_parent"` // host without its first label; "" if none or an IP
	Dir        string   `json:"dir"`         // path with exactly the trailing slash it may lack
	Segments   []string `json:"segments"`    // path split at "/", without the empty one before the first

	// What deny rules are also tried with: ASCII lower case, no trailing slash.
	Folded PathForm `json:"folded"` // %2F kept
	Split  PathForm `json:"split"`  // %2F read as a slash
}

// PathForm is a path as the index wants it.
type PathForm struct {
	Path     string   `json:"path"`
	Dir      string   `json:"dir"`
	Segments []string `json:"segments"`
}

// FileInput is one file operation, after the caller resolved symbolic links.
type FileInput struct {
	Op           FileOp      `json:"op"`
	Path         string      `json:"path"`    // resolved
	Lexical      string      `json:"lexical"` // as asked for, made absolute and cleaned
	KnownBlocked bool        `json:"known_blocked"`
	Target       *FileTarget `json:"target,omitempty"` // rename and link
}

// FileTarget is the other side of a rename or link.
type FileTarget struct {
	Path         string `json:"path"`
	Lexical      string `json:"lexical"`
	KnownBlocked bool   `json:"known_blocked"`
}

// FileOp is what is done to a file.
type FileOp string

// The file operations. Read, list and exec need the file readable; stat is
// always possible; every other operation is a write.
const (
	OpRead     FileOp = "read"
	OpList     FileOp = "list"
	OpExec     FileOp = "exec"
	OpStat     FileOp = "stat"
	OpWrite    FileOp = "write"
	OpCreate   FileOp = "create"
	OpTruncate FileOp = "truncate"
	OpDelete   FileOp = "delete"
	OpRename   FileOp = "rename"
	OpLink     FileOp = "link"
	OpChmod    FileOp = "chmod"
	OpChown    FileOp = "chown"
	OpXattr    FileOp = "xattr"
	OpUtimes   FileOp = "utimes"
	OpMknod    FileOp = "mknod"
)

// ExecInput is every command that one execution, or one shell text, would run.
// One denied command denies the whole.
type ExecInput struct {
	Commands []Command `json:"commands"`
	// Parent is the resolved executable that starts Commands[0]; "" unknown.
	Parent string `json:"parent"`
	// EntryPoint marks the command a sandbox was created with: exempt from
	// allowed_commands.
	EntryPoint bool `json:"entry_point"`
	// Hook says that every execution is also checked by the kernel hook, so
	// that carriers are safe and what is opaque will be seen later.
	Hook bool `json:"hook"`
	// EnvDenied names the loader-like variables that the sandboxed side set.
	EnvDenied []string `json:"env_denied"`
	// Opaque says that a part of the text could not be made literal.
	Opaque bool `json:"opaque"`
}

// Command is one program with its arguments.
type Command struct {
	Program string `json:"program"` // as looked up: a bare name or a path
	Argv0   string `json:"argv0"`
	Path    string `json:"path"` // final file, links resolved
	// Links are the links on the way from the looked-up path to Path, the
	// looked-up path first, where they differ from Path.
	Links []string `json:"links"`
	Args  []string `json:"args"` // without argv[0]
	Cwd   string   `json:"cwd"`
	// PathWritable says that a directory or link on the way can be changed by
	// the sandboxed side.
	PathWritable bool `json:"path_writable"`
	// Upstream indexes the commands whose output reaches this one's input,
	// directly or through others, ascending.
	Upstream []int `json:"upstream"`
	// Origin says what the command stands for: "" an execution or a word of
	// shell text, "carried" what a carrier in this list starts.
	Origin string `json:"origin"`

	// Derived.
	Names   []string `json:"names"`    // families of program, argv0, links and path: what blocked patterns match
	Named   string   `json:"named"`    // family of path's last component
	Looked  string   `json:"looked"`   // family of program's last component
	Second  string   `json:"second"`   // family of argv0's last component, if it is neither of these
	Sub     string   `json:"sub"`      // sub-command, for programs in the sub-command table
	Options []string `json:"options"`  // normalised, sorted, unique
	Operand []string `json:"operands"` // as written and, made absolute and cleaned, unique
	Line    string   `json:"line"`     // each argument followed by NUL
}

// Decision is the answer for one DecisionInput.
type Decision struct {
	// Allow is the policy's verdict. An enforcement point lets a request pass
	// if Allow, or if Mode is audit and the code may be lifted.
	Allow    bool    `json:"allow"`
	Mode     Mode    `json:"mode"`
	Code     Code    `json:"code"`
	Message  string  `json:"message"`
	Rule     string  `json:"rule"`             // id of the rule that decided, or of the nearest miss
	Source   *Source `json:"source,omitempty"` // where that rule stands
	Policy   string  `json:"policy"`
	Revision string  `json:"revision"`
	Hint     string  `json:"hint,omitempty"`
}

// Passes tells whether an enforcement point lets the request through: allowed,
// or denied in audit mode by a code that audit mode lifts.
func (d *Decision) Passes() bool {
	return d.Allow || d.Mode == ModeAudit && d.Code.Info().AuditLifts
}

// Source is a position in a policy file.
type Source struct {
	File string `json:"file"` // relative to the source root, with forward slashes
	Line int    `json:"line"` // from 1
}

// The ids of rules that no list of the policy holds.
const (
	RuleBaseline   = "baseline"
	RuleSensitive  = "sensitive"
	RuleCarrier    = "carrier"
	RuleHelper     = "helper"
	RuleEntryPoint = "entry_point"
	RuleDefault    = "default"
)
