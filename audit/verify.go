package audit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	signednote "golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/openshell-policy/openshell/schemas"
)

// What may have happened to a log.
const (
	Changed    = "changed"     // a record is another than was signed
	Removed    = "removed"     // records are missing
	Inserted   = "inserted"    // there is a record that was not signed
	Reordered  = "reordered"   // records stand in another order
	Truncated  = "truncated"   // the end is missing
	RolledBack = "rolled back" // the log is of an earlier time than a checkpoint of it
	Rewritten  = "rewritten"   // records, or the tree over them, were replaced
	BadTile    = "tile"        // a tile is missing or damaged; the records are not
	BadFile    = "file"        // a file cannot be what the log's writer wrote
)

// Finding is one thing that is wrong with a log.
type Finding struct {
	What   string `json:"what"`
	Seq    uint64 `json:"seq,omitempty"`  // the first record concerned; 0 none
	Last   uint64 `json:"last,omitempty"` // the last one, if there are several
	File   string `json:"file,omitempty"` // relative to the log's folder
	Detail string `json:"detail"`
}

// Copy is a checkpoint that was kept elsewhere.
type Copy struct {
	Name string
	Text []byte
}

// VerifyOptions are what a log is checked against.
type VerifyOptions struct {
	Key    signednote.Verifier // required
	Copies []Copy
}

// Report is what Verify found.
type Report struct {
	Origin   string    `json:"origin"`
	First    uint64    `json:"first"` // number of the oldest record that is kept
	Records  uint64    `json:"records"`
	Signed   uint64    `json:"signed"`   // number of the last record that a checkpoint covers
	Unsigned uint64    `json:"unsigned"` // whole records behind it
	Torn     int64     `json:"torn"`     // bytes behind these
	Expired  uint64    `json:"expired"`  // number of the last record that retention deleted
	Segments int       `json:"segments"` // files of records
	Tiles    int       `json:"tiles"`    // full tiles compared
	Sealed   int       `json:"sealed"`   // checkpoints of closed segments compared
	Copies   int       `json:"copies"`   // checkpoints of VerifyOptions compared
	Findings []Finding `json:"findings"`
	// Unchecked says what could not be compared although nothing is wrong.
	Unchecked []string `json:"unchecked,omitempty"`
}

// Verify reads a whole log, computes its tree again and compares it with every
// checkpoint that there is. It needs nothing but the log's folder and its public
// key. An error says that the log could not be checked.
//
// A log may be verified while it is written. Records newer than the checkpoint,
// of about a second, are only checked for their form.
func Verify(dir string, opts VerifyOptions) (*Report, error) {
	v := &verifier{dir: dir, key: opts.Key, tree: treeReader{tiles{dir}, dir}, hasher: newLeafHasher()}
	v.report.Origin = opts.Key.Name()
	if _, err := os.Stat(filepath.Join(dir, segmentsDir)); err != nil {
		return nil, err
	}
	signed, err := v.checkpoints(opts.Copies)
	if err != nil {
		return nil, err
	}
	if v.segs, err = Segments(dir); err != nil {
		return nil, err
	}
	v.report.Segments = len(v.segs)
	if err := v.run(); err != nil {
		return nil, err
	}
	v.conclude(signed)
	return &v.report, nil
}

type verifier struct {
	dir    string
	key    signednote.Verifier
	tree   treeReader
	hasher *leafHasher
	report Report

	segs    []Segment
	closed  []Segment // those not counted yet
	counter *counter
	covered int64 // records by a checkpoint of the log's own
	edge    edge
	checks  []*rootCheck // in the order of their sizes
	due     int          // the next of checks
	tiles   []Finding    // tiles and rollups that differ from what was computed
	pruned  uint64       // through, of the newest signed record that says so
	damaged *Damage
	wrong   *Finding // the first record whose number is not its place
	behind  *Finding // lines that stand behind a closed segment
}

// rootCheck is a root that was signed for a size.
type rootCheck struct {
	size    uint64
	root    tlog.Hash
	name    string // of the file
	copy    bool
	done    bool
	matches bool
}

func (v *verifier) find(what string, seq, last uint64, file, format string, args ...any) {
	if last <= seq {
		last = 0
	}
	v.report.Findings = append(v.report.Findings, Finding{what, seq, last, file, fmt.Sprintf(format, args...)})
}

// checkpoints gathers what was signed. It returns the log's own newest
// checkpoint, nil if there is none that the key has signed.
func (v *verifier) checkpoints(copies []Copy) (*Checkpoint, error) {
	// First those of closed segments: while the log is written, the newest one is
	// always of no fewer records than these were.
	if err := v.sealed(); err != nil {
		return nil, err
	}
	own, err := v.newest()
	if err != nil {
		return nil, err
	}
	for _, c := range copies {
		cp, err := ParseCheckpoint(c.Text, v.key)
		if err != nil {
			v.find(BadFile, 0, 0, c.Name, "%v", err)
			continue
		}
		v.expect(cp, c.Name, true)
	}
	slices.SortStableFunc(v.checks, func(a, b *rootCheck) int { return cmp.Compare(a.size, b.size) })
	return own, nil
}

func (v *verifier) newest() (*Checkpoint, error) {
	text, err := os.ReadFile(filepath.Join(v.dir, checkpointFile))
	if errors.Is(err, fs.ErrNotExist) {
		v.find(BadFile, 0, 0, checkpointFile, "it is missing: nothing says how many records there must be")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	own, err := ParseCheckpoint(text, v.key)
	if err != nil {
		v.find(BadFile, 0, 0, checkpointFile, "%v", err)
		return nil, nil
	}
	v.expect(own, checkpointFile, false)
	v.covered = int64(own.Size)
	return own, nil
}

func (v *verifier) expect(cp *Checkpoint, name string, isCopy bool) {
	v.checks = append(v.checks, &rootCheck{size: cp.Size, root: cp.Root, name: name, copy: isCopy})
}

func (v *verifier) sealed() error {
	paths, err := filepath.Glob(filepath.Join(v.dir, segmentsDir, "*"+sealSuffix))
	if err != nil {
		return err
	}
	for _, path := range paths {
		name := segmentsDir + "/" + filepath.Base(path)
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		cp, err := ParseCheckpoint(text, v.key)
		if err != nil {
			v.find(BadFile, 0, 0, name, "%v", err)
			continue
		}
		v.expect(cp, name, false)
	}
	return nil
}

// run computes the tree from the records and looks at it at every size that was
// signed.
func (v *verifier) run() error {
	if len(v.segs) == 0 {
		v.report.First = 1
		v.compare()
		return nil
	}
	v.report.First, v.closed = v.segs[0].First, v.segs
	if err := v.base(int64(v.report.First - 1)); err != nil {
		return err
	}
	v.edge.full = v.tileFull
	v.compare()
	for _, s := range v.segs {
		for e, err := range s.Entries(Position{}) {
			if errors.As(err, &v.damaged) {
				return nil
			}
			if err != nil {
				return err
			}
			v.record(e)
		}
	}
	return v.torn()
}

// base begins with the tree over records that retention deleted.
func (v *verifier) base(size int64) error {
	if size == 0 {
		return nil
	}
	for _, c := range v.checks {
		if c.size < uint64(size) {
			v.before(c)
		}
	}
	e, err := v.tree.edge(size)
	if err != nil {
		v.find(BadTile, 0, 0, "tile", "the tree over the records up to %d, which are not kept, cannot be computed: %v", size, err)
		v.edge = edge{size: size}
		for _, c := range v.checks { // nothing can be compared
			c.done = true
		}
		return nil
	}
	v.edge = *e
	return nil
}

// before compares a checkpoint from before the oldest record that is kept.
func (v *verifier) before(c *rootCheck) {
	e, err := v.tree.edge(int64(c.size))
	if err != nil {
		c.done = true
		if c.copy {
			v.report.Unchecked = append(v.report.Unchecked, fmt.Sprintf(
				"%s is of %d records; those around it were deleted by retention, so it can no longer be compared", c.name, c.size))
		}
		return
	}
	c.done, c.matches = true, e.root() == c.root
	v.count(c)
}

func (v *verifier) count(c *rootCheck) {
	if c.copy {
		v.report.Copies++
	} else if c.name != checkpointFile {
		v.report.Sealed++
	}
}

// compare checks the root where the tree has reached a size that was signed.
func (v *verifier) compare() {
	for ; v.due < len(v.checks) && v.checks[v.due].size <= uint64(v.edge.size); v.due++ {
		c := v.checks[v.due]
		if c.done || c.size != uint64(v.edge.size) {
			continue
		}
		c.done, c.matches = true, v.edge.root() == c.root
		v.count(c)
	}
}

func (v *verifier) record(e Entry) {
	if seq, ok := lineSeq(e.Line); (!ok || seq != e.Seq) && v.wrong == nil {
		detail := fmt.Sprintf("in its place stands record %d", seq)
		if !ok {
			detail = "in its place stands a line that is no record"
		}
		v.wrong = &Finding{Seq: e.Seq, File: v.fileOf(e.Seq), Detail: detail}
	}
	v.edge.push(v.hasher.sum(e.Line))
	v.report.Records++
	v.counts(e)
	if int64(e.Seq) <= v.covered && len(e.Line) < 1024 && bytes.Contains(e.Line, []byte(`"type":"pruned"`)) {
		if r, err := decode(e.Line); err == nil && r.Custom.Type == schemas.RecordPruned && r.Custom.Pruned != nil {
			v.pruned = max(v.pruned, r.Custom.Pruned.Through)
		}
	}
	v.compare()
}

// counts counts the records of closed segments again and compares the rollups.
func (v *verifier) counts(e Entry) {
	for len(v.closed) > 0 && e.Seq >= v.closed[0].Next {
		v.closed, v.counter = v.closed[1:], nil
	}
	if len(v.closed) == 0 || v.closed[0].Live() || v.closed[0].First > e.Seq {
		return
	}
	if v.counter == nil {
		v.counter = newCounter(v.closed[0].First)
	}
	_, _ = v.counter.add(e.Line) // what is no record is found elsewhere
	if e.Seq+1 < v.closed[0].Next {
		return
	}
	name := segmentFile(v.dir, v.closed[0].First, rollupSuffix)
	on, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return // it can be counted again
	}
	r := v.counter.rollup()
	want, formatErr := r.format()
	if err != nil || formatErr != nil || !bytes.Equal(on, want) {
		v.tiles = append(v.tiles, Finding{What: BadFile, File: segmentsDir + "/" + filepath.Base(name), Detail: "it does not count the records of its segment"})
	}
}

// fileOf names the file of a record.
func (v *verifier) fileOf(seq uint64) string {
	for i := len(v.segs) - 1; i >= 0; i-- {
		if s := v.segs[i]; s.First <= seq {
			return segmentsDir + "/" + filepath.Base(s.Path)
		}
	}
	return ""
}

// tileFull compares a tile with its file. Those that no checkpoint covers yet may
// still be missing.
func (v *verifier) tileFull(t tile, hashes []tlog.Hash) {
	if t.leaf(tileWidth) > v.covered {
		return
	}
	on, err := v.tree.tiles.read(t)
	switch {
	case err != nil:
		v.tiles = append(v.tiles, Finding{What: BadTile, File: t.path(), Detail: err.Error()})
	case !slices.Equal(on, hashes):
		v.tiles = append(v.tiles, Finding{What: BadTile, File: t.path(), Detail: "it does not hold the hashes of the records"})
	default:
		v.report.Tiles++
	}
}

// torn counts what stands behind the last whole record, and looks at what the
// writer gave up at the end of closed segments.
func (v *verifier) torn() error {
	for i, s := range v.segs {
		if s.Compressed {
			continue
		}
		rest, err := leftover(s)
		if err != nil {
			return err
		}
		if s.Live() {
			v.report.Torn = int64(len(rest))
			continue
		}
		same, err := beginsWith(v.segs[i+1:], rest)
		if err != nil {
			return err
		}
		if !same {
			v.behind = &Finding{What: Inserted, Seq: s.Next, File: segmentsDir + "/" + filepath.Base(s.Path), Detail: "lines stand behind its last record"}
		}
	}
	return nil
}

// leftover returns what a plain segment holds behind its last record.
func leftover(s Segment) ([]byte, error) {
	f, err := os.Open(s.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // it is being compressed, which leaves that out
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	o := &openFile{file: f, first: s.First, next: s.First, buf: make([]byte, 256<<10)}
	end := int64(0)
	if err := o.read(s.Next, func(e Entry) error { end += int64(len(e.Line)) + 1; return nil }); err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil || info.Size() <= end {
		return nil, err
	}
	rest := make([]byte, min(info.Size()-end, maxQueued))
	_, err = f.ReadAt(rest, end)
	return rest, err
}

// beginsWith tells whether the segments begin with what was given up before.
func beginsWith(segs []Segment, rest []byte) (bool, error) {
	if len(rest) == 0 {
		return true, nil
	}
	if len(segs) == 0 {
		return false, nil
	}
	for e, err := range segs[0].Entries(Position{}) {
		if err != nil {
			return false, err
		}
		line := append(append([]byte(nil), e.Line...), '\n')
		n := min(len(line), len(rest))
		if !bytes.Equal(line[:n], rest[:n]) {
			return false, nil
		}
		if rest = rest[n:]; len(rest) == 0 {
			return true, nil
		}
	}
	return false, nil
}
