package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/compiler/diff"
)

// A comment stays below what GitHub takes, counts what it leaves out, and nothing
// in a policy's text leaves its place in it.
func TestMarkdownIsBoundedAndInert(t *testing.T) {
	hostile := "/a`b<img src=x onerror=y>\n# @everyone [x](https://evil.example)"
	s := diff.Surface{Name: diff.SurfaceNetwork, Wider: "yes", Narrower: "no", Verdict: diff.Wider}
	for i := range 2000 {
		s.Changes = append(s.Changes, diff.Change{Surface: s.Name, Direction: diff.Widens, Class: hostile, Example: fmt.Sprintf("GET https://h%d.example.com%s", i, hostile)})
	}
	c := &comparison{Before: "a", After: "b", Policies: []*policyChange{{Status: "changed", Report: &diff.Report{Policy: "p", Verdict: diff.Wider, Surfaces: []diff.Surface{s}}}}}
	c.count()
	for name, text := range map[string]string{"diff": c.markdown(maxMarkdown), "review": (&review{Against: "main", Diff: c}).markdown(maxMarkdown)} {
		if len(text) > maxMarkdown || len(text) < maxMarkdown/2 {
			t.Errorf("%s: %d bytes", name, len(text))
		}
		shown := strings.Count(text, "🔺")
		left := regexp.MustCompile(`…and (\d+) more`).FindStringSubmatch(text)
		if len(left) != 2 || fmt.Sprint(2000-shown) != left[1] || shown == 0 {
			t.Errorf("%s: %d shown, left out %v", name, shown, left)
		}
		outside := regexp.MustCompile("``+ .* ``+").ReplaceAllString(text, "")
		for _, bad := range []string{"<img", "@everyone", "\n# "} {
			if strings.Contains(outside, bad) {
				t.Errorf("%s: %q leaves its place", name, bad)
			}
		}
	}
}
