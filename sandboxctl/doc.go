// Package sandboxctl starts commands inside sandboxes: what every runtime needs
// (the variables that lead clients through the gateway, the certificates they
// must trust, who supervises which sandbox) and the interface of a runtime.
package sandboxctl
