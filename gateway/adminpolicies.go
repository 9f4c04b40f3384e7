package gateway

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
	"github.com/openshell-policy/openshell/schemas/canon"
)

func (g *Gateway) listPolicies(w http.ResponseWriter, _ *http.Request) {
	gen := g.engine.Current()
	out := adminapi.PolicyList{Revision: gen.Revision(), Generation: gen.Number(), Loaded: g.Ready().Loaded, Policies: []adminapi.Policy{}}
	for _, p := range gen.Policies() {
		out.Policies = append(out.Policies, describePolicy(p))
	}
	adminAnswer(w, http.StatusOK, out)
}

func describePolicy(p rego.PolicyInfo) adminapi.Policy {
	return adminapi.Policy{Name: p.Name, File: p.File, Line: p.Line, Mode: p.Mode, Rules: p.Rules}
}

func (g *Gateway) getPolicy(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	policies := g.engine.Current().Policies()
	i := slices.IndexFunc(policies, func(p rego.PolicyInfo) bool { return p.Name == name })
	if i < 0 {
		adminFail(w, http.StatusNotFound, "no_policy", "policy "+strconv.Quote(name)+" is not loaded")
		return
	}
	out := adminapi.PolicyDetail{Policy: describePolicy(policies[i]), Sandboxes: g.boundTo(name)}
	if g.deps.Source != nil {
		out.Source, _ = g.deps.Source(name)
	}
	adminAnswer(w, http.StatusOK, out)
}

// applyPolicy stores a policy and puts it in force before it answers.
func (g *Gateway) applyPolicy(w http.ResponseWriter, r *http.Request) {
	if g.deps.Apply == nil {
		adminFail(w, http.StatusNotImplemented, "read_only", "this gateway takes policies from its files only")
		return
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		adminFail(w, http.StatusRequestEntityTooLarge, "too_large", err.Error())
		return
	}
	out, err := g.deps.Apply(r.Context(), r.URL.Query().Get("name"), text)
	if err != nil {
		adminError(w, err)
		return
	}
	changed, err := g.Reload(r.Context())
	if err != nil {
		adminError(w, &adminapi.Error{Status: http.StatusUnprocessableEntity, Code: "invalid_policy", Message: err.Error()})
		return
	}
	out.Changed = out.Changed || changed
	out.Revision = g.engine.Current().Revision()
	out.Sandboxes = g.boundTo(out.Policies...)
	adminAnswer(w, http.StatusOK, out)
}

// decideDry decides without a record.
func (g *Gateway) decideDry(w http.ResponseWriter, r *http.Request) {
	var in adminapi.DecideRequest
	if !adminBody(w, r, &in) {
		return
	}
	question := schemas.DecisionInput{Policy: in.Policy}
	if in.Sandbox != "" {
		s, err := g.registry.Find(in.Sandbox)
		if err != nil {
			adminError(w, err)
			return
		}
		question.Sandbox = schemas.Sandbox{ID: s.ID, Agent: s.Agent}
		if question.Policy == "" {
			question.Policy = s.Policy
		}
	}
	d, err := g.answer(r, &in, question)
	if err != nil {
		adminFail(w, http.StatusBadRequest, "bad_request", err.Error())
		return
	}
	adminAnswer(w, http.StatusOK, d)
}

func (g *Gateway) answer(r *http.Request, in *adminapi.DecideRequest, question schemas.DecisionInput) (schemas.Decision, error) {
	gen := g.engine.Current()
	var err error
	switch {
	case in.Request != nil:
		return g.answerRequest(r, in.Request, question)
	case in.File != "":
		question.Kind = schemas.KindFile
		question.File, err = canon.ParseFile(in.File)
	case in.Command != "":
		question.Kind = schemas.KindExec
		question.Exec, err = canon.CommandText(in.Command, canon.Shell{Hook: true})
	case in.Input != nil:
		if in.Input.Policy == "" {
			in.Input.Policy = question.Policy
		}
		question = *in.Input
	default:
		err = errors.New("one of request, file, command and input is required")
	}
	if err != nil {
		return schemas.Decision{}, err
	}
	return gen.Decide(r.Context(), &question), nil
}

func (g *Gateway) answerRequest(r *http.Request, in *schemas.TestRequest, question schemas.DecisionInput) (schemas.Decision, error) {
	req, err := canon.ParseRequest(in.Method, in.URL)
	if err != nil {
		return schemas.Decision{}, err
	}
	req.WebSocket, req.Binary, req.Ancestors = in.WebSocket, in.Binary, in.Ancestors
	c, err := canon.Network(req)
	if err != nil {
		return schemas.Decision{}, err
	}
	question.Kind = schemas.KindNetwork
	d, _ := g.engine.Current().DecideReadings(r.Context(), question, c.Readings)
	return d, nil
}
