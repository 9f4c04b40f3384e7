package shim

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// terminal is the caller's controlling terminal by its own name: /dev/tty would
// be the supervisor's.
func (c *call) terminal() (*place, error) {
	data, err := os.ReadFile(c.proc("stat"))
	if err != nil {
		return nil, unix.ENXIO
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 5 {
		return nil, unix.ENXIO
	}
	device, err := strconv.ParseUint(fields[4], 10, 32) // tty_nr of proc_pid_stat(5)
	if err != nil || device == 0 {
		return nil, unix.ENXIO
	}
	// The kernel packs the number as in new_encode_dev: minor in two parts.
	major, minor := device>>8&0xfff, device&0xff|device>>12&0xfff00
	if major < 136 || major > 143 {
		return nil, unix.ENXIO
	}
	file := "/dev/pts/" + strconv.FormatUint((major-136)<<8|minor, 10)
	p, err := c.direct(file, true)
	if err != nil {
		return nil, unix.ENXIO
	}
	if p.kind() != unix.S_IFCHR || uint64(p.stat.Rdev) != unix.Mkdev(uint32(major), uint32(minor)) {
		p.close()
		return nil, unix.ENXIO
	}
	return p, nil
}

// maxPatient bounds the FIFOs that wait for their other end at once.
const maxPatient = 64

// patiently opens what may wait for another process, on a thread of its own that
// is confined as the openers are.
func (c *call) patiently(open func() error) error {
	if c.s.patient.Add(1) > maxPatient {
		c.s.patient.Add(-1)
		return unix.EAGAIN
	}
	defer c.s.patient.Add(-1)
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked
		if err := c.s.openers.confine(c.s); err != nil {
			done <- unix.EACCES
			return
		}
		done <- open()
	}()
	return <-done
}
