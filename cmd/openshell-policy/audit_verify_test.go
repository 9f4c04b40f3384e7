package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/schemas"
)

// writeLog makes a log of 600 records that are two days old, most of them in
// closed segments.
func writeLog(t *testing.T, dir string) {
	t.Helper()
	l, err := audit.Open(dir, audit.Options{Origin: "gw-0.example", SegmentBytes: 50 << 10, QueueRecords: 64})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-48 * time.Hour)
	for i := range 600 {
		r := &schemas.Record{
			DecisionID: fmt.Sprintf("d-%d", i+1), Path: "openshell/decision", Timestamp: at.Add(time.Duration(i) * time.Second),
			Input:  &schemas.DecisionInput{Kind: schemas.KindNetwork, Network: &schemas.NetworkInput{Host: "api.github.com", Method: "GET", Path: fmt.Sprintf("/%d", i)}},
			Result: &schemas.Decision{Allow: true, Code: schemas.CodeAllowed},
			Custom: schemas.Custom{Type: schemas.RecordDecision, Sandbox: "sb-a1b2c3", Code: schemas.CodeAllowed},
		}
		if err := l.Enqueue(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// command runs openshell-policy and returns its exit status and both outputs.
func command(stdin string, args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&errs)
	status = cli.Run(context.Background(), root)
	return status, out.String(), errs.String()
}

func TestAuditVerify(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "audit")
	writeLog(t, whole)
	other := filepath.Join(t.TempDir(), "other")
	writeLog(t, other)
	secondKey, err := os.ReadFile(filepath.Join(other, "key.pub"))
	if err != nil {
		t.Fatal(err)
	}
	edit := func(old, changed string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			segs, err := audit.Segments(dir)
			if err != nil || len(segs) == 0 {
				t.Fatal(err)
			}
			path := segs[len(segs)-1].Path
			data, err := os.ReadFile(path)
			if err != nil || !bytes.Contains(data, []byte(old)) {
				t.Fatalf("%q is not in %s: %v", old, path, err)
			}
			if err := os.WriteFile(path, bytes.Replace(data, []byte(old), []byte(changed), 1), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, tt := range map[string]struct {
		do     func(t *testing.T, dir string)
		args   []string
		status int
		want   []string
	}{
		"intact":          {nil, nil, 0, []string{"log gw-0.example: 600 records (1 to 600), signed up to 600", "intact\n", "note: the key is the log's own"}},
		"json":            {nil, []string{"-o", "json"}, 0, []string{`"records": 600`, `"findings": null`}},
		"changed":         {edit(`"path":"/599"`, `"path":"/598"`), nil, 1, []string{"OSP7001: record 600 changed", "segments/", "NOT intact"}},
		"foreign key":     {nil, []string{"--key", string(secondKey)}, 1, []string{"OSP7009", "another key"}},
		"no key":          {nil, []string{"--key", "nowhere"}, 2, []string{"hint: a log's public key is the file key.pub"}},
		"copy ahead":      {nil, []string{"--checkpoint", filepath.Join(other, "checkpoint")}, 1, []string{"OSP7009", "another key"}},
		"no copy":         {nil, []string{"--checkpoint", "nowhere"}, 2, []string{"nowhere"}},
		"unreadable":      {func(t *testing.T, dir string) { mustRemoveAll(t, filepath.Join(dir, "segments")) }, nil, 2, []string{"segments"}},
		"missing tile":    {func(t *testing.T, dir string) { mustRemoveAll(t, filepath.Join(dir, "tile/0/001")) }, nil, 1, []string{"tile/0/001: OSP7008"}},
		"no checkpoint":   {func(t *testing.T, dir string) { mustRemoveAll(t, filepath.Join(dir, "checkpoint")) }, nil, 1, []string{"checkpoint: OSP7009"}},
		"corrupt segment": {corruptFirst, nil, 1, []string{"segments/00000000000000000001.ndjson.zst: OSP7009: record 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "audit")
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			if tt.do != nil {
				tt.do(t, dir)
			}
			status, stdout, stderr := command("", append([]string{"audit", "verify", dir}, tt.args...)...)
			if status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
			for _, want := range tt.want {
				if !strings.Contains(stdout+stderr, want) {
					t.Errorf("got\n%s%s\nwithout %q", stdout, stderr, want)
				}
			}
		})
	}
}

func mustRemoveAll(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// corruptFirst changes the compressed bytes of the first segment.
func corruptFirst(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, "segments", "00000000000000000001.ndjson.zst")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 48; i < 64; i++ { // behind the header of the first frame
		data[i] ^= 0x5a
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAuditProve(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	writeLog(t, dir)
	key := filepath.Join(dir, "key.pub")
	for _, record := range [][]string{{"--seq", "1"}, {"--seq", "600"}, {"--seq", "257"}, {"--decision", "d-300"}} {
		status, proof, stderr := command("", append([]string{"audit", "prove", dir}, record...)...)
		if status != 0 {
			t.Fatalf("%v: status %d: %s", record, status, stderr)
		}
		status, stdout, stderr := command(proof, "audit", "verify-proof", "-", "--key", key)
		if status != 0 || !strings.Contains(stderr, "of log gw-0.example, by its checkpoint of 600 records") {
			t.Errorf("%v: status %d: %s", record, status, stderr)
		}
		if record[0] == "--decision" && !strings.Contains(stdout, `"decision_id":"d-300"`) {
			t.Errorf("got %s", stdout)
		}
		for i := 0; i < len(proof); i += 43 {
			forged := []byte(proof)
			forged[i] ^= 4
			if status, _, _ := command(string(forged), "audit", "verify-proof", "-", "--key", key); status != 1 {
				t.Fatalf("%v: byte %d changed: status %d", record, i, status)
			}
		}
	}
	for name, args := range map[string][]string{"future": {"--seq", "601"}, "unknown": {"--decision", "x"}} {
		if status, _, stderr := command("", append([]string{"audit", "prove", dir}, args...)...); status != 1 || !strings.Contains(stderr, "hint:") {
			t.Errorf("%s: status %d: %s", name, status, stderr)
		}
	}
	if status, _, _ := command("", "audit", "prove", dir); status != 2 {
		t.Errorf("no record: status %d", status)
	}
	if status, _, _ := command("", "audit", "verify-proof", "-"); status != 2 {
		t.Errorf("no key: status %d", status)
	}
}

func TestAuditPrune(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	writeLog(t, dir)
	old, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.WriteFile(copied, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := command("", "audit", "prune", dir); status != 2 {
		t.Errorf("nothing asked for: status %d", status)
	}
	status, stdout, stderr := command("", "audit", "prune", dir, "--keep", "1d", "--dry-run")
	if status != 0 || !strings.HasPrefix(stdout, "would have deleted") {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	if status, stdout, stderr = command("", "audit", "prune", dir, "--keep", "1d"); status != 0 || strings.Contains(stdout, "deleted 0") {
		t.Fatalf("status %d: %s%s", status, stdout, stderr)
	}
	status, stdout, stderr = command("", "audit", "verify", dir, "--checkpoint", copied)
	if status != 0 || !strings.Contains(stdout, "deleted by retention") || !strings.Contains(stdout, "1 copy") {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
	if status, stdout, _ = command("", "audit", "prune", dir, "--keep", "1d"); status != 0 || !strings.HasPrefix(stdout, "deleted 0") {
		t.Errorf("again: status %d: %s", status, stdout)
	}
	l, err := audit.Open(dir, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if status, _, stderr = command("", "audit", "prune", dir, "--keep", "1d"); status != 2 || !strings.Contains(stderr, "another process") {
		t.Errorf("while it is written: status %d: %s", status, stderr)
	}
}
