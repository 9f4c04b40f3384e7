package wiring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/rego/registry"
	"github.com/openshell-policy/openshell/rego/source"
	"github.com/openshell-policy/openshell/schemas/adminapi"
	"github.com/openshell-policy/openshell/schemas/keys"
)

// OpenBundles opens the configured source of bundles.
func OpenBundles(cfg gateway.Config, log *slog.Logger) (*source.Source, error) {
	b := cfg.Bundle
	o := source.Options{
		File: b.File, URL: b.URL, OCI: b.OCI, Dir: filepath.Join(cfg.StateDir, "bundle"), Log: log,
		Trust: archive.Trust{Insecure: b.InsecureUnsigned, Name: b.Name, MinSerial: b.MinSerial},
		HTTP:  source.HTTP{TokenFile: b.TokenFile, CAFile: b.CAFile, CertFile: b.CertFile, KeyFile: b.KeyFile},
		Registry: registry.Options{
			PlainHTTP: b.PlainHTTP, Username: os.Getenv("OPENSHELL_REGISTRY_USERNAME"), Password: os.Getenv("OPENSHELL_REGISTRY_PASSWORD"),
		},
		Poll: cmp.Or(b.Poll, time.Minute), LongPoll: max(cmp.Or(b.LongPoll, time.Minute), 0),
	}
	for _, file := range b.Keys {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("bundle.keys: %w", err)
		}
		key, err := keys.ParsePublic(text)
		if err != nil {
			return nil, fmt.Errorf("bundle.keys: %s: %w", file, err)
		}
		o.Trust.Keys = append(o.Trust.Keys, key)
	}
	var err error
	if o.Status, err = reporter(b, o.HTTP, log); err != nil {
		return nil, err
	}
	return source.Open(o)
}

// reporter posts to the status service, if there is one. It does not wait: a service
// that hangs keeps no bundle from being put in force.
func reporter(b gateway.BundleSource, h source.HTTP, log *slog.Logger) (func(context.Context, source.State), error) {
	if b.StatusURL == "" {
		return nil, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	r, err := source.NewReporter(b.StatusURL, h, map[string]string{"app": "openshell-gateway", "id": host})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, s source.State) {
		go func() {
			if err := r.Report(ctx, s); err != nil && log != nil {
				log.Warn("status not reported", "error", err)
			}
		}()
	}, nil
}

// bundleDeps hands a source of bundles to the gateway. Policies cannot be applied
// one by one then: they are what was signed.
func bundleDeps(cfg gateway.Config, log *slog.Logger) (gateway.Deps, error) {
	s, err := OpenBundles(cfg, log)
	if err != nil {
		return gateway.Deps{}, err
	}
	joins := &bundleJoins{}
	deps := gateway.Deps{
		Compile: func(ctx context.Context) ([]byte, []string, error) {
			bundle, _, err := s.Compile(ctx)
			if err != nil && s.Remote() {
				err = fmt.Errorf("%w: %w", gateway.ErrNotYet, err)
			}
			if err != nil {
				return nil, nil, err
			}
			return joins.add(bundle)
		},
		Join:  joins.set,
		Watch: s.Watch(), InForce: s.InForce, Origin: func() *adminapi.PolicySource { return describe(s.State(), time.Now()) }, Log: log,
	}
	if s.Remote() {
		deps.Follow = s.Follow
	}
	return deps, nil
}

func describe(s source.State, now time.Time) *adminapi.PolicySource {
	out := &adminapi.PolicySource{From: s.Source, Name: s.Name, Serial: s.Serial, KeyID: s.KeyID, Unsigned: s.Unsigned}
	if !s.Expires.IsZero() {
		out.Expires, out.Expired = &s.Expires, !now.Before(s.Expires)
	}
	if !s.Activated.IsZero() {
		out.Activated = &s.Activated
	}
	if s.Fault != nil {
		out.Fault = s.Fault.Error()
		var refused *archive.Error
		if errors.As(s.Fault, &refused) {
			out.FaultCode = refused.Code
		}
	}
	return out
}
