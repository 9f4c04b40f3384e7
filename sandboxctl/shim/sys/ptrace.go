package sys

import (
	"golang.org/x/sys/unix"
)

// Seize attaches the calling thread to one other thread, which is not stopped.
// It stops when it has executed a program, before the first instruction of it,
// and is killed if the calling process dies first.
func Seize(tid int) error {
	return ptrace(unix.PTRACE_SEIZE, tid, 0, unix.PTRACE_O_TRACEEXEC|unix.PTRACE_O_EXITKILL)
}

// Interrupt makes a seized thread stop at the latest when it is back in its
// program, as it is when an execution fails.
func Interrupt(tid int) error { return ptrace(unix.PTRACE_INTERRUPT, tid, 0, 0) }

// Detach lets a stopped thread go on, with a signal if it is not 0.
func Detach(tid int, sig unix.Signal) error {
	return ptrace(unix.PTRACE_DETACH, tid, 0, uintptr(sig))
}

func ptrace(request, tid int, addr, data uintptr) error {
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), addr, data, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// Stop is why a traced thread stopped.
type Stop struct {
	TID    int // a thread that executes takes the number of its process
	Exec   bool
	Gone   bool        // it ended
	Signal unix.Signal // about to be delivered
}

// WaitTraced waits for what the calling thread traces, and for nothing else: a
// wait for any child would also take what other threads trace.
func WaitTraced() (Stop, error) {
	for {
		var status unix.WaitStatus
		tid, err := unix.Wait4(-1, &status, unix.WALL|unix.WNOTHREAD, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return Stop{}, err
		}
		s := Stop{TID: tid}
		switch event := int(status) >> 16; {
		case status.Exited() || status.Signaled():
			s.Gone = true
		case event == unix.PTRACE_EVENT_EXEC:
			s.Exec = true
		case event == 0:
			s.Signal = status.StopSignal()
		}
		return s, nil
	}
}
