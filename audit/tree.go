package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	signednote "golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// errExpired says that hashes cannot be had any more: their records were deleted
// by retention, and no tile of them is kept.
var errExpired = errors.New("the records were deleted by retention")

// treeReader reads the Merkle tree from tiles, and what tiles do not hold from
// lower tiles and records.
type treeReader struct {
	tiles tiles
	dir   string
}

// edge is the edge of the tree when it had that size.
func (t treeReader) edge(size int64) (*edge, error) {
	e := &edge{size: size}
	for level := 0; size>>(tileHeight*level) > 0; level++ {
		w := int(size>>(tileHeight*level)) % tileWidth
		hashes := make([]tlog.Hash, 0, tileWidth)
		if w > 0 {
			got, err := t.hashes(tile{level, size >> (tileHeight * (level + 1)), w})
			if err != nil {
				return nil, err
			}
			hashes = append(hashes, got...)
		}
		e.levels = append(e.levels, hashes)
	}
	return e, nil
}

// hashes are the hashes of a tile.
func (t treeReader) hashes(want tile) ([]tlog.Hash, error) {
	got, err := t.tiles.read(want)
	if err == nil {
		return got, nil
	}
	if want.level == 0 {
		return t.fromRecords(want)
	}
	for i := range want.width {
		below, err := t.hashes(tile{want.level - 1, want.index<<tileHeight + int64(i), tileWidth})
		if err != nil {
			return nil, err
		}
		got = append(got, rootOf(below))
	}
	return got, nil
}

func (t treeReader) fromRecords(want tile) ([]tlog.Hash, error) {
	first := uint64(want.index<<tileHeight) + 1
	segs, err := Segments(t.dir)
	if err != nil {
		return nil, err
	}
	if len(segs) == 0 || segs[0].First > first {
		return nil, fmt.Errorf("%s: %w", want.path(), errExpired)
	}
	var got []tlog.Hash
	hasher := newLeafHasher()
	for e, err := range Entries(t.dir, Position{Seq: first}) {
		if err != nil {
			return nil, err
		}
		if got = append(got, hasher.sum(e.Line)); len(got) == want.width {
			return got, nil
		}
	}
	return nil, fmt.Errorf("%s: the log ends before it is full", want.path())
}

// sealed is the checkpoint that was signed when a segment closed.
type sealed struct {
	Checkpoint
	first uint64 // of the segment
	path  string
}

// readSeals reads the checkpoints of all segments that ever closed, oldest first.
func readSeals(dir string, key signednote.Verifier) ([]sealed, error) {
	paths, err := filepath.Glob(filepath.Join(dir, segmentsDir, "*"+sealSuffix))
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	var seals []sealed
	for _, path := range paths {
		first, ok := parseSeq(strings.TrimSuffix(filepath.Base(path), sealSuffix))
		if !ok {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		cp, err := ParseCheckpoint(text, key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		seals = append(seals, sealed{*cp, first, path})
	}
	return seals, nil
}
