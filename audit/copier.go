package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// copier takes checkpoints to where the machine's owner cannot change them. Only
// the newest counts: a copy that was missed is made up by the next.
type copier struct {
	file, url string
	report    func(error)
	client    *http.Client

	mu     sync.Mutex
	newest []byte
	last   error
	wake   chan struct{}
	done   chan struct{}
}

const (
	copyTimeout  = 10 * time.Second
	copyRetry    = 5 * time.Second
	lastCopyWait = 5 * time.Second
)

func (c *copier) start(l *Log) {
	c.file, c.url, c.report = l.opts.CheckpointFile, l.opts.CheckpointURL, l.opts.Report
	if c.file == "" && c.url == "" {
		return
	}
	c.client = &http.Client{Timeout: copyTimeout}
	c.mu.Lock()
	c.wake, c.done = make(chan struct{}, 1), make(chan struct{})
	c.mu.Unlock()
	go c.run(l.ctx)
}

// put hands over a checkpoint; it never waits.
func (c *copier) put(text []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wake == nil {
		return
	}
	c.newest = text
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *copier) run(ctx context.Context) {
	defer close(c.done)
	for {
		select {
		case <-ctx.Done():
			c.flush()
			return
		case <-c.wake:
		}
		if !c.flush() {
			select {
			case <-ctx.Done():
			case <-time.After(copyRetry):
			}
			c.put(c.take())
		}
	}
}

func (c *copier) take() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.newest
}

// flush copies the newest checkpoint and tells whether that worked.
func (c *copier) flush() bool {
	text := c.take()
	if text == nil {
		return true
	}
	err := errors.Join(c.toFile(text), c.toURL(text))
	c.mu.Lock()
	c.last = err
	if err == nil && bytes.Equal(c.newest, text) {
		c.newest = nil
	}
	c.mu.Unlock()
	if err != nil {
		c.report(fmt.Errorf("copy checkpoint: %w", err))
	}
	return err == nil
}

func (c *copier) toFile(text []byte) error {
	if c.file == "" {
		return nil
	}
	return replaceFile(c.file, text)
}

func (c *copier) toURL(text []byte) error {
	if c.url == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), copyTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("POST %s: %s", c.url, resp.Status)
	}
	return nil
}

// wait waits, after the log's context has ended, until the last checkpoint is
// copied.
func (c *copier) wait() error {
	if c.done == nil {
		return nil
	}
	select {
	case <-c.done:
	case <-time.After(lastCopyWait):
		return errors.New("the last checkpoint was not copied in time")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.newest == nil {
		return nil
	}
	return fmt.Errorf("the last checkpoint was not copied: %w", c.last)
}
