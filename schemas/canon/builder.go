package canon

import (
	"slices"
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// builder gathers the commands of one input, and how their outputs and inputs
// connect.
type builder struct {
	in       *schemas.ExecInput
	nodes    []node // beside in.Commands
	find     func(program, cwd string) (File, bool)
	alone    bool   // the text starts nothing but builtins, so that these count as commands
	expanded int    // words so far
	steps    int    // statements walked so far
	err      *Error // the first
}

// node is what the builder knows of a command beside its fields.
type node struct {
	inputs   []source
	globs    []string // arguments that match file names
	cwdKnown bool
}

// source is what flows into a command: the output of command i as i, or all
// that flows into command i as ^i.
type source int

func inputOf(i int) source { return source(^i) }

func (b *builder) fail(err *Error) {
	if b.err == nil {
		b.err = err
	}
}

// add appends a command and returns its index.
func (b *builder) add(c schemas.Command, n node) int {
	if len(b.in.Commands) >= maxCommands {
		b.fail(refuse("the text holds more than %d commands", maxCommands))
		return maxCommands - 1
	}
	b.in.Commands = append(b.in.Commands, c)
	b.nodes = append(b.nodes, n)
	return len(b.in.Commands) - 1
}

func (b *builder) connect(to int, from ...source) {
	b.nodes[to].inputs = append(b.nodes[to].inputs, from...)
}

// setEnv notes a variable that the text sets.
func (b *builder) setEnv(name string) {
	if tables.IsDeniedEnv(name) {
		b.in.EnvDenied = append(b.in.EnvDenied, Escape(name))
	}
	if name == "PATH" {
		b.in.Opaque = true // a bare name may mean another file now
	}
}

// finish derives what follows from the whole list.
func (b *builder) finish() (*schemas.ExecInput, error) {
	if b.err != nil {
		return nil, b.err
	}
	slices.Sort(b.in.EnvDenied)
	b.in.EnvDenied = slices.Compact(b.in.EnvDenied)
	for i := range b.in.Commands {
		c := &b.in.Commands[i]
		c.Upstream = b.upstream(i, c.Upstream)
		derive(c, b.nodes[i].cwdKnown, b.nodes[i].globs)
	}
	return b.in, nil
}

// upstream returns the commands whose output reaches the input of command i.
func (b *builder) upstream(i int, given []int) []int {
	reached := make([]bool, len(b.nodes))
	seen := make([]bool, len(b.nodes))
	queue := []int{i}
	seen[i] = true
	for len(queue) > 0 {
		n := b.nodes[queue[0]]
		queue = queue[1:]
		for _, s := range n.inputs {
			from := int(s)
			if s < 0 {
				from = int(^s)
			} else {
				reached[from] = true
			}
			if !seen[from] {
				seen[from] = true
				queue = append(queue, from)
			}
		}
	}
	out := append([]int{}, given...)
	for j, ok := range reached {
		if ok && j != i {
			out = append(out, j)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// script parses and walks a shell text in a scope of its own; top says that it
// is the text that was asked about.
func (b *builder) script(text string, s *scope, top bool) []source {
	if s.depth > maxDepth {
		b.fail(refuse("the command holds shell text more than %d levels deep", maxDepth))
	}
	if b.err != nil {
		return nil
	}
	file, err := parseShell(text, s.shell)
	if err != nil {
		b.fail(err)
		return nil
	}
	s.funcs = map[string]*function{}
	c := context{straight: true, top: top}
	if s.owner >= 0 {
		c.in = []source{inputOf(s.owner)}
	}
	out := s.stmts(file.Stmts, c)
	s.uncalled()
	return out
}

// continuedComment finds a comment that ends in a backslash: shells end it with
// the line, but the parser takes the next line for more of the command.
func continuedComment(file *syntax.File) bool {
	found := false
	syntax.Walk(file, func(n syntax.Node) bool {
		if c, ok := n.(*syntax.Comment); ok && strings.HasSuffix(strings.TrimRight(c.Text, "\n"), `\`) {
			found = true
		}
		return !found
	})
	return found
}

// nesting is how deep brackets stand inside each other, quoted or not. The parser
// goes as deep, and slower the deeper it is.
func nesting(text string) int {
	depth, deepest := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '(', '{':
			depth++
			deepest = max(deepest, depth)
		case ')', '}':
			depth = max(depth-1, 0)
		}
	}
	return deepest
}

func parseShell(text, shell string) (file *syntax.File, err *Error) {
	switch {
	case len(text) > maxText:
		return nil, refuse("the command is longer than %d bytes", maxText)
	case strings.IndexByte(text, 0) >= 0:
		return nil, refuse("the command holds a NUL byte")
	case !utf8.ValidString(text):
		return nil, refuse("the command is not UTF-8")
	case strings.IndexByte(text, '\r') >= 0:
		return nil, refuse("the command holds a carriage return, which is text to shells and space to others")
	case nesting(text) > maxNesting:
		return nil, refuse("the command nests brackets more than %d levels deep", maxNesting)
	}
	variant := syntax.LangBash
	if shell == "zsh" {
		variant = syntax.LangZsh
	}
	defer func() {
		// The text is hostile: a fault of the parser must not end who asks.
		if r := recover(); r != nil {
			file, err = nil, refuse("the command cannot be parsed: %v", r)
		}
	}()
	file, fault := syntax.NewParser(syntax.Variant(variant), syntax.KeepComments(true)).Parse(strings.NewReader(text), "")
	if fault != nil {
		return nil, refuse("the command is not valid shell text: %v", fault)
	}
	if strings.Contains(text, "\\\n") && continuedComment(file) {
		return nil, refuse("the command holds a comment that ends in a backslash")
	}
	return file, nil
}
