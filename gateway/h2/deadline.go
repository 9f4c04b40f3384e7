package h2

import "time"

// SetReadDeadline sets the deadline that holds outside of header blocks.
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
	if c.block.IsZero() || !c.server.IsZero() && c.server.Before(c.block) {
		return c.server
	}
	return c.block
}

// watchBlock begins or ends the time of a header block, or of another frame that
// is not data.
func (c *Conn) watchBlock() {
	if c.in.between() {
		c.end()
	} else {
		c.begin()
	}
}

func (c *Conn) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.block.IsZero() {
		c.block = time.Now().Add(c.opts.Timeout)
		_ = c.Conn.SetReadDeadline(c.deadline())
	}
}

func (c *Conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.block.IsZero() {
		c.block = time.Time{}
		_ = c.Conn.SetReadDeadline(c.deadline())
	}
}
