package audit

import (
	"crypto/sha256"
	"hash"

	"golang.org/x/mod/sumdb/tlog"
)

// tileWidth is the number of hashes in a full tile: tiles are of height 8.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// edge is the right edge of the Merkle tree over all records: for each level of
// tiles the hashes of the tile that is not full yet. Level 0 holds hashes of
// records, level L hashes of whole tiles of level L-1. It is enough to append
// records and to compute the root.
type edge struct {
	size   int64
	levels [][]tlog.Hash
	full   func(t tile, hashes []tlog.Hash) // told of every tile that gets full
}

// tile names a tile of the tree: Width hashes of the level from number
// Index*256 on.
type tile struct {
	level int
	index int64
	width int
}

// push appends the hash of a record.
func (e *edge) push(h tlog.Hash) {
	e.size++
	for level, at := 0, e.size; ; level++ {
		if level == len(e.levels) {
			e.levels = append(e.levels, make([]tlog.Hash, 0, tileWidth))
		}
		e.levels[level] = append(e.levels[level], h)
		if len(e.levels[level]) < tileWidth {
			return
		}
		at >>= tileHeight
		hashes := e.levels[level]
		if e.full != nil {
			e.full(tile{level, at - 1, tileWidth}, hashes)
		}
		h = rootOf(hashes)
		e.levels[level] = hashes[:0]
	}
}

// root is the tree's root as RFC 6962 defines it. The largest whole subtrees are
// leftmost, so they are joined from the right.
func (e *edge) root() tlog.Hash {
	if e.size == 0 {
		return sha256.Sum256(nil)
	}
	var acc tlog.Hash
	some := false
	for _, hashes := range e.levels {
		for len(hashes) > 0 {
			width := len(hashes) & -len(hashes) // the smallest whole subtree of this level
			h := rootOf(hashes[len(hashes)-width:])
			if some {
				h = tlog.NodeHash(h, acc)
			}
			acc, some = h, true
			hashes = hashes[:len(hashes)-width]
		}
	}
	return acc
}

// tiles names the tiles that are not full, the smallest level first.
func (e *edge) tiles() []tile {
	var ts []tile
	for level, hashes := range e.levels {
		if len(hashes) > 0 {
			ts = append(ts, tile{level, e.size >> (tileHeight * (level + 1)), len(hashes)})
		}
	}
	return ts
}

// rootOf is the root of a whole subtree; the number of hashes is a power of two.
func rootOf(hashes []tlog.Hash) tlog.Hash {
	var buf [tileWidth / 2]tlog.Hash
	for len(hashes) > 1 {
		half := buf[:len(hashes)/2]
		for i := range half {
			half[i] = tlog.NodeHash(hashes[2*i], hashes[2*i+1])
		}
		hashes = half
	}
	return hashes[0]
}

// leafHasher hashes records without allocating.
type leafHasher struct {
	h   hash.Hash
	out [tlog.HashSize]byte
}

func newLeafHasher() *leafHasher { return &leafHasher{h: sha256.New()} }

// sum is the hash of a leaf, as of RFC 6962: of a zero byte and the record.
func (l *leafHasher) sum(line []byte) tlog.Hash {
	l.h.Reset()
	_, _ = l.h.Write(leafPrefix[:])
	_, _ = l.h.Write(line)
	l.h.Sum(l.out[:0])
	return l.out
}

var leafPrefix = [1]byte{0}
