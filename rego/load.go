package rego

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// digest identifies what something was made from.
type digest = [sha256.Size]byte

// content is a bundle taken apart. Modules are text: only what changed since the
// generation before is parsed.
type content struct {
	manifest   archive.Manifest
	data       data
	library    files
	policies   map[string]files // by policy, then surface
	extensions files
	masks      files
	names      []string // of policies, sorted
}

// files are modules by name, without the folder.
type files map[string][]byte

// data is data.openshell as the compiler writes it; the parts stay text until
// they are known to have changed.
type data struct {
	Revision string                     `json:"revision"`
	Codes    json.RawMessage            `json:"codes"`
	Hints    json.RawMessage            `json:"hints"`
	Tables   json.RawMessage            `json:"tables"`
	Index    map[string]json.RawMessage `json:"index"`
	// Extensions says where the extensions come from.
	Extensions map[string]schemas.Source `json:"extensions_index"`
}

// index is the source map of one policy.
type index struct {
	File  string       `json:"file"`
	Line  int          `json:"line"`
	Mode  schemas.Mode `json:"mode"`
	Pipes bool         `json:"pipes"`
	Files FileLists    `json:"files"`
	Rules []rule       `json:"rules"`

	Execution  bool `json:"execution"`
	Restricted bool `json:"restricted"`
}

// written counts the rules that stand in the policy, not those that defaults
// bring.
func (x *index) written() int {
	n := 0
	for _, r := range x.Rules {
		switch r.ID {
		case schemas.RuleBaseline, schemas.RuleSensitive, schemas.RuleDefault:
		default:
			n++
		}
	}
	return n
}

// rule is one entry of the source map; its place is the rule's ordinal.
type rule struct {
	ID           string       `json:"id"`
	File         string       `json:"file"`
	Line         int          `json:"line"`
	Effect       string       `json:"effect"`
	Mode         schemas.Mode `json:"mode"`
	Where        string       `json:"where"`
	Host         string       `json:"host"`
	HostRegex    string       `json:"host_regex"`
	Ports        string       `json:"ports"`
	Methods      string       `json:"methods"`
	PortList     []int        `json:"port_list"`
	MethodList   []string     `json:"method_list"`
	Passthrough  bool         `json:"passthrough"`
	WebSocket    bool         `json:"websocket"`
	AllowPrivate []string     `json:"allow_private"`
	Query        []queryKey   `json:"query"`

	verdict string          // the message where the rule itself decides
	source  *schemas.Source // nil for rules of tables
}

type queryKey struct {
	Key   string   `json:"key"`
	Match []string `json:"match"` // regular expressions of whole values
}

// decides is the code of a request that the rule matches.
func (r *rule) decides() schemas.Code {
	if r.Effect == "allow" {
		return schemas.CodeAllowed
	}
	return schemas.CodeDeniedRule
}

// readBundle takes a bundle apart and holds it to the shape that the compiler
// gives it.
func readBundle(a *archive.Archive) (*content, error) {
	c := &content{manifest: a.Manifest, library: files{}, policies: map[string]files{}, extensions: files{}, masks: files{}}
	var text []byte
	for _, f := range a.Files {
		if f.Name == "data.json" {
			text = f.Data
		} else if err := c.module(f); err != nil {
			return nil, err
		}
	}
	if err := c.decode(text); err != nil {
		return nil, err
	}
	c.names = slices.Sorted(maps.Keys(c.data.Index))
	for _, name := range c.names {
		for _, surface := range []string{"network", "file", "exec"} {
			if c.policies[name][surface] == nil {
				return nil, unfit("policy %q has no module for %s", name, surface)
			}
		}
	}
	if len(c.policies) != len(c.names) {
		return nil, unfit("%d policies have modules, %d are in the index", len(c.policies), len(c.names))
	}
	if len(c.library) == 0 {
		return nil, unfit("it holds no library")
	}
	return c, nil
}

// unfit refuses a bundle whose content is not what the compiler writes.
func unfit(format string, args ...any) error {
	return &archive.Error{
		Code: archive.CodeContent, Detail: "the bundle is refused: " + fmt.Sprintf(format, args...),
		Hint: "build the bundle with openshell-policy compile",
	}
}

func (c *content) decode(text []byte) error {
	var whole struct {
		OpenShell *data `json:"openshell"`
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&whole); err != nil {
		return unfit("its data cannot be read: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return unfit("something follows its data")
	}
	if whole.OpenShell == nil || whole.OpenShell.Revision == "" {
		return unfit("its data has no revision")
	}
	c.data = *whole.OpenShell
	if c.data.Revision != c.manifest.Revision {
		return unfit("its data says revision %q, its manifest %q", c.data.Revision, c.manifest.Revision)
	}
	return nil
}

// module assigns a module to the library, a policy, the extensions or the masks.
func (c *content) module(f archive.File) error {
	folder, name, _ := strings.Cut(strings.TrimPrefix(f.Name, "openshell/"), "/")
	if !strings.HasPrefix(f.Name, "openshell/") {
		return unfit("unexpected module %q", f.Name)
	}
	switch folder {
	case "lib":
		c.library[name] = f.Data
		return nil
	case "extensions":
		c.extensions[name] = f.Data
		return nil
	case "mask":
		c.masks[name] = f.Data
		return nil
	case "policies":
		policy, file, _ := strings.Cut(name, "/")
		surface := strings.TrimSuffix(file, ".rego")
		if surface == "network" || surface == "file" || surface == "exec" {
			if c.policies[policy] == nil {
				c.policies[policy] = files{}
			}
			c.policies[policy][surface] = f.Data
			return nil
		}
	}
	return unfit("unexpected module %q", f.Name)
}

// sum identifies texts, in their order.
func sum(parts ...[]byte) digest {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d\n", len(p))
		h.Write(p)
	}
	return digest(h.Sum(nil))
}

// sum identifies the modules and their names.
func (f files) sum() digest {
	var parts [][]byte
	for _, name := range slices.Sorted(maps.Keys(f)) {
		parts = append(parts, []byte(name), f[name])
	}
	return sum(parts...)
}

// shared is what every policy of a bundle is explained with: code templates,
// hints and tables.
type shared struct {
	digest digest
	codes  map[schemas.Code]string
	hints  []tables.Hint
}

func (c *content) shared(old *shared) (*shared, error) {
	d := sum(c.data.Codes, c.data.Hints, c.data.Tables)
	if old != nil && old.digest == d {
		return old, nil
	}
	s := &shared{digest: d}
	if err := json.Unmarshal(c.data.Codes, &s.codes); err != nil {
		return nil, unfit("its codes cannot be read: %v", err)
	}
	if err := json.Unmarshal(c.data.Hints, &s.hints); err != nil {
		return nil, unfit("its hints cannot be read: %v", err)
	}
	return s, nil
}
