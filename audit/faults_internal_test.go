package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/schemas"
)

var (
	errFull = errors.New("no space left on device")
	errIO   = errors.New("input/output error")
)

// badDisk is the real disk with faults that a test turns on.
type badDisk struct {
	mu       sync.Mutex
	room     int // bytes that can still be written; -1 enough
	syncs    int // syncs that fail from now on; -1 all
	truncate bool
	create   bool
	hang     chan struct{} // syncs wait until it is closed
	created  int
}

func (d *badDisk) set(change func(*badDisk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

type badFile struct {
	file
	d *badDisk
}

func (f *badFile) Write(b []byte) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.room >= 0 && len(b) > f.d.room {
		n, _ := f.file.Write(b[:f.d.room])
		f.d.room = 0
		return n, errFull
	}
	if f.d.room > 0 {
		f.d.room -= len(b)
	}
	return f.file.Write(b)
}

func (f *badFile) Datasync() error {
	f.d.mu.Lock()
	hang := f.d.hang
	fails := f.d.syncs != 0
	if f.d.syncs > 0 {
		f.d.syncs--
	}
	f.d.mu.Unlock()
	if hang != nil {
		<-hang
	}
	if fails {
		return errIO
	}
	return f.file.Datasync()
}

func (f *badFile) Truncate(n int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.truncate {
		return errIO
	}
	return f.file.Truncate(n)
}

// faulty makes the disk of a log.
type faulty struct{ *badDisk }

func (d faulty) create(path string, size int64) (file, error) {
	d.mu.Lock()
	fails := d.badDisk.create
	d.badDisk.created++
	d.mu.Unlock()
	if fails {
		return nil, errFull
	}
	f, err := realDisk{}.create(path, size)
	return &badFile{f, d.badDisk}, err
}

func (d faulty) open(path string, size int64) (file, error) {
	f, err := realDisk{}.open(path, size)
	return &badFile{f, d.badDisk}, err
}

func openFaulty(t *testing.T, opts Options) (*Log, *badDisk) {
	t.Helper()
	d := &badDisk{room: -1}
	opts.disk = faulty{d}
	l, err := Open(filepath.Join(t.TempDir(), "log"), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.set(func(d *badDisk) { d.room, d.syncs, d.truncate, d.create, d.hang = -1, 0, false, false, nil })
		l.Close()
	})
	return l, d
}

func decision(i int) *schemas.Record {
	return &schemas.Record{DecisionID: fmt.Sprint("d-", i), Timestamp: time.Now(), Custom: schemas.Custom{Type: schemas.RecordDecision}}
}

// checkLog closes the log and looks whether it holds these decisions, in this
// order, and is what it has signed.
func checkLog(t *testing.T, l *Log, want ...string) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for r, err := range Records(l.dir, Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r.DecisionID)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the log holds %v, want %v", got, want)
	}
	report, err := Verify(l.dir, VerifyOptions{Key: l.id.public})
	if err != nil || len(report.Findings) > 0 || report.Records != uint64(len(want)) || report.Torn > 0 {
		t.Errorf("%+v, %v", report, err)
	}
	again, err := Open(l.dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Append(context.Background(), decision(99)); err != nil {
		t.Error(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestFullDiskLeavesNoHalfLine(t *testing.T) {
	l, d := openFaulty(t, Options{})
	ctx := context.Background()
	for i, room := range []int{-1, 20, 0, -1, 100, -1} {
		d.set(func(d *badDisk) { d.room = room })
		err := l.Append(ctx, decision(i))
		if failed := err != nil; failed != (room >= 0) || failed && !errors.Is(err, errFull) {
			t.Errorf("append %d: %v", i, err)
		}
	}
	checkLog(t, l, "d-0", "d-3", "d-5")
}

// What was acknowledged when it was queued is written as soon as there is room,
// and until then the log takes nothing.
func TestFullDiskLosesNothingQueued(t *testing.T) {
	l, d := openFaulty(t, Options{Mode: Bounded})
	ctx := context.Background()
	d.set(func(d *badDisk) { d.room = 30 })
	for i := range 3 {
		if err := l.Append(ctx, decision(i)); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	for deadline := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		l.mu.Lock()
		err = l.failing
		l.mu.Unlock()
	}
	if !errors.Is(err, errFull) || !errors.Is(l.Append(ctx, decision(3)), errFull) || l.Depth() != 3 {
		t.Errorf("a log that cannot write takes records: %v, %d wait", err, l.Depth())
	}
	d.set(func(d *badDisk) { d.room = -1 })
	for deadline := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		err = l.Append(ctx, decision(4))
	}
	checkLog(t, l, "d-0", "d-1", "d-2", "d-4")
}

func TestCloseSaysWhatIsLost(t *testing.T) {
	l, d := openFaulty(t, Options{Mode: Bounded})
	d.set(func(d *badDisk) { d.room = 0 })
	for i := range 2 {
		if err := l.Append(context.Background(), decision(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err == nil || !strings.Contains(err.Error(), "2 audit records are lost") {
		t.Errorf("got %v", err)
	}
}

// After a failed sync nobody knows which pages the kernel has dropped.
func TestFailedSyncWritesAgainToANewFile(t *testing.T) {
	for _, truncate := range []bool{false, true} {
		t.Run(fmt.Sprint("truncate fails ", truncate), func(t *testing.T) {
			l, d := openFaulty(t, Options{})
			ctx := context.Background()
			for i := range 6 {
				d.set(func(d *badDisk) {
					d.truncate = truncate
					if d.syncs = 0; i == 2 || i == 4 {
						d.syncs = 1
					}
				})
				if err := l.Append(ctx, decision(i)); err != nil {
					t.Errorf("append %d: %v", i, err)
				}
			}
			d.set(func(d *badDisk) { d.truncate = false })
			if d.created != 3 {
				t.Errorf("%d files were made, want 3", d.created)
			}
			checkLog(t, l, "d-0", "d-1", "d-2", "d-3", "d-4", "d-5")
		})
	}
}

func TestSyncThatAlwaysFailsAcknowledgesNothing(t *testing.T) {
	l, d := openFaulty(t, Options{})
	ctx := context.Background()
	for i, syncs := range []int{0, -1, -1, 0} {
		d.set(func(d *badDisk) { d.syncs = syncs })
		if err := l.Append(ctx, decision(i)); (err != nil) != (syncs < 0) {
			t.Errorf("append %d: %v", i, err)
		}
	}
	checkLog(t, l, "d-0", "d-3")
}

func TestOverdueSync(t *testing.T) {
	for _, mode := range []Mode{Strict, Bounded} {
		t.Run(string(mode), func(t *testing.T) {
			l, d := openFaulty(t, Options{Mode: mode, Overdue: 30 * time.Millisecond})
			ctx := context.Background()
			if err := l.Append(ctx, decision(0)); err != nil {
				t.Fatal(err)
			}
			hang := make(chan struct{})
			d.set(func(d *badDisk) { d.hang = hang })
			first := l.Append(ctx, decision(1))
			if mode == Strict && !errors.Is(first, errOverdue) {
				t.Errorf("got %v", first)
			}
			for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
				if err := l.Append(ctx, decision(2)); errors.Is(err, errOverdue) {
					break
				}
			}
			if err := l.Append(ctx, decision(3)); !errors.Is(err, errOverdue) {
				t.Errorf("while the disk hangs: %v", err)
			}
			d.set(func(d *badDisk) { d.hang = nil })
			close(hang)
			err := errOverdue
			for deadline := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
				err = l.Append(ctx, decision(4))
			}
			if err != nil {
				t.Errorf("the disk answers again: %v", err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			report, err := Verify(l.dir, VerifyOptions{Key: l.id.public})
			if err != nil || len(report.Findings) > 0 {
				t.Errorf("%+v, %v", report, err)
			}
		})
	}
}

func TestNoRoomForTheNextSegment(t *testing.T) {
	l, d := openFaulty(t, Options{SegmentBytes: 1000})
	ctx := context.Background()
	var want []string
	refused := 0
	for i := range 40 {
		d.set(func(d *badDisk) { d.create = i > 10 && i < 20 })
		if err := l.Append(ctx, decision(i)); err == nil {
			want = append(want, fmt.Sprint("d-", i))
		} else if refused++; !errors.Is(err, errFull) {
			t.Errorf("append %d: %v", i, err)
		}
	}
	if refused == 0 || len(want) < 30 {
		t.Errorf("%d refused, %d written", refused, len(want))
	}
	checkLog(t, l, want...)
}

// Records that no checkpoint protects for long are not taken.
func TestNoCheckpointNoRecords(t *testing.T) {
	l, _ := openFaulty(t, Options{Overdue: 300 * time.Millisecond})
	ctx := context.Background()
	blocked := filepath.Join(l.dir, checkpointFile+tmpSuffix)
	if err := os.Mkdir(blocked, 0o700); err != nil {
		t.Fatal(err)
	}
	unsigned := func(err error) bool { return err != nil && strings.Contains(err.Error(), "sign checkpoint") }
	var err error
	for deadline := time.Now().Add(20 * time.Second); !unsigned(err) && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		err = l.Append(ctx, decision(0))
	}
	if !unsigned(err) {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		err = l.Append(ctx, decision(1))
	}
	if err != nil {
		t.Error(err)
	}
}

// A clock that is set while a log is open, or was wrong when it was opened, must
// not make retention delete what is new.
func TestRetentionByAWrongClock(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "log")
	fill := func(at time.Time, jump time.Duration) {
		t.Helper()
		l, err := Open(dir, Options{SegmentBytes: 1000, Keep: 24 * time.Hour, QueueRecords: 4, skew: jump})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 40 {
			r := decision(i)
			r.Timestamp = at
			if err := l.Append(ctx, r); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.seals.settled(ctx); err != nil {
			t.Fatal(err)
		}
		if err := l.retain(ctx); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	oldest := func() uint64 {
		t.Helper()
		segs, err := Segments(dir)
		if err != nil || len(segs) == 0 {
			t.Fatal(err)
		}
		return segs[0].First
	}
	now := time.Now()
	fill(now.Add(-48*time.Hour), -48*time.Hour)
	fill(now.Add(-48*time.Hour), 365*24*time.Hour) // the clock is a year ahead
	if got := oldest(); got != 1 {
		t.Errorf("a wrong clock has deleted records: the oldest is %d", got)
	}
	fill(now.Add(-50*time.Hour), -49*time.Hour) // and two days behind
	if got := oldest(); got != 1 {
		t.Errorf("a clock behind has deleted records: the oldest is %d", got)
	}
	fill(now, 0)
	if got := oldest(); got < 100 {
		t.Errorf("nothing expired: the oldest is %d", got)
	}
	public, err := os.ReadFile(filepath.Join(dir, publicFile))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseKey(public)
	if err != nil {
		t.Fatal(err)
	}
	report, err := Verify(dir, VerifyOptions{Key: key})
	if err != nil || len(report.Findings) > 0 || report.Expired == 0 {
		t.Errorf("%+v, %v", report, err)
	}
}
