package gateway

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/openshell-policy/openshell/gateway/guard"
	"github.com/openshell-policy/openshell/gateway/hello"
	"github.com/openshell-policy/openshell/schemas"
)

// connectRequest stands for a CONNECT whose request is gone.
var connectRequest = &http.Request{Method: http.MethodConnect, Header: http.Header{}}

// splice joins a tunnel to its upstream without reading inside. Only the server
// name says where it really goes, so it must be there, and not encrypted.
func (t *tunnel) splice(h hello.Hello) {
	switch {
	case h.ServerName == "":
		t.close(schemas.CodeAuthorityMismatch, "a passthrough rule needs a TLS server name")
		return
	case h.ECH:
		t.close(schemas.CodeAuthorityMismatch, "a passthrough rule does not take an encrypted ClientHello")
		return
	case !t.checkName(h):
		return
	}
	ex := &exchange{g: t.g, r: connectRequest, id: newID(), start: time.Now(), gen: t.g.engine.Current(), dest: t.dest, tunnel: t, box: t.box, peer: t.peer}
	if s, ok := t.g.people.running(t.box.ID); ok {
		ex.box = s
	}
	if err := ex.decideConnect(); err != nil || !ex.decision.Passes() {
		_ = ex.record()
		t.client.Close()
		return
	}
	ex.join(t.client)
}

// join dials, records and copies both ways until both sides have ended.
func (ex *exchange) join(client net.Conn) {
	defer client.Close()
	ctx, cancel := context.WithTimeout(ex.g.work, 30*time.Second)
	up, err := ex.g.upstreams.dial(ctx, ex.dest.Host, ex.dest.Port, ex.permit())
	cancel()
	var refused *guard.Refused
	if errors.As(err, &refused) {
		ex.setPrivate(refused)
	}
	if ex.record() != nil || refused != nil {
		if up != nil {
			up.Close()
		}
		return
	}
	if err != nil {
		ex.recordOutcome(schemas.Outcome{Error: err.Error()})
		return
	}
	defer ex.hold(func() { client.Close(); up.Close() })()
	n := ex.tenant()
	ex.recordOutcome(schemas.Outcome{Bytes: ex.g.splice(client, up, n)})
}

// hold closes a connection that outlives its decision when what is in force later
// denies it, until the returned function is called. What came into force between
// the decision and now has not seen it, so it is asked here.
func (ex *exchange) hold(closeConn func()) (release func()) {
	release = ex.g.held.add(ex.stillPasses, closeConn)
	if !ex.stillPasses(ex.g.engine.Current()) {
		closeConn()
	}
	return release
}

// stillPasses decides a connection that is being held again, by a later
// generation and the policy the sandbox is bound to by then.
func (ex *exchange) stillPasses(gen Generation) bool {
	box, ok := ex.g.people.running(ex.box.ID)
	if !ok {
		return false
	}
	in := ex.question()
	in.Policy = box.Effective()
	if ex.input.Method == http.MethodConnect {
		if _, still := gen.Destinations(box.Effective()).Passthrough(ex.dest.Host, ex.dest.Port); !still {
			return false
		}
	}
	d, _ := gen.DecideReadings(context.Background(), in, ex.readings)
	return d.Passes()
}

// holds are connections that outlive their decision: passthrough tunnels and
// WebSockets.
type holds struct {
	mu  sync.Mutex
	set map[*hold]struct{}
}

type hold struct {
	passes func(Generation) bool
	close  func()
}

// add keeps a connection until the returned function is called.
func (h *holds) add(passes func(Generation) bool, closeConn func()) (remove func()) {
	e := &hold{passes, closeConn}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.set == nil {
		h.set = map[*hold]struct{}{}
	}
	h.set[e] = struct{}{}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.set, e)
	}
}

// decideAgain closes what the generation denies.
func (h *holds) decideAgain(gen Generation) {
	h.mu.Lock()
	list := make([]*hold, 0, len(h.set))
	for e := range h.set {
		list = append(list, e)
	}
	h.mu.Unlock()
	for _, e := range list {
		if !e.passes(gen) {
			e.close()
		}
	}
}
