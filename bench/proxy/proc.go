package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc (proc(5): USER_HZ, 100 on every architecture
// of ours).
const tick = 10 * time.Millisecond

// groupOf calls fn with the fields of /proc/PID/stat, from the state on, of each
// process of a group.
func groupOf(pgid int, fn func(pid string, stat []string)) {
	if pgid == 0 {
		return
	}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		text, err := os.ReadFile(dir + "/stat")
		if err != nil {
			continue
		}
		_, rest, ok := bytes.Cut(text, []byte(") "))
		if stat := strings.Fields(string(rest)); ok && len(stat) > 15 && stat[2] == strconv.Itoa(pgid) {
			fn(filepath.Base(dir), stat)
		}
	}
}

// cpuOf is the processor time of a group, children that ended included.
func cpuOf(pgid int) (sum time.Duration) {
	groupOf(pgid, func(_ string, stat []string) {
		for _, field := range stat[11:15] {
			n, _ := strconv.Atoi(field)
			sum += time.Duration(n) * tick
		}
	})
	return sum
}

// rssOf is the memory of a group that is resident.
func rssOf(pgid int) (sum int64) {
	groupOf(pgid, func(pid string, _ []string) {
		text, _ := os.ReadFile("/proc/" + pid + "/statm")
		if f := strings.Fields(string(text)); len(f) > 1 {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			sum += n * int64(os.Getpagesize())
		}
	})
	return sum
}
