package serve_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/rego/serve"
)

type answer struct {
	status            int
	etag, kind, bytes string
}

func ask(t *testing.T, ctx context.Context, url, method, tag, prefer string) (answer, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if tag != "" {
		req.Header.Set("If-None-Match", tag)
	}
	if prefer != "" {
		req.Header.Set("Prefer", prefer)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header.Get("ETag"), resp.Header.Get("Content-Type"), string(body)}, err
}

func TestBundles(t *testing.T) {
	b := &serve.Bundles{}
	server := httptest.NewServer(http.StripPrefix("/bundles", b))
	defer server.Close()
	if !b.Set("team", []byte("one")) || b.Set("team", []byte("one")) {
		t.Error("Set does not tell whether the bytes changed")
	}
	first, err := ask(t, t.Context(), server.URL+"/bundles/team", "GET", "", "modes=snapshot,delta")
	if err != nil || first.status != 200 || first.bytes != "one" || first.kind != "application/vnd.openpolicyagent.bundles" || len(first.etag) < 10 {
		t.Fatalf("got %+v, %v", first, err)
	}
	for name, c := range map[string]struct {
		path, method, tag string
		status            int
		bytes             string
	}{
		"the tag":            {"team", "GET", first.etag, 304, ""},
		"the weak tag":       {"team", "GET", "W/" + first.etag, 304, ""},
		"one of several":     {"team", "GET", `"a", ` + first.etag, 304, ""},
		"any":                {"team", "GET", "*", 304, ""},
		"another":            {"team", "GET", `"a"`, 200, "one"},
		"an empty one":       {"team", "GET", " ", 200, "one"},
		"the head":           {"team", "HEAD", "", 200, ""},
		"another name":       {"other", "GET", "", 404, `{"code":"not_found","message":"no bundle has this name"}` + "\n"},
		"a path out":         {"..%2fteam", "GET", "", 404, `{"code":"not_found","message":"no bundle has this name"}` + "\n"},
		"what does not read": {"team", "PUT", "", 405, `{"code":"method_not_allowed","message":"bundles are read with GET"}` + "\n"},
	} {
		got, err := ask(t, t.Context(), server.URL+"/bundles/"+c.path, c.method, c.tag, "modes=snapshot,delta")
		if err != nil || got.status != c.status || got.bytes != c.bytes {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

// A client that waits is answered when the bundle changes, and not before.
func TestLongPolling(t *testing.T) {
	b := &serve.Bundles{}
	server := httptest.NewServer(b)
	defer server.Close()
	b.Set("team", []byte("one"))
	first, err := ask(t, t.Context(), server.URL+"/team", "GET", "", "")
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan answer, 1)
	go func() {
		got, err := ask(t, t.Context(), server.URL+"/team", "GET", first.etag, "modes=snapshot,delta;wait=60")
		if err != nil {
			t.Error(err)
		}
		answers <- got
	}()
	select {
	case got := <-answers:
		t.Fatalf("answered before a change: %+v", got)
	case <-time.After(100 * time.Millisecond):
	}
	b.Set("other", []byte("x"))
	b.Set("team", []byte("two"))
	if got := <-answers; got.status != 200 || got.bytes != "two" {
		t.Errorf("got %+v", got)
	}
	// The wait ends by itself, with the tag.
	got, err := ask(t, t.Context(), server.URL+"/team", "GET", `"x", "y"`, "wait=1")
	if err != nil || got.status != 200 {
		t.Fatalf("got %+v, %v", got, err)
	}
	if got, err = ask(t, t.Context(), server.URL+"/team", "GET", got.etag, "modes=snapshot,delta; wait=1"); err != nil || got.status != 304 || got.etag == "" {
		t.Errorf("got %+v, %v", got, err)
	}
	// Who goes away is not waited for.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ask(t, ctx, server.URL+"/team", "GET", got.etag, "wait=60"); err == nil {
		t.Error("a request that was given up was answered")
	}
}
