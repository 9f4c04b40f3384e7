package audit_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
)

// The test binary is also the writer that gets killed, and a zstd command.
func TestMain(m *testing.M) {
	if dir := os.Getenv("OPENSHELL_TEST_AUDIT_WRITER"); dir != "" {
		if err := writeUntilKilled(dir, os.Getenv("OPENSHELL_TEST_AUDIT_COPY")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv("OPENSHELL_TEST_AS_ZSTD") != "" {
		if err := asZstd(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// writeUntilKilled appends from many goroutines and prints each number when its
// record is on disk.
func writeUntilKilled(dir, checkpoint string) error {
	l, err := audit.Open(dir, killOptions(checkpoint))
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	failed := make(chan error, 16)
	for w := range 16 {
		wg.Go(func() {
			for i := 0; ; i++ {
				r := sample(fmt.Sprintf("/%d/%d", w, i))
				if err := l.Append(context.Background(), r); err != nil {
					failed <- err
					return
				}
				o := sample("/outcome")
				o.Custom.Type = schemas.RecordOutcome
				if err := l.Enqueue(context.Background(), o); err != nil {
					failed <- err
					return
				}
				mu.Lock()
				_, err := fmt.Println(r.Custom.Seq, r.Input.Network.Path)
				mu.Unlock()
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	return <-failed
}

func killOptions(checkpoint string) audit.Options {
	return audit.Options{Mode: audit.Strict, SegmentBytes: 96 << 10, QueueRecords: 64, CheckpointFile: checkpoint}
}

func kills(t *testing.T) int {
	if n, err := strconv.Atoi(os.Getenv("OPENSHELL_AUDIT_KILLS")); err == nil && n > 0 {
		return n
	}
	if testing.Short() {
		return 5
	}
	return 50
}

// TestKilledWriter kills a writer at random moments. Each time the log opens, has
// every record that was acknowledged, says that it was recovered, and is what its
// checkpoints say. OPENSHELL_AUDIT_KILLS sets how often.
func TestKilledWriter(t *testing.T) {
	var dir, checkpoint string
	var acked map[uint64]string
	rounds, before := kills(t), 0
	for round := range rounds {
		if round%50 == 0 { // reading all takes longer and longer
			base := t.TempDir()
			dir, checkpoint, acked = filepath.Join(base, "log"), filepath.Join(base, "copy"), map[uint64]string{}
		}
		more := killOne(t, dir, checkpoint, acked)
		if t.Failed() {
			return
		}
		l := openLog(t, dir, killOptions(checkpoint))
		if err := l.Close(); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if before += more; more > 0 && round%5 != 4 && round != rounds-1 {
			continue
		}
		checkAcked(t, dir, acked, round)
		key, err := os.ReadFile(filepath.Join(dir, "key.pub"))
		if err != nil {
			t.Fatal(err)
		}
		m := &madeLog{dir: dir}
		copied, err := os.ReadFile(checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		if r := m.verify(t, audit.Copy{Name: "copy", Text: copied}); len(r.Findings) > 0 || r.Copies != 1 {
			t.Fatalf("round %d: %+v (key %s)", round, r, key)
		}
	}
	if before < rounds {
		t.Errorf("only %d records were written in %d rounds", before, rounds)
	}
	t.Logf("%d kills, %d records acknowledged", rounds, before)
}

// killOne runs a writer for a while and returns how many records it has
// acknowledged.
func killOne(t *testing.T, dir, checkpoint string, acked map[uint64]string) int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "OPENSHELL_TEST_AUDIT_WRITER="+dir, "OPENSHELL_TEST_AUDIT_COPY="+checkpoint)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(time.Duration(rand.IntN(120))*time.Millisecond, func() { _ = cmd.Process.Kill() })
	n := 0
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			if err != io.EOF {
				t.Error(err)
			}
			break // a line without its end was not printed whole
		}
		var seq uint64
		var path string
		if _, err := fmt.Sscan(line, &seq, &path); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if old, twice := acked[seq]; twice {
			t.Fatalf("number %d was given to %s and to %s", seq, old, path)
		}
		acked[seq] = path
		n++
	}
	if err := cmd.Wait(); err == nil || stderr.Len() > 0 {
		t.Fatalf("the writer ended by itself: %v\n%s", err, stderr.String())
	}
	return n
}

func checkAcked(t *testing.T, dir string, acked map[uint64]string, round int) {
	t.Helper()
	found, recovered := 0, 0
	for _, r := range readAll(t, dir) {
		if r.Custom.Type == schemas.RecordRecovered {
			recovered++
		}
		want, ok := acked[r.Custom.Seq]
		if !ok {
			continue
		}
		if found++; r.Input == nil || r.Input.Network.Path != want {
			last := uint64(0)
			for seq := range acked {
				last = max(last, seq)
			}
			t.Fatalf("round %d: record %d is not %s but %s %+v; the last acknowledged is %d", round, r.Custom.Seq, want, r.Custom.Type, r.Custom.Recovered, last)
		}
	}
	if found != len(acked) {
		t.Fatalf("round %d: %d of %d acknowledged records are in the log", round, found, len(acked))
	}
	if recovered == 0 && len(acked) > 0 {
		t.Fatalf("round %d: no record says that the log was recovered", round)
	}
}
