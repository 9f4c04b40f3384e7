package sys

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// ErrTooLong is returned for a string or list that goes on beyond its bound.
var ErrTooLong = errors.New("longer than its bound")

const pageSize = 4096 // a lower bound of it: reads stop at these borders

// Memory reads another process's memory through /proc/PID/mem, which needs no
// more than process_vm_readv(2) and is allowed by more container profiles. Each
// page is read once; so what was read does not change.
type Memory struct {
	fd    int
	pages [cachedPages]page
}

const cachedPages = 8

type page struct {
	number uint64 // address / pageSize + 1
	data   [pageSize]byte
}

// OpenMemory opens the memory of the process that a thread belongs to.
func OpenMemory(tid int) (*Memory, error) {
	fd, err := unix.Open("/proc/"+strconv.Itoa(tid)+"/mem", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	m, _ := memories.Get().(*Memory)
	if m == nil {
		m = &Memory{}
	}
	m.fd = fd
	return m, nil
}

// memories are used again: each holds several pages.
var memories sync.Pool

// Close closes it; it must not be used any more.
func (m *Memory) Close() {
	_ = unix.Close(m.fd)
	for i := range m.pages {
		m.pages[i].number = 0
	}
	memories.Put(m)
}

// page returns the bytes from an address to the end of its page.
func (m *Memory) page(address uint64) ([]byte, error) {
	number := address/pageSize + 1
	p := &m.pages[number%cachedPages]
	if p.number != number {
		p.number = 0
		if err := m.read((number-1)*pageSize, p.data[:]); err != nil {
			return nil, err
		}
		p.number = number
	}
	return p.data[address%pageSize:], nil
}

// Read fills b from an address.
func (m *Memory) Read(address uint64, b []byte) error {
	for len(b) > 0 {
		p, err := m.page(address)
		if err != nil {
			return err
		}
		n := copy(b, p)
		address, b = address+uint64(n), b[n:]
	}
	return nil
}

func (m *Memory) read(address uint64, b []byte) error {
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
func (m *Memory) String(address uint64, limit int) (string, error) {
	if address == 0 {
		return "", unix.EFAULT
	}
	var out []byte
	for len(out) < limit {
		p, err := m.page(address)
		if err != nil {
			return "", err
		}
		p = p[:min(len(p), limit-len(out))]
		if i := bytes.IndexByte(p, 0); i >= 0 {
			return string(append(out, p[:i]...)), nil
		}
		out, address = append(out, p...), address+uint64(len(p))
	}
	return "", ErrTooLong
}

// Strings reads an array of pointers that ends in a null one, and the strings
// they point to: an argument list or an environment. limit bounds the bytes of
// all together. No list (a null address) is an empty one, as for execve(2).
func (m *Memory) Strings(address uint64, limit int) ([]string, error) {
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
func (m *Memory) Word(address uint64) (uint64, error) {
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

// ReadSmall reads a file whose text fits into buf, as those of /proc do.
func ReadSmall(path string, buf []byte) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	n := 0
	for n < len(buf) {
		k, err := unix.Read(fd, buf[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if k == 0 {
			return buf[:n], nil
		}
		n += k
	}
	return nil, ErrTooLong
}

// ProcessID tells processes with one number apart: the number of the process's
// pidfd, which is never used again (Linux 6.9), else its start time.
func ProcessID(pid int) (string, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var fs unix.Statfs_t
	var st unix.Stat_t
	if unix.Fstatfs(fd, &fs) == nil && fs.Type == unix.PID_FS_MAGIC && unix.Fstat(fd, &st) == nil {
		return strconv.FormatUint(st.Ino, 16), nil
	}
	var buf [1024]byte
	data, err := ReadSmall("/proc/"+strconv.Itoa(pid)+"/stat", buf[:])
	if err != nil {
		return "", err
	}
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 20 {
		return "", unix.ESRCH
	}
	return string(fields[19]), nil // starttime, field 22 of proc_pid_stat(5)
}
