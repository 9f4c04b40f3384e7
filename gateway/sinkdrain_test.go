package gateway_test

import (
	"compress/gzip"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/openshell-policy/openshell/audit/sink"
	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas"
)

// What is decided last before the end still reaches the sinks.
func TestSinksGetTheRestAtTheEnd(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]bool{}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		var records []schemas.Record
		if err := json.NewDecoder(z).Decode(&records); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, rec := range records {
			if rec.Custom.Type == schemas.RecordDecision {
				seen[rec.Input.Network.Path] = true
			}
		}
	}))
	defer receiver.Close()
	t.Run("gateway", func(t *testing.T) { // its end is the gateway's
		w := newWorld(t, onDisk, func(c *gateway.Config, _ *gateway.Deps) {
			c.Audit.Sinks = []sink.Config{{Name: "opa", Type: "opa", URL: receiver.URL + "/logs"}}
		})
		for _, path := range []string{"/x", "/a/1", "/a/2", "/forbidden"} {
			w.inTunnel("GET", w.get(path))
		}
	})
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != 4 {
		t.Errorf("the sink got %v, want 4 paths", seen)
	}
}

// A receiver that is gone does not hold up the end.
func TestSinksThatFailDoNotHoldUpTheEnd(t *testing.T) {
	receiver := httptest.NewServer(http.NotFoundHandler())
	receiver.Close()
	w := newWorld(t, onDisk, func(c *gateway.Config, _ *gateway.Deps) {
		c.Audit.Sinks = []sink.Config{{Name: "opa", Type: "opa", URL: receiver.URL + "/logs"}}
	})
	w.inTunnel("GET", w.get("/x")) // and the world ends within the test's time
}
