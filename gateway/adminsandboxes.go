package gateway

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// tokenGrace is how long a sandbox's token works after a new one was made.
const tokenGrace = time.Minute

func (g *Gateway) listSandboxes(w http.ResponseWriter, r *http.Request) {
	all, _ := strconv.ParseBool(r.URL.Query().Get("all"))
	adminAnswer(w, http.StatusOK, adminapi.SandboxList{Sandboxes: g.people.list(all)})
}

func (g *Gateway) getSandbox(w http.ResponseWriter, r *http.Request) {
	s, err := g.people.find(r.PathValue("id"))
	if err != nil {
		adminError(w, err)
		return
	}
	adminAnswer(w, http.StatusOK, s)
}

func (g *Gateway) createSandbox(w http.ResponseWriter, r *http.Request) {
	var in adminapi.CreateSandbox
	if !adminBody(w, r, &in) || !g.hasPolicies(w, in.Policy, in.With) {
		return
	}
	var out adminapi.CreatedSandbox
	err := g.join(r.Context(), in.Policy, in.With, func() (err error) {
		out, err = g.CreateSandbox(in)
		return err
	})
	action := schemas.AdminAction{Action: actionCreate, Target: out.ID, Detail: in.Policy}
	if err == nil && !g.recordAction(w, r, action) {
		_, _ = g.registry.End(out.ID, adminapi.StatusFailed, nil)
		g.closeSocket(out.ID)
		return
	}
	if err != nil {
		adminError(w, err)
		return
	}
	adminAnswer(w, http.StatusCreated, out)
}

// CreateSandbox makes an identity that is bound to a policy. The answer is the
// only place that ever holds its token.
func (g *Gateway) CreateSandbox(in adminapi.CreateSandbox) (adminapi.CreatedSandbox, error) {
	s, token, err := g.registry.Create(in.Agent, in.Policy, in.With...)
	if err != nil {
		return adminapi.CreatedSandbox{}, err
	}
	if in.Socket {
		if s.Socket, err = g.openSocket(s.ID); err == nil {
			err = g.registry.SetSocket(s.ID, s.Socket)
		}
		if err != nil {
			_, _ = g.registry.End(s.ID, adminapi.StatusFailed, nil)
			return adminapi.CreatedSandbox{}, err
		}
	}
	g.log.Info("sandbox created", "sandbox", s.ID, "agent", s.Agent, "policy", s.Policy)
	return g.credentials(s, token), nil
}

func (g *Gateway) credentials(s adminapi.Sandbox, token string) adminapi.CreatedSandbox {
	return adminapi.CreatedSandbox{
		Sandbox: s, Token: token, Proxy: g.ProxyAddr(), CAPEM: string(g.authority.PEM()), CAFile: g.cfg.CAFile(),
	}
}

func (g *Gateway) hasPolicies(w http.ResponseWriter, policy string, with []string) bool {
	return !slices.ContainsFunc(append([]string{policy}, with...), func(name string) bool { return !g.hasPolicy(w, name) })
}

func (g *Gateway) hasPolicy(w http.ResponseWriter, name string) bool {
	if g.engine.Current().Has(name) {
		return true
	}
	adminFail(w, http.StatusNotFound, "no_policy", "policy "+strconv.Quote(name)+" is not loaded")
	return false
}

func (g *Gateway) endSandbox(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	status := q.Get("status")
	switch status {
	case "":
		status = adminapi.StatusStopped
	case adminapi.StatusStopped, adminapi.StatusFailed, adminapi.StatusTimedOut, adminapi.StatusOOMKilled:
	default:
		adminFail(w, http.StatusBadRequest, "bad_request", "status is stopped, failed, timedout or oomkilled")
		return
	}
	var code *int
	if n, err := strconv.Atoi(q.Get("exit_code")); err == nil {
		code = &n
	}
	s, err := g.registry.End(r.PathValue("id"), status, code)
	if err != nil {
		adminError(w, err)
		return
	}
	// An end takes away, so it is made whether or not it can be recorded.
	_ = g.append(g.actionRecord(schemas.AdminAction{Action: actionEnd, Target: s.ID, Detail: status, Actor: actor(r)}))
	g.closeSocket(s.ID)
	g.conns.closeSandbox(s.ID)
	g.metrics.gone(s.ID)
	g.log.Info("sandbox ended", "sandbox", s.ID, "status", s.Status)
	adminAnswer(w, http.StatusOK, s)
}

// setPolicy binds a sandbox to another policy. The binding is read for each
// request, so it is in force when this answers; what is being held is decided
// again.
func (g *Gateway) setPolicy(w http.ResponseWriter, r *http.Request) {
	var in adminapi.SetPolicy
	if !adminBody(w, r, &in) || !g.hasPolicy(w, in.Policy) {
		return
	}
	box, err := g.registry.Find(r.PathValue("id"))
	if err != nil {
		adminError(w, err)
		return
	}
	action := schemas.AdminAction{Action: actionBind, Target: box.ID, Detail: in.Policy}
	if !g.recordAction(w, r, action) {
		return
	}
	var before adminapi.Sandbox
	err = g.join(r.Context(), in.Policy, box.With, func() (err error) {
		before, err = g.registry.Bind(box.ID, in.Policy)
		return err
	})
	if err != nil {
		g.recordFailure(r, action, err)
		adminError(w, err)
		return
	}
	out := adminapi.PolicyChange{
		Sandbox: before.ID, From: before.Policy, To: in.Policy, Changed: before.Policy != in.Policy,
		Enforced: 1, Gateways: 1,
	}
	g.SandboxChanged()
	if g.deps.Compare != nil && out.Changed {
		if out.Changes, err = g.deps.Compare(r.Context(), out.From, out.To); err != nil {
			g.log.Warn("policies not compared", "from", out.From, "to", out.To, "error", err)
		}
	}
	g.log.Info("sandbox bound", "sandbox", before.ID, "from", out.From, "to", out.To)
	adminAnswer(w, http.StatusOK, out)
}

// rotateToken gives a sandbox a new token. The answer is the only place that ever
// holds it.
func (g *Gateway) rotateToken(w http.ResponseWriter, r *http.Request) {
	box, err := g.registry.Find(r.PathValue("id"))
	if err != nil {
		adminError(w, err)
		return
	}
	action := schemas.AdminAction{Action: actionRotate, Target: box.ID}
	if !g.recordAction(w, r, action) {
		return
	}
	out, err := g.RotateToken(box.ID, tokenGrace)
	if err != nil {
		g.recordFailure(r, action, err)
		adminError(w, err)
		return
	}
	g.log.Info("token rotated", "sandbox", box.ID)
	adminAnswer(w, http.StatusOK, out)
}

// boundTo lists the running sandboxes of any of the policies.
func (g *Gateway) boundTo(policies ...string) []string {
	ids := []string{}
	for _, s := range g.people.list(false) {
		if slices.ContainsFunc(append([]string{s.Policy}, s.With...), func(p string) bool { return slices.Contains(policies, p) }) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}
