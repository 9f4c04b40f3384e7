//go:build linux

package local

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is the unit of the times in /proc/PID/stat; Linux fixes it for
// user space.
const ticksPerSecond = 100

// treeUsage adds up what a process and all below it use. Without a control group
// the CPU time of processes that have ended is what their parents were told.
func treeUsage(pid int) Usage {
	var u Usage
	queue := []int{pid}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		u.add(at)
		queue = append(queue, childrenOf(at)...)
	}
	return u
}

func (u *Usage) add(pid int) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 22 {
		return
	}
	ticks := int64(0)
	for _, f := range fields[11:15] { // its own and its children's, user and system
		n, _ := strconv.ParseInt(f, 10, 64)
		ticks += n
	}
	u.CPU += time.Duration(ticks) * time.Second / ticksPerSecond
	pages, _ := strconv.ParseInt(fields[21], 10, 64)
	u.MemoryBytes += pages * int64(os.Getpagesize())
}

func childrenOf(pid int) []int {
	files, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	var out []int
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for _, f := range strings.Fields(string(data)) {
			if n, err := strconv.Atoi(f); err == nil {
				out = append(out, n)
			}
		}
	}
	return out
}
