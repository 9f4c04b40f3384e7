package audit

import (
	"errors"
	"time"
)

// Mode says when Append returns.
type Mode string

const (
	// Strict is when the record is on disk. The zero Mode is Strict.
	Strict Mode = "strict"
	// Bounded is when the record is queued. What is queued, at most
	// Options.QueueRecords records, is lost when the process or the machine
	// stops without Close. Append waits while the queue is full.
	Bounded Mode = "bounded"
)

// The defaults of Options.
const (
	DefaultSegmentBytes = 64 << 20
	DefaultRotateAfter  = time.Hour
	DefaultQueueRecords = 8192
	DefaultKeep         = 30 * 24 * time.Hour
	DefaultOverdue      = 10 * time.Second
)

// Options tune a Log. The zero value is a strict log that keeps everything.
type Options struct {
	Mode Mode
	// Origin is the log's identity, unique among all logs that are read together;
	// neither spaces nor + are in it. "" keeps the one it has; a new log is named
	// by its machine and at random.
	Origin string
	// Labels are of the records that the log itself writes.
	Labels map[string]string
	// Rules mask what the default rules do not; see MaskRecord.
	Rules MaskRules

	// SegmentBytes and RotateAfter say when a segment is closed: by its size
	// before compression, or by its age.
	SegmentBytes int64
	RotateAfter  time.Duration
	// Keep and MaxBytes bound what is kept: closed segments that are older, or the
	// oldest ones while the log takes more room on disk, are deleted. 0 is no
	// bound. Checkpoints and the upper part of the tree are kept for ever.
	Keep     time.Duration
	MaxBytes int64

	// QueueRecords bounds the records that wait to be written.
	QueueRecords int
	// Overdue is how long a write or sync may take before Append fails.
	Overdue time.Duration

	// CheckpointFile is a path, best on another machine's disk, to which every
	// checkpoint is copied. Open compares the log with it, and refuses one that
	// was rolled back. CheckpointURL gets every checkpoint by POST.
	CheckpointFile string
	CheckpointURL  string

	// Report, if not nil, is told of what went wrong where no caller waits: a
	// checkpoint that was not copied, a segment that was not compressed, mask
	// rules that failed. It must not block.
	Report func(error)

	disk disk          // nil: the real one; tests break it
	skew time.Duration // of the machine's clock; tests set it wrong
}

func (o Options) withDefaults() (Options, error) {
	switch o.Mode {
	case "":
		o.Mode = Strict
	case Strict, Bounded:
	default:
		return o, errors.New("audit mode must be strict or bounded")
	}
	o.SegmentBytes = orDefault(o.SegmentBytes, DefaultSegmentBytes)
	o.RotateAfter = orDefault(o.RotateAfter, DefaultRotateAfter)
	o.QueueRecords = orDefault(o.QueueRecords, DefaultQueueRecords)
	o.Overdue = orDefault(o.Overdue, DefaultOverdue)
	if o.Report == nil {
		o.Report = func(error) {}
	}
	if o.disk == nil {
		o.disk = realDisk{}
	}
	return o, nil
}

func orDefault[T int | int64 | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}
