package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// conclude says what the comparisons mean.
func (v *verifier) conclude(own *Checkpoint) {
	end := uint64(v.edge.size)
	signed := uint64(0)
	for _, c := range v.checks {
		if !c.copy {
			signed = max(signed, c.size)
		}
	}
	if v.report.Signed = min(signed, end); end > signed {
		v.report.Unsigned = end - signed
	}
	if own != nil && own.Size < signed {
		v.find(RolledBack, own.Size+1, signed, checkpointFile, "it is of %d records, and a checkpoint of a closed segment of %d: an older checkpoint was put in its place", own.Size, signed)
	}
	v.retention()
	bad := v.firstBad()
	switch {
	case bad != nil || v.damaged != nil || end < signed || v.wrong != nil:
		v.diagnose(bad, signed)
	case v.report.Unsigned > 0 && own != nil && own.Size == signed && v.closedWell():
		v.find(Inserted, signed+1, end, v.fileOf(signed+1), "the log was closed, which signs every record, and no checkpoint is of these")
	case v.behind != nil:
		v.report.Findings = append(v.report.Findings, *v.behind)
	case len(v.tiles) > 0:
		v.report.Findings = append(v.report.Findings, v.tiles[:min(len(v.tiles), maxFindings)]...)
	}
	v.copies(end)
}

// closedWell tells whether the log's writer has closed it.
func (v *verifier) closedWell() bool {
	content, err := os.ReadFile(filepath.Join(v.dir, lockFile))
	return err == nil && len(content) == 0
}

// maxFindings bounds how often the same is said.
const maxFindings = 20

// retention tells a deletion by retention from another.
func (v *verifier) retention() {
	gone := v.report.First - 1
	if gone == 0 {
		return
	}
	if v.report.Expired = gone; v.pruned < gone {
		v.find(Removed, v.pruned+1, gone, segmentsDir, "they are missing, and no record says that retention deleted them")
	}
}

// firstBad is the smallest size at which the log's own checkpoints do not match.
func (v *verifier) firstBad() *rootCheck {
	for _, c := range v.checks {
		if !c.copy && c.done && !c.matches && c.size >= v.report.First-1 {
			return c
		}
	}
	return nil
}

// lastGood is the largest size below at which a checkpoint matches.
func (v *verifier) lastGood(below uint64) uint64 {
	good := v.report.First - 1
	for _, c := range v.checks {
		if c.done && c.matches && c.size < below {
			good = max(good, c.size)
		}
	}
	return good
}

// lastCopy is lastGood by the copies alone: who has the key can also sign the
// log's own checkpoints again.
func (v *verifier) lastCopy(below uint64) (good uint64) {
	for _, c := range v.checks {
		if c.copy && c.done && c.matches && c.size < below {
			good = max(good, c.size)
		}
	}
	return good
}

// diagnose names the first bad record. The tiles hold the hashes of the records
// as they were; where nobody has changed them, too, they tell exactly.
func (v *verifier) diagnose(bad *rootCheck, signed uint64) {
	end := uint64(v.edge.size)
	if v.located(signed) {
		return
	}
	switch {
	case v.damaged != nil && v.damaged.Holds > 0:
		v.find(Reordered, v.damaged.Seq, 0, v.relative(v.damaged.Path), "%s", v.damaged.What)
	case v.damaged != nil && v.damaged.Next > 0:
		v.find(Removed, v.damaged.Seq, v.damaged.Next-1, v.relative(v.damaged.Path), "they are missing: %s", v.damaged.What)
	case v.damaged != nil:
		v.find(BadFile, v.damaged.Seq, 0, v.relative(v.damaged.Path), "%s", v.damaged.What)
	case v.wrong != nil:
		v.find(Rewritten, v.wrong.Seq, 0, v.wrong.File, "%s", v.wrong.Detail)
	case bad != nil && end >= bad.size:
		from := v.lastGood(bad.size) + 1
		detail := "they are not those that " + bad.name + " signs, and the tiles over them were changed, too"
		if from > bad.size {
			detail = bad.name + " is of another tree"
		}
		if t, ok := v.badTile(from, bad.size); ok {
			from, detail = max(from, uint64(t.leaf(0))+1), "they, or the tiles over them, are not those that "+bad.name+" signs ("+t.path()+" differs)"
		}
		v.find(Rewritten, from, bad.size, v.fileOf(from), "%s", detail)
	}
	if end < signed && v.damaged == nil {
		v.find(Truncated, end+1, signed, v.fileOf(end+1), "the log ends at record %d, and a checkpoint of it is of %d", end, signed)
	}
}

func (v *verifier) relative(path string) string {
	if rel, err := filepath.Rel(v.dir, path); err == nil {
		return filepath.ToSlash(rel)
	}
	return path
}

// badTile is the first tile whose hash is not the one in the tile above, over
// records of a range.
func (v *verifier) badTile(from, to uint64) (tile, bool) {
	for n := int64(from-1) >> tileHeight; n<<tileHeight < int64(to); n++ {
		low := tile{0, n, tileWidth}
		hashes, err := v.tree.tiles.read(low)
		if err != nil {
			continue
		}
		above, err := v.tree.tiles.read(tile{1, n >> tileHeight, int(n)%tileWidth + 1})
		if err == nil && above[int(n)%tileWidth] != rootOf(hashes) {
			return low, true
		}
	}
	return tile{}, false
}

// window is how many records are compared to find out what happened to one.
const window = 4 * tileWidth

// located compares the records with the tiles one by one, and tells whether that
// has named a bad one.
func (v *verifier) located(signed uint64) bool {
	start := v.lastGood(uint64(v.edge.size) + 1)
	want := expected{tiles: v.tree.tiles, size: int64(signed)}
	for e, err := range Entries(v.dir, Position{Seq: start + 1}) {
		if err != nil || e.Seq > signed {
			break
		}
		h, ok := want.at(e.Seq)
		if ok && h != v.hasher.sum(e.Line) {
			return v.classify(e.Seq, signed, want)
		}
	}
	return false
}

// classify says what happened at the first record that is not the one whose hash
// the tiles have.
func (v *verifier) classify(seq, signed uint64, want expected) bool {
	var have, should []tlog.Hash
	for n := seq; n <= signed && len(should) < window; n++ {
		h, ok := want.at(n)
		if !ok {
			break
		}
		should = append(should, h)
	}
	var lines [][]byte
	for e, err := range Entries(v.dir, Position{Seq: seq}) {
		if err != nil || len(have) == window {
			break
		}
		have = append(have, v.hasher.sum(e.Line))
		if len(lines) == 0 {
			lines = append(lines, slices.Clone(e.Line))
		}
	}
	what, n := compareHashes(have, should)
	found, _ := lineSeq(lines[0])
	if h, ok := want.at(found); what == Changed && found != seq && ok && h == have[0] {
		what, n = Reordered, int(found)-int(seq) // from further away than the window
	}
	file := v.fileOf(seq)
	if what == Removed {
		if elsewhere := v.whereIs(should[0]); elsewhere != "" {
			v.find(Reordered, seq, 0, file, "in its place stands the record that was signed as number %d; it stands in %s", seq+uint64(n), elsewhere)
			return true
		}
	}
	last := seq + uint64(n) - 1
	forged := ""
	if t, ok := v.badTile(seq, seq); ok {
		forged = " (" + t.path() + " was changed, too)"
	}
	switch what {
	case Changed:
		v.find(what, seq, last, file, "%s other than what was signed%s", are(n), forged)
	case Removed:
		v.find(what, seq, last, file, "%s missing: what was signed behind stands in %s place%s", are(n), its(n), forged)
	case Inserted:
		v.find(what, seq, last, file, "%s not signed: the record that was signed as number %d stands behind%s", are(n), seq, forged)
	case Reordered:
		signedAs := uint64(int(seq) + n)
		v.find(what, seq, 0, file, "in its place stands the record that was signed as number %d%s", signedAs, numbered(found, signedAs)+forged)
	}
	return true
}

// whereIs names the file in which a record stands, wherever that is.
func (v *verifier) whereIs(h tlog.Hash) string {
	for _, s := range v.segs {
		for e, err := range s.Entries(Position{}) {
			if err != nil {
				break
			}
			if v.hasher.sum(e.Line) == h {
				return v.relative(s.Path)
			}
		}
	}
	return ""
}

func numbered(found, want uint64) string {
	if found == want {
		return ""
	}
	return fmt.Sprintf("; it calls itself %d", found)
}

func are(n int) string {
	if n == 1 {
		return "it is"
	}
	return "they are"
}

func its(n int) string {
	if n == 1 {
		return "its"
	}
	return "their"
}

// compareHashes says what was done to records at whose first place another stands
// than should, and to how many.
func compareHashes(have, should []tlog.Hash) (what string, n int) {
	later := slices.Index(should, have[0]) // the one that is here, in the order that was signed
	moved := slices.Index(have, should[0]) // the one that should be here
	switch {
	case later > 0 && moved > 0:
		return Reordered, later
	case later > 0:
		return Removed, later
	case moved > 0:
		return Inserted, moved
	}
	for n = 1; n < min(len(have), len(should)) && have[n] != should[n]; n++ {
		if i := slices.Index(should, have[n]); i > n { // fewer stand here than were signed
			return Changed, n
		}
	}
	return Changed, n
}

// expected reads the hashes of records from the lowest tiles.
type expected struct {
	tiles  tiles
	size   int64 // of the tree
	index  int64
	hashes []tlog.Hash
	err    error
}

func (e *expected) at(seq uint64) (tlog.Hash, bool) {
	i := int64(seq - 1)
	if n := i >> tileHeight; e.hashes == nil && e.err == nil || n != e.index {
		e.index = n
		width := int(min(tileWidth, e.size-n<<tileHeight))
		e.hashes, e.err = e.tiles.read(tile{0, n, width})
		if errors.Is(e.err, errNoTile) {
			e.hashes = nil
		}
	}
	if k := int(i % tileWidth); e.err == nil && k < len(e.hashes) {
		return e.hashes[k], true
	}
	return tlog.Hash{}, false
}

// copies compares the checkpoints that were kept elsewhere.
func (v *verifier) copies(end uint64) {
	for _, c := range v.checks {
		switch {
		case !c.copy:
		case c.size > end:
			v.find(RolledBack, end+1, c.size, c.name, "it is of %d records, and the log ends at %d: an older state was put in its place, or its end was cut", c.size, end)
		case c.done && !c.matches:
			v.find(RolledBack, v.lastCopy(c.size)+1, c.size, c.name, "it is of %d records, and they were others: the log was rewritten since", c.size)
		}
	}
}
