package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
)

// pruneEvery is how often retention looks at the log, besides whenever a segment
// was closed.
const pruneEvery = time.Hour

// sealer compresses closed segments and deletes expired ones, beside the
// committer.
type sealer struct {
	mu    sync.Mutex
	queue []Segment
	wake  chan struct{}
	done  chan struct{}
}

func (s *sealer) add(seg Segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, seg)
	if s.wake != nil {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

func (s *sealer) start(l *Log) {
	s.mu.Lock()
	s.wake, s.done = make(chan struct{}, 1), make(chan struct{})
	s.mu.Unlock()
	go s.run(l)
}

func (s *sealer) wait() { <-s.done }

// settled waits until no closed segment waits to be compressed.
func (s *sealer) settled(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		s.mu.Lock()
		left := len(s.queue)
		s.mu.Unlock()
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.done:
			return ErrClosed
		case <-tick.C:
		}
	}
}

func (s *sealer) run(l *Log) {
	defer close(s.done)
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		s.work(l)
		if err := l.retain(l.ctx); err != nil && l.ctx.Err() == nil && !errors.Is(err, ErrClosed) {
			l.opts.Report(fmt.Errorf("audit retention: %w", err))
		}
		select {
		case <-l.ctx.Done():
			return
		case <-s.wake:
		case <-tick.C:
		}
	}
}

// work packs the closed segments. One that fails is tried again at the next
// turn; what it needs is on disk.
func (s *sealer) work(l *Log) {
	for l.ctx.Err() == nil {
		s.mu.Lock()
		if len(s.queue) == 0 {
			s.mu.Unlock()
			return
		}
		seg := s.queue[0]
		s.mu.Unlock()
		if err := pack(l.ctx, l.dir, seg); err != nil {
			if l.ctx.Err() == nil {
				l.opts.Report(fmt.Errorf("compress audit segment: %w", err))
			}
			return
		}
		s.mu.Lock()
		s.queue = s.queue[1:]
		s.mu.Unlock()
	}
}

// pack compresses a closed segment, counts it, and makes the tiles over its
// records durable. The compressed file gets its name last: it says that the rest
// is done.
func pack(ctx context.Context, dir string, seg Segment) error {
	packed := segmentFile(dir, seg.First, packedSuffix)
	p, err := newPacker(packed+tmpSuffix, seg.First)
	if err != nil {
		return err
	}
	if err := p.segment(ctx, seg); err != nil {
		return errors.Join(err, p.discard())
	}
	rollup := p.count.rollup()
	text, err := rollup.format()
	if err == nil {
		err = replaceFile(segmentFile(dir, seg.First, rollupSuffix), text)
	}
	if err == nil {
		err = syncTiles(dir, seg)
	}
	if err != nil {
		return errors.Join(err, p.discard())
	}
	if err := p.finish(packed); err != nil {
		return err
	}
	return removeIfThere(segmentFile(dir, seg.First, plainSuffix))
}

// syncTiles makes the full tiles over a segment's records durable.
func syncTiles(dir string, seg Segment) error {
	ts := tiles{dir}
	first, end := int64(seg.First-1), int64(seg.Next-1)
	for level := 0; end>>(tileHeight*(level+1)) > 0; level++ {
		shift := tileHeight * (level + 1)
		for n := first >> shift; n < end>>shift; n++ {
			if err := ts.sync(tile{level, n, tileWidth}); err != nil {
				return err
			}
		}
		if err := syncDir(filepath.Dir(filepath.Join(dir, tile{level, first >> shift, tileWidth}.path()))); err != nil {
			return err
		}
	}
	return nil
}

// packer writes the frames of one segment.
type packer struct {
	f     *os.File
	enc   *zstd.Encoder
	lines []byte
	out   []byte
	frame frame
	count *counter
}

func newPacker(path string, first uint64) (*packer, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(packLevel), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return &packer{f: f, enc: enc, frame: frame{first: first}, count: newCounter(first)}, nil
}

const packLevel = zstd.SpeedDefault

func (p *packer) segment(ctx context.Context, seg Segment) error {
	for e, err := range seg.Entries(Position{}) {
		if err != nil {
			return err
		}
		at, err := p.count.add(e.Line)
		if err != nil {
			return fmt.Errorf("%s: record %d: %w", seg.Path, e.Seq, err)
		}
		if len(p.lines)+len(e.Line)+1 > frameTarget {
			if err := errors.Join(p.flush(), ctx.Err()); err != nil {
				return err
			}
		}
		p.add(e.Line, at)
	}
	return p.flush()
}

func (p *packer) add(line []byte, at int64) {
	if p.frame.records == 0 || at < p.frame.from {
		p.frame.from = at
	}
	if p.frame.records == 0 || at > p.frame.to {
		p.frame.to = at
	}
	p.frame.records++
	p.lines = append(append(p.lines, line...), '\n')
}

func (p *packer) flush() error {
	if p.frame.records == 0 {
		return nil
	}
	var head [frameHead]byte
	p.out = p.enc.EncodeAll(p.lines, append(p.out[:0], head[:]...))
	p.frame.plain, p.frame.packed = uint32(len(p.lines)), uint32(len(p.out)-frameHead)
	copy(p.out, p.frame.append(head[:0]))
	_, err := p.f.Write(p.out)
	p.frame = frame{first: p.frame.first + uint64(p.frame.records)}
	p.lines = p.lines[:0]
	return err
}

func (p *packer) finish(path string) error {
	err := errors.Join(p.enc.Close(), p.f.Sync(), p.f.Close())
	if err == nil {
		err = os.Rename(p.f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, removeIfThere(p.f.Name()))
	}
	return syncDir(filepath.Dir(path))
}

func (p *packer) discard() error {
	return errors.Join(p.enc.Close(), p.f.Close(), removeIfThere(p.f.Name()))
}
