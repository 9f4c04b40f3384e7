package gateway

import "sync"

// signal tells everybody who waits that something changed. The zero value is
// ready for use.
type signal struct {
	mu sync.Mutex
	ch chan struct{}
}

// next returns a channel that is closed when something changes from now on.
func (s *signal) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

// tell wakes who waits.
func (s *signal) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}
