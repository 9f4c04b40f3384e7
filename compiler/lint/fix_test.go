package lint_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/compiler/lint"
)

// Fixes splice the text: nothing else of it changes.
func TestFix(t *testing.T) {
	tests := []struct{ name, before, after string }{
		{"a host in capitals", "  network: {outbound: [{host: 'API.Example.com', methods: [GET]}]}\n", "  network: {outbound: [{host: 'api.example.com', methods: [GET]}]}\n"},
		{"a host that needs quotes no more", "  network:\n    outbound:\n      - host: A.example.com # ours\n", "  network:\n    outbound:\n      - host: a.example.com # ours\n"},
		{"methods in small letters", "  network: {outbound: [{host: a.example.com, methods: [get, \"post\"]}]}\n", "  network: {outbound: [{host: a.example.com, methods: [GET, \"POST\"]}]}\n"},
		{"quoted ports", "  network: {outbound: [{host: a.example.com, ports: ['443', \"8443\"]}]}\n", "  network: {outbound: [{host: a.example.com, ports: [443, 8443]}]}\n"},
		{"a quoted Boolean", "  network: {outbound: [{host: a.example.com, websocket: 'yes'}]}\n", "  network: {outbound: [{host: a.example.com, websocket: true}]}\n"},
		{"twice the same", "  network:\n    outbound:\n      - host: a.example.com\n        methods: [GET, GET, HEAD]\n      # about the second\n      - host: a.example.com\n        methods: [GET]\n    # the end\n", "  network:\n    outbound:\n      - host: a.example.com\n        methods: [GET]\n      # about the second\n    # the end\n"},
		{"a comment is not lost", "  network:\n    outbound:\n      - host: a.example.com\n      - host: a.example.com # why\n        methods: [GET]\n", ""},
		{"a base named twice", "  extends: [deny-all, dev, deny-all]\n", "  extends: [deny-all, dev]\n"},
		{"files", "  filesystem:\n    writable:\n      - /workspace/**\n      - \"/workspace/a/**\"\n      - /tmp/**\n", "  filesystem:\n    writable:\n      - /workspace/**\n      - /tmp/**\n"},
		{"commands", "  execution:\n    allowed_commands: [\"@coreutils\", git *, \"git status\"]\n", "  execution:\n    allowed_commands: [\"@coreutils\", git *]\n"},
		{"a directory is a guess", "  filesystem: {writable: [/workspace]}\n", ""},
		{"a clone is a widening", "  network: {outbound: [{host: github.com, methods: [GET], scheme: https}]}\n", ""},
		{"a misspelt field is a guess", "  network: {outbound: [{hosts: a.example.com}]}\n", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := test.after
			if want == "" {
				want = test.before
			}
			fixed := lint.Fix([]lint.Source{{Name: "p.yaml", Data: []byte(policyText(test.before))}}, lint.Options{Library: library(), NoTests: true})
			if diff := cmp.Diff(policyText(want), string(fixed.Sources[0].Data)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (len(fixed.Applied) > 0) != (want != test.before) {
				t.Errorf("applied %v", fixed.Applied)
			}
		})
	}
}

// A guess is offered, and not applied.
func TestFixesOffered(t *testing.T) {
	ds := with(run(t, policyText("  network: {outbound: [{hosts: a.example.com}]}\n")), "OSP1007")
	if len(ds) != 1 || len(ds[0].Fixes) != 1 || ds[0].Fixes[0].Safe || ds[0].Fixes[0].Edits[0].New != "host" {
		t.Errorf("got %+v", ds)
	}
}

// Fixes of other files do not disturb each other, and other files stay as they are.
func TestFixManyFiles(t *testing.T) {
	text := func(name, host string) []byte {
		return []byte(strings.Replace(policyText("  network: {outbound: [{host: "+host+", methods: [GET]}]}\n"), "name: x", "name: "+name, 1))
	}
	sources := []lint.Source{{Name: "a.yaml", Data: text("a", "A.example.com")}, {Name: "b.yaml", Data: text("b", "b.example.com")}, {Name: "c.yaml", Data: text("c", "C.example.com")}}
	fixed := lint.Fix(sources, lint.Options{NoTests: true})
	want := []lint.Source{{Name: "a.yaml", Data: text("a", "a.example.com")}, {Name: "b.yaml", Data: text("b", "b.example.com")}, {Name: "c.yaml", Data: text("c", "c.example.com")}}
	if diff := cmp.Diff(want, fixed.Sources); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
