package gateway_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// Every route of the table is served, and none without credentials that is not
// said to be open.
func TestEveryRouteIsServed(t *testing.T) {
	w := newWorld(t)
	routes := adminapi.Routes()
	if len(routes) < 15 {
		t.Fatalf("%d routes", len(routes))
	}
	for _, r := range routes {
		path := strings.NewReplacer("{id}", "sb-zzzzzz", "{name}", "none").Replace(r.Path)
		status, _ := adminDo(t, w, r.Method, path, "")
		if r.Open != (status != http.StatusUnauthorized) {
			t.Errorf("%s without credentials: %d", r.Name, status)
		}
		if r.Name == "Stream" {
			continue // answers until it is closed; it has a test of its own
		}
		status, body := adminDo(t, w, r.Method, path, w.g.AdminToken())
		if status == http.StatusNotFound && !strings.Contains(body, `"message"`) || status == http.StatusMethodNotAllowed {
			t.Errorf("%s is not served: %d %s", r.Name, status, body)
		}
	}
}

func adminDo(t *testing.T, w *world, method, path, token string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+w.g.AdminAddr()+path, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestOpenAPIDescribesTheRoutes(t *testing.T) {
	w := newWorld(t)
	status, body := adminDo(t, w, http.MethodGet, "/openapi.json", w.g.AdminToken())
	var doc struct {
		OpenAPI string                               `json:"openapi"`
		Paths   map[string]map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil || status != http.StatusOK {
		t.Fatalf("%d: %v", status, err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("version %q", doc.OpenAPI)
	}
	for _, r := range adminapi.Routes() {
		if op := doc.Paths[r.Path][strings.ToLower(r.Method)]; op["operationId"] != r.Name {
			t.Errorf("%s %s is %v, want %s", r.Method, r.Path, op["operationId"], r.Name)
		}
	}
}

// What changes through the admin API is in the log before it is done.
func TestAdminActionsAreRecorded(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	box, err := w.admin().Create(ctx, adminapi.CreateSandbox{Agent: "claude", Policy: "p"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.admin().SetPolicy(ctx, box.ID, adminapi.SetPolicy{Policy: "other"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.admin().SetPolicy(ctx, box.ID, adminapi.SetPolicy{Policy: "nope"}); err == nil {
		t.Error("an unknown policy was bound")
	}
	if _, err := w.admin().End(ctx, box.ID, "", nil); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range w.records.of(schemas.RecordAdmin) {
		if r.Custom.Admin.Target == box.ID {
			got = append(got, r.Custom.Admin.Action+" "+r.Custom.Admin.Detail+" by "+r.Custom.Admin.Actor)
		}
	}
	want := "create-sandbox p by token, set-policy other by token, end-sandbox stopped by token"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got %s, want %s", s, want)
	}
}

func TestUsageIsShownInMetrics(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	_, err := w.admin().Report(ctx, w.box.ID, adminapi.Usage{CPUCores: 0.5, MemoryBytes: 4096, Actions: []adminapi.ActionCount{
		{Kind: schemas.KindExec, Code: schemas.CodeBlockedCommand, Mode: schemas.ModeEnforce, Count: 3},
		{Kind: schemas.KindFile, Allow: true, Code: schemas.CodeAllowed, Mode: schemas.ModeEnforce, Count: 2},
		{Kind: schemas.KindNetwork, Code: schemas.CodeDeniedRule, Mode: schemas.ModeEnforce, Count: 9}, // the gateway's own to count
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, text := adminDo(t, w, http.MethodGet, "/metrics", w.g.AdminToken())
	for _, want := range []string{
		`openshell_sandbox_cpu_usage_cores{sandbox="` + w.box.ID + `"} 0.5`,
		`openshell_sandbox_memory_usage_bytes{sandbox="` + w.box.ID + `"} 4096`,
		`openshell_policy_violations_total{code="blocked_command",kind="exec",mode="enforce",policy="p"} 3`,
		`openshell_agent_actions_total{agent="claude",decision="denied",kind="exec"} 3`,
		`openshell_agent_actions_total{agent="claude",decision="allowed",kind="file"} 2`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if strings.Contains(text, `kind="network"} 9`) {
		t.Error("a supervisor counted requests")
	}
	if _, err := w.admin().End(ctx, w.box.ID, "", nil); err != nil {
		t.Fatal(err)
	}
	if _, text := adminDo(t, w, http.MethodGet, "/metrics", w.g.AdminToken()); strings.Contains(text, w.box.ID) {
		t.Error("a sandbox that ended is still shown")
	}
	if _, err := w.admin().Report(ctx, w.box.ID, adminapi.Usage{}); err == nil {
		t.Error("a sandbox that ended reports")
	}
}
