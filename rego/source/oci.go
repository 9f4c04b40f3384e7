package source

import (
	"context"
	"time"

	"github.com/openshell-policy/openshell/rego/registry"
)

// ociFetcher asks a registry what a tag stands for, and pulls when that changes.
type ociFetcher struct {
	opts   Options
	digest string
}

func (f *ociFetcher) pause() time.Duration { return f.opts.Poll }

func (f *ociFetcher) next(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*answerTimeout)
	defer cancel()
	now, err := registry.Resolve(ctx, f.opts.OCI, f.opts.Registry)
	if err != nil || now == f.digest {
		return nil, err
	}
	data, digest, err := registry.Pull(ctx, f.opts.OCI, f.opts.Registry)
	if err != nil {
		return nil, err
	}
	f.digest = digest
	return data, nil
}
