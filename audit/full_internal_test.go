package audit

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/schemas"
)

// disk is a file that can be full or lose a sync.
type disk struct {
	bytes.Buffer
	room    int // -1 enough
	syncErr error
}

var errFull = errors.New("no space left on device")

func (d *disk) Write(p []byte) (int, error) {
	if d.room >= 0 && len(p) > d.room {
		n, _ := d.Buffer.Write(p[:d.room])
		return n, errFull
	}
	return d.Buffer.Write(p)
}
func (d *disk) Sync() error            { return d.syncErr }
func (d *disk) Truncate(n int64) error { d.Buffer.Truncate(int(n)); return nil }
func (d *disk) Close() error           { return nil }

func onDisk(d *disk, opts Options) *Log {
	l := &Log{file: d, sync: opts.Sync, batch: newBatch()}
	l.idle = sync.NewCond(&l.mu)
	return l
}

func TestFullDiskLeavesNoHalfLine(t *testing.T) {
	d := &disk{room: -1}
	l := onDisk(d, Options{})
	ctx := context.Background()
	for i, room := range []int{-1, 20, -1} {
		d.room = room
		err := l.Append(ctx, &schemas.Record{DecisionID: "d", Timestamp: time.Now()})
		if got := err != nil; got != (room >= 0) {
			t.Errorf("append %d: %v", i, err)
		}
	}
	n := 0
	if err := Read(&d.Buffer, func(r *schemas.Record) error { n++; return nil }); err != nil || n != 2 {
		t.Errorf("%d whole records, %v", n, err)
	}
}

func TestFailedSyncIsForGood(t *testing.T) {
	d := &disk{room: -1, syncErr: errors.New("I/O error")}
	l := onDisk(d, Options{Sync: true})
	if err := l.Append(context.Background(), &schemas.Record{}); err == nil {
		t.Error("a record that is not on disk was acknowledged")
	}
	d.syncErr = nil
	if err := l.Append(context.Background(), &schemas.Record{}); err == nil {
		t.Error("a later sync does not bring back what an earlier one lost")
	}
}
