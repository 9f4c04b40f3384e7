package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/openshell-policy/openshell/schemas"
)

// open takes the log's directory and continues it.
func (l *Log) open() (err error) {
	if info, err := os.Stat(l.dir); err == nil && !info.IsDir() {
		return errors.New("is a file, and a log is a folder: name another path (what reads logs still takes the file)")
	}
	if err := os.MkdirAll(filepath.Join(l.dir, segmentsDir), 0o700); err != nil {
		return err
	}
	if l.lock, err = takeLock(l.dir); err != nil {
		return err
	}
	rec := &recovery{l: l}
	if err := rec.run(); err != nil {
		l.cancel()
		if l.com.live != nil {
			_ = l.com.live.Close()
		}
		return errors.Join(err, l.lock.release(!l.lock.unclean))
	}
	return nil
}

// recovery opens a log: it finds where the records end and whether they are those
// that were signed.
type recovery struct {
	l      *Log
	checks []sizeCheck
	good   int64 // bytes of the last segment that are whole records
	found  schemas.Recovered
}

// sizeCheck is what the tree's root must be at a size.
type sizeCheck struct {
	size uint64
	root tlog.Hash
	what string
}

func (r *recovery) run() error {
	segs, err := Segments(r.l.dir)
	if err != nil {
		return err
	}
	if err := r.sweep(segs); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(r.l.dir, checkpointFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fresh := err != nil && len(segs) == 0
	if r.l.id, err = openIdentity(r.l.dir, r.l.opts.Origin, fresh); err != nil {
		return err
	}
	c := &r.l.com
	*c = committer{l: r.l, hasher: newLeafHasher(), scratch: scratch{line{b: make([]byte, 0, 4096)}}}
	c.edge.full = c.tileFull
	if fresh {
		return errors.Join(r.copied(), r.start(segs))
	}
	if text == nil {
		return fmt.Errorf("%s is missing, so nobody can tell whether records are: restore it from a copy", checkpointFile)
	}
	if err := r.signedBy(text); err != nil {
		return err
	}
	if err := r.replay(segs); err != nil {
		return err
	}
	return r.start(segs)
}

// sweep deletes what an interrupted writer left: files without their final name,
// and the plain form of segments that are compressed.
func (r *recovery) sweep(segs []Segment) error {
	tmp, err := filepath.Glob(filepath.Join(r.l.dir, segmentsDir, "*"+tmpSuffix))
	if err != nil {
		return err
	}
	for _, s := range segs {
		if s.Compressed {
			tmp = append(tmp, strings.TrimSuffix(s.Path, packedSuffix)+plainSuffix)
		}
	}
	for _, path := range tmp {
		if err := removeIfThere(path); err != nil {
			return err
		}
	}
	return nil
}

// signedBy notes what the log must be, by its last checkpoint and by the copy.
func (r *recovery) signedBy(text []byte) error {
	cp, err := ParseCheckpoint(text, r.l.id.public)
	if err != nil {
		return fmt.Errorf("%s: %w", checkpointFile, err)
	}
	r.checks = append(r.checks, sizeCheck{cp.Size, cp.Root, "its last checkpoint"})
	r.l.com.newest, r.l.com.signed = text, cp.Size
	return r.copied()
}

func (r *recovery) copied() error {
	if r.l.opts.CheckpointFile == "" {
		return nil
	}
	text, err := os.ReadFile(r.l.opts.CheckpointFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	cp, err := ParseCheckpoint(text, r.l.id.public)
	if err != nil {
		return fmt.Errorf("%s: %w", r.l.opts.CheckpointFile, err)
	}
	if len(r.checks) == 0 && cp.Size > 0 {
		return fmt.Errorf("is empty, and %s is of %d records: the log was rolled back or its folder exchanged", r.l.opts.CheckpointFile, cp.Size)
	}
	r.checks = append(r.checks, sizeCheck{cp.Size, cp.Root, "the checkpoint in " + r.l.opts.CheckpointFile})
	return nil
}

// check compares the root where the tree reaches a size that was signed.
func (r *recovery) check(size uint64, root func() tlog.Hash) error {
	for i := 0; i < len(r.checks); {
		c := r.checks[i]
		if c.size != size {
			i++
			continue
		}
		if root() != c.root {
			return fmt.Errorf("its first %d records are not those of %s: somebody has changed the log; openshell-policy audit verify %s says what", size, c.what, r.l.dir)
		}
		r.checks = slices.Delete(r.checks, i, i+1)
	}
	return nil
}

// replay rebuilds the edge of the tree from the segments that are not compressed;
// what was compressed has its tiles on disk.
func (r *recovery) replay(segs []Segment) error {
	c := &r.l.com
	i := slices.IndexFunc(segs, func(s Segment) bool { return !s.Compressed })
	if i < 0 {
		i = len(segs)
	}
	base, err := r.base(segs, i)
	if err != nil {
		return err
	}
	ts := treeReader{tiles{r.l.dir}, r.l.dir}
	if err := r.earlier(ts, base); err != nil {
		return err
	}
	edge, err := ts.edge(int64(base))
	if err != nil {
		return err
	}
	edge.full = c.tileFull
	c.edge = *edge
	if err := r.check(base, c.edge.root); err != nil {
		return err
	}
	for _, s := range segs[i:] {
		if err := r.segment(s); err != nil {
			return fmt.Errorf("%s: %w", s.Path, err)
		}
	}
	for _, late := range r.checks {
		return fmt.Errorf("ends at record %d, and %s is of %d records: the log was cut or rolled back", c.edge.size, late.what, late.size)
	}
	r.found.Unsigned = uint64(c.edge.size) - min(c.signed, uint64(c.edge.size))
	if !r.l.lock.unclean && (r.found.Unsigned > 0 || r.found.CutBytes > 0) {
		return fmt.Errorf("was closed with %d records, and holds %d and %d more bytes: somebody has added to it", c.signed, c.edge.size, r.found.CutBytes)
	}
	return nil
}

// base is the number of records before the first plain segment, which the
// checkpoint of the segment before signs.
func (r *recovery) base(segs []Segment, plain int) (base uint64, err error) {
	switch {
	case plain < len(segs):
		base = segs[plain].First - 1
	case plain > 0:
		last := segs[plain-1]
		n, err := countFrames(last)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", last.Path, err)
		}
		base = last.First - 1 + n
	}
	if base == 0 {
		return 0, nil
	}
	seals, err := readSeals(r.l.dir, r.l.id.public)
	if err != nil {
		return 0, err
	}
	for _, s := range seals {
		if s.Size == base {
			r.checks = append(r.checks, sizeCheck{base, s.Root, "the checkpoint of a closed segment"})
			return base, nil
		}
	}
	if plain == len(segs) { // the seal of the last comes with the next segment
		return base, nil
	}
	return 0, fmt.Errorf("no checkpoint of a closed segment is of %d records, and a segment begins behind them", base)
}

// earlier checks what was signed before base.
func (r *recovery) earlier(ts treeReader, base uint64) error {
	for _, c := range slices.Clone(r.checks) {
		if c.size >= base {
			continue
		}
		edge, err := ts.edge(int64(c.size))
		if errors.Is(err, errExpired) {
			r.checks = slices.DeleteFunc(r.checks, func(o sizeCheck) bool { return o == c })
			continue
		}
		if err != nil {
			return err
		}
		if err := r.check(c.size, edge.root); err != nil {
			return err
		}
	}
	return nil
}

// segment replays a segment. Only behind the last record of the last segment may
// something stand that is no record.
func (r *recovery) segment(s Segment) error {
	f, err := os.Open(s.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	c := &r.l.com
	br := bufio.NewReaderSize(f, 256<<10)
	for r.good = 0; s.Live() || uint64(c.edge.size)+1 < s.Next; {
		line, err := readLine(br)
		if err != nil && err != io.EOF && !errors.Is(err, errLong) {
			return err
		}
		next := uint64(c.edge.size) + 1
		if err != nil || !isRecord(line[:len(line)-1], next) {
			if !s.Live() {
				return fmt.Errorf("record %d is damaged, and there are later ones", next)
			}
			return r.cut(f, s, next)
		}
		r.good += int64(len(line))
		c.edge.push(c.hasher.sum(line[:len(line)-1]))
		if err := r.check(next, c.edge.root); err != nil {
			return err
		}
		if len(c.pending) >= 64 {
			if err := r.keepTiles(); err != nil {
				return err
			}
		}
	}
	return r.keepTiles()
}

// isRecord tells whether a line is the record with the number, and whole.
func isRecord(line []byte, seq uint64) bool {
	if n, ok := lineSeq(line); !ok || n != seq {
		return false
	}
	_, err := ParseFields(line)
	return err == nil
}

// cut takes off what stands behind the last whole record. It must be unsigned;
// it is kept in a file of its own.
func (r *recovery) cut(f *os.File, s Segment, next uint64) error {
	for _, c := range r.checks {
		if c.size >= next {
			return fmt.Errorf("record %d is missing or damaged, and %s is of %d records: the log was changed, cut or rolled back", next, c.what, c.size)
		}
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if r.found.CutBytes = info.Size() - r.good; r.found.CutBytes > 0 && r.l.lock.unclean {
		if err := r.keepCut(f, next); err != nil {
			return err
		}
	}
	return r.keepTiles()
}

func (r *recovery) keepCut(f *os.File, next uint64) error {
	dir := filepath.Join(r.l.dir, "cut")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	torn := make([]byte, r.found.CutBytes)
	if _, err := f.ReadAt(torn, r.good); err != nil {
		return err
	}
	name := fmt.Sprintf("%0*d-%d", seqDigits, next, time.Now().UnixNano())
	if err := replaceFile(filepath.Join(dir, name), torn); err != nil {
		return err
	}
	w, err := os.OpenFile(f.Name(), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Truncate(r.good); err != nil {
		return err
	}
	return w.Sync()
}

// keepTiles writes the tiles that are not on disk as the records say: a crash of
// the machine may have taken them.
func (r *recovery) keepTiles() error {
	c := &r.l.com
	for _, t := range c.pending {
		on, err := c.tiles().read(t.tile)
		if err == nil && slices.Equal(on, t.hashes) {
			continue
		}
		if err := c.tiles().write(t.tile, t.hashes); err != nil {
			return err
		}
	}
	c.pending = c.pending[:0]
	return nil
}

// start makes the log ready to be written to.
func (r *recovery) start(segs []Segment) error {
	l, c := r.l, &r.l.com
	if len(segs) > 0 && !segs[len(segs)-1].Compressed {
		last := segs[len(segs)-1]
		f, err := l.opts.disk.open(last.Path, max(l.opts.SegmentBytes, r.good))
		if err != nil {
			return err
		}
		c.live = &live{file: f, first: last.First, size: r.good, since: time.Now()}
	}
	for _, s := range segs {
		if !s.Live() && !s.Compressed {
			l.seals.add(s)
		}
	}
	signed := edge{size: int64(c.signed)}
	for level := 0; c.signed>>(tileHeight*level) > 0; level++ {
		if w := int(c.signed>>(tileHeight*level)) % tileWidth; w > 0 {
			c.partial = append(c.partial, tile{level, signed.size >> (tileHeight * (level + 1)), w})
		}
	}
	if l.lock.unclean {
		r.found.MayLack = uint64(l.opts.QueueRecords)
		rec := l.ownRecord(schemas.RecordRecovered)
		rec.Custom.Recovered = &r.found
		l.put(rec, nil, false)
	}
	if r.found.Unsigned > 0 {
		c.signAt = time.Now()
	}
	if c.edge.size == 0 && len(segs) == 0 {
		return c.checkpoint()
	}
	return nil
}

// ownRecord is a record that the log writes by itself.
func (l *Log) ownRecord(kind string) *schemas.Record {
	return &schemas.Record{
		Labels: l.opts.Labels, DecisionID: fmt.Sprintf("%s-%d", kind, l.clock.now().UnixNano()), Path: "openshell/" + kind,
		Timestamp: l.clock.now(), Custom: schemas.Custom{Type: kind},
	}
}

// countFrames counts the records of a compressed segment.
func countFrames(s Segment) (uint64, error) {
	f, err := os.Open(s.Path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	fr, err := newFrameReader(f)
	if err != nil {
		return 0, err
	}
	defer fr.close()
	for n := uint64(0); ; {
		h, err := fr.header()
		if err == io.EOF {
			return n, nil
		}
		if err == nil {
			err = fr.skip(h)
		}
		if err != nil {
			return 0, err
		}
		n += uint64(h.records)
	}
}
