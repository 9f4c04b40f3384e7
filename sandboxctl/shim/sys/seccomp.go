package sys

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Notification is one system call that waits for an answer (seccomp_unotify(2)).
type Notification struct {
	ID   uint64
	PID  int // the calling thread, as the reader's pid namespace numbers it
	Nr   int
	Args [6]uint64
}

// sizeNotif is sizeof(struct seccomp_notif).
const sizeNotif = 80

const (
	ioctlIDValid = 0x40082102 // SECCOMP_IOCTL_NOTIF_ID_VALID
	ioctlAddFD   = 0x40182103 // SECCOMP_IOCTL_NOTIF_ADDFD
)

// InstallFilter installs a filter on the calling thread and what it forks, and
// returns the descriptor that its notifications are read from. The thread has
// no_new_privs set. notify false installs one that never notifies, and returns
// -1.
//
// WAIT_KILLABLE_RECV (Linux 5.19) keeps a call whose notification was read from
// being interrupted and made again: without it a signal doubles its effects.
func InstallFilter(program []unix.SockFilter, notify bool) (int, error) {
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	flags := uintptr(0)
	if notify {
		flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		flags, uintptr(unsafe.Pointer(&fprog)))
	runtime.KeepAlive(program)
	if errno != 0 {
		return -1, fmt.Errorf("install seccomp filter: %w", errno)
	}
	if !notify {
		return -1, nil
	}
	return int(fd), nil
}

// Receive waits for a notification. unix.EINTR and unix.ENOENT (the caller went
// away meanwhile) mean to try again, unless the listener has hung up.
func Receive(listener int) (Notification, error) {
	var b [sizeNotif]byte // the kernel refuses one that is not zero
	if errno := ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&b)); errno != 0 {
		return Notification{}, errno
	}
	le := binary.NativeEndian
	n := Notification{ID: le.Uint64(b[0:]), PID: int(int32(le.Uint32(b[8:]))), Nr: int(int32(le.Uint32(b[16:])))}
	for i := range n.Args {
		n.Args[i] = le.Uint64(b[32+8*i:])
	}
	return n, nil
}

// HungUp tells whether the last process under the filter is gone.
func HungUp(listener int) bool {
	p := []unix.PollFd{{Fd: int32(listener)}}
	n, err := unix.Poll(p, 0)
	return err == nil && n == 1 && p[0].Revents&unix.POLLHUP != 0
}

// Valid tells whether the notification still waits: the thread that the number
// in it names is then the one that made the call.
func Valid(listener int, id uint64) bool {
	return ioctl(listener, ioctlIDValid, unsafe.Pointer(&id)) == 0
}

// Fail answers a call with an error.
func Fail(listener int, id uint64, errno unix.Errno) error {
	return respond(listener, id, 0, -int32(errno), 0)
}

// Return answers a call with a value.
func Return(listener int, id uint64, value int64) error { return respond(listener, id, value, 0, 0) }

// Continue lets the kernel make the call from the caller's own memory, which
// another thread can change meanwhile: it enforces nothing by itself.
func Continue(listener int, id uint64) error {
	return respond(listener, id, 0, 0, unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE)
}

func respond(listener int, id uint64, value int64, errno int32, flags uint32) error {
	var b [24]byte
	le := binary.NativeEndian
	le.PutUint64(b[0:], id)
	le.PutUint64(b[8:], uint64(value))
	le.PutUint32(b[16:], uint32(errno))
	le.PutUint32(b[20:], flags)
	if e := ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&b)); e != 0 {
		return e
	}
	return nil
}

// Inject puts a copy of fd into the caller and answers the call with its
// number there. The thread has its signals masked: interrupted half-way, the
// caller would be told descriptor 0.
func Inject(listener int, id uint64, fd int, cloexec bool) error {
	var b [24]byte
	le := binary.NativeEndian
	le.PutUint64(b[0:], id)
	le.PutUint32(b[8:], unix.SECCOMP_ADDFD_FLAG_SEND)
	le.PutUint32(b[12:], uint32(fd))
	if cloexec {
		le.PutUint32(b[20:], unix.O_CLOEXEC)
	}
	if e := ioctl(listener, ioctlAddFD, unsafe.Pointer(&b)); e != 0 {
		return e
	}
	return nil
}

func ioctl(fd int, request uintptr, arg unsafe.Pointer) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
	return errno
}
