package canon

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/openshell-policy/openshell/schemas/tables"
)

// carryScript walks the script of sh -c.
func (s *scope) carryScript(i int, name string, shell tables.Shell, words []word) []source {
	k, ok := scriptWord(shell, words)
	switch {
	case !ok:
		return nil
	case k < 0 || words[k].tilde:
		s.builder.in.Opaque = true
		return nil
	case words[k].dyn:
		s.builder.in.Opaque = true
		return s.partly(words[k], s.within(i, name))
	}
	return s.script(words[k].raw, s.within(i, name), false)
}

// partly walks a script of which a part is not known, as if a variable stood
// there. What does not parse stays unseen.
func (s *scope) partly(script word, inner *scope) []source {
	text := strings.NewReplacer(`\\`, `\`, unknown, `${_}`).Replace(script.text)
	if _, err := parseShell(text, inner.shell); err != nil || script.text == unknown {
		return nil
	}
	return s.script(text, inner, false)
}

// hereScript walks what a shell without a script of its own reads from a
// here-document or here-string.
func (s *scope) hereScript(i int, words []word, stdin *syntax.Redirect) []source {
	if stdin == nil || s.err != nil {
		return nil
	}
	name := carrierName(&s.builder.in.Commands[i])
	shell, ok := known().shells[name]
	if !ok {
		return nil
	}
	if k, script := scriptWord(shell, words); script || k > 0 && k < len(words) {
		return nil
	}
	w := hereText(stdin)
	if w.dyn {
		s.builder.in.Opaque = true
		return nil
	}
	return s.script(w.raw, s.within(i, name), false)
}

// hereText is what a here-document or here-string holds.
func hereText(r *syntax.Redirect) word {
	if r.Op == syntax.WordHdoc || r.Hdoc == nil {
		return newWord(r.Word)
	}
	verbatim := false
	for _, p := range r.Word.Parts {
		lit, ok := p.(*syntax.Lit)
		verbatim = verbatim || !ok || strings.Contains(lit.Value, `\`)
	}
	b := &wordBuilder{}
	for _, p := range r.Hdoc.Parts {
		if lit, ok := p.(*syntax.Lit); ok && verbatim {
			b.pending.WriteString(lit.Value)
			continue
		}
		b.part(p)
	}
	return b.finish()
}

// scriptWord finds the script of a shell's -c. ok is false if there is none, and
// the index -1 if that cannot be told.
func scriptWord(shell tables.Shell, words []word) (k int, ok bool) {
	command := false
	for k = 1; k < len(words); k++ {
		w := &words[k]
		switch {
		case w.dyn && (command || strings.HasPrefix(w.text, "-") || strings.HasPrefix(w.text, unknown)) && len(w.procs) == 0:
			if command && !strings.HasPrefix(w.text, "-") {
				return k, true
			}
			return -1, true
		case w.raw == "--" || w.raw == "-":
			return k + 1, command && k+1 < len(words)
		case strings.HasPrefix(w.raw, "--"):
			if slices.Contains(shell.LongValues, w.raw) {
				k++
			}
		case len(w.raw) > 1 && (w.raw[0] == '-' || w.raw[0] == '+'):
			command = command || w.raw[0] == '-' && strings.Contains(w.raw, "c")
			for _, letter := range w.raw[1:] {
				if strings.ContainsRune(shell.Values, letter) {
					k++
				}
			}
		default:
			return k, command
		}
	}
	return 0, false
}
