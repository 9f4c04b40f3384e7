package canon

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// carry appends what command i starts, if it is known to start anything, and
// returns what that writes.
func (s *scope) carry(i int, words []word) []source {
	name := carrierName(&s.builder.in.Commands[i])
	if shell, ok := known().shells[name]; ok {
		return s.carryScript(i, name, shell, words)
	}
	table, ok := known().carriers[name]
	if !ok || s.err != nil {
		return nil
	}
	inner := s.within(i, "")
	inner.depth = s.depth
	if len(table.Exec) > 0 {
		return inner.carryExec(table, words)
	}
	return inner.carryArgs(table, words)
}

// carrierName is the name by which the tables know a command as a shell or a
// carrier; "" if they do not.
func carrierName(c *schemas.Command) string {
	p := known()
	for _, n := range append([]string{c.Path, c.Program, strings.TrimPrefix(c.Argv0, "-")}, c.Links...) {
		b := base(n)
		if _, ok := p.shells[b]; ok {
			return b
		}
		if _, ok := p.carriers[b]; ok {
			return b
		}
	}
	return ""
}

// carryArgs appends the command after a carrier's own options and operands.
func (s *scope) carryArgs(table tables.Carrier, words []word) (out []source) {
	i := 1
	for i < len(words) {
		w := &words[i]
		name, value, given := strings.Cut(w.raw, "=")
		switch {
		case w.raw == "--":
			i++
			return append(out, s.carryRest(table, words, i)...)
		case table.Assignments && given && syntax.ValidName(name) || table.Assignments && assignment(w):
			s.setEnv(strings.SplitN(w.text, "=", 2)[0])
			i++
		case w.raw == "-" && table.Assignments:
			i++
		case table.Nothing && (w.dyn || len(w.raw) < 2 || w.raw[0] != '-'):
			i++ // options may follow
		case w.dyn || len(w.raw) < 2 || w.raw[0] != '-':
			return append(out, s.carryRest(table, words, i)...)
		case given && strings.HasPrefix(name, "--"):
			v := literalWord(value)
			if next, ok := s.carrierOption(table, name, &v, words[i+1:]); ok {
				return append(out, next...)
			}
			out = append(out, s.carrierScript(table, name, &v)...)
			i++
		default:
			used, next, done := s.carrierWord(table, words, i)
			out = append(out, next...)
			if done {
				return out
			}
			i += used
		}
	}
	return out
}

// assignment tells NAME=value whose value is not known.
func assignment(w *word) bool {
	name, _, ok := strings.Cut(w.text, "=")
	return w.dyn && ok && syntax.ValidName(name)
}

// carrierWord takes one option that does not hold its value behind "=".
func (s *scope) carrierWord(table tables.Carrier, words []word, i int) (used int, out []source, done bool) {
	raw := words[i].raw
	option, attached := raw, ""
	if raw[1] != '-' {
		for k := 1; k < len(raw); k++ {
			if letter := "-" + raw[k:k+1]; takesValue(table, letter) {
				option, attached = letter, raw[k+1:]
				break
			}
		}
	}
	if !takesValue(table, option) {
		return 1, nil, false
	}
	used = 1
	var v word
	switch {
	case attached != "":
		v = literalWord(attached)
	case i+1 < len(words):
		v, used = words[i+1], 2
	default:
		return 1, nil, false
	}
	if out, ok := s.carrierOption(table, option, &v, words[i+used:]); ok {
		return used, out, true
	}
	return used, s.carrierScript(table, option, &v), false
}

func takesValue(t tables.Carrier, option string) bool {
	return slices.Contains(t.Values, option) || slices.Contains(t.Script, option) ||
		slices.Contains(t.Split, option) || slices.Contains(t.Chdir, option)
}

// carrierOption applies an option that moves the command or holds it; then ok.
func (s *scope) carrierOption(table tables.Carrier, option string, v *word, rest []word) (out []source, ok bool) {
	switch {
	case slices.Contains(table.Chdir, option):
		s.changeDir([]word{literalWord("cd"), *v})
	case slices.Contains(table.Split, option):
		split, ok := s.split(v)
		if !ok {
			s.builder.in.Opaque = true
			return nil, true
		}
		return s.carryArgs(table, slices.Concat([]word{{}}, split, rest)), true
	}
	return nil, false
}

func (s *scope) carrierScript(table tables.Carrier, option string, v *word) []source {
	if !slices.Contains(table.Script, option) {
		return nil
	}
	if !v.literal() {
		s.builder.in.Opaque = true
		return nil
	}
	return s.script(v.raw, s.within(s.owner, "sh"), false)
}

// split takes a string apart as env -S does, near enough: by shell quoting.
func (s *scope) split(v *word) ([]word, bool) {
	if !v.literal() {
		return nil, false
	}
	file, err := parseShell(v.raw, "")
	if err != nil || len(file.Stmts) != 1 || len(file.Stmts[0].Redirs) > 0 {
		return nil, false
	}
	call, ok := file.Stmts[0].Cmd.(*syntax.CallExpr)
	if !ok {
		return nil, false
	}
	var words []word
	for _, a := range call.Assigns {
		if a.Name == nil || a.Value == nil {
			return nil, false
		}
		v := newWord(a.Value)
		words = append(words, word{text: a.Name.Value + "=" + v.text, raw: a.Name.Value + "=" + v.raw, dyn: v.dyn})
	}
	return append(words, s.words(call.Args)...), true
}

// carryRest appends the command that begins after a carrier's own operands.
func (s *scope) carryRest(table tables.Carrier, words []word, i int) []source {
	for table.Assignments && i < len(words) && (assignment(&words[i]) || isAssignment(&words[i])) {
		s.setEnv(strings.SplitN(words[i].text, "=", 2)[0])
		i++
	}
	i += table.Operands
	if table.Nothing || i >= len(words) {
		return nil
	}
	rest := slices.Clone(words[i:])
	if slices.Contains(table.Script, rest[0].raw) && len(rest) > 1 {
		return s.carrierScript(table, rest[0].raw, &rest[1])
	}
	if table.Joined {
		texts := make([]string, len(rest))
		for k, w := range rest {
			if !w.literal() {
				s.builder.in.Opaque = true
				return nil
			}
			texts[k] = w.raw
		}
		return s.script(strings.Join(texts, " "), s.within(s.owner, "sh"), false)
	}
	if table.Appends {
		rest = appended(words[1:i], rest)
	}
	return s.start(rest)
}

func isAssignment(w *word) bool {
	name, _, ok := strings.Cut(w.raw, "=")
	return ok && syntax.ValidName(name)
}

// appended are the arguments of xargs's command as they will be at run time.
func appended(options, rest []word) []word {
	replace := ""
	for k, w := range options {
		switch {
		case w.raw == "-I" && k+1 < len(options):
			replace = options[k+1].raw
		case strings.HasPrefix(w.raw, "-I") && len(w.raw) > 2:
			replace = w.raw[2:]
		case w.raw == "-i":
			replace = "{}"
		case strings.HasPrefix(w.raw, "-i"), strings.HasPrefix(w.raw, "--replace="):
			replace = strings.TrimPrefix(strings.TrimPrefix(w.raw, "--replace="), "-i")
		}
	}
	if replace == "" {
		return append(rest, word{text: unknown, dyn: true})
	}
	for k := range rest {
		rest[k] = replaced(rest[k], replace)
	}
	return rest
}

func replaced(w word, placeholder string) word {
	if p := Escape(placeholder); strings.Contains(w.text, p) {
		w.text, w.dyn = strings.ReplaceAll(w.text, p, unknown), true
	}
	return w
}

// carryExec appends the commands of find's -exec.
func (s *scope) carryExec(table tables.Carrier, words []word) (out []source) {
	for i := 1; i < len(words); i++ {
		if !slices.Contains(table.Exec, words[i].raw) {
			continue
		}
		end := i + 1
		for end < len(words) && words[end].raw != ";" && words[end].raw != "+" {
			end++
		}
		var rest []word
		for _, w := range words[i+1 : end] {
			rest = append(rest, replaced(w, "{}"))
		}
		if len(rest) > 0 {
			out = append(out, s.start(rest)...)
		}
		i = end
	}
	return out
}

// start appends a carried command: it reads what its carrier reads.
func (s *scope) start(words []word) []source {
	if !words[0].literal() || words[0].raw == "" {
		s.builder.in.Opaque = true
		return nil
	}
	i := s.place(words, "", originCarried)
	if s.err != nil {
		return nil
	}
	s.connect(i, inputOf(s.owner))
	return append([]source{source(i)}, s.carry(i, words)...)
}
