package archive

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/bundle"

	"github.com/openshell-policy/openshell/schemas/keys"
)

// Signature describes what a bundle says of its own signature; unless Verify has
// returned nil it is a claim.
type Signature struct {
	Present   bool
	KeyID     string
	Algorithm string
}

// Signature reads the header of the bundle's signature, unverified.
func (a *Archive) Signature() Signature {
	if a.signatures == nil || len(a.signatures.Signatures) == 0 {
		return Signature{}
	}
	s := Signature{Present: true}
	head, _, _ := strings.Cut(a.signatures.Signatures[0], ".")
	var claims struct{ Alg, Kid string }
	if text, err := base64.RawURLEncoding.DecodeString(head); err == nil && json.Unmarshal(text, &claims) == nil {
		s.KeyID, s.Algorithm = claims.Kid, claims.Alg
	}
	return s
}

// Verify checks that one of the keys signed the bundle, every file of it and no
// other. It returns the key.
func (a *Archive) Verify(trusted []keys.Public) (keys.Public, error) {
	if a.signatures == nil || len(a.signatures.Signatures) == 0 {
		return keys.Public{}, refuse(CodeUnsigned, "sign it: openshell-policy compile --sign --key FILE, or openshell-policy bundle sign", "the bundle is not signed")
	}
	if a.signatures.Plugin != "" && a.signatures.Plugin != "_default" {
		return keys.Public{}, refuse(CodeSignature, "", "the signature needs the plugin %q", a.signatures.Plugin)
	}
	key, files, err := a.signedBy(trusted)
	if err != nil {
		return keys.Public{}, err
	}
	return key, a.matches(files)
}

// signedBy finds the key that made the signature. The key that the bundle names
// is not asked for: only trusted ones are tried.
func (a *Archive) signedBy(trusted []keys.Public) (keys.Public, map[string]bundle.FileInfo, error) {
	err := errors.New("there is no trusted key")
	for _, k := range trusted {
		vc := bundle.NewVerificationConfig(map[string]*bundle.KeyConfig{k.ID: {Key: k.PEM, Algorithm: k.Algorithm}}, k.ID, "", nil)
		var files map[string]bundle.FileInfo
		if files, err = bundle.VerifyBundleSignature(*a.signatures, vc); err == nil {
			return k, files, nil
		}
	}
	return keys.Public{}, nil, refuse(CodeSignature, "trust the key that signed it, or sign it with a key that is trusted",
		"no trusted key made the signature (it names key %q): %v", a.Signature().KeyID, err)
}

// matches holds the bundle's files to the signed list.
func (a *Archive) matches(files map[string]bundle.FileInfo) error {
	for _, f := range files {
		if !slices.Contains([]string{"SHA-256", "SHA-384", "SHA-512"}, f.Algorithm) {
			return refuse(CodeSignature, "", "%q is signed by a digest of kind %q", f.Name, f.Algorithm)
		}
	}
	all := append(slices.Clone(a.Files), File{manifestName, a.manifest})
	for _, f := range all {
		if bundle.IsStructuredDoc(f.Name) {
			if err := unique(f.Data); err != nil {
				return refuse(CodeTampered, "build the bundle with openshell-policy compile", "%s: %v", f.Name, err)
			}
		}
		if err := bundle.VerifyBundleFile(f.Name, *bytes.NewBuffer(f.Data), files); err != nil {
			return refuse(CodeTampered, "fetch the bundle again; if it stays so, somebody changed it", "%v", err)
		}
	}
	if len(files) > 0 {
		return refuse(CodeTampered, "fetch the bundle again; if it stays so, somebody changed it", "signed files are missing: %q", slices.Sorted(maps.Keys(files)))
	}
	return nil
}
