package shim

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// copies knows the machine's programs by what they hold, so that a copy which the
// sandbox made under another name is judged under the program's own name too.
type copies struct {
	once  sync.Once
	build map[string][]string // paths by build id
	sized map[int64][]string  // paths by size
}

// programDirs are where the programs of the machine are.
func programDirs() []string {
	return []string{"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/bin", "/sbin"}
}

// maxCompared bounds the files that are compared whole.
const maxCompared = 16 << 20

// of returns the programs that a file is a copy of: one with the same build id,
// or the same content.
func (k *copies) of(c *call, p *place) []string {
	if !p.exists() || p.kind() != unix.S_IFREG {
		return nil
	}
	prefix := strings.TrimSuffix(c.s.opts.Root, "/")
	k.once.Do(func() { k.index(prefix) })
	f, err := os.Open(p.self())
	if err != nil {
		return nil
	}
	defer f.Close()
	if id := buildID(f); id != "" {
		return k.build[id]
	}
	for _, program := range k.sized[p.stat.Size] {
		if sameContent(f, prefix+program) {
			return []string{program}
		}
	}
	return nil
}

// index reads the machine's programs.
func (k *copies) index(prefix string) {
	k.build, k.sized = map[string][]string{}, map[int64][]string{}
	for _, dir := range programDirs() {
		if info, err := os.Lstat(prefix + dir); err != nil || !info.IsDir() {
			continue // a link to one that is read
		}
		entries, _ := os.ReadDir(prefix + dir) // what cannot be read has no names to know
		for _, e := range entries {
			if e.Type().IsRegular() {
				k.add(prefix, filepath.Join(dir, e.Name()))
			}
		}
	}
}

func (k *copies) add(prefix, program string) {
	f, err := os.Open(prefix + program)
	if err != nil {
		return
	}
	defer f.Close()
	if id := buildID(f); id != "" {
		k.build[id] = append(k.build[id], program)
	} else if info, err := f.Stat(); err == nil && info.Size() > 0 {
		k.sized[info.Size()] = append(k.sized[info.Size()], program)
	}
}

// The parts of an ELF file of 64 bits that a build id is found by (elf(5)).
const (
	elfHeader  = 64
	elfEntry   = 56
	maxEntries = 64
	maxNotes   = 4 << 10
	noteType   = 4 // PT_NOTE
	noteBuild  = 3 // NT_GNU_BUILD_ID
)

// buildID reads the GNU build id of a program; "" if it has none.
func buildID(r io.ReaderAt) string {
	var head [elfHeader]byte
	if _, err := r.ReadAt(head[:], 0); err != nil || !bytes.HasPrefix(head[:], []byte("\x7fELF\x02\x01")) {
		return ""
	}
	le := binary.LittleEndian
	at, size, n := le.Uint64(head[32:]), le.Uint16(head[54:]), min(int(le.Uint16(head[56:])), maxEntries)
	if size != elfEntry || at > 1<<40 {
		return ""
	}
	table := make([]byte, n*elfEntry)
	if _, err := r.ReadAt(table, int64(at)); err != nil {
		return ""
	}
	for ; len(table) > 0; table = table[elfEntry:] {
		from, length := le.Uint64(table[8:]), le.Uint64(table[32:])
		if le.Uint32(table) != noteType || from > 1<<40 || length > maxNotes {
			continue
		}
		notes := make([]byte, length)
		if _, err := r.ReadAt(notes, int64(from)); err != nil {
			continue
		}
		if id := buildNote(notes); id != "" {
			return id
		}
	}
	return ""
}

// buildNote finds the build id among notes.
func buildNote(notes []byte) string {
	for len(notes) >= 12 {
		le := binary.LittleEndian
		name, desc, kind := uint64(le.Uint32(notes)), uint64(le.Uint32(notes[4:])), le.Uint32(notes[8:])
		from := 12 + (name+3)&^3
		end := from + (desc+3)&^3
		if end > uint64(len(notes)) {
			return ""
		}
		if kind == noteBuild && desc > 0 && string(notes[12:12+name]) == "GNU\x00" {
			return string(notes[from : from+desc])
		}
		notes = notes[end:]
	}
	return ""
}

// sameContent compares a file with another of the same size.
func sameContent(f *os.File, other string) bool {
	g, err := os.Open(other)
	if err != nil {
		return false
	}
	defer g.Close()
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	for at := int64(0); at < maxCompared; {
		n, errA := f.ReadAt(a, at)
		m, errB := g.ReadAt(b, at)
		if n != m || !bytes.Equal(a[:n], b[:m]) {
			return false
		}
		if errA != nil || errB != nil {
			return errA == io.EOF && errB == io.EOF
		}
		at += int64(n)
	}
	return true
}
