// Package sandboxes keeps who may use the gateway: identities, the hashes of
// their tokens and the policy each is bound to.
package sandboxes

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// The errors of a look-up.
var (
	ErrNotFound  = errors.New("no such sandbox")
	ErrAmbiguous = errors.New("more than one sandbox has this prefix")
	ErrEnded     = errors.New("the sandbox has ended")
)

// TokenPrefix begins every proxy token, so that the audit log can recognise and
// mask one wherever it turns up.
const TokenPrefix = "ost_"

// Registry holds every sandbox that ever was, so that ids are never reused. Use
// Open.
type Registry struct {
	path string // "" keeps nothing on disk
	now  func() time.Time

	mu   sync.RWMutex
	byID map[string]*entry
}

type entry struct {
	adminapi.Sandbox
	TokenHash []byte `json:"token_hash"`
	// The token before, until it ends.
	OldHash []byte    `json:"old_token_hash,omitempty"`
	OldEnds time.Time `json:"old_token_ends,omitzero"`
}

// Create makes a running sandbox and returns it with its token, which is kept
// only as a hash.
func (r *Registry) Create(agent, policy string, with ...string) (adminapi.Sandbox, string, error) {
	token := newToken()
	hash := sha256.Sum256([]byte(token))
	r.mu.Lock()
	defer r.mu.Unlock()
	e := &entry{TokenHash: hash[:], Sandbox: adminapi.Sandbox{
		ID: r.newID(), Agent: agent, Policy: policy, With: with, Status: adminapi.StatusRunning, Created: r.now().UTC(),
	}}
	r.byID[e.ID] = e
	if err := r.save(); err != nil {
		delete(r.byID, e.ID)
		return adminapi.Sandbox{}, "", err
	}
	return e.Sandbox, token, nil
}

func newToken() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return TokenPrefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// newID returns an id that no sandbox has had: sb- and six of [a-z0-9].
func (r *Registry) newID() string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	for {
		id := "sb-"
		for len(id) < 9 {
			var b [1]byte
			_, _ = rand.Read(b[:])
			if b[0] < 252 { // 7*36, so that every letter is as likely
				id += string(alphabet[b[0]%36])
			}
		}
		if _, used := r.byID[id]; !used {
			return id
		}
	}
}

// Authenticate returns the running sandbox with this id, with or without "sb-",
// whose token this is. The time it takes does not tell whether the id exists. With
// the id "" it is whichever sandbox has the token.
func (r *Registry) Authenticate(id, token string) (adminapi.Sandbox, bool) {
	hash := sha256.Sum256([]byte(token))
	r.mu.RLock()
	defer r.mu.RUnlock()
	if id != "" {
		return r.proves(r.byID["sb-"+strings.TrimPrefix(id, "sb-")], hash)
	}
	for _, e := range r.byID {
		if s, ok := r.proves(e, hash); ok {
			return s, true
		}
	}
	return adminapi.Sandbox{}, false
}

// proves tells whether the hash is that of the running sandbox's token, or of the
// one before while that still works. The entry may be nil.
func (r *Registry) proves(e *entry, hash [sha256.Size]byte) (adminapi.Sandbox, bool) {
	var none [sha256.Size]byte
	want, old := none[:], none[:]
	if e != nil {
		want = e.TokenHash
		if len(e.OldHash) == sha256.Size && r.now().Before(e.OldEnds) {
			old = e.OldHash
		}
	}
	same := subtle.ConstantTimeCompare(hash[:], want)|subtle.ConstantTimeCompare(hash[:], old) == 1
	if !same || e == nil || e.Status != adminapi.StatusRunning {
		return adminapi.Sandbox{}, false
	}
	return e.Sandbox, true
}

// Rotate gives a running sandbox a new token, which it returns; the one before
// works until the grace is over.
func (r *Registry) Rotate(ref string, grace time.Duration) (adminapi.Sandbox, string, error) {
	token := newToken()
	hash := sha256.Sum256([]byte(token))
	r.mu.Lock()
	defer r.mu.Unlock()
	e, err := r.find(ref)
	if err != nil {
		return adminapi.Sandbox{}, "", err
	}
	if e.Status != adminapi.StatusRunning {
		return adminapi.Sandbox{}, "", fmt.Errorf("%w: %q", ErrEnded, e.ID)
	}
	before := *e
	e.OldHash, e.OldEnds, e.TokenHash = e.TokenHash, r.now().Add(grace).UTC(), hash[:]
	if err := r.save(); err != nil {
		*e = before
		return adminapi.Sandbox{}, "", err
	}
	return e.Sandbox, token, nil
}

// Running returns the sandbox with exactly this id while it runs.
func (r *Registry) Running(id string) (adminapi.Sandbox, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	e := r.byID[id]
	if e == nil || e.Status != adminapi.StatusRunning {
		return adminapi.Sandbox{}, false
	}
	return e.Sandbox, true
}

// Find returns the sandbox by its id, with or without "sb-", or a unique prefix
// of either.
func (r *Registry) Find(ref string) (adminapi.Sandbox, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	e, err := r.find(ref)
	if err != nil {
		return adminapi.Sandbox{}, err
	}
	return e.Sandbox, nil
}

func (r *Registry) find(ref string) (*entry, error) {
	want := "sb-" + strings.TrimPrefix(ref, "sb-")
	if e, ok := r.byID[want]; ok {
		return e, nil
	}
	var found *entry
	for id, e := range r.byID {
		if want == "sb-" || !strings.HasPrefix(id, want) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%w: %q", ErrAmbiguous, ref)
		}
		found = e
	}
	if found == nil {
		return nil, fmt.Errorf("%w: %q", ErrNotFound, ref)
	}
	return found, nil
}

// List returns the running sandboxes, or all, the oldest first.
func (r *Registry) List(all bool) []adminapi.Sandbox {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := []adminapi.Sandbox{}
	for _, e := range r.byID {
		if all || e.Status == adminapi.StatusRunning {
			list = append(list, e.Sandbox)
		}
	}
	slices.SortFunc(list, func(a, b adminapi.Sandbox) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list
}

// Bind binds a running sandbox to a policy and returns it as it was before.
func (r *Registry) Bind(ref, policy string) (before adminapi.Sandbox, err error) {
	return r.update(ref, func(s *adminapi.Sandbox) { s.Policy = policy })
}

// SetSocket notes the sandbox's own listener.
func (r *Registry) SetSocket(ref, path string) error {
	_, err := r.update(ref, func(s *adminapi.Sandbox) { s.Socket = path })
	return err
}

// End ends a running sandbox; its token no longer works.
func (r *Registry) End(ref, status string, exitCode *int) (adminapi.Sandbox, error) {
	s, err := r.update(ref, func(s *adminapi.Sandbox) {
		now := r.now().UTC()
		s.Status, s.ExitCode, s.Ended = status, exitCode, &now
	})
	if err != nil {
		return s, err
	}
	return r.Find(s.ID)
}

func (r *Registry) update(ref string, change func(*adminapi.Sandbox)) (before adminapi.Sandbox, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, err := r.find(ref)
	if err != nil {
		return before, err
	}
	if e.Status != adminapi.StatusRunning {
		return before, fmt.Errorf("%w: %q", ErrEnded, e.ID)
	}
	before = e.Sandbox
	change(&e.Sandbox)
	if err := r.save(); err != nil {
		e.Sandbox = before
		return before, err
	}
	return before, nil
}
