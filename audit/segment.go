package audit

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The names inside a log's directory.
const (
	segmentsDir  = "segments"
	plainSuffix  = ".ndjson"
	packedSuffix = ".ndjson.zst"
	sealSuffix   = ".checkpoint"
	rollupSuffix = ".rollup"
	seqDigits    = 20
	tmpSuffix    = ".tmp"
)

// Segment is a part of a log: the records from First to the one before the next
// segment's First.
type Segment struct {
	First uint64 // number of its first record
	Next  uint64 // number of the next segment's first record; 0 this is the last
	Path  string // the file that holds it
	// Compressed tells a closed segment in zstd frames from plain NDJSON.
	Compressed bool
}

// Live tells whether the segment is the last one, which may still grow.
func (s Segment) Live() bool { return s.Next == 0 }

// Segments lists the segments of the log in a directory, oldest first. A log
// without any is no error.
func Segments(dir string) ([]Segment, error) {
	entries, err := os.ReadDir(filepath.Join(dir, segmentsDir))
	if errors.Is(err, fs.ErrNotExist) {
		if _, statErr := os.Stat(dir); statErr != nil {
			return nil, statErr
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var segs []Segment
	for _, e := range entries {
		if first, packed, ok := segmentName(e.Name()); ok {
			segs = append(segs, Segment{First: first, Path: filepath.Join(dir, segmentsDir, e.Name()), Compressed: packed})
		}
	}
	return ordered(segs), nil
}

// ordered sorts segments and drops the plain form of one that is compressed too:
// a compressed file gets its name only when it is whole.
func ordered(segs []Segment) []Segment {
	slices.SortFunc(segs, func(a, b Segment) int {
		if c := cmp.Compare(a.First, b.First); c != 0 || a.Compressed == b.Compressed {
			return c
		}
		if a.Compressed {
			return -1
		}
		return 1
	})
	segs = slices.CompactFunc(segs, func(a, b Segment) bool { return a.First == b.First })
	for i := range segs[:max(0, len(segs)-1)] {
		segs[i].Next = segs[i+1].First
	}
	return segs
}

func segmentName(name string) (first uint64, packed, ok bool) {
	digits, packed := strings.CutSuffix(name, packedSuffix)
	if !packed {
		if digits, ok = strings.CutSuffix(name, plainSuffix); !ok {
			return 0, false, false
		}
	}
	first, ok = parseSeq(digits)
	return first, packed, ok
}

func parseSeq(digits string) (uint64, bool) {
	if len(digits) != seqDigits {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil && n > 0
}

// segmentFile is the path of a segment's file with the suffix.
func segmentFile(dir string, first uint64, suffix string) string {
	return filepath.Join(dir, segmentsDir, fmt.Sprintf("%0*d%s", seqDigits, first, suffix))
}
