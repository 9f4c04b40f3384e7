package audit_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
)

var update = flag.Bool("update", false, "make the test vectors again")

// The test vectors of docs/audit-format.md.
const (
	vectorLog   = "testdata/log"
	vectorProof = "testdata/proof.tlog-proof"
)

// makeVectors writes a log as the document describes it: the first segment has
// expired, further ones are compressed, the last is plain.
func makeVectors(t *testing.T) {
	t.Helper()
	m := &madeLog{dir: filepath.Join(t.TempDir(), "log")}
	opts := audit.Options{Origin: "openshell/example/0a1b2c3d", SegmentBytes: 150 << 10, QueueRecords: 16, Labels: map[string]string{"id": "gw-0"}}
	l := openLog(t, m.dir, opts)
	start := time.Date(2026, 3, 24, 10, 31, 2, 0, time.UTC)
	prune := func() {
		if _, err := l.Prune(context.Background(), audit.PruneOptions{Before: start.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 699 {
		r := sample(fmt.Sprintf("/repos/org/app/%d", i+1))
		r.DecisionID, r.Timestamp = fmt.Sprintf("d-%d", i+1), start.Add(time.Duration(i)*time.Second)
		if i >= 240 {
			r.Timestamp = r.Timestamp.Add(24 * time.Hour)
		}
		if i%7 == 3 {
			r.Result = &schemas.Decision{Mode: schemas.ModeEnforce, Code: schemas.CodeMethodNotAllowed}
			r.Custom.Code = schemas.CodeMethodNotAllowed
		}
		if err := l.Append(context.Background(), r); err != nil {
			t.Fatal(err)
		}
		if i == 660 {
			prune()
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"key", "lock"} {
		m.remove(t, name)
	}
	if err := os.RemoveAll(vectorLog); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(vectorLog, os.DirFS(m.dir)); err != nil {
		t.Fatal(err)
	}
	key, err := audit.ParseKey(m.read(t, "key.pub"))
	if err != nil {
		t.Fatal(err)
	}
	proof, err := audit.Prove(m.dir, 600, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorProof, proof.Format(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// verifyPy runs the verifier that was written from the document alone.
func verifyPy(t *testing.T, args ...string) (status int, output string) {
	t.Helper()
	cmd := exec.Command("python3", append([]string{"testdata/verify.py"}, args...)...)
	cmd.Env = append(os.Environ(), "ZSTD="+os.Args[0], "OPENSHELL_TEST_AS_ZSTD=1")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// asZstd is the test binary as the command that decodes a frame.
func asZstd() error {
	dec, err := zstd.NewReader(os.Stdin)
	if err != nil {
		return err
	}
	_, err = dec.WriteTo(os.Stdout)
	return err
}

func TestVectors(t *testing.T) {
	if *update {
		makeVectors(t)
	}
	m := &madeLog{dir: vectorLog}
	r := m.verify(t)
	if len(r.Findings) > 0 || r.First == 1 || r.Expired != r.First-1 || r.First+r.Records-1 != 700 || r.Segments != 3 {
		t.Errorf("%+v", r)
	}
	key := filepath.Join(vectorLog, "key.pub")
	status, out := verifyPy(t, vectorLog, key)
	if want := fmt.Sprintf("records %d to 700, signed up to 700; 4 checkpoints", r.First); status != 0 || !strings.Contains(out, want) {
		t.Errorf("status %d: %s, want %s", status, out, want)
	}
	proof, err := os.ReadFile(vectorProof)
	if err != nil {
		t.Fatal(err)
	}
	public, err := audit.ParseKey(m.read(t, "key.pub"))
	if err != nil {
		t.Fatal(err)
	}
	if p, cp, err := audit.CheckProof(proof, public); err != nil || p.Seq != 600 || cp.Size != 700 {
		t.Errorf("%+v %+v %v", p, cp, err)
	}
	if status, out := verifyPy(t, "--proof", vectorProof, key); status != 0 || !strings.Contains(out, "proved: record 600") {
		t.Errorf("status %d: %s", status, out)
	}
}

// TestTwoVerifiersAgree holds both verifiers to the same answer for logs that were
// tampered with.
func TestTwoVerifiersAgree(t *testing.T) {
	whole := makeLog(t, audit.Options{})
	change := func(l []string, i int) []string {
		l[i] = strings.Replace(l[i], "api.github.com", "api.github.org", 1)
		return l
	}
	cases := map[string]func(t *testing.T, m *madeLog){
		"":              func(*testing.T, *madeLog) {},
		"changed":       func(t *testing.T, m *madeLog) { m.edit(t, 700, change) },
		"changed, live": func(t *testing.T, m *madeLog) { m.edit(t, 1099, change) },
		"removed": func(t *testing.T, m *madeLog) {
			m.edit(t, 700, func(l []string, i int) []string { return append(l[:i], l[i+1:]...) })
		},
		"cut": func(t *testing.T, m *madeLog) { m.edit(t, 1099, func(l []string, i int) []string { return l[:i] }) },
		"behind": func(t *testing.T, m *madeLog) {
			m.edit(t, 700, func(l []string, _ int) []string { return append(l, "{}") })
		},
		"first removed":    func(t *testing.T, m *madeLog) { os.Remove(m.segment(t, 1).Path) },
		"older checkpoint": func(t *testing.T, m *madeLog) { m.write(t, "checkpoint", m.copies[275]) },
		"forged checkpoint": func(t *testing.T, m *madeLog) {
			m.write(t, "checkpoint", bytes.Replace(m.read(t, "checkpoint"), []byte("\n1100\n"), []byte("\n1099\n"), 1))
		},
		"tile": func(t *testing.T, m *madeLog) { m.remove(t, "tile/0/002") },
		"tile changed": func(t *testing.T, m *madeLog) {
			b := m.read(t, "tile/0/001")
			b[9] ^= 1
			m.write(t, "tile/0/001", b)
		},
		"seal changed": func(t *testing.T, m *madeLog) {
			name := fmt.Sprintf("segments/%020d.checkpoint", m.segment(t, 1).First)
			m.write(t, name, append(m.read(t, name), 'x'))
		},
	}
	names := slices.Sorted(maps.Keys(cases))
	if testing.Short() {
		names = names[:4]
	}
	for _, name := range names {
		do := cases[name]
		t.Run(name, func(t *testing.T) {
			m := whole.copyDir(t)
			do(t, m)
			ours := len(m.verify(t).Findings) > 0
			status, out := verifyPy(t, m.dir, filepath.Join(m.dir, "key.pub"))
			if theirs := status == 1; status > 1 || ours != theirs || ours != (name != "") {
				t.Errorf("ours %v; theirs %d: %s", ours, status, out)
			}
		})
	}
}
