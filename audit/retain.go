package audit

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/openshell-policy/openshell/schemas"
)

// PruneOptions say which records are deleted: whole closed segments, oldest
// first.
type PruneOptions struct {
	Before   time.Time // segments whose records are all from before; zero none
	MaxBytes int64     // the oldest while the log takes more than this; 0 none
	DryRun   bool      // delete nothing
	reason   string
}

// PruneReport says what Prune did.
type PruneReport struct {
	Through  uint64 // number of the last record that is gone; 0 none
	Records  uint64
	Segments int
	Bytes    int64 // on disk
}

// Prune deletes expired segments. A record that says so is on disk before
// anything is deleted, so that nobody can pass off another deletion as one by
// retention. The checkpoints of the segments and the tree above their records are
// kept.
func (l *Log) Prune(ctx context.Context, opts PruneOptions) (PruneReport, error) {
	opts.reason = "command"
	if err := l.seals.settled(ctx); err != nil {
		return PruneReport{}, err
	}
	return l.prune(ctx, opts)
}

func (l *Log) prune(ctx context.Context, opts PruneOptions) (PruneReport, error) {
	expired, report, err := l.expired(opts)
	if err != nil || len(expired) == 0 || opts.DryRun {
		return report, err
	}
	rec := l.ownRecord(schemas.RecordPruned)
	rec.Custom.Pruned = &schemas.Pruned{Through: report.Through, Reason: opts.reason}
	if err := l.appendOwn(ctx, rec); err != nil {
		return PruneReport{}, err
	}
	for _, s := range expired {
		if err := l.delete(s); err != nil {
			return PruneReport{}, err
		}
	}
	return report, l.deleteTiles(expired[0].First, report.Through)
}

// appendOwn waits until a record is on disk, whatever the mode.
func (l *Log) appendOwn(ctx context.Context, r *schemas.Record) error {
	line, err := l.encode(ctx, new(scratch), r)
	if err != nil {
		return err
	}
	return l.appendLine(ctx, r, line)
}

// expired lists the segments to delete.
func (l *Log) expired(opts PruneOptions) ([]Segment, PruneReport, error) {
	var report PruneReport
	segs, err := Segments(l.dir)
	if err != nil {
		return nil, report, err
	}
	total := int64(0)
	if opts.MaxBytes > 0 {
		if total, err = diskUse(l.dir); err != nil {
			return nil, report, err
		}
	}
	for i, s := range segs {
		if s.Live() || !s.Compressed {
			return segs[:i], report, nil
		}
		size := segmentUse(l.dir, s)
		gone := opts.MaxBytes > 0 && total > opts.MaxBytes
		if !gone && !opts.Before.IsZero() {
			r, err := readRollup(filepath.Dir(s.Path), s)
			if errors.Is(err, fs.ErrNotExist) {
				r, err = countSegment(s)
			}
			if err != nil {
				return nil, report, err
			}
			gone = r.To.Before(opts.Before)
		}
		if !gone {
			return segs[:i], report, nil
		}
		total -= size
		report = PruneReport{s.Next - 1, report.Records + s.Next - s.First, report.Segments + 1, report.Bytes + size}
	}
	return segs, report, nil
}

// segmentUse is what deleting a segment gives back, the tiles over its records
// included.
func segmentUse(dir string, s Segment) int64 {
	n := int64(s.Next-s.First) * 32
	for _, suffix := range []string{packedSuffix, rollupSuffix} {
		if info, err := os.Stat(segmentFile(dir, s.First, suffix)); err == nil {
			n += info.Size()
		}
	}
	return n
}

func diskUse(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return ignoreGone(err)
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return ignoreGone(err)
	})
	return total, err
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (l *Log) delete(s Segment) error {
	return errors.Join(
		removeIfThere(segmentFile(l.dir, s.First, rollupSuffix)),
		removeIfThere(segmentFile(l.dir, s.First, packedSuffix)),
	)
}

// deleteTiles deletes the lowest tiles over records [first, through], but those
// in which a segment ended: a checkpoint was signed there.
func (l *Log) deleteTiles(first, through uint64) error {
	seals, err := readSeals(l.dir, l.id.public)
	if err != nil {
		return err
	}
	kept := map[int64]bool{}
	for _, s := range seals {
		if s.Size%tileWidth != 0 {
			kept[int64(s.Size)>>tileHeight] = true
		}
	}
	for n := int64(first-1) >> tileHeight; n < int64(through)>>tileHeight; n++ {
		if !kept[n] {
			if err := (tiles{l.dir}).remove(tile{0, n, tileWidth}); err != nil {
				return err
			}
		}
	}
	return nil
}

// retain deletes what Options say. Age is measured by a clock that nobody sets
// while the process runs. A clock that has been wrong when it started must not
// delete everything: where even the newest record seems to have expired, nothing
// is deleted by age until something was recorded at the present time.
func (l *Log) retain(ctx context.Context) error {
	if l.opts.MaxBytes > 0 {
		if _, err := l.prune(ctx, PruneOptions{MaxBytes: l.opts.MaxBytes, reason: "size"}); err != nil {
			return err
		}
	}
	if l.opts.Keep <= 0 {
		return nil
	}
	before := l.clock.now().Add(-l.opts.Keep)
	newest, err := l.newestClosed()
	if err != nil || newest.Before(before) {
		return err
	}
	_, err = l.prune(ctx, PruneOptions{Before: before, reason: "age"})
	return err
}

// newestClosed is the latest time of a record in the newest closed segment.
func (l *Log) newestClosed() (time.Time, error) {
	segs, err := Segments(l.dir)
	if err != nil {
		return time.Time{}, err
	}
	for i := len(segs) - 1; i >= 0; i-- {
		if !segs[i].Live() && segs[i].Compressed {
			r, err := readRollup(filepath.Dir(segs[i].Path), segs[i])
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return time.Time{}, err
			}
			return r.To, nil
		}
	}
	return time.Time{}, nil
}
