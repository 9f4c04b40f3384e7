package wiring

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// Delete removes the stored file of a policy. What other policies need stays:
// the rest must compile without it.
func (p *Policies) Delete(_ context.Context, name string) (adminapi.Applied, error) {
	out := adminapi.Applied{Policies: []string{name}, Changed: true}
	stored, err := p.stored()
	if err != nil {
		return out, err
	}
	i := slices.IndexFunc(stored, func(s compiler.Source) bool {
		return slices.Contains(policyNames(s.Name, s.Data), name)
	})
	if i < 0 {
		return out, p.notStored(name)
	}
	if names := policyNames(stored[i].Name, stored[i].Data); len(names) > 1 {
		return out, &adminapi.Error{
			Status: http.StatusConflict, Code: "in_use",
			Message: fmt.Sprintf("policy %q was applied in one file with %s: apply that file again without it", name,
				strings.Join(slices.DeleteFunc(names, func(n string) bool { return n == name }), ", ")),
		}
	}
	file := stored[i].Name
	own, err := p.own()
	if err != nil {
		return out, err
	}
	rest := append(own, slices.Delete(stored, i, i+1)...)
	if result := policyset.Compile(rest, compiler.Options{}); result.Bundle == nil {
		return out, invalid(result)
	}
	return out, os.Remove(filepath.Join(p.store, filepath.Base(file)))
}

func (p *Policies) notStored(name string) error {
	if p.plan(name) == nil {
		return &adminapi.Error{Status: http.StatusNotFound, Code: "no_policy", Message: fmt.Sprintf("no policy named %q", name)}
	}
	return &adminapi.Error{
		Status: http.StatusConflict, Code: "not_applied",
		Message: fmt.Sprintf("policy %q was not applied; it comes from the gateway's own files or is ready-made", name),
	}
}
