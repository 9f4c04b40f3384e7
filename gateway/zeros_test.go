package gateway_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// Before anything happened there is a series at zero for what may.
func TestCountersBeginAtZero(t *testing.T) {
	w := newWorld(t)
	before := w.metrics(t)
	for _, want := range []string{
		`openshell_policy_violations_total{code="host_not_in_policy",kind="network",mode="enforce",policy="p"} 0`,
		`openshell_policy_violations_total{code="blocked_path",kind="file",mode="enforce",policy="other"} 0`,
		`openshell_policy_violations_total{code="blocked_command",kind="exec",mode="enforce",policy="p"} 0`,
		`openshell_agent_actions_total{agent="claude",decision="denied",kind="network"} 0`,
	} {
		if !strings.Contains(before, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	if resp, body := w.inTunnel("GET", w.get("/forbidden")); resp.StatusCode != 403 {
		t.Fatal(body)
	}
	const one = `openshell_policy_violations_total{code="path_not_allowed",kind="network",mode="enforce",policy="p"} `
	if after := w.metrics(t); !strings.Contains(before, one+"0\n") || !strings.Contains(after, one+"1\n") || strings.Count(after, "violations_total{") != strings.Count(before, "violations_total{") {
		t.Error("the first violation made a new series")
	}
}

func (w *world) metrics(t *testing.T) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+w.g.AdminAddr()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.g.AdminToken())
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s, %v", resp.Status, err)
	}
	return string(text)
}
