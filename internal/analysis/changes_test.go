package analysis_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/policyset"
)

func TestChanges(t *testing.T) {
	result := policyset.Compile(policyset.Library(), compiler.Options{})
	library := map[string]*plan.Policy{}
	for _, p := range result.Policies {
		library[p.Name] = p
	}
	if result.Bundle == nil || len(library) < 4 {
		t.Fatalf("the library does not compile: %+v", result.Diagnostics)
	}
	tests := []struct {
		from, to string
		want     []string
	}{
		{"full-dev", "full-dev", nil},
		{"github-readonly", "github-clone", []string{
			"+ POST on github.com", "now denied: github.com (no-push), github.com (no-push-discovery)",
		}},
		{"github-clone", "github-readonly", []string{
			"- POST on github.com", "no longer denied: github.com (no-push), github.com (no-push-discovery)",
		}},
		{"github-readonly", "full-dev", []string{
			"+ 3 hosts, + PATCH POST PUT on api.github.com, + writable /home/agent/**",
			"- github.com, - readable /etc/**",
			"no longer blocked: **/.env **/credentials*",
			"now blocked: /root/**",
			"commands now limited to git python node npm pip",
		}},
		{"full-dev", "github-readonly", []string{
			"+ github.com, + readable /etc/**",
			"- 3 hosts, - PATCH POST PUT on api.github.com, - writable /home/agent/**",
			"no longer blocked: /root/**",
			"now blocked: **/.env **/credentials*",
			"commands no longer limited",
			"commands no longer blocked: curl * | bash, rm -rf /, wget * | sh",
		}},
		{"full-dev", "deny-all", []string{
			"- 4 hosts, - writable /home/agent/**",
			"no longer blocked: /root/**",
			"commands no longer limited",
			"commands no longer blocked: curl * | bash, rm -rf /, wget * | sh",
		}},
	}
	for _, test := range tests {
		t.Run(test.from+" to "+test.to, func(t *testing.T) {
			got := analysis.Changes(library[test.from], library[test.to])
			if diff := cmp.Diff(got, test.want); diff != "" {
				t.Errorf("got (-) want (+):\n%s", diff)
			}
		})
	}
}
