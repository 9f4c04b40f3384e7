package wiring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// Apply stores a policy's YAML, so that it outlives the gateway. What does not
// compile together with the other policies changes nothing.
func (p *Policies) Apply(_ context.Context, name string, text []byte) (adminapi.Applied, error) {
	if name == "" {
		name = "policy.yaml"
	}
	names := policyNames(name, text)
	if len(names) == 0 {
		return adminapi.Applied{}, invalid(policyset.Compile([]compiler.Source{{Name: name, Data: text}}, compiler.Options{}))
	}
	own, err := p.own()
	if err != nil {
		return adminapi.Applied{}, err
	}
	for _, s := range own {
		if !overlap(names, policyNames(s.Name, s.Data)) {
			continue
		}
		if bytes.Equal(s.Data, text) {
			return adminapi.Applied{Policies: names}, nil
		}
		advice := "change it there, or give this one another name"
		if strings.HasPrefix(s.Name, "library/") {
			advice = "give this one another name"
		}
		return adminapi.Applied{}, &adminapi.Error{
			Status: http.StatusConflict, Code: "taken",
			Message: fmt.Sprintf("policy %q comes from %s: %s", names[0], s.Name, advice),
		}
	}
	return p.put(own, name, names, text)
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// put replaces the stored file that holds these policies.
func (p *Policies) put(own []compiler.Source, name string, names []string, text []byte) (adminapi.Applied, error) {
	stored, err := p.stored()
	if err != nil {
		return adminapi.Applied{}, err
	}
	out := adminapi.Applied{Policies: names}
	file := names[0] + ".yaml"
	set := own
	for _, s := range stored {
		switch {
		case filepath.Base(s.Name) == file:
			out.Changed = !bytes.Equal(s.Data, text)
			if !out.Changed {
				return out, nil
			}
		case overlap(names, policyNames(s.Name, s.Data)):
			return adminapi.Applied{}, &adminapi.Error{
				Status: http.StatusConflict, Code: "taken",
				Message: fmt.Sprintf("policy %q was applied as part of %s: apply that file again", strings.Join(names, ", "), s.Name),
			}
		default:
			set = append(set, s)
		}
	}
	result := policyset.Compile(append(set, compiler.Source{Name: name, Data: text}), compiler.Options{})
	if result.Bundle == nil {
		return adminapi.Applied{}, invalid(result)
	}
	out.Changed = true
	out.Changes, out.Warnings = p.changes(names, result), warningsIn(result, name)
	return out, p.write(file, text)
}

// changes compares what is in force with what will be.
func (p *Policies) changes(names []string, result *compiler.Result) []string {
	var out []string
	for _, after := range result.Policies {
		if before := p.plan(after.Name); before != nil && slices.Contains(names, after.Name) {
			out = append(out, analysis.Changes(before, after)...)
		}
	}
	return out
}

func warningsIn(result *compiler.Result, file string) []string {
	var out []string
	for _, d := range result.Diagnostics {
		if d.Pos.File == file {
			out = append(out, fmt.Sprintf("%s:%d:%d: %s %s: %s", d.Pos.File, d.Pos.Line, d.Pos.Col, d.Severity, d.Code, d.Message))
		}
	}
	return out
}

func (p *Policies) write(file string, text []byte) error {
	if err := os.MkdirAll(p.store, 0o700); err != nil {
		return fmt.Errorf("store policy: %w", err)
	}
	f, err := os.CreateTemp(p.store, ".apply.*")
	if err != nil {
		return fmt.Errorf("store policy: %w", err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(p.store, file))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("store policy: %w", err)
	}
	return nil
}

// invalid is the answer to a policy that does not compile.
func invalid(result *compiler.Result) error {
	e := &CompileError{Result: result}
	return &adminapi.Error{Status: http.StatusUnprocessableEntity, Code: "invalid_policy", Message: e.Error(), Detail: e.Text(false)}
}
