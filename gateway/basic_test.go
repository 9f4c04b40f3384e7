package gateway_test

import (
	"net/http"
	"testing"

	"github.com/openshell-policy/openshell/schemas"
)

func TestAllowedRequestIsForwardedAndRecorded(t *testing.T) {
	w := newWorld(t)
	resp, body := w.inTunnel("GET", w.get("/repos/a?q=1"))
	if resp.StatusCode != 200 || body != "GET /repos/a?q=1 0" {
		t.Fatalf("%d %q", resp.StatusCode, body)
	}
	w.oneRecord(schemas.CodeAllowed)
	w.wait(func() bool { return len(w.records.of(schemas.RecordOutcome)) == 1 })
	o := w.records.of(schemas.RecordOutcome)[0]
	if o.Custom.Outcome.Status != 200 || o.Custom.Outcome.Bytes != int64(len(body)) || o.DecisionID != w.records.decisions()[0].DecisionID {
		t.Errorf("outcome %+v", o.Custom.Outcome)
	}
}

func TestDeniedRequestIsExplained(t *testing.T) {
	w := newWorld(t)
	resp, body := w.inTunnel("PUT", "PUT /repos/a HTTP/1.1\r\nHost: "+w.api()+"\r\nContent-Length: 0\r\n\r\n")
	w.denied(resp, body, http.StatusForbidden, schemas.CodeMethodNotAllowed)
}

func TestConnectionIsKeptAfterADenial(t *testing.T) {
	w := newWorld(t)
	c := w.tunnel(w.api(), "api.test")
	if resp, _ := exchange(t, c, "GET", w.get("/none")); resp.StatusCode != 403 {
		t.Fatal(resp.Status)
	}
	if resp, _ := exchange(t, c, "GET", w.get("/repos/x")); resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
}
