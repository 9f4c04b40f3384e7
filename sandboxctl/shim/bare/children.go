package bare

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// killTime bounds how long what is left is looked for: who is killed may have made
// another meanwhile.
const killTime = time.Minute

// killChildren ends the processes that init left behind when it was killed; this
// process, which has no other children, got them.
func killChildren() {
	kill(children, func(pid int) { _, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil) })
}

// kill ends the processes that find lists, again and again, until this process has
// no child. A list alone would not do: the kernel's leave processes out while
// others come and go.
func kill(find func() []int, then func(pid int)) {
	for end := time.Now().Add(killTime); !childless() && time.Now().Before(end); {
		for _, pid := range find() {
			_ = unix.Kill(pid, unix.SIGKILL) // it may have ended
			then(pid)
		}
		time.Sleep(time.Millisecond)
	}
}

// childless tells whether this process has no child, not even one that has ended
// and is not waited for.
func childless() bool {
	return unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil) == unix.ECHILD
}

// children are the processes whose parent this one is.
func children() (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) > 1 && string(fields[1]) == strconv.Itoa(os.Getpid()) {
			pids = append(pids, pid)
		}
	}
	return pids
}
