package rego

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// format is the bundle format this engine decides by; the manifest names it.
const format = 1

// maxBundle bounds a bundle's unpacked size, in bytes.
const maxBundle = 256 << 20

// content is a bundle taken apart.
type content struct {
	data    data
	raw     map[string]any
	library map[string]*ast.Module
	lib     [sha256.Size]byte // of the library's text
	modules map[string]map[string]bundle.ModuleFile
	names   []string
}

// data is data.openshell as the compiler writes it.
type data struct {
	Revision string                  `json:"revision"`
	Codes    map[schemas.Code]string `json:"codes"`
	Hints    []tables.Hint           `json:"hints"`
	Index    map[string]index        `json:"index"`
}

// index is the source map of one policy.
type index struct {
	File  string       `json:"file"`
	Line  int          `json:"line"`
	Mode  schemas.Mode `json:"mode"`
	Rules []rule       `json:"rules"`
}

// written counts the rules that stand in the policy, not those that defaults
// bring.
func (x index) written() int {
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

	verdict string          // the message where the rule itself decides
	source  *schemas.Source // nil for rules of tables
}

// decides is the code of a request that the rule matches.
func (r *rule) decides() schemas.Code {
	if r.Effect == "allow" {
		return schemas.CodeAllowed
	}
	return schemas.CodeDeniedRule
}

func readBundle(raw []byte) (*content, error) {
	loader := bundle.NewTarballLoaderWithBaseURL(bytes.NewReader(raw), "")
	b, err := bundle.NewCustomReader(loader).WithSkipBundleVerification(true).WithSizeLimitBytes(maxBundle).Read()
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	if f := fmt.Sprint(b.Manifest.Metadata["format"]); f != fmt.Sprint(format) {
		return nil, fmt.Errorf("read bundle: its format is %s, this program decides by format %d", f, format)
	}
	c := &content{raw: b.Data, library: map[string]*ast.Module{}, modules: map[string]map[string]bundle.ModuleFile{}}
	if err := c.decode(b.Data); err != nil {
		return nil, err
	}
	if err := c.sort(b.Modules); err != nil {
		return nil, err
	}
	c.names = slices.Sorted(maps.Keys(c.data.Index))
	for _, name := range c.names {
		if len(c.modules[name]) == 0 {
			return nil, fmt.Errorf("read bundle: policy %q has no module", name)
		}
	}
	if len(c.modules) != len(c.names) {
		return nil, fmt.Errorf("read bundle: %d policies have modules, %d are in the index", len(c.modules), len(c.names))
	}
	return c, nil
}

func (c *content) decode(raw map[string]any) error {
	encoded, err := json.Marshal(raw["openshell"])
	if err != nil {
		return fmt.Errorf("read bundle data: %w", err)
	}
	if err := json.Unmarshal(encoded, &c.data); err != nil {
		return fmt.Errorf("read bundle data: %w", err)
	}
	if c.data.Revision == "" {
		return fmt.Errorf("read bundle data: no revision")
	}
	return nil
}

// sort assigns the modules to the library and to policies.
func (c *content) sort(files []bundle.ModuleFile) error {
	sum := sha256.New()
	for _, f := range files {
		path := strings.TrimPrefix(f.Path, "/")
		rest, isLib := strings.CutPrefix(path, "openshell/lib/")
		if isLib {
			c.library[rest] = f.Parsed
			fmt.Fprintf(sum, "%s %d\n%s", rest, len(f.Raw), f.Raw)
			continue
		}
		rest, ok := strings.CutPrefix(path, "openshell/policies/")
		name, file, cut := strings.Cut(rest, "/")
		if !ok || !cut {
			return fmt.Errorf("read bundle: unexpected module %q", f.Path)
		}
		if c.modules[name] == nil {
			c.modules[name] = map[string]bundle.ModuleFile{}
		}
		c.modules[name][file] = f
	}
	sum.Sum(c.lib[:0])
	return nil
}

// store holds the bundle's data, immutable, under one read transaction that is
// never closed: a decision opens none of its own.
func (c *content) store() (storage.Store, storage.Transaction, error) {
	s := inmem.NewFromObjectWithOpts(c.raw, inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true))
	txn, err := s.NewTransaction(context.Background())
	if err != nil {
		return nil, nil, fmt.Errorf("open the bundle's data: %w", err)
	}
	return s, txn, nil
}

// digest identifies everything that a policy's compilation depends on.
func (c *content) digest(name string) [sha256.Size]byte {
	sum := sha256.New()
	sum.Write(c.lib[:])
	for _, file := range slices.Sorted(maps.Keys(c.modules[name])) {
		raw := c.modules[name][file].Raw
		fmt.Fprintf(sum, "%s %d\n%s", file, len(raw), raw)
	}
	return [sha256.Size]byte(sum.Sum(nil))
}
