package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/rego/serve"
)

type serveOptions struct {
	files     []string
	listen    string
	tokenFile string
	cert, key string
	verifyOptions
	stderr io.Writer
}

func newBundleServe() *cobra.Command {
	o := &serveOptions{}
	cmd := &cobra.Command{
		Use:   "serve FILE...",
		Short: "Serve bundles to gateways and to any OPA",
		Long: `Serve bundles by OPA's bundle protocol, with entity tags and long polling, at
/bundles/NAME: the name in the bundle's manifest, else that of the file. A file that
changes is served from then on, if it is a whole bundle; else the one before is.

With --key only bundles that a trusted key signed are served.`,
		Example: `  openshell-policy bundle serve bundle.tar.gz
  openshell-policy bundle serve team-a.tar.gz team-b.tar.gz --listen :8443 --tls-cert tls.crt --tls-key tls.key --token-file token`,
		Args: cli.Args(1, -1, "bundles"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.files, o.stdout, o.stderr = args, cmd.OutOrStdout(), cmd.ErrOrStderr()
			return serveBundles(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8282", "`ADDRESS` to listen on")
	f.StringVar(&o.tokenFile, "token-file", "", "`FILE` with the bearer token that clients must send")
	f.StringVar(&o.cert, "tls-cert", "", "`FILE` of the server's certificate")
	f.StringVar(&o.key, "tls-key", "", "`FILE` of its key")
	f.StringArrayVar(&o.keys, "key", nil, "`FILE` of a public key; only what it signed is served, repeatable")
	return cmd
}

func serveBundles(ctx context.Context, o *serveOptions) error {
	if (o.cert == "") != (o.key == "") {
		return cli.WithHint(errors.New("--tls-cert and --tls-key go together"), "give both, or neither for http")
	}
	token, err := o.token()
	if err != nil {
		return err
	}
	bundles := &serve.Bundles{}
	for _, file := range o.files {
		if err := o.publish(bundles, file); err != nil {
			return err
		}
	}
	watcher, err := watchFolders(o.files)
	if err != nil {
		return err
	}
	defer watcher.Close()
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: guarded(token, http.StripPrefix("/bundles/", bundles)), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	go o.follow(ctx, watcher, bundles)
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	fmt.Fprintf(o.stderr, "serving on %s\n", listener.Addr())
	if o.cert != "" {
		err = server.ServeTLS(listener, o.cert, o.key)
	} else {
		err = server.Serve(listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (o *serveOptions) token() (string, error) {
	if o.tokenFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(o.tokenFile)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", fmt.Errorf("%s is empty", o.tokenFile)
	}
	return token, nil
}

// publish serves a file from now on, if it may be served.
func (o *serveOptions) publish(bundles *serve.Bundles, file string) error {
	a, data, err := readArchive(file)
	if err != nil {
		return err
	}
	if len(o.keys) > 0 {
		if err := admit(file, data, &o.verifyOptions, false); err != nil {
			return err
		}
	}
	name := a.Manifest.Metadata.Name
	if name == "" {
		name, _, _ = strings.Cut(filepath.Base(file), ".")
	}
	if bundles.Set(name, data) {
		fmt.Fprintf(o.stderr, "%s: /bundles/%s, serial %d, revision %.12s\n", file, name, a.Manifest.Metadata.Serial, a.Manifest.Revision)
	}
	return nil
}

// admit checks a bundle as a gateway does.
func admit(what string, data []byte, v *verifyOptions, insecure bool) error {
	trust := archive.Trust{Name: v.name, MinSerial: v.minSerial, Insecure: insecure}
	if !insecure || len(v.keys) > 0 {
		var err error
		if trust.Keys, err = loadPublic(v.keys); err != nil {
			return err
		}
	}
	a, err := archive.Read(data)
	if err == nil {
		_, err = a.Admit(trust, time.Now())
	}
	return refused(what, err)
}

// watchFolders watches the folders of files: a file that is replaced by a rename is
// another file.
func watchFolders(files []string) (*fsnotify.Watcher, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if err := w.Add(filepath.Dir(file)); err != nil {
			return nil, errors.Join(err, w.Close())
		}
	}
	return w, nil
}

// settle is how long a file must be left alone before it is read.
const settle = 20 * time.Millisecond

func (o *serveOptions) follow(ctx context.Context, w *fsnotify.Watcher, bundles *serve.Bundles) {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	armed := false // a stream of events must not put it off for ever
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.Events:
			if !armed {
				armed = true
				timer.Reset(settle)
			}
		case err := <-w.Errors: // events may be lost: look
			fmt.Fprintf(o.stderr, "warning: %v\n", err)
			armed = true
			timer.Reset(settle)
		case <-timer.C:
			armed = false
			for _, file := range o.files {
				if err := o.publish(bundles, file); err != nil {
					fmt.Fprintf(o.stderr, "warning: %v; the one before is served\n", err)
				}
			}
		}
	}
}

// guarded asks for the token, if there is one.
func guarded(token string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token != "" && subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+token)) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "a bearer token is needed", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
