package gateway

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
	"github.com/openshell-policy/openshell/schemas/canon"
)

func (g *Gateway) listPolicies(w http.ResponseWriter, _ *http.Request) {
	gen := g.engine.Current()
	out := adminapi.PolicyList{Revision: gen.Revision(), Generation: gen.Number(), Loaded: g.Ready().Loaded, Policies: []adminapi.Policy{}}
	for _, p := range gen.Policies() {
		if strings.HasPrefix(p.File, joinedDir) {
			continue // stands for others
		}
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
	name := r.URL.Query().Get("name")
	action := schemas.AdminAction{Action: actionApply, Target: name, Detail: fmt.Sprintf("sha256:%x", sha256.Sum256(text))}
	if !g.recordAction(w, r, action) {
		return
	}
	out, err := g.deps.Apply(r.Context(), name, text)
	if err == nil {
		err = g.reloaded(r, &out)
	}
	if err != nil {
		g.recordFailure(r, action, err)
		adminError(w, err)
		return
	}
	out.Revision = g.engine.Current().Revision()
	out.Sandboxes = g.boundTo(out.Policies...)
	adminAnswer(w, http.StatusOK, out)
}

// reloaded puts in force what was stored.
func (g *Gateway) reloaded(r *http.Request, out *adminapi.Applied) error {
	changed, err := g.Reload(r.Context())
	if err != nil {
		return &adminapi.Error{Status: http.StatusUnprocessableEntity, Code: "invalid_policy", Message: err.Error()}
	}
	out.Changed = out.Changed || changed
	return nil
}

// deletePolicy removes a policy that was applied, unless a sandbox needs it.
func (g *Gateway) deletePolicy(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if g.deps.Delete == nil {
		adminFail(w, http.StatusNotImplemented, "read_only", "this gateway takes policies from its files only")
		return
	}
	if bound := g.boundTo(name); len(bound) > 0 {
		adminFail(w, http.StatusConflict, "in_use", "policy "+strconv.Quote(name)+" is that of "+strings.Join(bound, ", ")+": bind them to another first")
		return
	}
	action := schemas.AdminAction{Action: actionDelete, Target: name}
	if !g.recordAction(w, r, action) {
		return
	}
	out, err := g.deps.Delete(r.Context(), name)
	if err == nil {
		err = g.reloaded(r, &out)
	}
	if err != nil {
		g.recordFailure(r, action, err)
		adminError(w, err)
		return
	}
	out.Revision, out.Sandboxes = g.engine.Current().Revision(), []string{}
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
		s, err := g.people.find(in.Sandbox)
		if err != nil {
			adminError(w, err)
			return
		}
		question.Sandbox = schemas.Sandbox{ID: s.ID, Agent: s.Agent}
		if question.Policy == "" {
			question.Policy = s.Effective()
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
