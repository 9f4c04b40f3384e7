package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
)

// fastDir is a folder in memory, where there is one: a test that opens a log
// thousands of times would wait for the disk.
func fastDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "openshell-audit")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// smallSegment keeps a file system in memory from reserving the usual 64 MiB.
const smallSegment = 64 << 10

// crashed is a log as a crash leaves it: 20 records are signed, and some behind
// them are not.
func crashed(t *testing.T) (m *madeLog, live string, whole []byte, signed int) {
	t.Helper()
	m = &madeLog{dir: filepath.Join(fastDir(t), "log")}
	l := openLog(t, m.dir, audit.Options{SegmentBytes: smallSegment})
	for i := range 20 {
		if err := l.Append(context.Background(), sample(fmt.Sprintf("/signed/%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	l.Close()
	live = m.segment(t, 1).Path
	signed = len(m.read(t, "segments/"+filepath.Base(live)))
	checkpoint := m.read(t, "checkpoint")
	l = openLog(t, m.dir, audit.Options{SegmentBytes: smallSegment})
	for i := 0; ; i++ {
		if err := l.Append(context.Background(), sample(fmt.Sprintf("/later/%d", i))); err != nil {
			t.Fatal(err)
		}
		if whole = m.read(t, "segments/"+filepath.Base(live)); len(whole)-signed > 4096 {
			break
		}
	}
	lock := m.read(t, "lock")
	l.Close()
	m.write(t, "lock", lock)
	m.write(t, "checkpoint", checkpoint)
	return m, live, whole, signed
}

// reopen opens a log whose live segment was torn, and checks what it says.
func reopen(t *testing.T, m *madeLog, torn, whole []byte, from int) {
	t.Helper()
	keep := bytes.Count(whole[:common(torn, whole)], []byte("\n"))
	cut := len(torn) - bytes.LastIndexByte(torn[:common(torn, whole)], '\n') - 1
	l := openLog(t, m.dir, audit.Options{SegmentBytes: smallSegment})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	n := 0
	var last *schemas.Record
	for r, err := range audit.Records(m.dir, audit.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		n, last = n+1, r
	}
	if got := last.Custom.Recovered; n != keep+1 || got == nil || got.CutBytes != int64(cut) || got.Unsigned != uint64(keep-20) {
		t.Fatalf("torn at %d: %d records, want %d; the last says %+v, want %d bytes cut", from, n, keep+1, last.Custom.Recovered, cut)
	}
}

func common(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// TestTornWrites tears the last block of a log at every byte.
func TestTornWrites(t *testing.T) {
	m, live, whole, signed := crashed(t)
	lock, checkpoint := m.read(t, "lock"), m.read(t, "checkpoint")
	step := 1
	if testing.Short() {
		step = 97
	}
	tears := map[string]func(at int) []byte{
		"cut":     func(at int) []byte { return whole[:at] },
		"zeros":   func(at int) []byte { return append(bytes.Clone(whole[:at]), make([]byte, 4096)...) },
		"garbage": func(at int) []byte { return append(bytes.Clone(whole[:at]), strings.Repeat("}\n{\x00\"", 700)...) },
	}
	seen := 0
	for _, tear := range tears {
		for at := signed; at <= len(whole); at += step {
			torn := tear(at)
			if err := os.WriteFile(live, torn, 0o600); err != nil {
				t.Fatal(err)
			}
			m.write(t, "lock", lock)
			m.write(t, "checkpoint", checkpoint)
			reopen(t, m, torn, whole, at)
			seen++
		}
		if step == 1 {
			step = 13
		}
	}
	if seen < 100 {
		t.Errorf("only %d tears", seen)
	}
	if r := m.verify(t); len(r.Findings) > 0 {
		t.Errorf("%+v", r)
	}
	kept, err := os.ReadDir(filepath.Join(m.dir, "cut"))
	if err != nil || len(kept) == 0 {
		t.Errorf("what was cut is not kept: %v", err)
	}
}

// TestSignedRecordsAreNeverCut: what a checkpoint covers and is damaged was not
// torn by a crash.
func TestSignedRecordsAreNeverCut(t *testing.T) {
	m, live, whole, signed := crashed(t)
	checkpoint := m.read(t, "checkpoint")
	for name, damaged := range map[string][]byte{
		"cut":           whole[:signed-1],
		"cut to a line": whole[:bytes.LastIndexByte(whole[:signed-1], '\n')+1],
		"empty":         nil,
		"a byte":        bytes.Replace(whole, []byte("/signed/7"), []byte("/signed/8"), 1),
		"no JSON":       bytes.Replace(whole, []byte(`{"labels"`), []byte(`["labels"`), 1),
		"exchanged":     bytes.Replace(whole, []byte(`"seq":3}`), []byte(`"seq":4}`), 1),
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(live, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			m.write(t, "checkpoint", checkpoint)
			if l, err := audit.Open(m.dir, audit.Options{}); err == nil {
				l.Close()
				t.Fatal("the log was opened")
			} else if !strings.Contains(err.Error(), "checkpoint") {
				t.Errorf("got %v", err)
			}
			if after, err := os.ReadFile(live); err != nil || !bytes.Equal(after, damaged) {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	whole := makeLog(t, audit.Options{})
	elsewhere := func(t *testing.T, text []byte) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "copy")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, tt := range map[string]struct {
		do   func(t *testing.T, m *madeLog) audit.Options
		want string
	}{
		"no checkpoint": {func(t *testing.T, m *madeLog) audit.Options { m.remove(t, "checkpoint"); return audit.Options{} }, "checkpoint is missing"},
		"no key":        {func(t *testing.T, m *madeLog) audit.Options { m.remove(t, "key"); return audit.Options{} }, "key is missing"},
		"another origin": {func(*testing.T, *madeLog) audit.Options {
			return audit.Options{Origin: "another"}
		}, `not "another"`},
		"a key that others read": {func(t *testing.T, m *madeLog) audit.Options {
			if err := os.Chmod(filepath.Join(m.dir, "key"), 0o644); err != nil {
				t.Fatal(err)
			}
			return audit.Options{}
		}, "chmod 600"},
		"an older folder": {func(t *testing.T, m *madeLog) audit.Options {
			other := m.copyDir(t)
			l := openLog(t, other.dir, audit.Options{})
			if err := l.Append(context.Background(), sample("/more")); err != nil {
				t.Fatal(err)
			}
			l.Close()
			return audit.Options{CheckpointFile: elsewhere(t, other.read(t, "checkpoint"))}
		}, "rolled back"},
		"another history": {func(t *testing.T, m *madeLog) audit.Options {
			other := m.copyDir(t)
			for _, m := range []*madeLog{m, other} {
				l := openLog(t, m.dir, audit.Options{})
				if err := l.Append(context.Background(), sample(m.dir)); err != nil {
					t.Fatal(err)
				}
				l.Close()
			}
			return audit.Options{CheckpointFile: elsewhere(t, other.read(t, "checkpoint"))}
		}, "somebody has changed the log"},
		"an older history that was another": {func(t *testing.T, m *madeLog) audit.Options {
			other := m.copyDir(t)
			for i, m := range []*madeLog{m, other} {
				l := openLog(t, m.dir, audit.Options{})
				for range 3 - 2*i {
					if err := l.Append(context.Background(), sample(m.dir)); err != nil {
						t.Fatal(err)
					}
				}
				l.Close()
			}
			return audit.Options{CheckpointFile: elsewhere(t, other.read(t, "checkpoint"))}
		}, "somebody has changed the log"},
		"an empty folder": {func(t *testing.T, m *madeLog) audit.Options {
			text := m.read(t, "checkpoint")
			if err := os.RemoveAll(m.dir); err != nil {
				t.Fatal(err)
			}
			return audit.Options{CheckpointFile: elsewhere(t, text)}
		}, "checkpoint is of log"},
		"no live segment": {func(t *testing.T, m *madeLog) audit.Options {
			if err := os.Remove(m.segment(t, m.records).Path); err != nil {
				t.Fatal(err)
			}
			return audit.Options{}
		}, "rolled back"},
		"a seal removed": {func(t *testing.T, m *madeLog) audit.Options {
			segs, err := audit.Segments(m.dir)
			if err != nil {
				t.Fatal(err)
			}
			m.remove(t, fmt.Sprintf("segments/%020d.checkpoint", segs[len(segs)-2].First))
			return audit.Options{}
		}, "no checkpoint of a closed segment"},
	} {
		t.Run(name, func(t *testing.T) {
			m := whole.copyDir(t)
			l, err := audit.Open(m.dir, tt.do(t, m))
			if err == nil {
				l.Close()
				t.Fatal("the log was opened")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestTwoWriters(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, audit.Options{})
	if _, err := audit.Open(dir, audit.Options{}); !audit.IsLocked(err) || !strings.Contains(err.Error(), fmt.Sprint("pid ", os.Getpid())) {
		t.Errorf("got %v", err)
	}
	if err := l.Append(context.Background(), sample("/x")); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	openLog(t, dir, audit.Options{}).Close()
	if got := readAll(t, dir); len(got) != 1 {
		t.Errorf("%d records; a second writer counts as a crash", len(got))
	}
}
