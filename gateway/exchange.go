package gateway

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/openshell-policy/openshell/gateway/head"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// exchange is one request on its way through the gateway. One goroutine owns it,
// but for what httptrace calls.
type exchange struct {
	g      *Gateway
	w      http.ResponseWriter
	r      *http.Request
	tunnel *tunnel // nil on the plain path

	id    string // decision id
	start time.Time
	box   adminapi.Sandbox // the zero value is nobody
	share *tenant          // what the sandbox may still do; nil until asked for
	peer  Peer             // the program that asks
	gen   Generation
	dest  destination

	input    schemas.NetworkInput   // what is recorded
	readings []schemas.NetworkInput // what was decided
	decision schemas.Decision
	rule     rego.RuleInfo // the one that decided, or the nearest miss
	took     time.Duration // of the decision

	recording sync.Once
	recorded  bool
	told      *schemas.Decision // of a denial: what is recorded, without secrets
	recordErr error
	upstream  upstreamState
}

// newExchange reads the generation once: no request is decided half by one
// generation and half by another.
func (g *Gateway) newExchange(w http.ResponseWriter, r *http.Request, t *tunnel) *exchange {
	return &exchange{
		g: g, w: w, r: r, tunnel: t, id: newID(), start: time.Now(), gen: g.engine.Current(),
		input: schemas.NetworkInput{Method: r.Method, ContentLength: r.ContentLength},
	}
}

// newID is a decision's id, a random UUID (RFC 9562, section 5.4). It is no secret,
// and reading the kernel's random numbers for each request shows in a profile.
func newID() string {
	var id uuid.UUID
	binary.NativeEndian.PutUint64(id[:8], rand.Uint64())
	binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id.String()
}

// tenant is what the exchange's sandbox may still do, looked up once.
func (ex *exchange) tenant() *tenant {
	if ex.share == nil {
		ex.share = ex.g.tenants.of(ex.box.ID)
	}
	return ex.share
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// serve decides a request for ex.dest and forwards or refuses it. The target is
// the path with the query, as the client wrote it.
func (ex *exchange) serve(target string) {
	if !ex.tenant().mayAsk() {
		ex.input.Path, _, _ = strings.Cut(target, "?")
		ex.refuse(schemas.CodeLimitExceeded, tooManyRequests)
		return
	}
	turn := ex.g.turns.take(ex.box.ID)
	defer ex.g.turns.give(turn)
	c, ws, err := ex.canonical(target)
	if err != nil {
		path, _, _ := strings.Cut(target, "?")
		ex.input.Path = path
		ex.refuseError(err)
		return
	}
	ex.decide(c.Readings)
	if !ex.decision.Passes() {
		ex.deny(ex.decision.Code.Info().Status)
		return
	}
	ex.forward(c, ws)
}

func (ex *exchange) canonical(target string) (*canon.Canonical, bool, error) {
	methods, m := overrides(ex.r.Header)
	if m != nil {
		return nil, false, m
	}
	ws, m := isWebSocket(ex.r)
	if m != nil {
		return nil, false, m
	}
	path, query, _ := strings.Cut(target, "?")
	in := canon.Request{
		Method: ex.r.Method, Scheme: ex.dest.Scheme, Host: ex.dest.Host, Port: ex.dest.Port,
		RawPath: path, RawQuery: query, WebSocket: ws, ContentLength: ex.r.ContentLength, Overrides: methods,
	}
	ex.peer.fill(&in)
	c, err := canon.Network(in)
	return c, ws, err
}

// decide asks the policy, and notes the reading and the rule that decided.
func (ex *exchange) decide(readings []schemas.NetworkInput) {
	before := time.Now()
	d, i := ex.gen.DecideReadings(context.WithoutCancel(ex.r.Context()), ex.question(), readings)
	ex.took = time.Since(before)
	ex.decision, ex.input, ex.readings = d, readings[i], readings
	ex.rule, _ = ex.gen.Rule(ex.box.Effective(), d.Rule)
}

func (ex *exchange) question() schemas.DecisionInput {
	return schemas.DecisionInput{
		Kind: schemas.KindNetwork, Policy: ex.box.Effective(),
		Sandbox: schemas.Sandbox{ID: ex.box.ID, Agent: ex.box.Agent},
	}
}

// refuse denies without asking the policy.
func (ex *exchange) refuse(code schemas.Code, detail string) {
	ex.setRefusal(code, detail)
	ex.deny(ex.statusOf(code))
}

func (ex *exchange) setRefusal(code schemas.Code, detail string) {
	ex.decision = schemas.Decision{
		Mode: schemas.ModeEnforce, Code: code, Message: detail, Rule: schemas.RuleDefault,
		Policy: ex.box.Policy, Revision: ex.gen.Revision(),
	}
}

// statusOf is the code's status; inside a tunnel no proxy may ask for proxy
// credentials.
func (ex *exchange) statusOf(code schemas.Code) int {
	status := code.Info().Status
	if status == http.StatusProxyAuthRequired && ex.tunnel != nil {
		return http.StatusForbidden
	}
	return status
}

// refuseError denies what could not be made canonical.
func (ex *exchange) refuseError(err error) { ex.deny(ex.setError(err)) }

// setError makes an error of the canonical form the decision, and returns the
// status that says so.
func (ex *exchange) setError(err error) int {
	code, status := schemas.CodeBadRequest, 0
	var m *misread
	var c *canon.Error
	switch {
	case errors.As(err, &m):
		code, status = m.code, m.status
	case errors.As(err, &c):
		code, status = c.Code, c.Status
	}
	ex.setRefusal(code, err.Error())
	if status == 0 {
		status = ex.statusOf(code)
	}
	return status
}

// refuseFault answers for the request that the head scanner held back.
func (ex *exchange) refuseFault(f *head.Fault) {
	ex.input = schemas.NetworkInput{Method: f.Method}
	if ex.tunnel != nil && ex.tunnel.dest.Host != "" {
		ex.dest = ex.tunnel.dest
		ex.input.Path, _, _ = strings.Cut(pathOf(f.Target), "?")
	} else if host, port, err := authorityOf(f.Host, "http"); err == nil {
		ex.dest = destination{Scheme: "http", Host: host, Port: port}
	}
	code := schemas.CodeBadRequest
	if f.Status == http.StatusMisdirectedRequest {
		code = schemas.CodeAuthorityMismatch
	}
	ex.setRefusal(code, f.Detail)
	ex.deny(f.Status)
}

// pathOf returns a request target from its path on: an authority may hold a
// password.
func pathOf(target string) string {
	if _, rest, ok := strings.Cut(target, "://"); ok && !strings.HasPrefix(target, "/") {
		_, target = splitAuthority(rest)
	}
	return target
}
