package gateway

import (
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/openshell-policy/openshell/schemas"
)

// panicked records and answers a request whose handler panicked.
func (g *Gateway) panicked(w http.ResponseWriter, r *http.Request, v any) {
	g.log.Error("panic while serving", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	g.metrics.panics.Inc()
	ex := g.newExchange(w, r, nil)
	if ex.tunnel = tunnelOf(r); ex.tunnel == nil {
		ex.box = g.owner(connOf(r).Owner().(*clientConn))
	}
	if t := ex.tunnel; t != nil {
		ex.box, ex.dest = t.box, t.dest
	}
	ex.input.Path = r.URL.Path
	ex.setRefusal(schemas.CodePolicyError, "the gateway failed while it served the request")
	ex.deny(http.StatusInternalServerError)
}

// serverLog passes on what net/http has to say.
func (g *Gateway) serverLog() *log.Logger {
	return slog.NewLogLogger(g.log.Handler(), slog.LevelDebug)
}
