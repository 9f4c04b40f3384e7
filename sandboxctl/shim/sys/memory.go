package sys

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strconv"

	"golang.org/x/sys/unix"
)

// ErrTooLong is returned for a string or list that goes on beyond its bound.
var ErrTooLong = errors.New("longer than its bound")

const pageSize = 4096 // a lower bound of it: reads stop at these borders

// Memory reads another process's memory through /proc/PID/mem, which needs no
// more than process_vm_readv(2) and is allowed by more container profiles.
type Memory struct{ fd int }

// OpenMemory opens the memory of the process that a thread belongs to.
func OpenMemory(tid int) (Memory, error) {
	fd, err := unix.Open("/proc/"+strconv.Itoa(tid)+"/mem", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	return Memory{fd}, err
}

// Close closes it.
func (m Memory) Close() { _ = unix.Close(m.fd) }

// Read fills b from an address.
func (m Memory) Read(address uint64, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Pread(m.fd, b, int64(address))
		if err != nil {
			return fault(err)
		}
		if n == 0 {
			return unix.EFAULT
		}
		address, b = address+uint64(n), b[n:]
	}
	return nil
}

// fault is the error that the kernel gives for a bad address.
func fault(err error) error {
	if errors.Is(err, unix.EIO) {
		return unix.EFAULT
	}
	return err
}

// String reads up to the NUL, which it leaves out. ErrTooLong is returned for
// one without a NUL in the first limit bytes.
func (m Memory) String(address uint64, limit int) (string, error) {
	if address == 0 {
		return "", unix.EFAULT
	}
	var out []byte
	var page [pageSize]byte
	for len(out) < limit {
		n := min(pageSize-int(address%pageSize), 256)
		if len(out) > 0 {
			n = pageSize - int(address%pageSize)
		}
		n = min(n, limit-len(out))
		if err := m.Read(address, page[:n]); err != nil {
			return "", err
		}
		if i := bytes.IndexByte(page[:n], 0); i >= 0 {
			return string(append(out, page[:i]...)), nil
		}
		out, address = append(out, page[:n]...), address+uint64(n)
	}
	return "", ErrTooLong
}

// Strings reads an array of pointers that ends in a null one, and the strings
// they point to: an argument list or an environment. limit bounds the bytes of
// all together. No list (a null address) is an empty one, as for execve(2).
func (m Memory) Strings(address uint64, limit int) ([]string, error) {
	out := []string{}
	if address == 0 {
		return out, nil
	}
	var word [8]byte
	for used := 0; ; address += 8 {
		if err := m.Read(address, word[:]); err != nil {
			return nil, err
		}
		p := binary.NativeEndian.Uint64(word[:])
		if p == 0 {
			return out, nil
		}
		s, err := m.String(p, limit-used)
		if err != nil {
			return nil, err
		}
		if used += len(s) + 1; used > limit {
			return nil, ErrTooLong
		}
		out = append(out, s)
	}
}

// Word reads one pointer.
func (m Memory) Word(address uint64) (uint64, error) {
	var b [8]byte
	err := m.Read(address, b[:])
	return binary.NativeEndian.Uint64(b[:]), err
}

// WriteMemory writes into another process, as an attacker inside it could; the
// self-test does.
func WriteMemory(tid int, address uint64, b []byte) error {
	fd, err := unix.Open("/proc/"+strconv.Itoa(tid)+"/mem", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Pwrite(fd, b, int64(address))
	return err
}
