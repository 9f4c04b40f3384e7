package audit

import (
	"bytes"
	b64 "encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	signednote "golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/openshell-policy/openshell/schemas"
)

// proofHeader is the first line of a C2SP tlog-proof.
const proofHeader = "c2sp.org/tlog-proof@v1"

// Proof shows that a record is in a log: with the log's public key and nothing
// else anybody can check it.
type Proof struct {
	Record     []byte // the line
	Seq        uint64
	Hashes     tlog.RecordProof
	Checkpoint []byte // signed
}

// Prove makes the proof for a record. The error wraps ErrNoRecord where the log
// holds none of that number, or it is not signed yet.
func Prove(dir string, seq uint64, key signednote.Verifier) (*Proof, error) {
	text, err := os.ReadFile(filepath.Join(dir, checkpointFile))
	if err != nil {
		return nil, err
	}
	cp, err := ParseCheckpoint(text, key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", checkpointFile, err)
	}
	if seq == 0 || seq > cp.Size {
		return nil, fmt.Errorf("record %d: %w: the newest checkpoint is of %d records", seq, ErrNoRecord, cp.Size)
	}
	p := &Proof{Seq: seq, Checkpoint: text}
	for e, err := range Entries(dir, Position{Seq: seq}) {
		if err != nil {
			return nil, err
		}
		if e.Seq != seq {
			return nil, fmt.Errorf("record %d: %w any more: the oldest is %d", seq, ErrNoRecord, e.Seq)
		}
		p.Record = bytes.Clone(e.Line)
		break
	}
	p.Hashes, err = tlog.ProveRecord(int64(cp.Size), int64(seq-1), treeReader{tiles{dir}, dir})
	if err != nil {
		return nil, err
	}
	if err := p.check(cp); err != nil {
		return nil, fmt.Errorf("the log does not hold what it has signed: %w", err)
	}
	return p, nil
}

// ErrNoRecord says that a log does not hold a record.
var ErrNoRecord = errors.New("the log does not hold it")

// FindDecision is the number of the decision record with that id.
func FindDecision(dir, id string) (uint64, error) {
	for e, err := range Entries(dir, Position{}) {
		if err != nil {
			return 0, err
		}
		if !bytes.Contains(e.Line, []byte(id)) {
			continue
		}
		f, err := ParseFields(e.Line)
		if err == nil && string(f.Type) == schemas.RecordDecision && Text(f.DecisionID) == id {
			return e.Seq, nil
		}
	}
	return 0, fmt.Errorf("decision %q: %w", id, ErrNoRecord)
}

// ReadHashes implements tlog.HashReader.
func (t treeReader) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, 0, len(indexes))
	for _, i := range indexes {
		level, n := tlog.SplitStoredHashIndex(i)
		up := uint(level % tileHeight)
		first := n << up // in hashes of the tile's level
		at := int(first % tileWidth)
		hashes, err := t.hashes(tile{level / tileHeight, first >> tileHeight, at + 1<<up})
		if err != nil {
			return nil, err
		}
		out = append(out, rootOf(hashes[at:at+1<<up]))
	}
	return out, nil
}

func (p *Proof) check(cp *Checkpoint) error {
	if seq, ok := lineSeq(p.Record); !ok || seq != p.Seq {
		return errors.New("the record has another number")
	}
	if err := tlog.CheckRecord(p.Hashes, int64(cp.Size), cp.Root, int64(p.Seq-1), newLeafHasher().sum(p.Record)); err != nil {
		return errors.New("the record does not lead to the root that was signed")
	}
	return nil
}

// Format renders the proof as C2SP tlog-proof has it. Its extra data are the
// record.
func (p *Proof) Format() []byte {
	var b bytes.Buffer
	b.WriteString(proofHeader + "\nextra " + b64.StdEncoding.EncodeToString(p.Record) + "\n")
	b.WriteString("index " + strconv.FormatUint(p.Seq-1, 10) + "\n")
	for _, h := range p.Hashes {
		b.WriteString(b64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	b.WriteByte('\n')
	b.Write(p.Checkpoint)
	return b.Bytes()
}

// maxProof bounds what is read as a proof.
const maxProof = 8 << 20

// CheckProof reads a proof and checks it with the log's public key.
func CheckProof(text []byte, key signednote.Verifier) (*Proof, *Checkpoint, error) {
	p, err := parseProof(text)
	if err != nil {
		return nil, nil, err
	}
	cp, err := ParseCheckpoint(p.Checkpoint, key)
	if err != nil {
		return nil, nil, err
	}
	if p.Seq > cp.Size {
		return nil, nil, fmt.Errorf("the record is number %d, and the checkpoint of %d records", p.Seq, cp.Size)
	}
	return p, cp, p.check(cp)
}

func parseProof(text []byte) (*Proof, error) {
	head, checkpoint, ok := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !ok || len(text) > maxProof || len(lines) < 3 || lines[0] != proofHeader {
		return nil, errors.New("not a proof: it does not begin with " + proofHeader)
	}
	p := &Proof{Checkpoint: checkpoint}
	extra, isExtra := strings.CutPrefix(lines[1], "extra ")
	record, err := b64.StdEncoding.Strict().DecodeString(extra)
	if !isExtra || err != nil {
		return nil, errors.New("not a proof: line 2 does not hold the record")
	}
	number, isIndex := strings.CutPrefix(lines[2], "index ")
	index, err := strconv.ParseUint(number, 10, 62)
	if !isIndex || err != nil || strconv.FormatUint(index, 10) != number {
		return nil, errors.New("not a proof: line 3 is no index")
	}
	p.Record, p.Seq = record, index+1
	for i, line := range lines[3:] {
		h, err := b64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(h) != tlog.HashSize {
			return nil, fmt.Errorf("not a proof: line %d is no hash", i+4)
		}
		p.Hashes = append(p.Hashes, tlog.Hash(h))
	}
	return p, nil
}
