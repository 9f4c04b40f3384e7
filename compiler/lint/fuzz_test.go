package lint_test

import (
	"bytes"
	"testing"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/lint"
)

// seeds are the examples of every code, and the ready-made policies.
func seeds(f *testing.F) {
	f.Helper()
	n := 0
	for _, info := range diag.Codes() {
		for _, s := range append(files(info.Bad), files(info.Good)...) {
			f.Add(s.Data)
			n++
		}
	}
	for _, s := range library() {
		f.Add(s.Data)
		n++
	}
	if n < 100 {
		f.Fatalf("%d seeds", n)
	}
}

// Whatever the text: findings have places and hints, and fixes applied once leave
// nothing to apply, break nothing, and touch no other byte.
func FuzzFix(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		sources := []lint.Source{{Name: "p.yaml", Data: data}}
		opts := lint.Options{NoTests: true}
		before := lint.Run(sources, opts)
		for _, d := range before.Diagnostics {
			if d.Hint == "" || d.Pos.Line < 1 || d.Pos.Line > bytes.Count(data, []byte("\n"))+1 {
				t.Errorf("a finding without hint or place: %+v", d)
			}
			for _, fix := range d.Fixes {
				for _, e := range fix.Edits {
					if e.Start < 0 || e.End < e.Start || e.End > len(data) || e.File != "p.yaml" {
						t.Fatalf("%s has an edit outside the file: %+v", d.Code, e)
					}
				}
			}
		}
		once := lint.Fix(sources, opts)
		if diag.HasErrors(once.Result.Diagnostics) && !diag.HasErrors(before.Diagnostics) {
			t.Errorf("fixes broke\n%s\nto\n%s\n%v", data, once.Sources[0].Data, once.Result.Diagnostics)
		}
		if !bytes.Equal(data, once.Sources[0].Data) {
			sameDecisions(t, data, once.Sources[0].Data)
		}
		twice := lint.Fix(once.Sources, opts)
		if !bytes.Equal(once.Sources[0].Data, twice.Sources[0].Data) {
			t.Errorf("not idempotent:\n%s\nthen\n%s", once.Sources[0].Data, twice.Sources[0].Data)
		}
		if bytes.Count(data, []byte("#")) != bytes.Count(once.Sources[0].Data, []byte("#")) && len(once.Applied) > 0 && !hashInValue(data) {
			t.Errorf("a comment is lost:\n%s\nto\n%s", data, once.Sources[0].Data)
		}
	})
}

// hashInValue tells whether a "#" may stand in what fixes replace.
func hashInValue(data []byte) bool {
	for line := range bytes.Lines(data) {
		if i := bytes.IndexByte(line, '#'); i > 0 && line[i-1] != ' ' || bytes.ContainsAny(line, `'"`) && bytes.IndexByte(line, '#') >= 0 {
			return true
		}
	}
	return false
}

// A configuration is read or refused with places, whatever the text.
func FuzzConfig(f *testing.F) {
	for _, s := range []string{
		"", "severities: {OSP3004: error}\n", "overrides:\n  - files: [a/**]\n    severities: {OSP3004: \"off\"}\n", "exclude: [x]\nfail_on: info\n",
		"private_hosts: ['*.example.com']", "severities: &a {}\nexclude: *a\n", "[", "a: b\n---\nc: d\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, ds := lint.ParseConfig("c", data)
		if (c == nil) != (len(ds) > 0) {
			t.Errorf("%v with %v", c, ds)
		}
		for _, d := range ds {
			if d.Hint == "" || d.Pos.Line < 1 {
				t.Errorf("got %+v", d)
			}
		}
		c.Excluded("a/b.yaml")
	})
}
