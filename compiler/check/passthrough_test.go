package check_test

import (
	"fmt"
	"testing"

	"github.com/openshell-policy/openshell/compiler/check"
)

// A passthrough rule and a rule that reads may not meet on host and port.
func TestPassthroughOverlap(t *testing.T) {
	tests := []struct {
		through, reading string // hosts
		want             bool
	}{
		{"a.example.com", "a.example.com", true},
		{"a.example.com", "b.example.com", false},
		{"*.example.com", "a.example.com", true},
		{"*.example.com", "a.b.example.com", false},
		{"*.example.com", "example.com", false},
		{"**.example.com", "a.b.example.com", true},
		{"**.example.com", "example.com", false},
		{"**.example.com", "*.b.example.com", true},
		{"**.example.com", "**.b.example.com", true},
		{"**.a.example.com", "**.b.example.com", false},
		{"*-api.example.com", "eu-*.example.com", true},
		{"*-api.example.com", "api-*.example.com", true}, // api-api
		{"*a.example.com", "*b.example.com", false},
		{"a?.example.com", "[b-z]x.example.com", false},
		{"a?.example.com", "[!b-z]x.example.com", true},
		{"api.*.example.com", "*.eu.example.com", true},
		{"api.*.example.com", "web.*.example.com", false},
		{"api.*.example.com", "**.example.com", true},
		{"10.0.0.1", "10.0.0.1", true},
		{"2001:db8::1", "2001:db8::2", false},
	}
	for _, test := range tests {
		for _, hosts := range [][2]string{{test.through, test.reading}, {test.reading, test.through}} {
			text := document("x", fmt.Sprintf("network: {outbound: [{host: %q, tls: passthrough}, {host: %q, methods: [GET]}]}", hosts[0], hosts[1]))
			_, ds := check.Policies(documents(t, "p.yaml", text), nil)
			if got := len(ds) > 0; got != test.want {
				t.Errorf("%v: got %t, want %t: %v", hosts, got, test.want, ds)
			}
		}
	}
}

func TestPassthroughMeets(t *testing.T) {
	tests := []struct {
		name, rules string
		want        bool
	}{
		{"other ports", "outbound: [{host: a.example.com, tls: passthrough}, {host: a.example.com, ports: [8443]}]", false},
		{"one port", "outbound: [{host: a.example.com, tls: passthrough, ports: [443, 8443]}, {host: a.example.com, ports: [8443]}]", true},
		{"two passthrough rules", "outbound: [{host: a.example.com, tls: passthrough}, {host: '*.example.com', tls: passthrough}]", false},
		{"a denied host", "outbound: [{host: '*.example.com', tls: passthrough}], denied: [{host: a.example.com}]", false},
		{"a denied host for a program", "outbound: [{host: '*.example.com', tls: passthrough}], denied: [{host: a.example.com, binaries: [/usr/bin/curl]}]", false},
		{"a denied method", "outbound: [{host: '*.example.com', tls: passthrough}], denied: [{host: a.example.com, methods: [POST]}]", true},
		{"a denied path", "outbound: [{host: '*.example.com', tls: passthrough}], denied: [{host: a.example.com, paths: [/a]}]", true},
		{"a denied query", "outbound: [{host: '*.example.com', tls: passthrough}], denied: [{host: a.example.com, query: {q: [a]}}]", true},
		{"denied upgrades", "outbound: [{host: '*.example.com', tls: passthrough}], denied: [{host: a.example.com, websocket: true}]", true},
		{"denied on another port", "outbound: [{host: '*.example.com', tls: passthrough}], denied: [{host: a.example.com, ports: [22], methods: [POST]}]", false},
	}
	for _, test := range tests {
		_, ds := check.Policies(documents(t, "p.yaml", document("x", "network: {"+test.rules+"}")), nil)
		if got := len(ds) > 0; got != test.want {
			t.Errorf("%s: got %t, want %t: %v", test.name, got, test.want, ds)
		}
		for _, d := range ds {
			if d.Code != "OSP2007" || len(d.Related) != 1 || d.Related[0].Pos == d.Pos || d.Hint == "" {
				t.Errorf("%s: got %+v", test.name, d)
			}
		}
	}
}
