package adminapi

import (
	"net/http"

	"github.com/openshell-policy/openshell/schemas"
)

// Route is one operation of the API. The table of routes is what the OpenAPI
// document and the client are generated from (go run ./hack/docgen) and what the
// gateway serves.
type Route struct {
	Name   string // of the operation and of the client's method
	Doc    string // one sentence about it, beginning with a verb
	Method string
	Path   string // as http.ServeMux takes it
	Open   bool   // needs no credentials
	Query  []Param
	In     any // a value of the body's type; nil none, []byte text of the type Takes
	Takes  string
	Out    any    // a value of the answer's type; nil is text of the type Gives
	Gives  string // "" JSON
	Status int    // of success
}

// Param is a query parameter. Kind is bool, string, integer or optional-integer.
type Param struct{ Name, Kind, Doc string }

// Types of bodies that are not JSON.
const (
	TypeYAML   = "application/yaml"
	TypeText   = "text/plain"
	TypeEvents = "text/event-stream"
	TypeLines  = "application/x-ndjson"
	TypeBundle = "application/gzip"
	TypeJSON   = "application/json"
)

// Pattern is the route as http.ServeMux takes it.
func (r Route) Pattern() string { return r.Method + " " + r.Path }

// Routes lists the operations of the API.
func Routes() []Route {
	return append(append(processRoutes(), sandboxRoutes()...), append(policyRoutes(), recordRoutes()...)...)
}

func processRoutes() []Route {
	return []Route{
		{Name: "Healthy", Doc: "tells that the process answers", Method: http.MethodGet, Path: "/healthz", Open: true, Gives: TypeText, Status: http.StatusOK},
		{Name: "Readiness", Doc: "tells whether the gateway serves and with which policies; the status is 503 while it does not", Method: http.MethodGet, Path: "/readyz", Open: true, Out: Readiness{}, Status: http.StatusOK},
		{Name: "Metrics", Doc: "returns the metrics in Prometheus's text format", Method: http.MethodGet, Path: "/metrics", Gives: TypeText, Status: http.StatusOK},
		{Name: "OpenAPI", Doc: "returns this document", Method: http.MethodGet, Path: "/openapi.json", Gives: TypeJSON, Status: http.StatusOK},
	}
}

func sandboxRoutes() []Route {
	return []Route{
		{
			Name: "Sandboxes", Doc: "lists the sandboxes that run, the oldest first", Method: http.MethodGet, Path: "/v1/sandboxes",
			Query: []Param{{"all", "bool", "also those that have ended"}},
			Out:   SandboxList{}, Status: http.StatusOK,
		},
		{Name: "Create", Doc: "makes a sandbox's identity and binds it to a policy", Method: http.MethodPost, Path: "/v1/sandboxes", In: CreateSandbox{}, Out: CreatedSandbox{}, Status: http.StatusCreated},
		{Name: "Get", Doc: "returns one sandbox", Method: http.MethodGet, Path: "/v1/sandboxes/{id}", Out: Sandbox{}, Status: http.StatusOK},
		{
			Name: "End", Doc: "ends a sandbox: its token and socket stop working and its connections are closed", Method: http.MethodDelete, Path: "/v1/sandboxes/{id}",
			Query: []Param{
				{"status", "string", "how it ended: stopped, failed, timedout or oomkilled; stopped if empty"},
				{"exit_code", "optional-integer", "the exit status of its command"},
			},
			Out: Sandbox{}, Status: http.StatusOK,
		},
		{Name: "SetPolicy", Doc: "binds a sandbox to another policy; the answer comes when it is in force", Method: http.MethodPut, Path: "/v1/sandboxes/{id}/policy", In: SetPolicy{}, Out: PolicyChange{}, Status: http.StatusOK},
		{Name: "Report", Doc: "takes what a sandbox's supervisor measured and decided, for the metrics", Method: http.MethodPost, Path: "/v1/sandboxes/{id}/usage", In: Usage{}, Out: Sandbox{}, Status: http.StatusOK},
		{Name: "RotateToken", Doc: "gives a sandbox a new token; the old one works for a minute longer", Method: http.MethodPost, Path: "/v1/sandboxes/{id}/token", Out: CreatedSandbox{}, Status: http.StatusOK},
	}
}

func policyRoutes() []Route {
	return []Route{
		{Name: "Policies", Doc: "describes the generation in force", Method: http.MethodGet, Path: "/v1/policies", Out: PolicyList{}, Status: http.StatusOK},
		{Name: "Policy", Doc: "describes one policy and returns its text", Method: http.MethodGet, Path: "/v1/policies/{name}", Out: PolicyDetail{}, Status: http.StatusOK},
		{
			Name: "Apply", Doc: "stores a policy's YAML; the answer comes when it is in force", Method: http.MethodPut, Path: "/v1/policies",
			Query: []Param{{"name", "string", "the file's name, for diagnostics"}},
			In:    []byte(nil), Takes: TypeYAML, Out: Applied{}, Status: http.StatusOK,
		},
		{Name: "DeletePolicy", Doc: "removes a policy that was applied; one that a running sandbox is bound to stays", Method: http.MethodDelete, Path: "/v1/policies/{name}", Out: Applied{}, Status: http.StatusOK},
		{Name: "Decide", Doc: "tells what would be decided; nothing is recorded", Method: http.MethodPost, Path: "/v1/decide", In: DecideRequest{}, Out: schemas.Decision{}, Status: http.StatusOK},
		{Name: "Bundle", Doc: "returns a bundle as OPA's bundle service does: with an ETag, and after a long poll if asked for", Method: http.MethodGet, Path: "/bundles/{name}", Gives: TypeBundle, Status: http.StatusOK},
	}
}

func recordRoutes() []Route {
	filters := []Param{
		{"sandbox", "string", "only records of this sandbox"},
		{"since", "string", "only records after this time (RFC 3339)"},
		{"denied", "bool", "only what a policy denies"},
		{"reported", "bool", "what the shims of sandboxes reported, in a log of its own, instead of the gateway's own decisions"},
	}
	from := Param{"from", "integer", "only records from this number of the log on"}
	return []Route{
		{
			Name: "Records", Doc: "returns records of the decision log, one a line", Method: http.MethodGet, Path: "/v1/decisions",
			Query: append(filters, from, Param{"limit", "integer", "at most so many records, 10,000 if 0"}),
			Gives: TypeLines, Status: http.StatusOK,
		},
		{
			Name: "Stream", Doc: "sends records as they are written, as server-sent events that hold an array each; Last-Event-ID, or from, continues after a break", Method: http.MethodGet, Path: "/v1/decisions/stream",
			Query: append(filters, from), Gives: TypeEvents, Status: http.StatusOK,
		},
		{Name: "Upload", Doc: "takes decision logs as OPA uploads them, a gzip array; they are kept in a log of their sender", Method: http.MethodPost, Path: "/logs", In: []byte(nil), Takes: TypeJSON, Gives: TypeText, Status: http.StatusOK},
	}
}
