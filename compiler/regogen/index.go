package regogen

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
)

// Index is what the Rego library and the engine know of a policy besides its
// generated rules: data.openshell.index[name].
type Index struct {
	File       string       `json:"file"`
	Line       int          `json:"line"`
	Mode       schemas.Mode `json:"mode"`
	Execution  bool         `json:"execution"`  // has an execution clause
	Restricted bool         `json:"restricted"` // allowed_commands is given
	Limited    bool         `json:"limited"`    // or blocked_commands is
	None       bool         `json:"none"`       // and empty
	Carriers   bool         `json:"carriers"`
	Pipes      bool         `json:"pipes"` // a blocked command has several stages
	Files      Files        `json:"files"`
	Rules      []Rule       `json:"rules"` // by ordinal
}

// Files are the globs of a policy's file lists as text, in the order of the plan,
// for who enforces them in the kernel beforehand.
type Files struct {
	Blocked       []string `json:"blocked"`
	Sensitive     []string `json:"sensitive"`
	SensitiveHome []string `json:"sensitive_home"` // relative to the sandbox's home
	Readonly      []string `json:"readonly"`
	Writable      []string `json:"writable"`
	Baseline      []string `json:"baseline"`
}

// QueryKey is a key of a rule's query; a value that one of the expressions
// matches whole is what the rule asks for.
type QueryKey struct {
	Key   string   `json:"key"`
	Match []string `json:"match"` // regular expressions
}

// Rule is one entry of the source map.
type Rule struct {
	ID     string       `json:"id"`
	File   string       `json:"file"`
	Line   int          `json:"line"`
	Effect string       `json:"effect"` // allow or deny
	Mode   schemas.Mode `json:"mode"`
	// Where names the rule in messages: its id and position.
	Where string `json:"where"`

	// Network rules.
	Host         string     `json:"host,omitempty"`
	Ports        string     `json:"ports,omitempty"`   // for messages
	Methods      string     `json:"methods,omitempty"` // as written, for messages
	PortList     []int      `json:"port_list,omitempty"`
	MethodList   []string   `json:"method_list,omitempty"`
	Passthrough  bool       `json:"passthrough,omitempty"`
	HostRegex    string     `json:"host_regex,omitempty"` // of passthrough rules
	WebSocket    bool       `json:"websocket,omitempty"`
	AllowPrivate []string   `json:"allow_private,omitempty"`
	Query        []QueryKey `json:"query,omitempty"` // in the order of checks

	// Command rules: the family an allowed pattern names.
	Program string `json:"program,omitempty"`
}

// NewIndex describes a plan in the order of its ordinals.
func NewIndex(p *plan.Policy) Index {
	x := Index{
		File: p.Pos.File, Line: p.Pos.Line, Mode: p.Mode,
		Execution: p.Exec.Present, Restricted: p.Exec.Restricted,
		Limited: p.Exec.Restricted || len(p.Exec.Blocked) > 0, None: p.Exec.None, Carriers: p.Exec.Carriers,
		Rules: []Rule{},
		Files: Files{
			Blocked: texts(p.File.Blocked), Sensitive: texts(p.File.Sensitive), SensitiveHome: texts(p.File.SensitiveHome),
			Readonly: texts(p.File.Readonly), Writable: texts(p.File.Writable), Baseline: texts(p.File.Baseline),
		},
	}
	for _, r := range p.Exec.Blocked {
		x.Pipes = x.Pipes || len(r.Stages) > 1
	}
	for _, l := range fileLists(&p.File) {
		effect := "allow"
		if l.deny {
			effect = "deny"
		}
		for _, r := range l.rules {
			x.Rules = append(x.Rules, newRule(r.Origin, effect, p.Mode))
		}
	}
	for _, r := range p.Exec.Blocked {
		x.Rules = append(x.Rules, newRule(r.Origin, "deny", p.Mode))
	}
	for _, r := range p.Exec.Allowed {
		rule := newRule(r.Origin, "allow", p.Mode)
		rule.Program = r.Program.Name
		x.Rules = append(x.Rules, rule)
	}
	for _, r := range p.Network.Denied {
		x.Rules = append(x.Rules, networkRule(&r, "deny"))
	}
	for _, r := range p.Network.Outbound {
		x.Rules = append(x.Rules, networkRule(&r, "allow"))
	}
	return x
}

func texts(rules []plan.PathRule) []string {
	out := make([]string, len(rules))
	for i, r := range rules {
		out[i] = r.Glob.Source
	}
	return out
}

func newRule(o plan.Origin, effect string, mode schemas.Mode) Rule {
	r := Rule{ID: o.ID, File: o.Pos.File, Line: o.Pos.Line, Effect: effect, Mode: mode}
	switch {
	case o.ID == schemas.RuleSensitive:
		r.Mode = schemas.ModeEnforce // audit mode never opens a well-known secret
		fallthrough
	case o.ID == schemas.RuleBaseline:
		r.Where = fmt.Sprintf("%s (openshell-policy explain %s)", o.ID, o.ID)
		r.File, r.Line = "", 0
	default:
		r.Where = fmt.Sprintf("%s, %s:%d", o.ID, o.Pos.File, o.Pos.Line)
	}
	return r
}

func networkRule(n *plan.NetworkRule, effect string) Rule {
	r := newRule(n.Origin, effect, n.Mode)
	r.Host = n.Host.Source
	r.MethodList = n.Methods
	r.Methods = strings.Join(n.Written, ", ")
	if r.Passthrough = n.Passthrough; n.Passthrough {
		r.HostRegex = dialect{sep: '.'}.regex(n.Host)
	}
	r.WebSocket = n.WebSocket == plan.True
	if !n.AnyPort {
		for _, e := range n.Endpoints {
			r.PortList = append(r.PortList, e.Port)
		}
		slices.Sort(r.PortList)
		r.PortList = slices.Compact(r.PortList)
	}
	ports := make([]string, len(r.PortList))
	for i, p := range r.PortList {
		ports[i] = strconv.Itoa(p)
	}
	r.Ports = strings.Join(ports, ", ")
	for _, q := range n.Query {
		key := QueryKey{Key: q.Key, Match: []string{}}
		for _, g := range q.Match {
			key.Match = append(key.Match, dialect{}.regex(g))
		}
		r.Query = append(r.Query, key)
	}
	for _, p := range n.AllowPrivate {
		r.AllowPrivate = append(r.AllowPrivate, p.String())
	}
	return r
}
