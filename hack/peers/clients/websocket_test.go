package clients_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// A WebSocket needs its rule's word, carries frames both ways, and is closed when
// the policy no longer allows it.
func TestWebSocket(t *testing.T) {
	cert, roots := certificate(t)
	port := origin(t, cert, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, data, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, data) != nil {
				return
			}
		}
	}))
	rule := fmt.Sprintf("{host: ws.test, ports: [%d], methods: [GET]", port)
	w := newWorld(t, roots, rule+", websocket: true}")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(w.proxy()), TLSClientConfig: w.trust()}}
	dial := func() (*websocket.Conn, *http.Response, error) {
		return websocket.Dial(ctx, fmt.Sprintf("wss://ws.test:%d/chat", port), &websocket.DialOptions{HTTPClient: client})
	}
	c, _, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	for i, size := range []int{0, 1, 125, 126, 20_000} {
		want := make([]byte, size)
		for j := range want {
			want[j] = byte(i + j)
		}
		if err := c.Write(ctx, websocket.MessageBinary, want); err != nil {
			t.Fatal(err)
		}
		if _, got, err := c.Read(ctx); err != nil || string(got) != string(want) {
			t.Fatalf("%d bytes came back as %d, %v", size, len(got), err)
		}
	}
	w.load(t, rule+"}")
	if _, _, err := c.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the WebSocket outlived its rule: %v", err)
	}
	if _, resp, err := dial(); err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("a new one: %v, %v", resp, err)
	}
}
