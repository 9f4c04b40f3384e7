package audit

import (
	"bytes"
	b64 "encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	signednote "golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The files of a log's identity and state.
const (
	keyFile        = "key"
	publicFile     = "key.pub"
	checkpointFile = "checkpoint"
	maxCheckpoint  = 64 << 10
)

// Checkpoint is what a log signs: how many records it holds and the root of the
// Merkle tree over them.
type Checkpoint struct {
	Origin string // the log's identity
	Size   uint64
	Root   tlog.Hash
}

// body renders a checkpoint as C2SP tlog-checkpoint has it: origin, size and
// root in base64, a line each.
func (c *Checkpoint) body() string {
	return c.Origin + "\n" + strconv.FormatUint(c.Size, 10) + "\n" + b64.StdEncoding.EncodeToString(c.Root[:]) + "\n"
}

func (c *Checkpoint) sign(signer signednote.Signer) ([]byte, error) {
	return signednote.Sign(&signednote.Note{Text: c.body()}, signer)
}

// ParseCheckpoint reads a signed checkpoint and checks that the key has signed it
// for the log that the key is of.
func ParseCheckpoint(data []byte, key signednote.Verifier) (*Checkpoint, error) {
	if len(data) > maxCheckpoint {
		return nil, errors.New("not a checkpoint: too long")
	}
	n, err := signednote.Open(data, signednote.VerifierList(key))
	if err != nil {
		return nil, checkpointError(data, key, err)
	}
	c, err := parseBody(n.Text)
	if err != nil {
		return nil, err
	}
	if c.Origin != key.Name() {
		return nil, fmt.Errorf("checkpoint is of log %q, the key of %q", c.Origin, key.Name())
	}
	return c, nil
}

// checkpointError says why a note was not taken: whose it is, where that can be
// told.
func checkpointError(data []byte, key signednote.Verifier, err error) error {
	var unverified *signednote.UnverifiedNoteError
	var invalid *signednote.InvalidSignatureError
	origin, _, _ := strings.Cut(string(data), "\n")
	switch {
	case errors.As(err, &invalid):
		return errors.New("checkpoint was changed: its signature does not match")
	case errors.As(err, &unverified) && origin != key.Name():
		return fmt.Errorf("checkpoint is of log %q, the key of %q", Printable(origin), key.Name())
	case errors.As(err, &unverified):
		return fmt.Errorf("checkpoint is signed with another key than %s+%08x", key.Name(), key.KeyHash())
	}
	return fmt.Errorf("not a signed checkpoint: %w", err)
}

func parseBody(text string) (*Checkpoint, error) {
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) < 4 || lines[0] == "" {
		return nil, errors.New("not a checkpoint: no three lines")
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] {
		return nil, fmt.Errorf("not a checkpoint: size %q", lines[1])
	}
	root, err := b64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return nil, fmt.Errorf("not a checkpoint: root %q", lines[2])
	}
	c := &Checkpoint{Origin: lines[0], Size: size}
	copy(c.Root[:], root)
	return c, nil
}

// ParseKey reads a log's public key, as key.pub holds it.
func ParseKey(text []byte) (signednote.Verifier, error) {
	v, err := signednote.NewVerifier(string(bytes.TrimSpace(text)))
	if err != nil {
		return nil, errors.New("not a public key such as key.pub holds: NAME+HASH+BASE64")
	}
	return v, nil
}
