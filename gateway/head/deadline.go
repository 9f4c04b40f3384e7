package head

import "time"

// A head has its own deadline under the one that the server sets: the server
// waits for a first byte as long as a connection may idle, and would let a client
// that sends one byte a minute do so for ever.

// SetReadDeadline sets the deadline that holds outside of heads.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server = t
	return c.Conn.SetReadDeadline(c.deadline())
}

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

func (c *Conn) deadline() time.Time {
	if c.headEnds.IsZero() || !c.server.IsZero() && c.server.Before(c.headEnds) {
		return c.server
	}
	return c.headEnds
}

// begin starts a head's time, finish ends it.
func (c *Conn) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.began {
		return
	}
	c.began = true
	c.headEnds = time.Now().Add(c.opts.Timeout)
	_ = c.Conn.SetReadDeadline(c.deadline())
}

func (c *Conn) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.began {
		return
	}
	c.began = false
	c.headEnds = time.Time{}
	_ = c.Conn.SetReadDeadline(c.deadline())
}

// Close closes the connection and reports a head that never became complete.
func (c *Conn) Close() error {
	err := c.Conn.Close()
	c.closing.Do(func() {
		c.mu.Lock()
		began, fault := c.began, c.fault
		c.mu.Unlock()
		if !began || c.opts.OnAbort == nil {
			return
		}
		if fault == nil {
			fault = &Fault{Detail: "the request head was never completed"}
		}
		c.opts.OnAbort(fault)
	})
	return err
}
