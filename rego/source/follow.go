package source

import (
	"context"
	"time"
)

// minBackoff is the first pause after a failure; it doubles up to Options.Poll.
const minBackoff = 100 * time.Millisecond

// Follow fetches bundles until the context ends, and calls reload for each that is
// new. What reload refuses is not asked for again until the source has another.
func (s *Source) Follow(ctx context.Context, reload func(context.Context) error) {
	backoff := time.Duration(0)
	for ctx.Err() == nil {
		err := s.once(ctx, reload)
		wait := s.fetcher.pause()
		if err != nil && ctx.Err() == nil {
			backoff = min(max(2*backoff, minBackoff), max(s.opts.Poll, minBackoff))
			wait = backoff
			s.opts.Log.Warn("bundle source", "source", s.state.Source, "error", err, "again_in", wait)
		} else {
			backoff = 0
		}
		sleep(ctx, wait)
	}
}

// once asks once. The error is of the asking: a bundle that is refused was said by
// reload, and the next may be better.
func (s *Source) once(ctx context.Context, reload func(context.Context) error) error {
	data, err := s.fetch(ctx)
	if err != nil {
		_ = s.fault(err)
		s.tell(ctx)
		return err
	}
	if data == nil {
		s.answered()
		return nil
	}
	if err := reload(ctx); err != nil {
		s.drop(err)
		s.tell(ctx)
	}
	return nil
}

// drop goes back to the bundle in force: what was refused is not tried again
// whenever something else makes the gateway load.
func (s *Source) drop(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest, s.state.Fault = s.good, err
}

// answered clears a fault of the connection once the source answers again.
func (s *Source) answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if unreached(s.state.Fault) {
		s.state.Fault = nil
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
