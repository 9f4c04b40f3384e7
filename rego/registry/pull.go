package registry

import (
	"context"
	"encoding/json"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/openshell-policy/openshell/rego/archive"
)

const (
	maxManifest = 4 << 20 // bytes
	maxDepth    = 4       // of indexes
)

// Resolve returns the digest that a reference stands for now.
func Resolve(ctx context.Context, reference string, o Options) (string, error) {
	repo, tag, err := open(reference, o)
	if err != nil {
		return "", err
	}
	d, err := repo.Resolve(ctx, tag)
	if err != nil {
		return "", unreachable(reference, err)
	}
	return d.Digest.String(), nil
}

// Pull returns the bundle that a reference stands for, and the digest of its
// manifest. The bytes are those that the digests name; whether the bundle may be
// trusted is for archive.Admit.
func Pull(ctx context.Context, reference string, o Options) (packed []byte, digest string, err error) {
	repo, tag, err := open(reference, o)
	if err != nil {
		return nil, "", err
	}
	top, err := repo.Resolve(ctx, tag)
	if err != nil {
		return nil, "", unreachable(reference, err)
	}
	layer, err := find(ctx, repo, reference, top, 0)
	if err != nil {
		return nil, "", err
	}
	if layer.Size > archive.MaxPacked {
		return nil, "", refuse(archive.CodeSize, "", "the bundle at %s has %d bytes, at most %d are read", reference, layer.Size, archive.MaxPacked)
	}
	packed, err = content.FetchAll(ctx, repo, layer)
	if err != nil {
		return nil, "", unreachable(reference, err)
	}
	return packed, top.Digest.String(), nil
}

// find returns the first layer that is a bundle, below indexes if need be.
func find(ctx context.Context, repo *remote.Repository, reference string, d ocispec.Descriptor, depth int) (ocispec.Descriptor, error) {
	if d.Size > maxManifest || depth > maxDepth {
		return d, refuse(archive.CodeSize, "", "the manifest at %s is too large or nested too deeply", reference)
	}
	text, err := content.FetchAll(ctx, repo, d)
	if err != nil {
		return d, unreachable(reference, err)
	}
	var m struct {
		Layers    []ocispec.Descriptor `json:"layers"`
		Manifests []ocispec.Descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return d, refuse(archive.CodeLayout, "", "the manifest at %s cannot be read: %v", reference, err)
	}
	if d.MediaType == ocispec.MediaTypeImageIndex {
		for _, below := range m.Manifests {
			if layer, err := find(ctx, repo, reference, below, depth+1); err == nil {
				return layer, nil
			}
		}
	}
	for _, layer := range m.Layers {
		if layer.MediaType == layerType && d.MediaType == ocispec.MediaTypeImageManifest {
			return layer, nil
		}
	}
	return d, refuse(archive.CodeLayout, "push it with openshell-policy bundle push", "%s (%s) holds no layer of type %s", reference, d.MediaType, layerType)
}

func unreachable(reference string, err error) error {
	return refuse(archive.CodeSource, "check the name, and that docker login stored credentials for it", "pull from %s: %v", reference, err)
}
