package gateway_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/gateway/reports"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

func bearer(box adminapi.CreatedSandbox) string { return "Authorization: Bearer " + box.Token + "\r\n" }

// ask sends one request to the sandbox API on a connection of its own.
func (w *world) ask(method, path, fields, body string) (*http.Response, string) {
	w.tb.Helper()
	if body != "" || method == "POST" {
		fields += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	return exchange(w.tb, w.dial(), method, method+" "+path+" HTTP/1.1\r\nHost: gateway\r\n"+fields+"\r\n"+body)
}

const (
	bundlePath  = "/sandbox/v1/bundle"
	recordsPath = "/sandbox/v1/records"
)

func report(edit func(*schemas.Record)) string {
	r := schemas.Record{
		Labels: map[string]string{"level": "full", "file_mode": "trapped", "id": "forged", reports.Label: "nobody"}, DecisionID: uuid.NewString(),
		Path: "elsewhere", Timestamp: time.Now(),
		Input: &schemas.DecisionInput{
			Kind: schemas.KindFile, Policy: "forged", Sandbox: schemas.Sandbox{ID: "sb-forged", Agent: "forged"},
			File: &schemas.FileInput{Op: schemas.OpWrite, Path: "/etc/passwd", Lexical: "/etc/passwd"},
		},
		Result: &schemas.Decision{Mode: schemas.ModeEnforce, Code: schemas.CodeNotWritable, Message: "no", Rule: "default", Policy: "forged"},
		Custom: schemas.Custom{Type: schemas.RecordDecision, Sandbox: "sb-forged", Agent: "forged", Policy: "forged", Seq: 99, Reason: "forged"},
	}
	if edit != nil {
		edit(&r)
	}
	line, _ := json.Marshal(r)
	return string(line) + "\n"
}

// reported are the records that shims sent.
func (w *world) reported() (all []*schemas.Record) {
	w.tb.Helper()
	dir := filepath.Join(w.cfg.StateDir, "received", "shims")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for r, err := range audit.Records(dir, audit.Position{}) {
		if err != nil {
			w.tb.Fatal(err)
		}
		if r.Custom.Type == schemas.RecordDecision {
			all = append(all, r)
		}
	}
	return all
}

func TestSandboxAPI_BundleOfTheIdentity(t *testing.T) {
	w := newWorld(t)
	for name, fields := range map[string]string{"bearer": bearer(w.box), "proxy credentials": auth(w.box), "both": bearer(w.box) + auth(w.box)} {
		resp, body := w.ask("GET", bundlePath, fields, "")
		if resp.StatusCode != 200 || resp.Header.Get("OpenShell-Sandbox") != w.box.ID || resp.Header.Get("OpenShell-Policy") != "p" || resp.Header.Get("OpenShell-Agent") != "claude" {
			t.Fatalf("%s: %s %v", name, resp.Status, resp.Header)
		}
		a, err := archive.Read([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a.Manifest.Metadata.Policies, []string{"p"}) || len(a.Manifest.Metadata.Sources) != 0 || bytes.Contains(allOf(a), []byte("other.test")) {
			t.Errorf("%s: the bundle holds more than the sandbox's policy: %q", name, a.Manifest.Metadata.Policies)
		}
		gen, err := rego.New(rego.Options{}).LoadArchive(a)
		if err != nil || !gen.Has("p") || gen.Has("other") {
			t.Fatalf("%s: loads as %v, %v", name, gen, err)
		}
	}
	if n := len(w.records.decisions()); n != 0 {
		t.Errorf("%d decisions recorded, want none", n)
	}
	w.untouched()
}

func allOf(a *archive.Archive) (all []byte) {
	for _, f := range a.Files {
		all = append(append(all, f.Name...), f.Data...)
	}
	return all
}

// What the shim gets decides as the gateway's own bundle does.
func TestSandboxAPI_BundleDecidesAlike(t *testing.T) {
	w := newWorld(t)
	_, body := w.ask("GET", bundlePath, bearer(w.box), "")
	gen, err := rego.New(rego.Options{}).Load([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := rego.New(rego.Options{}).Load(w.compile.Load().([]byte))
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, op := range []schemas.FileOp{schemas.OpRead, schemas.OpWrite, schemas.OpExec} {
		for _, path := range []string{"/etc/passwd", "/workspace/a", "/root/.ssh/id_rsa", "/usr/bin/env"} {
			in := &schemas.DecisionInput{Kind: schemas.KindFile, Policy: "p", Sandbox: schemas.Sandbox{ID: w.box.ID}, File: &schemas.FileInput{Op: op, Path: path, Lexical: path}}
			got, want := gen.Decide(t.Context(), in), whole.Decide(t.Context(), in)
			if got.Allow != want.Allow || got.Code != want.Code || got.Message != want.Message {
				t.Errorf("%s %s: %+v, want %+v", op, path, got, want)
			}
			asked++
		}
	}
	if asked != 12 || gen.Revision() != whole.Revision() {
		t.Errorf("asked %d, revision %s", asked, gen.Revision())
	}
}

func TestSandboxAPI_NoIdentity(t *testing.T) {
	for name, c := range map[string]struct {
		fields func(w *world) string
		status int
		code   schemas.Code
	}{
		"none":               {func(*world) string { return "" }, 401, schemas.CodeIdentityRequired},
		"a wrong token":      {func(*world) string { return "Authorization: Bearer ost_wrong\r\n" }, 401, schemas.CodeUnknownSandbox},
		"an empty token":     {func(*world) string { return "Authorization: Bearer \r\n" }, 401, schemas.CodeUnknownSandbox},
		"another scheme":     {func(w *world) string { return "Authorization: Basic " + w.box.Token + "\r\n" }, 401, schemas.CodeUnknownSandbox},
		"two tokens":         {func(w *world) string { return bearer(w.box) + bearer(w.box) }, 401, schemas.CodeUnknownSandbox},
		"a token by its id":  {func(w *world) string { w.box.ID = ""; return auth(w.box) }, 401, schemas.CodeUnknownSandbox},
		"the admin's":        {func(w *world) string { return "Authorization: Bearer " + w.g.AdminToken() + "\r\n" }, 401, schemas.CodeUnknownSandbox},
		"of two sandboxes":   {func(w *world) string { return bearer(w.another()) + auth(w.box) }, 403, schemas.CodeIdentityMismatch},
		"one right, one not": {func(w *world) string { return bearer(w.box) + "Proxy-Authorization: Basic !\r\n" }, 401, schemas.CodeUnknownSandbox},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			resp, body := w.ask("GET", bundlePath, c.fields(w), "")
			w.denied(resp, body, c.status, c.code)
			if c.status == 401 && resp.Header.Get("WWW-Authenticate") == "" {
				t.Error("no WWW-Authenticate")
			}
		})
	}
}

func (w *world) another() adminapi.CreatedSandbox {
	w.tb.Helper()
	box, err := w.g.CreateSandbox(adminapi.CreateSandbox{Policy: "other"})
	if err != nil {
		w.tb.Fatal(err)
	}
	return box
}

// Nothing else is served in origin form, however it is spelled.
func TestSandboxAPI_NothingElse(t *testing.T) {
	for _, path := range []string{
		"/", "/sandbox/v1", "/sandbox/v1/", "/sandbox/v1/bundle/", "/sandbox/v1/bundle?x=1", "/sandbox/v1/bundle#", "//sandbox/v1/bundle", "/sandbox/v1/../v1/bundle",
		"/sandbox/v1/%62undle", "/Sandbox/v1/bundle", "/sandbox/v1/records;a", "/metrics", "/v1/sandboxes", "/healthz", "/bundles/openshell",
	} {
		t.Run(path, func(t *testing.T) {
			w := newWorld(t)
			resp, body := w.ask("GET", path, bearer(w.box)+auth(w.box), "")
			w.denied(resp, body, 400, schemas.CodeBadRequest)
		})
	}
}

// In absolute form, inside a tunnel and through SOCKS the path is like any other.
func TestSandboxAPI_OnlyInOriginForm(t *testing.T) {
	w := newWorld(t)
	resp, _ := exchange(t, w.dial(), "GET", "GET http://"+w.g.ProxyAddr()+bundlePath+" HTTP/1.1\r\nHost: "+w.g.ProxyAddr()+"\r\n"+auth(w.box)+"\r\n")
	if resp.StatusCode != 403 {
		t.Errorf("absolute form: %s", resp.Status)
	}
	if resp, _ := w.inTunnel("GET", "GET "+bundlePath+" HTTP/1.1\r\nHost: "+w.api()+"\r\n"+bearer(w.box)+"\r\n"); resp.StatusCode != 403 {
		t.Errorf("in a tunnel: %s", resp.Status)
	}
	w.untouched()
}

func TestSandboxAPI_Methods(t *testing.T) {
	w := newWorld(t)
	for _, c := range [][2]string{{"POST", bundlePath}, {"GET", recordsPath}, {"PUT", recordsPath}, {"DELETE", bundlePath}, {"HEAD", bundlePath}, {"OPTIONS", recordsPath}} {
		if resp, _ := w.ask(c[0], c[1], bearer(w.box), ""); resp.StatusCode != 405 {
			t.Errorf("%s %s: %s", c[0], c[1], resp.Status)
		}
	}
}

// A shim that waits is told of a new binding and of a new policy, and is let go
// when the sandbox ends.
func TestSandboxAPI_LongPoll(t *testing.T) {
	w := newWorld(t)
	poll := func(tag string) chan *http.Response {
		c, out := w.dial(), make(chan *http.Response, 1)
		go func() {
			defer close(out) // a nil answer fails the test
			fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: g\r\n%sIf-None-Match: %s\r\nPrefer: modes=snapshot;wait=60\r\n\r\n", bundlePath, bearer(w.box), tag)
			if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
				out <- resp
			}
		}()
		return out
	}
	first, _ := w.ask("GET", bundlePath, bearer(w.box), "")
	tag := first.Header.Get("ETag")
	if resp, _ := w.ask("GET", bundlePath, bearer(w.box)+"If-None-Match: "+tag+"\r\n", ""); resp.StatusCode != 304 {
		t.Fatalf("the same again: %s", resp.Status)
	}

	waiting := poll(tag)
	changed := w.policies
	changed.rules = append(slices.Clone(changed.rules), testRule{id: "new", host: "new.test", scheme: "https", port: 443})
	w.load(changed)
	resp := <-waiting
	if resp == nil || resp.StatusCode != 200 || resp.Header.Get("ETag") == tag {
		t.Fatalf("after a reload: %v", resp)
	}

	waiting = poll(resp.Header.Get("ETag"))
	if _, err := w.admin().SetPolicy(t.Context(), w.box.ID, adminapi.SetPolicy{Policy: "other"}); err != nil {
		t.Fatal(err)
	}
	if resp = <-waiting; resp == nil || resp.StatusCode != 200 || resp.Header.Get("OpenShell-Policy") != "other" {
		t.Fatalf("after a binding: %v", resp)
	}
}

// Shims that wait do not hold up the end of the gateway, and of one sandbox no
// more than four may wait at once.
func TestSandboxAPI_DrainEndsPolls(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) { c.Limits.DrainTimeout = time.Minute })
	first, _ := w.ask("GET", bundlePath, bearer(w.box), "")
	tag := "If-None-Match: " + first.Header.Get("ETag") + "\r\n"
	done := make(chan string, 4)
	for range cap(done) {
		go func() {
			got, again := "", false
			for got == "" || strings.HasPrefix(got, "429") { // by the question below
				again = got != ""
				got = answerOf(w.g.ProxyAddr(), "GET "+bundlePath+" HTTP/1.1\r\nHost: g\r\n"+bearer(w.box)+tag+"Prefer: wait=300\r\n\r\n")
			}
			if again && got != "304 Not Modified" {
				got = "" // it came when the gateway took nobody any more
			}
			done <- got
		}()
	}
	w.wait(func() bool {
		resp, _ := w.ask("GET", bundlePath, bearer(w.box)+tag, "")
		return resp.StatusCode == 429
	})
	w.stop()
	ended := 0
	for range cap(done) {
		switch got := <-done; got {
		case "304 Not Modified":
			ended++
		case "":
		default:
			t.Errorf("answered %q, want 304", got)
		}
	}
	if ended == 0 {
		t.Error("no poll was let go")
	}
}

// answerOf sends a request and returns the answer's status, or why there is none.
func answerOf(address, raw string) string {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	if _, err := io.WriteString(c, raw); err != nil {
		return err.Error()
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err.Error()
	}
	return resp.Status
}

func TestSandboxAPI_RecordsAreTheIdentitys(t *testing.T) {
	w := newWorld(t)
	before := time.Now()
	old := report(func(r *schemas.Record) { r.Timestamp = before.Add(-24 * time.Hour) })
	ahead := report(func(r *schemas.Record) { r.Timestamp = before.Add(24 * time.Hour) })
	command := report(func(r *schemas.Record) {
		r.Input.Kind, r.Input.File = schemas.KindExec, nil
		r.Input.Exec = &schemas.ExecInput{Commands: []schemas.Command{{Program: "curl", Path: "/usr/bin/curl", Args: []string{"--oauth2-bearer", "ghp_0123456789abcdefghijklmnopqrstuvwxyz"}}}}
		*r.Result = schemas.Decision{Allow: true, Mode: schemas.ModeEnforce, Code: schemas.CodeAllowed, Rule: "baseline"}
	})
	if resp, body := w.ask("POST", recordsPath, bearer(w.box), old+"\n"+ahead+"\r\n"+command); resp.StatusCode != 204 {
		t.Fatalf("%s: %s", resp.Status, body)
	}
	all := w.reported()
	if len(all) != 3 {
		t.Fatalf("%d records kept, want 3", len(all))
	}
	for _, r := range all {
		if r.Custom.Sandbox != w.box.ID || r.Custom.Policy != "p" || r.Custom.Agent != "claude" || r.Input.Sandbox.ID != w.box.ID || r.Input.Policy != "p" || r.Result.Policy != "p" {
			t.Errorf("whose: %+v, %+v", r.Custom, r.Input.Sandbox)
		}
		if r.Labels[reports.Label] != "shim" || r.Labels["level"] != "full" || strings.Contains(fmt.Sprint(r.Labels), "forged") || r.Path != "openshell/decision" || r.Custom.Reason == "forged" {
			t.Errorf("labels %v, path %q, reason %q", r.Labels, r.Path, r.Custom.Reason)
		}
		if r.Timestamp.Before(before.Add(-time.Minute)) || r.Timestamp.After(time.Now()) {
			t.Errorf("dated %s", r.Timestamp)
		}
	}
	if args := fmt.Sprint(all[2].Input.Exec.Commands[0].Args); strings.Contains(args, "ghp_") {
		t.Errorf("a secret is in the log: %s", args)
	}
	if n := len(w.records.decisions()); n != 0 {
		t.Errorf("%d records in the gateway's own log", n)
	}
}

func TestSandboxAPI_RefusesRecords(t *testing.T) {
	w := newWorld(t)
	edit := func(fn func(*schemas.Record)) string { return report(fn) }
	for name, c := range map[string]struct {
		body, message string
		status        int
	}{
		"nothing":          {"", "line 1", 400},
		"blank lines":      {"\n\n\r\n", "line 1", 400},
		"not JSON":         {report(nil) + "{", "line 2", 400},
		"an array":         {"[" + strings.TrimSpace(report(nil)) + "]", "line 1", 400},
		"two in a line":    {strings.TrimSpace(report(nil)) + report(nil), "line 1", 400},
		"an unknown field": {`{"tenant":"a"}`, "tenant", 400},
		"network": {edit(func(r *schemas.Record) {
			r.Input.Kind, r.Input.File, r.Input.Network = schemas.KindNetwork, nil, &schemas.NetworkInput{}
		}), "file and exec", 400},
		"file and network": {edit(func(r *schemas.Record) { r.Input.Network = &schemas.NetworkInput{} }), "nothing else", 400},
		"no commands": {edit(func(r *schemas.Record) {
			r.Input.Kind, r.Input.File, r.Input.Exec = schemas.KindExec, nil, &schemas.ExecInput{}
		}), "commands", 400},
		"an outcome":      {edit(func(r *schemas.Record) { r.Custom.Type = schemas.RecordOutcome }), "custom.type", 400},
		"an admin action": {edit(func(r *schemas.Record) { r.Custom.Type = schemas.RecordAdmin }), "custom.type", 400},
		"a pruned log":    {edit(func(r *schemas.Record) { r.Custom.Type = schemas.RecordPruned }), "custom.type", 400},
		"an unknown code": {edit(func(r *schemas.Record) { r.Result.Code = "made_up" }), "made_up", 400},
		"allowed by none": {edit(func(r *schemas.Record) { r.Result.Allow = true }), "result.allow", 400},
		"no mode":         {edit(func(r *schemas.Record) { r.Result.Mode = "" }), "result.mode", 400},
		"an unknown op":   {edit(func(r *schemas.Record) { r.Input.File.Op = "sing" }), "sing", 400},
		"no id":           {edit(func(r *schemas.Record) { r.DecisionID = "../x" }), "decision_id", 400},
		"no result":       {edit(func(r *schemas.Record) { r.Result = nil }), "result", 400},
		"too much":        {strings.Repeat("\n", 1<<20) + report(nil), "at most", 413},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := w.ask("POST", recordsPath, bearer(w.box), c.body)
			if resp.StatusCode != c.status || !strings.Contains(body, c.message) {
				t.Errorf("%s: %s", resp.Status, body)
			}
		})
	}
	// A good line before a bad one is not kept either.
	if got := w.reported(); len(got) != 0 {
		t.Errorf("%d records kept, want none", len(got))
	}
	for _, fields := range []string{"Content-Encoding: gzip\r\n", "Content-Encoding: identity\r\n"} {
		if resp, _ := w.ask("POST", recordsPath, bearer(w.box)+fields, report(nil)); resp.StatusCode != 415 {
			t.Errorf("%s: %s", strings.TrimSpace(fields), resp.Status)
		}
	}
}

// A sandbox that asks too often is told so; another one is not.
func TestSandboxAPI_RateIsTheSandboxs(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	other := w.another()
	limited := 0
	for range 200 {
		resp, _ := exchange(t, c, "GET", "GET "+bundlePath+" HTTP/1.1\r\nHost: g\r\n"+bearer(w.box)+"If-None-Match: *\r\n\r\n")
		if resp.StatusCode == 429 {
			if resp.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			limited++
			break
		}
	}
	if limited == 0 {
		t.Error("200 requests at once were all served")
	}
	if resp, _ := w.ask("GET", bundlePath, bearer(other), ""); resp.StatusCode != 200 {
		t.Errorf("another sandbox: %s", resp.Status)
	}
}

// pods are sandboxes that the admin API knows nothing of.
type pods struct {
	box   adminapi.Sandbox
	token string
	at    netip.Addr
}

func (p *pods) Running(id string) (adminapi.Sandbox, bool) { return p.box, id == p.box.ID }
func (p *pods) Authenticate(id, token string) (adminapi.Sandbox, bool) {
	return p.box, token == p.token && (id == "" || strings.TrimPrefix(id, "sb-") == strings.TrimPrefix(p.box.ID, "sb-"))
}
func (p *pods) At(addr netip.Addr) (adminapi.Sandbox, bool) { return p.box, addr == p.at }
func (p *pods) List() []adminapi.Sandbox                    { return []adminapi.Sandbox{p.box} }

// A sandbox of Deps.Identities is one everywhere, and its address and token must
// agree where both are required.
func TestIdentities(t *testing.T) {
	p := &pods{token: "pod-token", at: netip.MustParseAddr("127.0.0.1"), box: adminapi.Sandbox{ID: "sb-pod001", Agent: "codex", Policy: "p", Status: adminapi.StatusRunning}}
	w := newWorld(t, func(c *gateway.Config, d *gateway.Deps) { c.Identity.Require, d.Identities = gateway.RequireBoth, p })
	mine := adminapi.CreatedSandbox{Sandbox: p.box, Token: p.token}
	ask := func(from, fields string) int {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", w.g.ProxyAddr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		resp, _ := exchange(t, c, "GET", "GET "+bundlePath+" HTTP/1.1\r\nHost: g\r\n"+fields+"\r\n")
		return resp.StatusCode
	}
	for name, c := range map[string]struct {
		from, fields string
		status       int
	}{
		"both":                       {"127.0.0.1", bearer(mine), 200},
		"both, as a proxy":           {"127.0.0.1", auth(mine), 200},
		"the address alone":          {"127.0.0.1", "", 401},
		"the token alone":            {"127.0.0.2", bearer(mine), 401},
		"the token of another":       {"127.0.0.1", bearer(w.box), 403},
		"a wrong token from the Pod": {"127.0.0.1", "Authorization: Bearer x\r\n", 401},
	} {
		if got := ask(c.from, c.fields); got != c.status {
			t.Errorf("%s: %d, want %d", name, got, c.status)
		}
	}
	w.box = mine
	if resp, _ := w.inTunnel("GET", w.get("/repos/a")); resp.StatusCode != 200 {
		t.Errorf("a request of the Pod: %s", resp.Status)
	}
	if r := w.records.decisions(); r[len(r)-1].Custom.Sandbox != "sb-pod001" {
		t.Errorf("recorded for %q", r[len(r)-1].Custom.Sandbox)
	}
	if list, err := w.admin().Sandboxes(t.Context(), false); err != nil || len(list.Sandboxes) != 2 {
		t.Errorf("listed %v, %v", list, err)
	}
	tc := w.tunnel(w.api(), "api.test")
	w.g.SandboxEnded(p.box.ID)
	if _, err := tc.Read(make([]byte, 1)); err == nil {
		t.Error("the tunnel of an ended sandbox is open")
	}
}

// The admin API shows what shims reported, and who follows it may begin before the
// first did.
func TestReportedRecordsAreRead(t *testing.T) {
	w := newWorld(t, onDisk)
	ask := func(query string) int {
		status, body := adminDo(t, w, http.MethodGet, "/v1/decisions"+query, w.g.AdminToken())
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", query, status, body)
		}
		return strings.Count(body, "\n")
	}
	if n := ask("?reported=true"); n != 0 {
		t.Errorf("%d records before the first", n)
	}
	followed := make(chan int, 1)
	go func() {
		got, _ := w.events(t, "?reported=true", "", 2)
		followed <- len(got)
	}()
	if resp, body := w.ask("POST", recordsPath, bearer(w.box), report(nil)+report(nil)); resp.StatusCode != 204 {
		t.Fatalf("%s: %s", resp.Status, body)
	}
	if n := <-followed; n != 2 {
		t.Errorf("%d records were followed", n)
	}
	for query, want := range map[string]int{
		"?reported=true": 2, "?reported=true&denied=true": 2, "?reported=true&sandbox=" + w.box.ID: 2, "?reported=true&sandbox=sb-zzzzzz": 0, "?reported=false": 0, "": 0,
	} {
		if n := ask(query); n != want {
			t.Errorf("%s: %d records, want %d", query, n, want)
		}
	}
}
