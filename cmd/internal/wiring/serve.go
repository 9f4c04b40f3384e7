package wiring

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/sandboxctl"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// Serving is what a gateway leaves in its state folder, so that `openshell` finds
// it.
type Serving struct {
	Admin string `json:"admin"` // as adminapi.NewClient takes it
	Proxy string `json:"proxy"` // host:port
	Audit string `json:"audit"` // file of the decision log
	PID   int    `json:"pid"`
	// Cert is the file of the admin API's certificate; "" where it speaks no TLS.
	Cert string `json:"cert,omitempty"`
}

func servingPath(stateDir string) string { return filepath.Join(stateDir, "gateway.json") }

// ReadServing returns what the gateway of a state folder left, also after it
// ended.
func ReadServing(stateDir string) (Serving, error) {
	var s Serving
	data, err := os.ReadFile(servingPath(stateDir))
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	return s, err
}

// Client connects to the gateway's admin API, whose certificate it knows.
func (s Serving) Client(token string) (*adminapi.Client, error) {
	c := adminapi.NewClient(s.Admin, token)
	if s.Cert == "" {
		return c, nil
	}
	text, err := os.ReadFile(s.Cert)
	if err != nil {
		return nil, fmt.Errorf("certificate of the admin API: %w", err)
	}
	pinned, err := adminapi.Pinned(text)
	if err != nil {
		return nil, fmt.Errorf("certificate of the admin API, %q: %w", s.Cert, err)
	}
	return c.WithTLS(pinned), nil
}

// ErrInUse is returned where another gateway serves from the state folder.
var ErrInUse = errors.New("another gateway serves from this state folder")

// Options are what a gateway is served with besides its configuration.
type Options struct {
	Log *slog.Logger
	// UntilIdle ends the gateway when no sandbox has run for so long; 0 never.
	UntilIdle time.Duration
	// Ready is called when the gateway serves; nil for nobody.
	Ready func(Serving)
}

// Serve runs a gateway until the context ends.
func Serve(ctx context.Context, cfg gateway.Config, opts Options) error {
	unlock, err := lock(cfg.StateDir)
	if err != nil {
		return err
	}
	defer unlock()
	deps, err := policyDeps(cfg, opts.Log)
	if err != nil {
		return err
	}
	g, err := gateway.New(cfg, deps)
	if err != nil {
		return err
	}
	s := Serving{Admin: g.AdminAddr(), Proxy: g.ProxyAddr(), Audit: absolute(cfg.AuditPath()), PID: os.Getpid()}
	if cfg.Admin.TLS.Cert != "" {
		s.Cert = absolute(cfg.Admin.TLS.Cert)
	}
	if err := writeServing(cfg.StateDir, s); err != nil {
		return errors.Join(err, g.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	admin, err := s.Client(g.AdminToken())
	if err != nil {
		return errors.Join(err, g.Close())
	}
	go tend(ctx, admin, cfg.StateDir, opts, cancel)
	if opts.Ready != nil {
		opts.Ready(s)
	}
	return g.Run(ctx)
}

// policyDeps says where policies come from: a source of bundles, or files.
func policyDeps(cfg gateway.Config, log *slog.Logger) (gateway.Deps, error) {
	if cfg.Bundle.Set() {
		return bundleDeps(cfg, log)
	}
	policies := NewPolicies(cfg.Policies, cfg.StateDir)
	if err := os.MkdirAll(policies.store, 0o700); err != nil {
		return gateway.Deps{}, fmt.Errorf("state folder: %w", err)
	}
	return gateway.Deps{
		Compile: policies.Compile, Watch: policies.Watch(), Apply: policies.Apply, Delete: policies.Delete, Join: policies.Join,
		Compare: policies.Compare, Source: policies.Source, Log: log, Engine: gateway.OPA(ownEngine(log)),
	}, nil
}

// ownEngine decides by bundles that our own compiler just made: most of their
// policies are never asked, so each is compiled when it first is.
func ownEngine(log *slog.Logger) *rego.Engine {
	return rego.New(rego.Options{Lazy: true, Failed: func(policy string, err error) {
		if log != nil {
			log.Error("a policy does not compile; what it is asked is denied", "policy", policy, "error", err)
		}
	}})
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func writeServing(stateDir string, s Serving) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	tmp := servingPath(stateDir) + ".new"
	if err := os.WriteFile(tmp, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("state folder: %w", err)
	}
	return os.Rename(tmp, servingPath(stateDir))
}

// lock keeps a second gateway out of the state folder.
func lock(stateDir string) (unlock func(), err error) {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(stateDir, "gateway.lock"), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%q: %w", stateDir, ErrInUse)
	}
	return func() { f.Close() }, nil
}

// tendEvery is how often the gateway looks after its sandboxes.
const tendEvery = time.Second

// tend ends sandboxes whose supervisor died without saying so, and the gateway
// itself when it has been idle for long enough.
func tend(ctx context.Context, admin *adminapi.Client, stateDir string, opts Options, end func()) {
	runs := sandboxctl.Runs{Dir: filepath.Join(stateDir, "runs")}
	busy := time.Now()
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		running, err := admin.Sandboxes(ctx, false)
		if err != nil {
			continue
		}
		for _, s := range running.Sandboxes {
			if run, ok := runs.Get(s.ID); ok && !run.Alive() {
				_, _ = admin.End(ctx, s.ID, adminapi.StatusFailed, nil)
				runs.Remove(s.ID)
			}
		}
		if len(running.Sandboxes) > 0 {
			busy = time.Now()
		} else if opts.UntilIdle > 0 && time.Since(busy) > opts.UntilIdle {
			end()
			return
		}
	}
}
