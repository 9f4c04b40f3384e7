package audit

import (
	"errors"
	"path/filepath"
	"time"
)

// live is the segment that is being written.
type live struct {
	file
	first  uint64
	size   int64 // bytes that are durable
	since  time.Time
	broken bool // it is not known any more what the file holds behind size
}

// close gives back the room that was reserved.
func (v *live) close() error {
	return errors.Join(v.Truncate(v.size), v.Close())
}

// write appends lines to the live segment and makes them durable. After a failed
// sync it is not known which pages the kernel has thrown away, and a second sync
// would not tell: the lines are written again, to a new file.
func (c *committer) write(lines []byte) error {
	if c.mustRotate(len(lines)) {
		if err := c.rotate(); err != nil {
			return err
		}
	}
	v := c.live
	if _, err := v.Write(lines); err != nil {
		v.broken = v.Truncate(v.size) != nil
		return err
	}
	first := v.Datasync()
	if first == nil {
		v.size += int64(len(lines))
		return nil
	}
	c.l.opts.Report(first)
	v.broken = true
	if err := c.rotate(); err != nil {
		return errors.Join(first, err)
	}
	return c.rewrite(lines)
}

// rewrite is write to a file that nothing was written to.
func (c *committer) rewrite(lines []byte) error {
	v := c.live
	_, err := v.Write(lines)
	if err == nil {
		err = v.Datasync()
	}
	if v.broken = err != nil; v.broken {
		return err
	}
	v.size = int64(len(lines))
	return nil
}

func (c *committer) mustRotate(more int) bool {
	v := c.live
	if v == nil || v.broken {
		return true
	}
	return v.size > 0 && (v.size+int64(more) > c.l.opts.SegmentBytes || time.Since(v.since) >= c.l.opts.RotateAfter)
}

// rotate closes the live segment, with a checkpoint that is kept for ever, and
// begins the next one. On an error the one before stays.
func (c *committer) rotate() error {
	next := uint64(c.edge.size) + 1
	old := c.live
	if old != nil && next > old.first {
		if err := c.seal(old); err != nil {
			return err
		}
	} else if old != nil { // nothing in it was acknowledged
		if err := removeIfThere(segmentFile(c.l.dir, old.first, plainSuffix)); err != nil {
			return err
		}
	}
	if err := c.begin(next); err != nil {
		return err
	}
	if old != nil {
		_ = old.close() // what counts in it is durable
		if next > old.first {
			c.l.seals.add(Segment{First: old.first, Next: next, Path: segmentFile(c.l.dir, old.first, plainSuffix)})
		}
	}
	return nil
}

func (c *committer) seal(old *live) error {
	if err := c.checkpoint(); err != nil {
		return err
	}
	cp := Checkpoint{Origin: c.l.id.signer.Name(), Size: uint64(c.edge.size), Root: c.edge.root()}
	text, err := cp.sign(c.l.id.signer)
	if err != nil {
		return err
	}
	return replaceFile(segmentFile(c.l.dir, old.first, sealSuffix), text)
}

// begin makes a new live segment. A file of its name can only be left of an
// earlier try.
func (c *committer) begin(first uint64) error {
	path := segmentFile(c.l.dir, first, plainSuffix)
	if err := removeIfThere(path); err != nil {
		return err
	}
	f, err := c.l.opts.disk.create(path, c.l.opts.SegmentBytes)
	if err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return errors.Join(err, f.Close())
	}
	c.live = &live{file: f, first: first, since: time.Now()}
	return nil
}
