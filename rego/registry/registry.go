package registry

import (
	"fmt"
	"net/http"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"

	"github.com/openshell-policy/openshell/rego/archive"
)

// Options say how a registry is reached.
type Options struct {
	// Username and Password; without them those that docker login stored.
	Username, Password string
	PlainHTTP          bool         // for a registry on this machine
	Client             *http.Client // nil for one with the system's roots
}

// layerType is the type of the layer that holds the bundle.
const layerType = ocispec.MediaTypeImageLayerGzip

// open returns the repository of a reference such as oci://host/team/policies:v7,
// and the reference's tag or digest.
func open(reference string, o Options) (*remote.Repository, string, error) {
	ref, err := registry.ParseReference(strings.TrimPrefix(reference, "oci://"))
	if err == nil && ref.Reference == "" {
		err = fmt.Errorf("it has no tag")
	}
	if err != nil {
		return nil, "", refuse(archive.CodeSource, "write it as oci://HOST/REPOSITORY:TAG", "%q is no reference of a bundle: %v", reference, err)
	}
	repo, err := remote.NewRepository(ref.Registry + "/" + ref.Repository)
	if err != nil {
		return nil, "", refuse(archive.CodeSource, "", "%q: %v", reference, err)
	}
	client := &auth.Client{Client: o.Client, Cache: auth.NewCache()}
	if client.Credential, err = o.credential(ref.Registry); err != nil {
		return nil, "", refuse(archive.CodeSource, "", "%q: %v", reference, err)
	}
	repo.Client, repo.PlainHTTP = client, o.PlainHTTP
	return repo, ref.Reference, nil
}

func (o Options) credential(host string) (auth.CredentialFunc, error) {
	if o.Username != "" {
		return auth.StaticCredential(host, auth.Credential{Username: o.Username, Password: o.Password}), nil
	}
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		return nil, err
	}
	return credentials.Credential(store), nil
}

func refuse(code, hint, format string, args ...any) error {
	return &archive.Error{Code: code, Hint: hint, Detail: fmt.Sprintf(format, args...)}
}
