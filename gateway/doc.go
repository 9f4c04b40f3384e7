// Package gateway is the proxy through which sandboxes reach the network. It
// identifies the sandbox, reads a request strictly, brings it into one canonical
// form, has the policy decide on that form, records the decision and forwards
// exactly what was decided, to an address that the dial guard checked.
//
// A request passes through these files in order: listen.go (who connects),
// outer.go and connect.go (the proxy protocol), tunnel.go (TLS), inner.go and
// strict.go (what may not be read in two ways), exchange.go (the decision),
// forward.go and upstream.go (goproxy and the upstream), records.go (the log).
package gateway
