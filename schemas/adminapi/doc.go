// Package adminapi holds the types of the gateway's admin API and a client for
// it. Every path but /healthz and /readyz needs "Authorization: Bearer TOKEN".
//
//	GET    /healthz                     the process answers
//	GET    /readyz                      Readiness; 503 while not ready
//	GET    /metrics                     Prometheus text
//	GET    /v1/sandboxes[?all=true]     SandboxList
//	POST   /v1/sandboxes                CreateSandbox -> CreatedSandbox
//	GET    /v1/sandboxes/{id}           Sandbox
//	DELETE /v1/sandboxes/{id}           Sandbox, ended; ?status=&exit_code=
//	PUT    /v1/sandboxes/{id}/policy    SetPolicy -> PolicyChange
//	GET    /v1/policies                 PolicyList
//	GET    /v1/policies/{name}          PolicyDetail
//	PUT    /v1/policies[?name=]         YAML -> Applied
//	POST   /v1/decide                   DecideRequest -> schemas.Decision
//
// An {id} is "sb-a1b2c3", "a1b2c3" or a unique prefix of either. Errors are an
// Error with a 4xx or 5xx status.
package adminapi
