package lint

import (
	"regexp"
	"unicode/utf8"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
)

// A remedy is what the hint of a finding of the compiler says to write in place of
// the underlined text.
type remedy struct {
	code  string
	hint  *regexp.Regexp // its group is the text
	safe  bool           // there is no doubt that it is meant
	quote bool           // quoted as before, and where it must be
}

func remedies() []remedy {
	return []remedy{
		{"OSP1007", regexp.MustCompile(`^did you mean (\w+)\?$`), false, true},
		{"OSP1009", regexp.MustCompile(`^write (\d+|true|false), without quotes$`), true, false},
		{"OSP1009", regexp.MustCompile(`^quote it: (".*")$`), true, false},
		{"OSP1009", regexp.MustCompile(`^did you mean (\w+)\?$`), false, true},
		{"OSP1010", regexp.MustCompile(`^write ([A-Z]+)$`), true, true},
		{"OSP2010", regexp.MustCompile(`^write (\S+)$`), true, true},
	}
}

// mend adds fixes to what the compiler finds, where its hint leaves no choice.
func mend(ds []diag.Diagnostic, docs []*parse.Document) {
	byFile := map[string]*parse.Document{}
	for _, d := range docs {
		byFile[d.File] = d
	}
	known := remedies()
	for i := range ds {
		doc := byFile[ds[i].Pos.File]
		if doc == nil || len(ds[i].Fixes) > 0 {
			continue
		}
		for _, r := range known {
			if ds[i].Code == r.code {
				r.apply(&ds[i], doc)
			}
		}
	}
}

func (r *remedy) apply(d *diag.Diagnostic, doc *parse.Document) {
	groups := r.hint.FindStringSubmatch(d.Hint)
	start := doc.Offset(d.Pos.Line, d.Pos.Col)
	if groups == nil || start < 0 {
		return
	}
	end, ok := doc.ScalarEnd(start)
	if !ok {
		return
	}
	before, text := string(doc.Data()[start:end]), groups[1]
	if r.quote {
		text = quoteLike(before, text)
	}
	d.Width = utf8.RuneCountInString(before)
	d.Fixes = append(d.Fixes, diag.Fix{
		Title: "write " + text, Safe: r.safe,
		Edits: []diag.Edit{{File: doc.File, Start: start, End: end, New: text}},
	})
}
