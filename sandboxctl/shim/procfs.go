package shim

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// publicOf are the files about a process that anyone may read; the rest is for who
// may trace it.
func publicOf() []string {
	return []string{"", "stat", "status", "statm", "comm", "cmdline", "cgroup", "limits", "sched", "oom_score", "oom_adj", "oom_score_adj", "task"}
}

// guarded tells whether a path below /proc is of a process that is not the
// sandbox's, and nothing that anyone may read. The kernel would ask whether the
// opener may trace that process, and the opener is the supervisor: it may trace
// itself.
func (s *Supervisor) guarded(file string) bool {
	rest, ok := strings.CutPrefix(file, "/proc/")
	if !ok {
		return false
	}
	first, rest, _ := strings.Cut(rest, "/")
	id, err := strconv.Atoi(first)
	if err != nil {
		return false
	}
	if thread, ok := strings.CutPrefix(rest, "task/"); ok {
		_, rest, _ = strings.Cut(thread, "/")
	}
	return !slices.Contains(publicOf(), rest) && !s.inside(id)
}

// inside tells whether a process, by its number in the sandbox's view, is one of
// the sandbox's and not the one that starts them.
func (s *Supervisor) inside(id int) bool {
	if s.opts.Root != "" {
		ids, err := readIdentityBelow(s.opts.Root, id)
		return err == nil && ids.tgid != 1
	}
	for range maxAncestry {
		ids, err := readIdentity(id)
		if err != nil || ids.tgid == s.opts.Init || ids.tgid == os.Getpid() {
			return false
		}
		if ids.parent == s.opts.Init {
			return true
		}
		if id = ids.parent; id <= 1 {
			return false
		}
	}
	return false
}

// maxAncestry bounds the generations that are followed.
const maxAncestry = 4096
