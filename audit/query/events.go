package query

import (
	"container/heap"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/openshell-policy/openshell/audit"
)

// Logs resolves what a user names: a log stays, a folder of logs becomes those in
// it. "-" is the standard input.
func Logs(paths []string) ([]string, error) {
	var out []string
	for _, p := range paths {
		if p == "-" {
			out = append(out, p)
			continue
		}
		info, err := os.Stat(p)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() || isLog(p) {
			out = append(out, p)
			continue
		}
		inner, err := logsIn(p)
		if err != nil {
			return nil, err
		}
		out = append(out, inner...)
	}
	if len(out) == 0 {
		return nil, errors.New("no log is named")
	}
	return out, nil
}

func isLog(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, "segments"))
	return err == nil && info.IsDir()
}

func logsIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		p := filepath.Join(dir, e.Name())
		switch {
		case !e.IsDir():
		case isLog(p):
			out = append(out, p)
		default: // as received logs are kept: proven/NAME, unproven/NAME
			below, err := filepath.Glob(filepath.Join(p, "*", "segments"))
			if err != nil {
				return nil, err
			}
			for _, b := range below {
				out = append(out, filepath.Dir(b))
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: neither a log (it has no folder segments) nor a folder of logs", dir)
	}
	return out, nil
}

// Events reads the records of the logs that the filter selects, merged by time.
// It ends after the first error.
func Events(paths []string, f Filter) iter.Seq2[*Event, error] {
	return newMatcher(f).events(paths)
}

// EventsCounting is Events; it also counts the lines of files that hold no
// decision, such as what else OPA prints on its console.
func EventsCounting(paths []string, f Filter, skipped *int) iter.Seq2[*Event, error] {
	m := newMatcher(f)
	return func(yield func(*Event, error) bool) {
		defer func() { *skipped = m.skipped }()
		m.events(paths)(yield)
	}
}

func (m *matcher) events(paths []string) iter.Seq2[*Event, error] {
	if len(paths) == 1 {
		return m.read(paths[0])
	}
	return func(yield func(*Event, error) bool) {
		var h heads
		for i, p := range paths {
			next, stop := iter.Pull2(m.read(p))
			defer stop()
			if err := h.push(&head{next: next, log: i}); err != nil {
				yield(nil, err)
				return
			}
		}
		for len(h) > 0 {
			first := heap.Pop(&h).(*head)
			if !yield(first.event, nil) {
				return
			}
			if err := h.push(first); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// head is the next event of one log.
type head struct {
	next  func() (*Event, error, bool)
	log   int
	event *Event
	at    time.Time
}

// heads is a heap of them, the earliest first.
type heads []*head

// push advances a log and adds it unless it has ended. A record without a
// readable time comes where the one before it in its log came.
func (h *heads) push(x *head) error {
	event, err, ok := x.next()
	if err != nil || !ok {
		return err
	}
	x.event = event
	if at, err := event.Time(); err == nil {
		x.at = at
	}
	heap.Push(h, x)
	return nil
}

func (h heads) Len() int { return len(h) }

func (h heads) Less(i, j int) bool {
	if c := h[i].at.Compare(h[j].at); c != 0 {
		return c < 0
	}
	return h[i].log < h[j].log
}

func (h heads) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is for package heap.
func (h *heads) Push(x any) { *h = append(*h, x.(*head)) }

// Pop is for package heap.
func (h *heads) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// read reads one log.
func (m *matcher) read(path string) iter.Seq2[*Event, error] {
	if info, err := os.Stat(path); path != "-" && err == nil && info.IsDir() {
		return m.directory(path)
	}
	return m.file(path)
}

// directory reads a log of package audit. Its lines are canonical.
func (m *matcher) directory(path string) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		e := &Event{Log: path}
		for entry, err := range audit.Entries(path, audit.Position{Since: m.Since}) {
			if err != nil {
				yield(nil, err)
				return
			}
			m.last[path] = entry.Seq
			if !m.may(entry.Line) {
				continue
			}
			e.Seq, e.Line = entry.Seq, entry.Line
			if e.Fields, err = audit.ParseFields(entry.Line); err != nil {
				yield(nil, fmt.Errorf("%s: record %d: %w", path, entry.Seq, err))
				return
			}
			if m.match(e) && !yield(e, nil) {
				return
			}
		}
	}
}
