package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// origin plays the internet: one TLS server for every name, which notes what
// reached it.
type origin struct {
	sites  map[string]http.Handler
	server *http.Server

	mu   sync.Mutex
	seen []string // "METHOD host/path"
}

// names lists the hosts that the origin plays.
func (o *origin) names() []string {
	var names []string
	for name := range o.sites {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// listen443 opens the port that policies mean. An address of its own keeps out
// of the way of what else listens here.
func listen443() (net.Listener, error) { return net.Listen("tcp", "127.83.0.1:443") }

// serve answers until the context ends.
func (o *origin) serve(ctx context.Context, l net.Listener, authority *authority) error {
	cert, err := authority.leaf(o.names())
	if err != nil {
		return err
	}
	o.server = &http.Server{
		Handler:           o,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	context.AfterFunc(ctx, func() { _ = o.server.Close() })
	if err := o.server.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("origin: %w", err)
	}
	return nil
}

// ServeHTTP notes the request and lets the site answer that it is for.
func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.seen = append(o.seen, r.Method+" "+r.Host+r.URL.EscapedPath())
	o.mu.Unlock()
	site, ok := o.sites[strings.ToLower(r.Host)]
	if !ok {
		http.Error(w, "no such site", http.StatusMisdirectedRequest)
		return
	}
	site.ServeHTTP(w, r)
}

// take returns what has reached the origin since it was last asked.
func (o *origin) take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := o.seen
	o.seen = nil
	return seen
}
