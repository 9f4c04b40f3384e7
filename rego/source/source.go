package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/rego/registry"
)

// ErrNone is returned where no bundle was ever taken and none can be had now.
var ErrNone = errors.New("no bundle yet")

// Options describe a source. One of File, URL and OCI is set.
type Options struct {
	File string // path of a bundle
	URL  string // of a bundle by OPA's bundle protocol
	OCI  string // reference of a bundle in a registry

	Trust archive.Trust
	// Dir is where the highest serial and, of servers and registries, the last
	// good bundle are kept.
	Dir string

	HTTP     HTTP             // for URL
	Registry registry.Options // for OCI
	// Poll is the least time between two requests where the server does not hold
	// them, and the longest pause after failures.
	Poll time.Duration
	// LongPoll is how long a server is asked to hold a request; 0 not at all.
	LongPoll time.Duration
	// Status is told what became of each bundle; nil for nobody.
	Status func(context.Context, State)
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger     // nil: nothing is logged
}

// State describes a source for /readyz, metrics and the status service.
type State struct {
	Source   string // what it is, without credentials
	Name     string // of the bundle in force
	Revision string
	Serial   int64
	Expires  time.Time // zero: never
	KeyID    string    // that signed it; "" nobody had to
	Unsigned bool      // insecure_unsigned is set
	// Fault is why the last bundle, or the last look for one, is not in force.
	Fault                            error
	Requested, Downloaded, Activated time.Time
	Bytes                            int
}

// Source is one place that bundles come from. Use Open.
type Source struct {
	opts    Options
	fetcher fetcher // nil for a file

	mu        sync.Mutex
	latest    []byte // fetched last, if it was not refused; nil before
	good      []byte // in force; nil before
	candidate *candidate
	seen      seen
	state     State
}

// candidate is what Compile returned last.
type candidate struct {
	data     []byte
	manifest archive.Manifest
	keyID    string
}

// fetcher gets bundles from elsewhere.
type fetcher interface {
	// next returns the next bundle that is not the one before; it blocks for as
	// long as the source has none. It may return nil data: nothing changed.
	next(ctx context.Context) (data []byte, err error)
	// pause is how long to wait before next is called again after a success.
	pause() time.Duration
}

// Open checks the options and reads what was seen before.
func Open(o Options) (*Source, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Source{opts: o}
	if len(o.Trust.Keys) == 0 && !o.Trust.Insecure {
		return nil, errors.New("a bundle source needs keys, or insecure_unsigned: true")
	}
	var err error
	switch {
	case o.File != "" && o.URL == "" && o.OCI == "":
		s.state.Source = "file " + o.File
	case o.URL != "" && o.File == "" && o.OCI == "":
		s.fetcher, s.state.Source, err = newHTTPFetcher(o)
	case o.OCI != "" && o.File == "" && o.URL == "":
		s.fetcher, s.state.Source = &ociFetcher{opts: o}, o.OCI
	default:
		err = errors.New("a bundle source is one of file, url and oci")
	}
	if err != nil {
		return nil, err
	}
	s.state.Unsigned = o.Trust.Insecure
	if o.Trust.Insecure {
		o.Log.Warn("bundles are taken unsigned", "source", s.state.Source)
	}
	s.seen, err = readSeen(o.Dir)
	return s, err
}

// Compile returns the bundle to put in force: the one fetched last, else the one
// that was kept. What may not be put in force is an *archive.Error.
func (s *Source) Compile(ctx context.Context) (bundle []byte, warnings []string, err error) {
	data, err := s.bytes(ctx)
	if err != nil {
		return nil, nil, s.fault(err)
	}
	a, err := archive.Read(data)
	if err != nil {
		return nil, nil, s.fault(err)
	}
	s.mu.Lock()
	trust := s.seen.raise(s.opts.Trust, a.Manifest.Metadata.Name)
	s.mu.Unlock()
	keyID, err := a.Admit(trust, s.opts.Now())
	if err != nil {
		return nil, nil, s.fault(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.candidate = &candidate{data: data, manifest: a.Manifest, keyID: keyID}
	return data, nil, nil
}

func (s *Source) fault(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Fault = err
	return err
}

// bytes are those of the file, or of what was fetched, or of what was kept.
func (s *Source) bytes(ctx context.Context) ([]byte, error) {
	if s.fetcher == nil {
		return readFile(s.opts.File)
	}
	s.mu.Lock()
	latest := s.latest
	s.mu.Unlock()
	if latest != nil {
		return latest, nil
	}
	kept, err := readFile(keptPath(s.opts.Dir))
	if err == nil || !errors.Is(err, os.ErrNotExist) {
		return kept, err
	}
	return s.first(ctx)
}

// firstTimeout bounds the look for a first bundle, so that a gateway starts, and
// denies, also while its server is away.
const firstTimeout = 10 * time.Second

func (s *Source) first(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, firstTimeout)
	defer cancel()
	data, err := s.fetch(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNone, err)
	}
	if data == nil {
		return nil, ErrNone
	}
	return data, nil
}

// fetch asks once and keeps what came.
func (s *Source) fetch(ctx context.Context) ([]byte, error) {
	data, err := s.fetcher.next(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Requested = s.opts.Now()
	if err != nil || data == nil {
		return nil, err
	}
	s.state.Downloaded, s.state.Bytes, s.latest = s.state.Requested, len(data), data
	return data, nil
}

// InForce says that what Compile returned last is in force: its serial is
// remembered, and it is what a restart without the server begins with.
func (s *Source) InForce(ctx context.Context) error {
	s.mu.Lock()
	c := s.candidate
	if c == nil {
		s.mu.Unlock()
		return nil
	}
	m := c.manifest.Metadata
	s.state.Name, s.state.Revision, s.state.Serial, s.state.Expires = m.Name, c.manifest.Revision, m.Serial, m.Expires
	s.good = c.data
	s.state.KeyID, s.state.Fault, s.state.Activated = c.keyID, nil, s.opts.Now()
	err := s.seen.keep(s.opts.Dir, m.Name, m.Serial)
	if err == nil && s.fetcher != nil {
		err = writeWhole(keptPath(s.opts.Dir), c.data)
	}
	s.mu.Unlock()
	s.tell(ctx)
	return err
}

// State describes the source as it stands.
func (s *Source) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

func (s *Source) tell(ctx context.Context) {
	if s.opts.Status != nil {
		s.opts.Status(ctx, s.State())
	}
}

// Watch lists what to look at for changes; nil where Follow looks.
func (s *Source) Watch() []string {
	if s.fetcher == nil {
		return []string{s.opts.File}
	}
	return nil
}

// Remote tells whether bundles come from elsewhere: Follow must run.
func (s *Source) Remote() bool { return s.fetcher != nil }

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, archive.MaxPacked+1))
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	return data, nil
}
