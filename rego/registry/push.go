package registry

import (
	"bytes"
	"context"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/memory"

	"github.com/openshell-policy/openshell/rego/archive"
)

// Push stores a bundle under a reference and returns the manifest's digest. The
// same bundle gives the same digest. A bundle that Read refuses is not pushed.
func Push(ctx context.Context, reference string, packed []byte, o Options) (string, error) {
	a, err := archive.Read(packed)
	if err != nil {
		return "", err
	}
	repo, tag, err := open(reference, o)
	if err != nil {
		return "", err
	}
	if _, err := digest.Parse(tag); err == nil {
		return "", refuse(archive.CodeSource, "write it as oci://HOST/REPOSITORY:TAG", "a bundle is pushed under a tag, and %q is a digest", tag)
	}
	store := memory.New()
	layer, err := add(ctx, store, layerType, packed)
	if err != nil {
		return "", err
	}
	config, err := add(ctx, store, ocispec.MediaTypeImageConfig, []byte("{}"))
	if err != nil {
		return "", err
	}
	manifest, err := oras.PackManifest(ctx, store, oras.PackManifestVersion1_1, "", oras.PackManifestOptions{
		Layers: []ocispec.Descriptor{layer}, ConfigDescriptor: &config, ManifestAnnotations: annotations(a),
	})
	if err != nil {
		return "", refuse(archive.CodeSource, "", "pack the bundle for a registry: %v", err)
	}
	if err := store.Tag(ctx, manifest, tag); err != nil {
		return "", refuse(archive.CodeSource, "", "pack the bundle for a registry: %v", err)
	}
	if _, err := oras.Copy(ctx, store, tag, repo, tag, oras.DefaultCopyOptions); err != nil {
		return "", refuse(archive.CodeSource, "check the name, and that docker login stored credentials for it", "push to %s: %v", reference, err)
	}
	return manifest.Digest.String(), nil
}

func add(ctx context.Context, store *memory.Store, mediaType string, data []byte) (ocispec.Descriptor, error) {
	d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	if err := store.Push(ctx, d, bytes.NewReader(data)); err != nil {
		return d, refuse(archive.CodeSource, "", "pack the bundle for a registry: %v", err)
	}
	return d, nil
}

// annotations describe the bundle to people who look at the registry. The time is
// fixed, or the same bundle would have another digest each time.
func annotations(a *archive.Archive) map[string]string {
	m := a.Manifest
	out := map[string]string{
		ocispec.AnnotationCreated:  time.Unix(0, 0).UTC().Format(time.RFC3339),
		ocispec.AnnotationRevision: m.Revision,
		ocispec.AnnotationVersion:  strconv.FormatInt(m.Metadata.Serial, 10),
	}
	if m.Metadata.Name != "" {
		out[ocispec.AnnotationTitle] = m.Metadata.Name
	}
	return out
}
