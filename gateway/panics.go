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
	if hc := connOf(r); hc == nil {
		ex.tunnel = tunnelOf(r)
	} else if t, ok := hc.Owner().(*tunnel); ok {
		ex.tunnel = t
	} else if cc, ok := hc.Owner().(*clientConn); ok {
		ex.box = g.owner(cc)
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
