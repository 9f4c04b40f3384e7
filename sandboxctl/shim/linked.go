package shim

import (
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl/shim/globs"
	"github.com/openshell-policy/openshell/schemas"
)

// object is a file whatever its name.
type object struct{ dev, ino uint64 }

// linked knows the files that the policy blocks under one name and that have
// another too. They are looked for when the first file with several names is
// asked for; none can appear later from inside, where links are judged.
type linked struct {
	mu     sync.Mutex
	policy *Policy
	found  map[object]bool
	whole  bool // everything was looked at
}

func (l *linked) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.policy, l.found = nil, nil
}

// blocked tells whether a place is a file that another name of it blocks.
func (l *linked) blocked(c *call, p *place) bool {
	if !p.exists() || p.kind() != unix.S_IFREG || p.stat.Nlink < 2 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.policy != c.policy {
		l.policy, l.found = c.policy, map[object]bool{}
		l.whole = l.scan(c)
	}
	return l.found[object{uint64(p.stat.Dev), p.stat.Ino}]
}

// scanFor bounds the search. A tree too large for it is searched as far as that
// goes; docs/threat-model.md says so.
const scanFor = 3 * time.Second

// scan walks what the policy grants and notes what it blocks there.
func (l *linked) scan(c *call) bool {
	end := time.Now().Add(scanFor)
	prefix := strings.TrimSuffix(c.s.opts.Root, "/")
	for _, g := range globs.ParseAll(append(append([]string{}, c.policy.Files.Writable...), c.policy.Files.Readonly...)) {
		base, _, _ := g.Base()
		err := filepath.WalkDir(prefix+base, func(file string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil
			}
			if time.Now().After(end) {
				return fs.SkipAll
			}
			l.note(c, strings.TrimPrefix(file, prefix), file)
			return nil
		})
		if err != nil || time.Now().After(end) {
			return false
		}
	}
	return true
}

func (l *linked) note(c *call, name, file string) {
	var st unix.Stat_t
	if unix.Lstat(file, &st) != nil || st.Nlink < 2 {
		return
	}
	if d := c.verdict(schemas.OpRead, name); d.Code == schemas.CodeBlockedPath {
		l.found[object{uint64(st.Dev), st.Ino}] = true
	}
}
