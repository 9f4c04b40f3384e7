package suggest

import (
	"maps"
	"slices"
)

// tree holds the segments of paths, so that many values in one place can be
// replaced by a pattern.
type tree struct {
	end  bool // a path ends here
	next map[string]*tree
}

// wild stands for any one segment.
const wild = "*"

func (t *tree) add(segments []string) {
	for _, s := range segments {
		if t.next == nil {
			t.next = map[string]*tree{}
		}
		if t.next[s] == nil {
			t.next[s] = &tree{}
		}
		t = t.next[s]
	}
	t.end = true
}

// generalise replaces the values of one place by a wildcard where k different ones
// or more were seen, but not in the first places, which keep counts. K 0 never does.
func (t *tree) generalise(k, keep int) {
	values := len(t.next)
	if t.next[""] != nil {
		values-- // the end of a path with a trailing slash
	}
	if k > 0 && keep <= 0 && values >= k {
		merged := &tree{}
		for s, sub := range t.next {
			if s != "" {
				merged.join(sub)
				delete(t.next, s)
			}
		}
		t.next[wild] = merged
	}
	for _, sub := range t.next {
		sub.generalise(k, keep-1)
	}
}

func (t *tree) join(o *tree) {
	t.end = t.end || o.end
	for s, sub := range o.next {
		if t.next == nil {
			t.next = map[string]*tree{}
		}
		if t.next[s] == nil {
			t.next[s] = sub
			continue
		}
		t.next[s].join(sub)
	}
}

// paths lists the paths in order, their segments behind slashes.
func (t *tree) paths(prefix string) []string {
	var out []string
	if t.end {
		out = append(out, prefix)
	}
	for _, s := range slices.Sorted(maps.Keys(t.next)) {
		out = append(out, t.next[s].paths(prefix+"/"+s)...)
	}
	return out
}
