package source_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/rego/source"
)

func pemOf(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// The status service gets what OPA's own would send it.
func TestStatus(t *testing.T) {
	type message struct {
		Labels  map[string]string
		Bundles map[string]struct {
			Name           string
			ActiveRevision string `json:"active_revision"`
			Code, Message  string
			Errors         []struct{ Code, Message string }
		}
		Plugins map[string]struct{ State string }
	}
	got := make(chan message, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m message
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil || r.URL.Path != "/status" || r.Method != http.MethodPost {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		got <- m
	}))
	defer server.Close()
	r, err := source.NewReporter(server.URL, source.HTTP{}, map[string]string{"id": "gw-1"})
	if err != nil {
		t.Fatal(err)
	}
	state := source.State{Name: "team", Revision: "r1"}
	if err := r.Report(t.Context(), state); err != nil {
		t.Fatal(err)
	}
	if m := <-got; m.Labels["id"] != "gw-1" || m.Bundles["team"].ActiveRevision != "r1" || m.Bundles["team"].Code != "" || m.Plugins["bundle"].State != "OK" {
		t.Errorf("got %+v", m)
	}
	state.Fault = &archive.Error{Code: archive.CodeSerial, Detail: "too old"}
	if err := r.Report(t.Context(), state); err != nil {
		t.Fatal(err)
	}
	m := <-got
	if b := m.Bundles["team"]; b.Code != "bundle_error" || len(b.Errors) != 1 || b.Errors[0].Code != archive.CodeSerial || b.ActiveRevision != "r1" || m.Plugins["bundle"].State != "ERROR" {
		t.Errorf("got %+v", m)
	}
	server.Close()
	if err := r.Report(t.Context(), state); err == nil {
		t.Error("no error without a service")
	}
}
