// Package serve hands bundles out by OPA's bundle protocol: entity tags, 304, and
// long polling for clients that ask for it. It never sends a delta, whatever a
// client says that it prefers: OPA always says so, also where it then refuses one.
package serve

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// contentType switches OPA's long polling on; it must be these exact bytes.
const contentType = "application/vnd.openpolicyagent.bundles"

// maxWait bounds how long a request is held.
const maxWait = 5 * time.Minute

// Bundles is an http.Handler for GET /NAME; mount it below a prefix with
// http.StripPrefix. The zero value serves nothing yet.
type Bundles struct {
	mu     sync.Mutex
	byName map[string]*published
}

// published is a bundle as it stands; changed is closed when it is replaced.
type published struct {
	data    []byte
	etag    string
	changed chan struct{}
}

// Set publishes a bundle under a name, and tells who waits for it. It reports
// whether the bytes are other ones than before.
func (b *Bundles) Set(name string, data []byte) bool {
	sum := sha256.Sum256(data)
	p := &published{data: data, etag: `"` + hex.EncodeToString(sum[:]) + `"`, changed: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.byName == nil {
		b.byName = map[string]*published{}
	}
	old := b.byName[name]
	if old != nil && old.etag == p.etag {
		return false
	}
	b.byName[name] = p
	if old != nil {
		close(old.changed)
	}
	return true
}

func (b *Bundles) get(name string) *published {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.byName[name]
}

// ServeHTTP answers with the bundle, or with 304 where the client has it already
// and it did not change for as long as the client wants to wait.
func (b *Bundles) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		fail(w, http.StatusMethodNotAllowed, "method_not_allowed", "bundles are read with GET")
		return
	}
	name := strings.Trim(r.URL.Path, "/")
	Answer(w, r, func() (Bundle, bool, <-chan struct{}) {
		p := b.get(name)
		if p == nil {
			return Bundle{}, false, nil
		}
		return Bundle{Data: p.data, ETag: p.etag}, true, p.changed
	})
}

// Bundle is what Answer hands out.
type Bundle struct {
	Data   []byte
	ETag   string      // in quotes
	Header http.Header // further fields of the answer
}

// Answer answers a GET or HEAD with the bundle that current returns, or with 304.
// While the client has it already and wants to wait, current is asked again each
// time the channel that it returned is closed. Without a bundle the answer is 404.
func Answer(w http.ResponseWriter, r *http.Request, current func() (b Bundle, ok bool, changed <-chan struct{})) {
	b, ok := wait(r, current)
	if !ok {
		fail(w, http.StatusNotFound, "not_found", "no bundle has this name")
		return
	}
	h := w.Header()
	maps.Copy(h, b.Header)
	h.Set("ETag", b.ETag)
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-cache")
	if has(r, b.ETag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(b.Data)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(b.Data) // the client went away
	}
}

// wait holds the request while the client has what there is, as long as it asks.
func wait(r *http.Request, current func() (Bundle, bool, <-chan struct{})) (Bundle, bool) {
	b, ok, changed := current()
	hold := min(waitOf(r.Header.Values("Prefer")), maxWait)
	if hold <= 0 || r.Method != http.MethodGet {
		return b, ok
	}
	timer := time.NewTimer(hold)
	defer timer.Stop()
	for ok && has(r, b.ETag) {
		select {
		case <-changed:
			b, ok, changed = current()
		case <-timer.C:
			return b, ok
		case <-r.Context().Done():
			return b, ok
		}
	}
	return b, ok
}

// has tells whether the client names the tag (RFC 9110, section 13.1.2). OPA sends
// a list where it still knows tags that were superseded.
func has(r *http.Request, etag string) bool {
	for _, line := range r.Header.Values("If-None-Match") {
		for tag := range strings.SplitSeq(line, ",") {
			tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
			if tag == etag || tag == "*" {
				return true
			}
		}
	}
	return false
}

// waitOf reads the seconds of the preference "wait" (RFC 7240, section 4.3).
func waitOf(prefer []string) time.Duration {
	for _, line := range prefer {
		for part := range strings.FieldsFuncSeq(line, func(r rune) bool { return r == ';' || r == ',' }) {
			key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			if !strings.EqualFold(strings.TrimSpace(key), "wait") {
				continue
			}
			if n, err := strconv.Atoi(strings.Trim(strings.TrimSpace(value), `"`)); err == nil && n > 0 {
				return time.Duration(min(n, int(maxWait/time.Second))) * time.Second
			}
		}
	}
	return 0
}

func fail(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"code": code, "message": message}) // the client went away
}
