package lint

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"github.com/openshell-policy/openshell/compiler/check"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/parse"
)

// ConfigName is the file in which a configuration is looked for.
const ConfigName = ".openshell-lint.yaml"

// Off is the severity of a check that is not made.
const Off diag.Severity = "off"

// Config says which findings count, and how much. It is written as
//
//	severities: {OSP3004: error, OSP2114: "off"}  # error, warning, info or off
//	overrides:                                    # for some files
//	  - files: ["tests/**"]
//	    severities: {OSP3004: "off"}
//	exclude: ["generated/**"]                     # files that are not looked at
//	private_hosts: ["*.example.com"]              # hosts of the own network
//	fail_on: warning                              # error (default), warning or info
//
// Files are path globs relative to the folder of the file.
type Config struct {
	Severities   map[string]diag.Severity
	Overrides    []Override
	Exclude      []glob.Pattern
	PrivateHosts []glob.Pattern
	FailOn       diag.Severity // "" if not given
	// Relative gives a source's name relative to the folder of the configuration;
	// nil where names are so already.
	Relative func(name string) string
}

// Override gives files other severities.
type Override struct {
	Files      []glob.Pattern
	Severities map[string]diag.Severity
}

// maxConfig bounds a configuration, in bytes.
const maxConfig = 1 << 20

// ParseConfig reads a configuration. What is wrong with it is said all at once,
// with positions.
func ParseConfig(file string, data []byte) (*Config, []diag.Diagnostic) {
	p := &configParser{file: file}
	if len(data) > maxConfig {
		p.say(&yaml.Node{Line: 1, Column: 1}, "split it", "the configuration has %d bytes; it may have %d", len(data), maxConfig)
		return nil, p.ds
	}
	var doc yaml.Node
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0 {
		return &Config{}, nil
	}
	if err != nil {
		p.broken(err)
		return nil, p.ds
	}
	if err := dec.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		p.say(doc.Content[0], "keep one document", "a configuration is one document")
	}
	c := p.config(doc.Content[0])
	if len(p.ds) > 0 {
		diag.Sort(p.ds)
		return nil, p.ds
	}
	return c, nil
}

type configParser struct {
	file string
	ds   []diag.Diagnostic
}

func (p *configParser) say(n *yaml.Node, hint, format string, args ...any) {
	pos := diag.Position{File: p.file, Line: max(n.Line, 1), Col: max(n.Column, 1)}
	d := diag.New("OSP1104", pos, fmt.Sprintf(format, args...), hint)
	if n.Kind == yaml.ScalarNode {
		d.Width = len([]rune(n.Value))
	}
	p.ds = append(p.ds, d)
}

func (p *configParser) broken(err error) {
	at := &yaml.Node{Line: 1, Column: 1}
	var load *yaml.LoadError
	if errors.As(err, &load) {
		at.Line, at.Column = load.Mark.Line, load.Mark.Column
	}
	p.say(at, "check the indentation, quotes and brackets", "%s", strings.TrimPrefix(err.Error(), "yaml: "))
}

func (p *configParser) config(root *yaml.Node) *Config {
	c := &Config{}
	p.fields(root, map[string]func(*yaml.Node){
		"severities":    func(n *yaml.Node) { c.Severities = p.severities(n) },
		"overrides":     func(n *yaml.Node) { c.Overrides = p.overrides(n) },
		"exclude":       func(n *yaml.Node) { c.Exclude = p.globs(n) },
		"private_hosts": func(n *yaml.Node) { c.PrivateHosts = p.hosts(n) },
		"fail_on": func(n *yaml.Node) {
			c.FailOn = p.severity(n, diag.Error, diag.Warning, diag.Info)
		},
	})
	return c
}

// fields reads a mapping whose keys are known, each once.
func (p *configParser) fields(n *yaml.Node, known map[string]func(*yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		p.say(n, "write its fields as `field: value`", "want a mapping")
		return
	}
	var names []string
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		read := known[key.Value]
		switch {
		case read == nil:
			hint := "one of " + strings.Join(names, ", ")
			if best := parse.Closest(key.Value, names); best != "" {
				hint = "did you mean " + best + "?"
			}
			p.say(key, hint, "unknown field %q", key.Value)
		case seen[key.Value]:
			p.say(key, "remove one of them", "%q is given twice", key.Value)
		default:
			seen[key.Value] = true
			read(n.Content[i+1])
		}
	}
}

func (p *configParser) severities(n *yaml.Node) map[string]diag.Severity {
	out := map[string]diag.Severity{}
	if n.Kind != yaml.MappingNode {
		p.say(n, "write OSP3004: error", "want a mapping of codes to severities")
		return out
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		info, ok := diag.Lookup(key.Value)
		_, twice := out[key.Value]
		switch {
		case !ok:
			p.say(key, "openshell-policy explain lists the codes", "unknown code %q", key.Value)
		case twice:
			p.say(key, "remove one of them", "%q is given twice", key.Value)
		case fixed(info):
			p.say(key, "remove it", "%s keeps a policy from being compiled, so its severity cannot change", key.Value)
		default:
			out[key.Value] = p.severity(value, diag.Error, diag.Warning, diag.Info, Off)
		}
	}
	return out
}

// fixed tells whether neither configuration nor comment may change a finding.
func fixed(info diag.CodeInfo) bool {
	return info.Part != diag.PartLint && info.Severity == diag.Error || info.Code == "OSP1104"
}

func (p *configParser) severity(n *yaml.Node, allowed ...diag.Severity) diag.Severity {
	if n.Kind == yaml.ScalarNode && slices.Contains(allowed, diag.Severity(n.Value)) {
		return diag.Severity(n.Value)
	}
	words := make([]string, len(allowed))
	for i, a := range allowed {
		words[i] = string(a)
	}
	p.say(n, "one of "+strings.Join(words, ", "), "%q is not a severity", n.Value)
	return ""
}

func (p *configParser) overrides(n *yaml.Node) []Override {
	if n.Kind != yaml.SequenceNode {
		p.say(n, "begin each entry with `- `", "want a list")
		return nil
	}
	var out []Override
	for _, entry := range n.Content {
		var o Override
		p.fields(entry, map[string]func(*yaml.Node){
			"files":      func(n *yaml.Node) { o.Files = p.globs(n) },
			"severities": func(n *yaml.Node) { o.Severities = p.severities(n) },
		})
		if entry.Kind == yaml.MappingNode && len(o.Files) == 0 {
			p.say(entry, `add files: ["tests/**"]`, "an override without files")
		}
		out = append(out, o)
	}
	return out
}

func (p *configParser) strings(n *yaml.Node) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		p.say(n, `write a list, such as ["generated/**"]`, "want a list")
		return nil
	}
	for _, s := range n.Content {
		if s.Kind != yaml.ScalarNode || s.Value == "" {
			p.say(s, "quote the text", "want a text")
			return nil
		}
	}
	return n.Content
}

func (p *configParser) globs(n *yaml.Node) []glob.Pattern {
	var out []glob.Pattern
	for _, s := range p.strings(n) {
		g, err := glob.FilePath("/" + strings.TrimPrefix(strings.TrimPrefix(s.Value, "./"), "/"))
		if err != nil {
			p.say(s, "write a path glob relative to this file, such as generated/**", "%q: %s", s.Value, err)
			continue
		}
		out = append(out, g)
	}
	return out
}

func (p *configParser) hosts(n *yaml.Node) []glob.Pattern {
	var out []glob.Pattern
	for _, s := range p.strings(n) {
		g, err := glob.Host(strings.ToLower(s.Value))
		if err != nil {
			p.say(s, "write a host or a wildcard, such as **.example.com", "%q: %s", s.Value, err)
			continue
		}
		out = append(out, g)
	}
	return out
}

// Excluded tells whether a source is not to be looked at.
func (c *Config) Excluded(name string) bool {
	return c != nil && c.matches(c.Exclude, name)
}

func (c *Config) matches(globs []glob.Pattern, name string) bool {
	if c.Relative != nil {
		name = c.Relative(name)
	}
	var path glob.Pattern
	for part := range strings.SplitSeq(name, "/") {
		path.Segments = append(path.Segments, glob.Segment{Tokens: []glob.Token{{Op: glob.Literal, Lit: part}}})
	}
	return slices.ContainsFunc(globs, func(g glob.Pattern) bool { return pathsMeet(g, path) })
}

func (c *Config) private(host glob.Pattern) bool {
	return c != nil && slices.ContainsFunc(c.PrivateHosts, func(g glob.Pattern) bool { return check.HostsMeet(g, host) })
}

// severity of a code in a file: that of the last override that names both, else
// the general one, else the code's own.
func (c *Config) severity(code, file string, own diag.Severity) diag.Severity {
	if c == nil {
		return own
	}
	if info, _ := diag.Lookup(code); fixed(info) {
		return own
	}
	out := own
	if s, ok := c.Severities[code]; ok {
		out = s
	}
	for _, o := range c.Overrides {
		if s, ok := o.Severities[code]; ok && c.matches(o.Files, file) {
			out = s
		}
	}
	return out
}

// severe gives findings the severities of the configuration, and drops those that
// are off.
func (c *Config) severe(ds []diag.Diagnostic) []diag.Diagnostic {
	var out []diag.Diagnostic
	for _, d := range ds {
		if d.Severity = c.severity(d.Code, d.Pos.File, d.Severity); d.Severity != Off {
			out = append(out, d)
		}
	}
	return out
}
