package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/bundle"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/schemas/keys"
)

const policy = "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: p}\nspec: {network: {outbound: [{host: a.example.com}]}}\n"

func newKey(t testing.TB) keys.Private {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return described(t, key)
}

func newRSA(t testing.TB) keys.Private {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return described(t, key)
}

func described(t testing.TB, key any) keys.Private {
	t.Helper()
	p, err := keys.FromPrivate(key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func compiled(t testing.TB, opts compiler.Options) []byte {
	t.Helper()
	opts.Rego = rego.Library()
	r := compiler.Compile([]compiler.Source{{Name: "p.yaml", Data: []byte(policy)}}, opts)
	if r.Bundle == nil {
		t.Fatal(r.Diagnostics)
	}
	return r.Bundle
}

func signed(t testing.TB, key keys.Private) []byte {
	t.Helper()
	return compiled(t, compiler.Options{Name: "team", Serial: 7, Sign: &key})
}

// entry is one entry of a tar, to be changed.
type entry struct {
	header tar.Header
	data   []byte
}

func entries(t testing.TB, packed []byte) []entry {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	var out []entry
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		data, err2 := io.ReadAll(r)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		out = append(out, entry{*h, data})
	}
}

func packed(t testing.TB, list []entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	w := tar.NewWriter(zip)
	for _, e := range list {
		if e.header.Typeflag == tar.TypeReg {
			e.header.Size = int64(len(e.data))
		}
		if err := w.WriteHeader(&e.header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.data); err != nil && e.header.Typeflag == tar.TypeReg {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func file(name, data string) entry {
	return entry{tar.Header{Name: name, Mode: 0o600, Typeflag: tar.TypeReg}, []byte(data)}
}

// replaced changes the text of one file.
func replaced(t testing.TB, list []entry, name, old, with string) []entry {
	t.Helper()
	out := slices.Clone(list)
	i := slices.IndexFunc(out, func(e entry) bool { return e.header.Name == name })
	if i < 0 || !strings.Contains(string(out[i].data), old) {
		t.Fatalf("%s holds no %q", name, old)
	}
	out[i].data = []byte(strings.Replace(string(out[i].data), old, with, 1))
	return out
}

func without(list []entry, name string) []entry {
	return slices.DeleteFunc(slices.Clone(list), func(e entry) bool { return e.header.Name == name })
}

// codeOf reads and admits; "" is a bundle that is taken.
func codeOf(t testing.TB, packed []byte, trust archive.Trust) string {
	t.Helper()
	a, err := archive.Read(packed)
	if err == nil {
		_, err = a.Admit(trust, time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))
	}
	var refused *archive.Error
	if err != nil && !errors.As(err, &refused) {
		t.Fatalf("got %v, which has no code", err)
	}
	if err == nil {
		return ""
	}
	return refused.Code
}

func TestSignedBundlesAreTaken(t *testing.T) {
	for name, key := range map[string]keys.Private{"EdDSA": newKey(t), "RS256": newRSA(t)} {
		data := signed(t, key)
		if !bytes.Equal(data, signed(t, key)) {
			t.Errorf("%s: two compilations of the same differ", name)
		}
		a, err := archive.Read(data)
		if err != nil {
			t.Fatal(err)
		}
		by, err := a.Admit(archive.Trust{Keys: []keys.Public{newKey(t).Public, key.Public}, Name: "team", MinSerial: 7}, time.Now())
		if err != nil || by != key.ID {
			t.Errorf("%s: taken by key %q, %v; want %s", name, by, err, key.ID)
		}
		if s := a.Signature(); !s.Present || s.KeyID != key.ID || s.Algorithm != name {
			t.Errorf("%s: it says it is signed by %+v", name, s)
		}
		again, err := bundle.Sign(data, key)
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%s: signing again gives %d other bytes, %v", name, len(again), err)
		}
	}
}

// Every way in which a bundle may be wrong is refused, and named by its code.
func TestRefused(t *testing.T) {
	key, stranger := newKey(t), newKey(t)
	good := signed(t, key)
	plain := compiled(t, compiler.Options{Name: "team", Serial: 7})
	list := entries(t, good)
	link := entry{tar.Header{Name: "/openshell/policies/p/x.rego", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}, nil}
	hard := entry{tar.Header{Name: "/openshell/policies/p/x.rego", Linkname: "/data.json", Typeflag: tar.TypeLink}, nil}
	expired := compiled(t, compiler.Options{Name: "team", Serial: 7, Sign: &key, Expires: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)})
	const exec = "/openshell/policies/p/exec.rego"
	for name, c := range map[string]struct {
		data []byte
		code string
	}{
		"as signed":                     {good, ""},
		"nothing":                       {nil, archive.CodeFormat},
		"no gzip":                       {[]byte("hello"), archive.CodeFormat},
		"half of it":                    {good[:len(good)/2], archive.CodeFormat},
		"less its last byte":            {good[:len(good)-1], archive.CodeFormat},
		"a byte after it":               {append(bytes.Clone(good), 0), archive.CodeFormat},
		"a second stream":               {append(bytes.Clone(good), good...), archive.CodeFormat},
		"too large packed":              {make([]byte, archive.MaxPacked+1), archive.CodeSize},
		"a bomb":                        {bomb(t), archive.CodeSize},
		"many files":                    {crowd(t), archive.CodeSize},
		"unsigned":                      {plain, archive.CodeUnsigned},
		"an empty signature":            {packed(t, append(entries(t, plain), file("/.signatures.json", "{}"))), archive.CodeUnsigned},
		"no signature but that of me":   {signed(t, stranger), archive.CodeSignature},
		"two signatures":                {packed(t, replaced(t, list, "/.signatures.json", `["`, `["x.y.z","`)), archive.CodeSignature},
		"a plugin's signature":          {packed(t, replaced(t, list, "/.signatures.json", `{`, `{"plugin":"mine",`)), archive.CodeSignature},
		"signature of nobody":           {packed(t, append(entries(t, plain), file("/.signatures.json", unsecured(t, list)))), archive.CodeSignature},
		"a changed module":              {packed(t, replaced(t, list, exec, "package", "package ")), archive.CodeTampered},
		"a changed rule":                {packed(t, replaced(t, list, "/openshell/policies/p/network.rego", "a.example.com", "b.example.com")), archive.CodeTampered},
		"changed data":                  {packed(t, replaced(t, list, "/data.json", "enforce", "audit")), archive.CodeTampered},
		"a changed serial":              {packed(t, replaced(t, list, "/.manifest", `"serial":7`, `"serial":8`)), archive.CodeTampered},
		"rules beneath the signed ones": {packed(t, doubled(t, list)), archive.CodeTampered},
		"a key twice in the manifest":   {packed(t, replaced(t, list, "/.manifest", `{"`, `{"metadata":{"expires":"2000-01-01T00:00:00Z"},"`)), archive.CodeTampered},
		"text after the data":           {packed(t, replaced(t, list, "/data.json", `{"`, `{} {"`)), archive.CodeTampered},
		"a file more":                   {packed(t, append(slices.Clone(list), file("/openshell/lib/more.rego", "package openshell.more"))), archive.CodeTampered},
		"a file less":                   {packed(t, without(list, exec)), archive.CodeTampered},
		"a name twice":                  {packed(t, append(slices.Clone(list), file(exec, "package x"))), archive.CodeEntry},
		"a name twice without slash":    {packed(t, append(slices.Clone(list), file(exec[1:], "package x"))), archive.CodeEntry},
		"a path out":                    {packed(t, append(slices.Clone(list), file("../../etc/cron.d/x.rego", "package x"))), archive.CodeEntry},
		"a path out, absolute":          {packed(t, append(slices.Clone(list), file("/../x.rego", "package x"))), archive.CodeEntry},
		"a path with dots":              {packed(t, append(slices.Clone(list), file("/openshell/./x.rego", "package x"))), archive.CodeEntry},
		"a path with two slashes":       {packed(t, append(slices.Clone(list), file("//x.rego", "package x"))), archive.CodeEntry},
		"a backslash":                   {packed(t, append(slices.Clone(list), file("/a\\b.rego", "package x"))), archive.CodeEntry},
		"a symbolic link":               {packed(t, append(slices.Clone(list), link)), archive.CodeEntry},
		"a hard link":                   {packed(t, append(slices.Clone(list), hard)), archive.CodeEntry},
		"a delta":                       {packed(t, append(slices.Clone(list), file("/patch.json", `{"data":[]}`))), archive.CodeEntry},
		"other data":                    {packed(t, append(slices.Clone(list), file("/openshell/data.json", `{}`))), archive.CodeEntry},
		"yaml data":                     {packed(t, append(slices.Clone(list), file("/data.yaml", `{}`))), archive.CodeEntry},
		"WebAssembly":                   {packed(t, append(slices.Clone(list), file("/policy.wasm", "\x00asm"))), archive.CodeEntry},
		"no manifest":                   {packed(t, without(list, "/.manifest")), archive.CodeManifest},
		"every root":                    {packed(t, replaced(t, list, "/.manifest", `"roots":["openshell","system/log"]`, `"roots":[""]`)), archive.CodeManifest},
		"one root more":                 {packed(t, replaced(t, list, "/.manifest", `"system/log"`, `"system/log","system/authz"`)), archive.CodeManifest},
		"no roots":                      {packed(t, replaced(t, list, "/.manifest", `"roots":["openshell","system/log"],`, ``)), archive.CodeManifest},
		"another format":                {packed(t, replaced(t, list, "/.manifest", `"format":1`, `"format":2`)), archive.CodeManifest},
		"another Rego":                  {packed(t, replaced(t, list, "/.manifest", `"rego_version":1`, `"rego_version":0`)), archive.CodeManifest},
		"a Rego for some files":         {packed(t, replaced(t, list, "/.manifest", `{`, `{"file_rego_versions":{"/**":0},`)), archive.CodeManifest},
		"a negative serial":             {packed(t, replaced(t, list, "/.manifest", `"serial":7`, `"serial":-7`)), archive.CodeManifest},
		"text after the manifest":       {packed(t, replaced(t, list, "/.manifest", `{"`, `{} {"`)), archive.CodeManifest},
		"an older one":                  {compiled(t, compiler.Options{Name: "team", Serial: 6, Sign: &key}), archive.CodeSerial},
		"another's":                     {compiled(t, compiler.Options{Name: "other", Serial: 9, Sign: &key}), archive.CodeName},
		"a nameless one":                {compiled(t, compiler.Options{Serial: 9, Sign: &key}), archive.CodeName},
		"past its time":                 {expired, archive.CodeExpired},
	} {
		t.Run(name, func(t *testing.T) {
			trust := archive.Trust{Keys: []keys.Public{key.Public}, Name: "team", MinSerial: 7}
			if got := codeOf(t, c.data, trust); got != c.code {
				t.Errorf("got %q, want %q", got, c.code)
			}
		})
	}
}

// doubled puts other rules before the signed ones under the same key: the value that
// was signed stays, but a decoder that merges would let them shine through.
func doubled(t testing.TB, list []entry) []entry {
	t.Helper()
	return replaced(t, list, "/data.json", `"rules":[`, `"rules":[{"allow_private":["0.0.0.0/0"],"passthrough":true}],"rules":[`)
}

// Without keys nothing is taken unless that was said, and what is said of names,
// serials and time holds all the same.
func TestInsecure(t *testing.T) {
	plain := compiled(t, compiler.Options{Name: "team", Serial: 7})
	for name, c := range map[string]struct {
		trust archive.Trust
		code  string
	}{
		"no keys":               {archive.Trust{}, archive.CodeUnsigned},
		"insecure":              {archive.Trust{Insecure: true}, ""},
		"insecure with keys":    {archive.Trust{Insecure: true, Keys: []keys.Public{newKey(t).Public}}, archive.CodeUnsigned},
		"insecure, other name":  {archive.Trust{Insecure: true, Name: "x"}, archive.CodeName},
		"insecure, older":       {archive.Trust{Insecure: true, MinSerial: 8}, archive.CodeSerial},
		"insecure, not too old": {archive.Trust{Insecure: true, MinSerial: 7}, ""},
	} {
		if got := codeOf(t, plain, c.trust); got != c.code {
			t.Errorf("%s: got %q, want %q", name, got, c.code)
		}
	}
	if got := codeOf(t, signed(t, newKey(t)), archive.Trust{}); got != archive.CodeSignature {
		t.Errorf("signed, no key is trusted: got %q", got)
	}
}

// A truncation at any place is an error, and never a smaller bundle.
func TestTruncated(t *testing.T) {
	good := signed(t, newKey(t))
	for n := 0; n < len(good); n += 97 {
		if _, err := archive.Read(good[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes are a bundle", n, len(good))
		}
	}
}

// A digest that collides is not taken for a signature of the file.
func TestWeakDigests(t *testing.T) {
	key := newKey(t)
	list := entries(t, signed(t, key))
	a, err := archive.Read(packed(t, list))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Verify([]keys.Public{key.Public}); err != nil {
		t.Fatal(err)
	}
	weak, err := archive.Read(packed(t, append(without(list, "/.signatures.json"), file("/.signatures.json", md5Signed(t, list, key)))))
	if err != nil {
		t.Fatal(err)
	}
	var refused *archive.Error
	if _, err := weak.Verify([]keys.Public{key.Public}); !errors.As(err, &refused) || refused.Code != archive.CodeSignature || !strings.Contains(refused.Detail, "MD5") {
		t.Errorf("got %v", err)
	}
}

// bomb is a small archive whose header promises more than is read; what follows it
// would unpack to that.
func bomb(t testing.TB) []byte {
	t.Helper()
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	if err := w.WriteHeader(&tar.Header{Name: "/data.json", Size: archive.MaxUnpacked + 1, Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	_, err := zip.Write(append(plain.Bytes(), make([]byte, 1<<20)...))
	if err = errors.Join(err, zip.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// crowd is an archive of very many empty files.
func crowd(t testing.TB) []byte {
	t.Helper()
	list := make([]entry, archive.MaxFiles+1)
	for i := range list {
		list[i] = file("/openshell/lib/"+strings.Repeat("a", i%200)+string(rune('a'+i/200%26))+string(rune('a'+i/5200))+".rego", "")
	}
	return packed(t, list)
}

func payloadOf(t testing.TB, list []entry) string {
	t.Helper()
	var s struct{ Signatures []string }
	for _, e := range list {
		if e.header.Name == "/.signatures.json" {
			if err := json.Unmarshal(e.data, &s); err != nil {
				t.Fatal(err)
			}
		}
	}
	return strings.Split(s.Signatures[0], ".")[1]
}

// unsecured is the signature of alg none.
func unsecured(t testing.TB, list []entry) string {
	t.Helper()
	head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
	return `{"signatures":["` + head + "." + payloadOf(t, list) + `."]}`
}

// md5Signed is a valid signature over digests of kind MD5.
func md5Signed(t testing.TB, list []entry, key keys.Private) string {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(payloadOf(t, list))
	if err != nil {
		t.Fatal(err)
	}
	token := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","kid":"`+key.ID+`"}`)) + "." +
		base64.RawURLEncoding.EncodeToString(bytes.ReplaceAll(payload, []byte("SHA-256"), []byte("MD5")))
	return `{"signatures":["` + token + "." + base64.RawURLEncoding.EncodeToString(edSign(t, key, token)) + `"]}`
}
