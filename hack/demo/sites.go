package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// internalHost is a machine of the company's own.
const internalHost = "tools.internal.example.com"

// sites are what the origin plays; dir is for files.
func sites(dir string) (map[string]http.Handler, error) {
	git, err := gitSite(filepath.Join(dir, "git"))
	if err != nil {
		return nil, err
	}
	npm, err := npmSite("https://registry.npmjs.org")
	if err != nil {
		return nil, err
	}
	return map[string]http.Handler{
		"api.github.com":     githubAPI(),
		"github.com":         git,
		"pypi.org":           text("<a href=\"requests-2.32.3.tar.gz\">requests-2.32.3.tar.gz</a>\n"),
		"registry.npmjs.org": npm,
		internalHost:         text("all tools are well\n"),
	}, nil
}

func text(body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
}

func githubAPI() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /repos/org/app/contents/src", text("[{\"name\": \"main.go\", \"type\": \"file\"}]\n"))
	mux.Handle("GET /repos/org/app", text("{\"full_name\": \"org/app\", \"open_issues\": 3}\n"))
	mux.HandleFunc("POST /repos/org/app/pulls", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "{\"number\": 7, \"state\": \"open\"}\n")
	})
	return mux
}

// gitSite serves one repository, org/app, by git's own server side.
func gitSite(root string) (http.Handler, error) {
	work := filepath.Join(root, "work")
	bare := filepath.Join(root, "srv", "org", "app")
	script := `set -e
git init -q -b main "$1"
cd "$1"
printf 'package main\n\nfunc main() { println("hello") }\n' > main.go
git add main.go
git -c user.name=Org -c user.email=org@example.com commit -qm 'main: say hello'
git clone -q --bare . "$2"`
	cmd := exec.Command("sh", "-c", script, "sh", work, bare)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make the repository: %w\n%s", err, out)
	}
	libexec, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return nil, fmt.Errorf("git: %w", err)
	}
	return &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(libexec)), "git-http-backend"),
		Dir:  root,
		Env: []string{
			"GIT_PROJECT_ROOT=" + filepath.Join(root, "srv"), "GIT_HTTP_EXPORT_ALL=1",
			"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		},
		InheritEnv: []string{"PATH"},
		Stderr:     io.Discard,
	}, nil
}

// npmSite is a registry of one package, @scope/pkg, which clients ask for as
// /@scope%2fpkg.
func npmSite(base string) (http.Handler, error) {
	tarball, err := npmPackage(`{"name": "@scope/pkg", "version": "1.0.0", "main": "index.js"}`, "module.exports = 'hello from @scope/pkg'\n")
	if err != nil {
		return nil, err
	}
	sum := sha512.Sum512(tarball)
	document, err := json.Marshal(map[string]any{
		"name": "@scope/pkg", "dist-tags": map[string]string{"latest": "1.0.0"},
		"versions": map[string]any{"1.0.0": map[string]any{
			"name": "@scope/pkg", "version": "1.0.0",
			"dist": map[string]string{
				"tarball":   base + "/@scope/pkg/-/pkg-1.0.0.tgz",
				"integrity": "sha512-" + base64.StdEncoding.EncodeToString(sum[:]),
			},
		}},
	})
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch strings.ToLower(r.URL.EscapedPath()) {
		case "/@scope%2fpkg":
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(document)
		case "/@scope/pkg/-/pkg-1.0.0.tgz":
			w.Header().Set("Content-Type", "application/octet-stream")
			_, _ = w.Write(tarball)
		default:
			http.NotFound(w, r)
		}
	}), nil
}

func npmPackage(manifest, index string) ([]byte, error) {
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	tw := tar.NewWriter(zw)
	for _, file := range []struct{ name, text string }{{"package.json", manifest}, {"index.js", index}} {
		head := &tar.Header{Name: "package/" + file.name, Mode: 0o644, Size: int64(len(file.text)), Typeflag: tar.TypeReg}
		if err := tw.WriteHeader(head); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(tw, file.text); err != nil {
			return nil, err
		}
	}
	if err := tw.Close(); err != nil {
		return nil, err
	}
	err := zw.Close()
	return buf.Bytes(), err
}
