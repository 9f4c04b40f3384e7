package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// tiles are the hash tiles in a log's directory, in the layout of C2SP
// tlog-tiles: tile/LEVEL/INDEX, and tile/LEVEL/INDEX.p/WIDTH for one that is not
// full.
type tiles struct{ dir string }

// path is where a tile is. The index is written in groups of three digits, all
// but the last with an x before: x001/x234/067.
func (t tile) path() string {
	index := fmt.Sprintf("%03d", t.index%1000)
	for n := t.index / 1000; n > 0; n /= 1000 {
		index = fmt.Sprintf("x%03d/%s", n%1000, index)
	}
	p := "tile/" + strconv.Itoa(t.level) + "/" + index
	if t.width < tileWidth {
		p += ".p/" + strconv.Itoa(t.width)
	}
	return p
}

// first is the number, from 0, of the first record under the tile's index at
// hash i.
func (t tile) leaf(i int) int64 {
	return (t.index<<tileHeight + int64(i)) << (tileHeight * t.level)
}

// errNoTile says that a tile's file is not there.
var errNoTile = errors.New("tile is missing")

// read returns the first width hashes of a tile, from a file of at least that
// width.
func (ts tiles) read(t tile) ([]tlog.Hash, error) {
	full := t
	full.width = tileWidth
	data, err := os.ReadFile(filepath.Join(ts.dir, full.path()))
	if errors.Is(err, fs.ErrNotExist) && t.width < tileWidth {
		data, err = ts.partial(t)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", t.path(), errNoTile)
	}
	if err != nil {
		return nil, err
	}
	if len(data) < t.width*tlog.HashSize || len(data) > tileWidth*tlog.HashSize || len(data)%tlog.HashSize != 0 {
		return nil, fmt.Errorf("%s: %d bytes, want %d", t.path(), len(data), t.width*tlog.HashSize)
	}
	hashes := make([]tlog.Hash, t.width)
	for i := range hashes {
		copy(hashes[i][:], data[i*tlog.HashSize:])
	}
	return hashes, nil
}

// partial reads the file of an unfinished tile, or of what it grew to since.
func (ts tiles) partial(t tile) ([]byte, error) {
	path := filepath.Join(ts.dir, t.path())
	data, err := os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	entries, dirErr := os.ReadDir(filepath.Dir(path))
	if dirErr != nil {
		return nil, err
	}
	for _, e := range entries {
		if w, numErr := strconv.Atoi(e.Name()); numErr == nil && w >= t.width && w < tileWidth {
			return os.ReadFile(filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	return nil, err
}

// write writes the file of a tile. It is complete before a checkpoint is signed
// that needs it, and is not written again then.
func (ts tiles) write(t tile, hashes []tlog.Hash) error {
	data := make([]byte, 0, len(hashes)*tlog.HashSize)
	for i := range hashes {
		data = append(data, hashes[i][:]...)
	}
	path := filepath.Join(ts.dir, t.path())
	err := os.WriteFile(path, data, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.WriteFile(path, data, 0o600)
		}
	}
	return err
}

// remove deletes a tile's file, and the folder of one that was not full.
func (ts tiles) remove(t tile) error {
	path := filepath.Join(ts.dir, t.path())
	if err := removeIfThere(path); err != nil {
		return err
	}
	if t.width < tileWidth {
		_ = os.Remove(filepath.Dir(path)) // other widths may be in it
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sync makes a tile's file durable.
func (ts tiles) sync(t tile) error {
	f, err := os.Open(filepath.Join(ts.dir, t.path()))
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
