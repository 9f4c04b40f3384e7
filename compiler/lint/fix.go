package lint

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/openshell-policy/openshell/compiler/diag"
)

// maxPasses bounds how often fixes are applied: each pass may let another one be
// seen.
const maxPasses = 10

// Fixed is what became of sources by their safe fixes.
type Fixed struct {
	Sources []Source // all of them, changed or not, in their order
	Applied []diag.Diagnostic
	Result  *Result // of linting the sources as they are now
}

// Fix applies the safe fixes of sources, again and again until there is none. A
// change after which more is wrong than before is not made.
func Fix(sources []Source, opts Options) *Fixed {
	f := &Fixed{Sources: slices.Clone(sources), Result: Run(sources, opts)}
	for range maxPasses {
		next, applied := splice(f.Sources, f.Result.Diagnostics)
		if len(applied) == 0 {
			break
		}
		result := Run(next, opts)
		if failures(result) > failures(f.Result) {
			break
		}
		f.Sources, f.Result = next, result
		f.Applied = append(f.Applied, applied...)
	}
	return f
}

func failures(r *Result) int {
	n := 0
	for _, d := range r.Diagnostics {
		if d.Severity == diag.Error {
			n++
		}
	}
	return n
}

// splice applies the first safe fix of each finding, unless it meets one that was
// taken already.
func splice(sources []Source, ds []diag.Diagnostic) ([]Source, []diag.Diagnostic) {
	edits := map[string][]diag.Edit{}
	var applied []diag.Diagnostic
	for _, d := range ds {
		i := slices.IndexFunc(d.Fixes, func(f diag.Fix) bool { return f.Safe })
		if i < 0 || slices.ContainsFunc(d.Fixes[i].Edits, func(e diag.Edit) bool { return meets(edits[e.File], e) }) {
			continue
		}
		for _, e := range d.Fixes[i].Edits {
			edits[e.File] = append(edits[e.File], e)
		}
		applied = append(applied, d)
	}
	out := slices.Clone(sources)
	for i := range out {
		out[i].Data = Splice(out[i].Data, edits[out[i].Name])
	}
	return out, applied
}

func meets(edits []diag.Edit, e diag.Edit) bool {
	return slices.ContainsFunc(edits, func(o diag.Edit) bool { return e.Start <= o.End && o.Start <= e.End })
}

// Splice applies edits that do not overlap to a text.
func Splice(data []byte, edits []diag.Edit) []byte {
	if len(edits) == 0 {
		return data
	}
	edits = slices.Clone(edits)
	slices.SortFunc(edits, func(a, b diag.Edit) int { return cmp.Compare(a.Start, b.Start) })
	var b bytes.Buffer
	at := 0
	for _, e := range edits {
		b.Write(data[at:e.Start])
		b.WriteString(e.New)
		at = e.End
	}
	b.Write(data[at:])
	return b.Bytes()
}
