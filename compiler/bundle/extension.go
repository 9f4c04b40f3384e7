package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// Module is a Rego module of the owner's: an extension, or mask rules.
type Module struct {
	Path      string // in the bundle
	Text      []byte
	Extension string // its name; "" for mask rules
	Source    schemas.Source
}

// Modules checks the Rego modules that stand beside policies. What it lets through
// the engine takes; a module with an error is left out.
func Modules(sources []Source) ([]Module, []diag.Diagnostic) {
	c := &moduleChecker{parsed: map[string]*ast.Module{}, taken: map[string]bool{}}
	var out []Module
	for _, s := range sources {
		if m, ok := c.module(s); ok {
			out = append(out, m)
		}
	}
	if !diag.HasErrors(c.found) {
		c.compile()
	}
	return out, c.found
}

type moduleChecker struct {
	parsed map[string]*ast.Module
	taken  map[string]bool // paths in the bundle
	found  []diag.Diagnostic
}

func (c *moduleChecker) report(code string, at *ast.Location, file, hint, message string, args ...any) {
	pos := diag.Position{File: file, Line: 1, Col: 1}
	if at != nil && at.Row > 0 {
		pos.Line, pos.Col = at.Row, max(at.Col, 1)
	}
	c.found = append(c.found, diag.New(code, pos, fmt.Sprintf(message, args...), hint))
}

var moduleName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

const (
	packageHint = "write package openshell.extension.NAME, with a name of lower-case letters, digits and _"
	denyHint    = `write deny contains {"code": "too_large", "message": "…"} if { … }, with the code as a word`
	inputHint   = "what an extension says may depend on the input and on other extensions only"
)

func (c *moduleChecker) module(s Source) (Module, bool) {
	m, err := ast.ParseModuleWithOpts(s.Name, string(s.Data), ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: builtins()})
	if err != nil {
		c.opaErrors("OSP5030", s.Name, err)
		return Module{}, false
	}
	if m == nil { // nothing but comments
		c.report("OSP5031", nil, s.Name, packageHint, "the file holds no package")
		return Module{}, false
	}
	before := len(c.found)
	c.formatted(s)
	out := Module{Text: s.Data, Source: schemas.Source{File: s.Name, Line: m.Package.Location.Row}}
	folder := "extensions"
	if m.Package.Path.Equal(ref("system", "log")) {
		folder = "mask"
		c.mask(s.Name, m)
	} else {
		out.Extension = c.extension(s.Name, m)
	}
	c.parsed[s.Name] = m
	out.Path = c.place(folder, s.Name)
	return out, !diag.HasErrors(c.found[before:])
}

// place gives the module a name in the bundle that no other has.
func (c *moduleChecker) place(folder, name string) string {
	base := strings.Map(func(r rune) rune {
		if r < ' ' || r == '\\' || r > '~' {
			return '_'
		}
		return r
	}, path.Base(name))
	for n := 0; ; n++ {
		p := fmt.Sprintf("/openshell/%s/%s", folder, base)
		if n > 0 {
			p = fmt.Sprintf("/openshell/%s/%d/%s", folder, n, base)
		}
		if !c.taken[p] {
			c.taken[p] = true
			return p
		}
	}
}

// formatted wants modules as opa fmt writes them, so that reviews show what changes.
func (c *moduleChecker) formatted(s Source) {
	want, err := format.SourceWithOpts(s.Name, s.Data, format.Opts{RegoVersion: ast.RegoV1})
	if err == nil && !bytes.Equal(want, s.Data) {
		c.report("OSP5034", nil, s.Name, "opa fmt -w "+s.Name, "the module is not formatted")
	}
}

func (c *moduleChecker) extension(file string, m *ast.Module) string {
	p := m.Package.Path
	if len(p) != 4 || !p.HasPrefix(ref("openshell", "extension")) {
		c.report("OSP5031", m.Package.Location, file, packageHint, "package %s is no extension", strings.TrimPrefix(p.String(), "data."))
		return ""
	}
	name, _ := p[3].Value.(ast.String)
	if !moduleName.MatchString(string(name)) {
		c.report("OSP5031", m.Package.Location, file, packageHint, "an extension cannot be named %s", p[3])
	}
	for _, r := range m.Rules {
		if v, _ := r.Head.Reference[0].Value.(ast.Var); v == "deny" && !goodDenial(r) {
			c.report("OSP5032", r.Location, file, denyHint, "deny is not a set of objects with code and message")
		}
	}
	ast.WalkRefs(m, func(r ast.Ref) bool {
		if len(r) > 0 && r[0].Equal(ast.DefaultRootDocument) && !r.HasPrefix(ref("openshell", "extension")) {
			c.report("OSP5033", r[0].Location, file, inputHint, "an extension may not read %s", r)
		}
		return false
	})
	return string(name)
}

func goodDenial(r *ast.Rule) bool {
	if len(r.Head.Reference) != 1 || r.Head.Key == nil || r.Head.Value != nil || r.Default || r.Else != nil {
		return false
	}
	object, ok := r.Head.Key.Value.(ast.Object)
	if !ok || object.Len() != 2 || object.Get(ast.StringTerm("message")) == nil || object.Get(ast.StringTerm("code")) == nil {
		return false
	}
	code, ok := object.Get(ast.StringTerm("code")).Value.(ast.String)
	return ok && moduleName.MatchString(string(code))
}

// mask holds mask rules to what they may hide: nothing that says who did what, and
// no record as a whole.
func (c *moduleChecker) mask(file string, m *ast.Module) {
	for _, r := range m.Rules {
		if v, _ := r.Head.Reference[0].Value.(ast.Var); v == "drop" {
			c.report("OSP5035", r.Location, file, "remove the rule; mask hides values", "drop would leave records out of the log")
		}
		if pointer, ok := maskedBy(r.Head.Key); ok && schemas.MaskProtected(pointer) {
			c.report("OSP5035", r.Head.Key.Location, file, "mask values below /input, not what identifies the decision", "%q may not be masked", pointer)
		}
	}
}

// maskedBy is the pointer that an element of mask writes out: the element itself, or
// its path. One that is computed is held to the same when records are masked.
func maskedBy(element *ast.Term) (string, bool) {
	if element == nil {
		return "", false
	}
	if o, ok := element.Value.(ast.Object); ok {
		element = o.Get(ast.StringTerm("path"))
	}
	if element == nil {
		return "", false
	}
	s, ok := element.Value.(ast.String)
	return string(s), ok
}

// compile holds the modules together to the type of the input, to the built-ins of
// decisions, and to what strict mode refuses.
func (c *moduleChecker) compile() {
	if len(c.parsed) == 0 {
		return
	}
	compiler := ast.NewCompiler().WithStrict(true).WithCapabilities(builtins()).WithDefaultRegoVersion(ast.RegoV1)
	if extensionsOnly(c.parsed) {
		if schema, err := inputSchema(); err == nil {
			set := ast.NewSchemaSet()
			set.Put(ast.SchemaRootRef, schema)
			compiler = compiler.WithSchemas(set).WithUseTypeCheckAnnotations(true)
		}
	}
	if compiler.Compile(c.parsed); compiler.Failed() {
		c.opaErrors("OSP5033", "", compiler.Errors)
	}
}

// extensionsOnly: mask rules read records, not inputs.
func extensionsOnly(modules map[string]*ast.Module) bool {
	for _, m := range modules {
		if m.Package.Path.Equal(ref("system", "log")) {
			return false
		}
	}
	return true
}

func (c *moduleChecker) opaErrors(code, file string, err error) {
	var list ast.Errors
	if !errors.As(err, &list) {
		c.report(code, nil, file, "see https://www.openpolicyagent.org/docs/policy-language", "%v", err)
		return
	}
	for _, e := range list {
		at := file
		if e.Location != nil && e.Location.File != "" {
			at = e.Location.File
		}
		c.report(code, e.Location, at, hintOf(e), "%s", strings.TrimPrefix(e.Message, "rego_"))
	}
}

func hintOf(e *ast.Error) string {
	switch {
	case strings.Contains(e.Message, "undefined function"):
		return "an extension may not reach out, read a clock or draw random numbers; openshell-policy explain OSP5033 says more"
	case e.Code == ast.TypeErr:
		return "openshell-policy schema decision-input shows the input; openshell-policy eval --print-input an example"
	}
	return "openshell-policy explain OSP5030 shows an extension"
}

func ref(path ...string) ast.Ref {
	r := ast.DefaultRootRef
	for _, p := range path {
		r = r.Append(ast.StringTerm(p))
	}
	return r
}

func builtins() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	allowed := tables.Builtins()
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool {
		return !slices.Contains(allowed, b.Name) && !strings.HasPrefix(b.Name, "internal.member")
	})
	c.AllowNet = []string{}
	return c
}

// inputSchema is the schema of the input, less what says nothing about types and
// would be misread: examples hold keys that look like a schema's own.
func inputSchema() (any, error) {
	text, err := schemas.SchemaJSON("DecisionInput")
	if err != nil {
		return nil, err
	}
	var root map[string]any
	if err := json.Unmarshal(text, &root); err != nil {
		return nil, err
	}
	return typesOf(root), nil
}

// typesOf keeps the keywords that OPA's type checker reads.
func typesOf(node any) any {
	m, ok := node.(map[string]any)
	if !ok {
		return node
	}
	out := map[string]any{}
	for key, value := range m {
		switch key {
		case "type", "$ref":
			out[key] = value
		case "items", "additionalProperties":
			out[key] = typesOf(value)
		case "properties", "$defs":
			named := map[string]any{}
			for name, below := range value.(map[string]any) {
				named[name] = typesOf(below)
			}
			out[key] = named
		}
	}
	return out
}
