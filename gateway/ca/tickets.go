package ca

import (
	"crypto/rand"
	"crypto/tls"
	"time"
)

// rotateEvery is how long a session-ticket key makes new tickets; the keys of
// the two periods before still open theirs.
const rotateEvery = 8 * time.Hour

// Tickets rotates the session-ticket keys of a TLS configuration. A
// configuration that is cloned does not share keys made automatically, and one
// that is not would keep them for its life.
type Tickets struct {
	config *tls.Config
	keys   [][32]byte
	since  time.Time
}

// NewTickets sets the first key.
func NewTickets(config *tls.Config) *Tickets {
	t := &Tickets{config: config}
	t.Rotate(time.Now())
	return t
}

// Rotate makes a new key when the newest is old enough. It is called by one
// goroutine.
func (t *Tickets) Rotate(now time.Time) {
	if len(t.keys) > 0 && now.Sub(t.since) < rotateEvery {
		return
	}
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	t.keys = append([][32]byte{key}, t.keys[:min(len(t.keys), 2)]...)
	t.since = now
	t.config.SetSessionTicketKeys(t.keys)
}
