// Package remote is the shim's side of the gateway's sandbox API: it fetches the
// policy that the sandbox is bound to, waits for the next one, and sends what was
// decided. The token is read anew for each request, so that it may rotate.
package remote
