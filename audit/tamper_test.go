package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/audit"
)

// madeLog is a closed log of several segments, with checkpoints of earlier times.
type madeLog struct {
	dir     string
	records int
	copies  map[int][]byte // checkpoints by the number of records
}

// makeLog writes a log of 1,100 records: closed segments, of which some are
// compressed, and a live one.
func makeLog(t *testing.T, opts audit.Options) *madeLog {
	t.Helper()
	m := &madeLog{dir: filepath.Join(t.TempDir(), "log"), copies: map[int][]byte{}}
	opts.SegmentBytes, opts.QueueRecords = 100<<10, 32
	for range 4 {
		l := openLog(t, m.dir, opts)
		for range 275 {
			m.records++
			r := sample(fmt.Sprintf("/records/%d", m.records))
			r.DecisionID = fmt.Sprintf("d-%d", m.records)
			if err := l.Enqueue(context.Background(), r); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		m.copies[m.records] = m.read(t, "checkpoint")
	}
	m.pack(t)
	return m
}

// pack opens the log until every closed segment is compressed.
func (m *madeLog) pack(t *testing.T) {
	t.Helper()
	l := openLog(t, m.dir, audit.Options{})
	defer l.Close()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		segs, err := audit.Segments(m.dir)
		if err != nil || time.Now().After(deadline) {
			t.Fatal("segments are not compressed", err)
		}
		if slices.IndexFunc(segs, func(s audit.Segment) bool { return !s.Compressed }) == len(segs)-1 {
			return
		}
	}
}

func (m *madeLog) read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(m.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (m *madeLog) write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (m *madeLog) remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(m.dir, name)); err != nil {
		t.Fatal(err)
	}
}

// segment returns the segment that holds a record.
func (m *madeLog) segment(t *testing.T, seq int) audit.Segment {
	t.Helper()
	segs, err := audit.Segments(m.dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(segs) - 1; i >= 0; i-- {
		if segs[i].First <= uint64(seq) {
			return segs[i]
		}
	}
	t.Fatalf("no segment holds record %d", seq)
	return audit.Segment{}
}

// edit changes the lines of the segment that holds a record; at is its index
// among them. The segment becomes a plain one.
func (m *madeLog) edit(t *testing.T, seq int, change func(lines []string, at int) []string) {
	t.Helper()
	s := m.segment(t, seq)
	var lines []string
	for e, err := range s.Entries(audit.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(e.Line))
	}
	lines = change(lines, seq-int(s.First))
	if err := os.Remove(s.Path); err != nil {
		t.Fatal(err)
	}
	plain := strings.TrimSuffix(s.Path, ".zst")
	if err := os.WriteFile(plain, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

var seqAtEnd = regexp.MustCompile(`"seq":\d+}}$`)

// renumber gives lines the numbers of their places.
func renumber(first int) func([]string) []string {
	return func(lines []string) []string {
		for i := range lines {
			lines[i] = seqAtEnd.ReplaceAllString(lines[i], `"seq":`+strconv.Itoa(first+i)+"}}")
		}
		return lines
	}
}

func (m *madeLog) verify(t *testing.T, copies ...audit.Copy) *audit.Report {
	t.Helper()
	key, err := audit.ParseKey(m.read(t, "key.pub"))
	if err != nil {
		t.Fatal(err)
	}
	report, err := audit.Verify(m.dir, audit.VerifyOptions{Key: key, Copies: copies})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func (m *madeLog) copyDir(t *testing.T) *madeLog {
	t.Helper()
	c := &madeLog{dir: filepath.Join(t.TempDir(), "log"), records: m.records, copies: m.copies}
	if err := os.CopyFS(c.dir, os.DirFS(m.dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(c.dir, "key"), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestVerifyWholeLog(t *testing.T) {
	m := makeLog(t, audit.Options{})
	var copies []audit.Copy
	for _, n := range slices.Sorted(maps.Keys(m.copies)) {
		copies = append(copies, audit.Copy{Name: fmt.Sprint(n), Text: m.copies[n]})
	}
	r := m.verify(t, copies...)
	if len(r.Findings) != 0 || r.Records != uint64(m.records) || r.Signed != uint64(m.records) || r.Unsigned != 0 || r.Copies != 4 {
		t.Errorf("%+v", r)
	}
	if r.Segments < 5 || r.Tiles != 4 || r.Sealed != r.Segments-1 {
		t.Errorf("compared too little: %+v", r)
	}
	if got := len(readAll(t, m.dir)); got != m.records {
		t.Errorf("%d records, want %d", got, m.records)
	}
}

// TestVerifyNamesWhatHappened does to a log what somebody might who wants to hide
// a record, and looks whether the first bad record and the deed are named.
func TestVerifyNamesWhatHappened(t *testing.T) {
	whole := makeLog(t, audit.Options{})
	const at, live = 301, 1090
	drop := func(n int) func([]string, int) []string {
		return func(l []string, i int) []string { return slices.Delete(l, i, i+n) }
	}
	add := func(line string) func([]string, int) []string {
		return func(l []string, i int) []string { return slices.Insert(l, i, line) }
	}
	swap := func(l []string, i int) []string { l[i], l[i+3] = l[i+3], l[i]; return l }
	change := func(l []string, i int) []string {
		l[i] = strings.Replace(l[i], "api.github.com", "api.github.org", 1)
		return l
	}
	tests := map[string]struct {
		do   func(t *testing.T, m *madeLog)
		what string
		seq  uint64
		text string
	}{
		"a byte":                     {func(t *testing.T, m *madeLog) { m.edit(t, at, change) }, audit.Changed, at, "segments/"},
		"a byte of the live segment": {func(t *testing.T, m *madeLog) { m.edit(t, live, change) }, audit.Changed, live, ""},
		"the first record":           {func(t *testing.T, m *madeLog) { m.edit(t, 1, change) }, audit.Changed, 1, ""},
		"the last record":            {func(t *testing.T, m *madeLog) { m.edit(t, m.records, change) }, audit.Changed, 1100, ""},
		"removed":                    {func(t *testing.T, m *madeLog) { m.edit(t, live, drop(1)) }, audit.Removed, live, ""},
		"several removed":            {func(t *testing.T, m *madeLog) { m.edit(t, live, drop(4)) }, audit.Removed, live, "they are missing"},
		"removed and renumbered": {func(t *testing.T, m *madeLog) {
			m.edit(t, live, func(l []string, i int) []string { return renumber(live - i)(drop(1)(l, i)) })
		}, audit.Changed, live, ""},
		"removed in a closed segment": {func(t *testing.T, m *madeLog) { m.edit(t, at, drop(1)) }, audit.Removed, at, ""},
		"inserted":                    {func(t *testing.T, m *madeLog) { m.edit(t, live, add(`{"custom":{"type":"decision","seq":1090}}`)) }, audit.Inserted, live, ""},
		"a copy inserted": {func(t *testing.T, m *madeLog) {
			m.edit(t, live, func(l []string, i int) []string { return slices.Insert(l, i, l[i-1]) })
		}, audit.Inserted, live, ""},
		"inserted in a closed segment":  {func(t *testing.T, m *madeLog) { m.edit(t, at, add(`{"custom":{"type":"decision","seq":301}}`)) }, audit.Inserted, at, ""},
		"reordered":                     {func(t *testing.T, m *madeLog) { m.edit(t, live, swap) }, audit.Reordered, live, "number 1093"},
		"reordered in a closed segment": {func(t *testing.T, m *madeLog) { m.edit(t, at, swap) }, audit.Reordered, at, "number 304"},
		"the end cut": {func(t *testing.T, m *madeLog) {
			m.edit(t, live, func(l []string, i int) []string { return l[:i] })
		}, audit.Truncated, live, "checkpoint of it is of 1100"},
		"the last segment removed": {func(t *testing.T, m *madeLog) {
			s := m.segment(t, live)
			if err := os.Remove(s.Path); err != nil {
				t.Fatal(err)
			}
		}, audit.Truncated, 0, ""},
		"the first segment removed": {func(t *testing.T, m *madeLog) {
			s := m.segment(t, 1)
			if err := os.Remove(s.Path); err != nil {
				t.Fatal(err)
			}
		}, audit.Removed, 1, "no record says that retention"},
		"a segment removed": {func(t *testing.T, m *madeLog) {
			if err := os.Remove(m.segment(t, at).Path); err != nil {
				t.Fatal(err)
			}
		}, audit.Removed, 0, "missing"},
		"segments exchanged": {func(t *testing.T, m *madeLog) {
			a, b := m.segment(t, 1).Path, m.segment(t, at).Path
			for _, r := range [][2]string{{a, a + "x"}, {b, a}, {a + "x", b}} {
				if err := os.Rename(r[0], r[1]); err != nil {
					t.Fatal(err)
				}
			}
		}, audit.Reordered, 1, "stands record"},
		"plain segments exchanged": {func(t *testing.T, m *madeLog) {
			keep := func(l []string, _ int) []string { return l }
			m.edit(t, 1, keep)
			m.edit(t, at, keep)
			a, b := m.segment(t, 1).Path, m.segment(t, at).Path
			for _, r := range [][2]string{{a, a + "x"}, {b, a}, {a + "x", b}} {
				if err := os.Rename(r[0], r[1]); err != nil {
					t.Fatal(err)
				}
			}
		}, audit.Reordered, 1, "number"},
		"all segments removed": {func(t *testing.T, m *madeLog) {
			segs, _ := audit.Segments(m.dir)
			for _, s := range segs {
				os.Remove(s.Path)
			}
		}, audit.Truncated, 1, ""},
		"a record and its tile": {func(t *testing.T, m *madeLog) {
			m.edit(t, at, change)
			retile(t, m, at)
		}, audit.Rewritten, 0, "tile/0/001 differs"},
		"a tile": {func(t *testing.T, m *madeLog) {
			b := m.read(t, "tile/0/002")
			b[77] ^= 1
			m.write(t, "tile/0/002", b)
		}, audit.BadTile, 0, "does not hold the hashes"},
		"a tile removed": {func(t *testing.T, m *madeLog) { m.remove(t, "tile/0/002") }, audit.BadTile, 0, "missing"},
		"a compressed byte": {func(t *testing.T, m *madeLog) {
			s := m.segment(t, at)
			b, err := os.ReadFile(s.Path)
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)/2] ^= 1
			os.WriteFile(s.Path, b, 0o600)
		}, "", 0, ""},
		"a compressed segment cut": {func(t *testing.T, m *madeLog) {
			s := m.segment(t, at)
			if err := os.Truncate(s.Path, 400); err != nil {
				t.Fatal(err)
			}
		}, audit.BadFile, 0, "cut short"},
		"no checkpoint":       {func(t *testing.T, m *madeLog) { m.remove(t, "checkpoint") }, audit.BadFile, 0, "missing"},
		"an older checkpoint": {func(t *testing.T, m *madeLog) { m.write(t, "checkpoint", m.copies[275]) }, audit.RolledBack, 276, "older checkpoint"},
		"a checkpoint changed": {func(t *testing.T, m *madeLog) {
			m.write(t, "checkpoint", bytes.Replace(m.read(t, "checkpoint"), []byte("\n1100\n"), []byte("\n1101\n"), 1))
		}, audit.BadFile, 0, "signature does not match"},
		"a foreign key": {func(t *testing.T, m *madeLog) {
			other := filepath.Join(t.TempDir(), "other")
			l := openLog(t, other, audit.Options{Origin: strings.SplitN(string(m.read(t, "checkpoint")), "\n", 2)[0]})
			l.Close()
			data, err := os.ReadFile(filepath.Join(other, "checkpoint"))
			if err != nil {
				t.Fatal(err)
			}
			m.write(t, "checkpoint", data)
		}, audit.BadFile, 0, "another key"},
		"another origin": {func(t *testing.T, m *madeLog) {
			other := filepath.Join(t.TempDir(), "other")
			openLog(t, other, audit.Options{Origin: "elsewhere"}).Close()
			data, err := os.ReadFile(filepath.Join(other, "checkpoint"))
			if err != nil {
				t.Fatal(err)
			}
			m.write(t, "checkpoint", data)
		}, audit.BadFile, 0, `of log "elsewhere"`},
		"lines behind a closed segment": {func(t *testing.T, m *madeLog) {
			m.edit(t, at, func(l []string, _ int) []string { return append(l, `{"custom":{"seq":9}}`) })
		}, audit.Inserted, 0, "behind its last record"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := whole.copyDir(t)
			tt.do(t, m)
			r := m.verify(t)
			if len(r.Findings) == 0 {
				t.Fatalf("nothing was found: %+v", r)
			}
			f := r.Findings[0]
			if tt.what != "" && f.What != tt.what || tt.seq != 0 && f.Seq != tt.seq || !strings.Contains(f.Detail+f.File, tt.text) {
				t.Errorf("got %+v, want %s at %d with %q", r.Findings, tt.what, tt.seq, tt.text)
			}
		})
	}
}

// retile computes the tile over a record again.
func retile(t *testing.T, m *madeLog, seq int) {
	t.Helper()
	first := (seq-1)/256*256 + 1
	var lines []string
	for e, err := range audit.Entries(m.dir, audit.Position{Seq: uint64(first)}) {
		if err != nil {
			t.Fatal(err)
		}
		if lines = append(lines, string(e.Line)); len(lines) == 256 {
			break
		}
	}
	if err := audit.WriteTile0(m.dir, int64(first/256), lines); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyAgainstCopies(t *testing.T) {
	m := makeLog(t, audit.Options{})
	old := m.copyDir(t)
	l := openLog(t, m.dir, audit.Options{})
	for range 100 {
		if err := l.Append(context.Background(), sample("/more")); err != nil {
			t.Fatal(err)
		}
	}
	l.Close()
	newest := audit.Copy{Name: "copy", Text: m.read(t, "checkpoint")}
	if r := m.verify(t, newest); len(r.Findings) != 0 || r.Copies != 1 {
		t.Errorf("%+v", r)
	}
	if r := old.verify(t, newest); len(r.Findings) != 1 || r.Findings[0].What != audit.RolledBack || r.Findings[0].Seq != 1101 {
		t.Errorf("copied back: %+v", r)
	}
	// Whoever has the key can sign another history.
	l = openLog(t, old.dir, audit.Options{})
	for range 150 {
		if err := l.Append(context.Background(), sample("/other")); err != nil {
			t.Fatal(err)
		}
	}
	l.Close()
	if r := old.verify(t); len(r.Findings) != 0 {
		t.Errorf("%+v", r)
	}
	if r := old.verify(t, newest); len(r.Findings) != 1 || r.Findings[0].What != audit.RolledBack || r.Findings[0].Last != 1200 {
		t.Errorf("another history: %+v", r)
	}
}
