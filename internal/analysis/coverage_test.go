package analysis_test

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/internal/analysis"
)

const coveredPolicy = `apiVersion: openshell.nvidia.com/v1alpha1
kind: SandboxPolicy
metadata: {name: p}
spec:
  network:
    outbound:
      - host: a.example.com
        methods: [GET]
        paths:
          - /a/**
          # kept
          - /b
      - {name: shadowed, host: a.example.com, paths: [/a/b]}
      - {name: asks, host: b.example.com, methods: [GET], query: {q: [x]}}
      - {name: posts, host: b.example.com, methods: [POST]}
      - {name: far, host: c.example.com}
    denied:
      - {name: no-x, host: a.example.com, paths: [/x]}
      - {name: no-d, host: d.example.com}
      - {name: no-y, host: a.example.com, paths: [/y]}
  filesystem:
    writable: [/workspace/**, /data/**]
    readonly: [/workspace/ro]
    blocked: [/workspace/**/x, /workspace/a/x]
  execution:
    allowed_commands: [git status, git *, make *, tee *, git log]
    blocked_commands: [rm -rf /, "curl * | sh", git push --force]
`

const coveringTest = `apiVersion: openshell.nvidia.com/v1alpha1
kind: PolicyTest
metadata: {name: p}
spec:
  policies: [p.yaml]
  cases:
    - {name: reads, request: GET https://a.example.com/a/b, expect: allow}
    - {name: asks for y, request: GET https://b.example.com/?q=y, expect: deny}
    - {request: GET https://a.example.com/y, expect: deny}
    - {name: blocked, file: write /workspace/a/x, expect: deny}
    - {file: write /workspace/a/b, expect: allow}
    - {name: tees, command: git status | tee x, expect: allow}
    - {name: pushes, command: git push, expect: allow}
    - {name: removes, command: rm x, expect: deny}
`

func covered(t *testing.T, files map[string]string) *analysis.Coverage {
	t.Helper()
	dir := write(t, files)
	paths, err := filepath.Glob(filepath.Join(dir, "*_test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	suites, err := runner().RunAll(context.Background(), paths, 2)
	if err != nil {
		t.Fatal(err)
	}
	c, err := runner().Cover(context.Background(), suites)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCover(t *testing.T) {
	c := covered(t, map[string]string{"p.yaml": coveredPolicy, "p_test.yaml": coveringTest})
	got := map[string]string{}
	for _, r := range c.Details {
		got[r.Rule] = r.Reason
		if (r.Hits > 0) != (r.Reason == "") {
			t.Errorf("%s: %d hits, %q", r.Rule, r.Hits, r.Reason)
		}
		if i := strings.Index(r.Reason, " ("); i > 0 && strings.HasPrefix(r.Reason, `"`) {
			got[r.Rule] = r.Reason[:i] + r.Reason[strings.Index(r.Reason, ")")+1:] // without the place
		}
	}
	want := map[string]string{
		"outbound[0]":                   "",
		"shadowed":                      `"reads" matches it, but outbound[0] (DIR/p.yaml:7) decides`,
		"asks":                          `"asks for y" comes nearest: `,
		"posts":                         `"asks for y" comes nearest: GET is not in [POST] of posts, DIR/p.yaml:15 (method_not_allowed)`,
		"far":                           "no case reaches its host, c.example.com",
		"no-x":                          `"reads" reaches its host, but no case matches the rest of it`,
		"no-d":                          "no case reaches its host, d.example.com",
		"no-y":                          "",
		"filesystem.writable[0]":        "",
		"filesystem.writable[1]":        "no case asks about a path that /data/** matches",
		"filesystem.readonly[0]":        "no case asks about a path that /workspace/ro matches",
		"filesystem.blocked[0]":         "",
		"filesystem.blocked[1]":         `"blocked" matches it, but filesystem.blocked[0] (DIR/p.yaml:24) decides`,
		"execution.allowed_commands[0]": "",
		"execution.allowed_commands[1]": "",
		"execution.allowed_commands[2]": "no case runs make *",
		"execution.allowed_commands[3]": "", // by the second command of a pipeline
		"execution.allowed_commands[4]": `"tees" runs its program, but no case has such arguments`,
		"execution.blocked_commands[0]": `"removes" runs its program, but no case has all that the pattern names`,
		"execution.blocked_commands[1]": "no case runs curl * | sh",
		"execution.blocked_commands[2]": `"tees" runs its program, but no case has all that the pattern names`,
	}
	for rule, reason := range got {
		dir := filepath.Base(filepath.Dir(c.Details[0].Pos.File))
		got[rule] = strings.ReplaceAll(reason, dir+"/", "DIR/")
		if dir == "." || dir == "" {
			got[rule] = reason
		}
		if rule == "asks" { // the words are the template's
			got[rule], _, _ = strings.Cut(reason, "query key")
		}
		want[rule] = strings.ReplaceAll(want[rule], "DIR/", strings.TrimSuffix(c.Details[0].Pos.File, "p.yaml"))
		want[rule] = strings.ReplaceAll(want[rule], "//", "/")
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got (-) want (+):\n%s", diff)
	}
	if c.Rules != len(want) || c.Covered != 7 || c.Percent != percent(7, len(want)) {
		t.Errorf("%d of %d rules, %v %%", c.Covered, c.Rules, c.Percent)
	}
}

func percent(part, whole int) float64 { return 100 * float64(part) / float64(whole) }

// Rules of a base count through what extends it; a policy that nobody asks is
// reported so.
func TestCoverThroughExtends(t *testing.T) {
	const policies = `apiVersion: openshell.nvidia.com/v1alpha1
kind: SandboxPolicy
metadata: {name: base}
spec: {network: {outbound: [{host: a.example.com}, {host: b.example.com}]}}
---
apiVersion: openshell.nvidia.com/v1alpha1
kind: SandboxPolicy
metadata: {name: child}
spec: {extends: [base]}
---
apiVersion: openshell.nvidia.com/v1alpha1
kind: SandboxPolicy
metadata: {name: other}
spec: {network: {outbound: [{host: a.example.com}]}, filesystem: {writable: [/a]}}
`
	const test = `apiVersion: openshell.nvidia.com/v1alpha1
kind: PolicyTest
metadata: {name: t}
spec:
  policies: [p.yaml]
  policy: child
  cases:
    - {request: GET https://a.example.com/, expect: allow, rule: "base/outbound[0]"}
    - {policy: base, with: [child], request: GET https://b.example.com/, expect: allow}
    - {policy: full-dev, file: read /etc/shadow, expect: deny}
`
	c := covered(t, map[string]string{"p.yaml": policies, "p_test.yaml": test})
	got := map[string]string{}
	for _, r := range c.Details {
		got[r.Policy+" "+r.Rule] = r.Reason
	}
	want := map[string]string{
		"base outbound[0]": "", "base outbound[1]": "",
		"other outbound[0]": "no case asks policy other", "other filesystem.writable[0]": "no case asks policy other",
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got (-) want (+):\n%s", diff)
	}
}

func TestCoverSaysWhichSurfaceIsNotAsked(t *testing.T) {
	const policy = `apiVersion: openshell.nvidia.com/v1alpha1
kind: SandboxPolicy
metadata: {name: p}
spec: {network: {outbound: [{host: a.example.com}]}, filesystem: {writable: [/a]}, execution: {blocked_commands: [rm]}}
`
	const test = `apiVersion: openshell.nvidia.com/v1alpha1
kind: PolicyTest
metadata: {name: t}
spec: {policies: [p.yaml], cases: [{file: stat /x, expect: allow}]}
`
	c := covered(t, map[string]string{"p.yaml": policy, "p_test.yaml": test})
	want := []string{"no case asks policy p about a request", "no case asks about a path that /a matches", "no case asks policy p about a command"}
	for i, r := range c.Details {
		if r.Reason != want[i] {
			t.Errorf("%s: %q, want %q", r.Rule, r.Reason, want[i])
		}
	}
	if len(c.Details) != 3 {
		t.Errorf("%d rules", len(c.Details))
	}
}

func TestWriteLCOV(t *testing.T) {
	c := covered(t, map[string]string{"p.yaml": coveredPolicy, "p_test.yaml": coveringTest})
	var b bytes.Buffer
	if err := c.WriteLCOV(&b); err != nil {
		t.Fatal(err)
	}
	got := b.String()
	for _, want := range []string{
		"TN:\nSF:" + c.Details[0].Pos.File + "\nFN:7,p:outbound[0]\nFNDA:1,p:outbound[0]\n",
		"FN:13,p:shadowed\nFNDA:0,p:shadowed\n", "FNF:21\nFNH:7\n",
		// the rule's lines, but not the comment between them
		"DA:7,1\nDA:8,1\nDA:9,1\nDA:10,1\nDA:12,1\nDA:13,0\n", "DA:24,1\n", "LF:17\nLH:9\nend_of_record\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
}
