package sink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
)

// Config is one sink as a gateway's configuration has it.
type Config struct {
	Name string `yaml:"name" json:"name"` // unique; letters, digits and -
	Type string `yaml:"type" json:"type"` // opa, otlp or stdout
	// URL is where to: for opa what ends in /logs, for otlp what ends in /v1/logs.
	URL       string            `yaml:"url" json:"url,omitempty"`
	Headers   map[string]string `yaml:"headers" json:"headers,omitempty"`
	TokenFile string            `yaml:"token_file" json:"token_file,omitempty"` // a bearer token, read for each request
	CAFile    string            `yaml:"ca_file" json:"ca_file,omitempty"`       // instead of the system's authorities
	CertFile  string            `yaml:"cert_file" json:"cert_file,omitempty"`   // client certificate, with key_file
	KeyFile   string            `yaml:"key_file" json:"key_file,omitempty"`
	// MaxBytes bounds a request, compressed; 0 is 1 MiB.
	MaxBytes int `yaml:"max_bytes" json:"max_bytes,omitempty"`
	// InsecureHTTP lets the log leave without TLS to another machine.
	InsecureHTTP bool `yaml:"insecure_http" json:"insecure_http,omitempty"`
}

// Types are the values of Config.Type.
var Types = []string{"opa", "otlp", "stdout"}

var sinkName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,62}$`)

// Validate says what is wrong with the configuration of a sink.
func (c *Config) Validate() error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("audit sink %q: "+format, append([]any{c.Name}, args...)...)
	}
	switch {
	case !sinkName.MatchString(c.Name):
		return fail("the name is of letters, digits and -")
	case !slices.Contains(Types, c.Type):
		return fail("type %q is not one of opa, otlp, stdout", c.Type)
	case c.Type == "stdout" && (c.URL != "" || c.TokenFile != "" || len(c.Headers) > 0):
		return fail("stdout takes no url, token_file or headers")
	case c.MaxBytes < 0:
		return fail("max_bytes is negative")
	case (c.CertFile == "") != (c.KeyFile == ""):
		return fail("cert_file and key_file go together")
	case c.Type == "stdout":
		return nil
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fail("url %q is no http or https address", c.URL)
	}
	if u.User != nil {
		return fail("a url holds no password: use token_file")
	}
	local := slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())
	if u.Scheme == "http" && !local && !c.InsecureHTTP {
		return fail("%s leaves the machine without TLS: use https, or say insecure_http: true", c.URL)
	}
	return nil
}

// ValidateAll says what is wrong with the configuration of several sinks.
func ValidateAll(cs []Config) error {
	seen := map[string]bool{}
	for i := range cs {
		if err := cs[i].Validate(); err != nil {
			return err
		}
		if seen[cs[i].Name] {
			return fmt.Errorf("audit sink %q: the name is there twice", cs[i].Name)
		}
		seen[cs[i].Name] = true
	}
	return nil
}

func (c *Config) sender(stdout io.Writer, origin string) (Sender, error) {
	if c.Type == "stdout" {
		return Lines{stdout}, nil
	}
	transport, err := c.transport()
	if err != nil {
		return nil, fmt.Errorf("audit sink %q: %w", c.Name, err)
	}
	h := HTTP{URL: c.URL, Header: http.Header{}, TokenFile: c.TokenFile, MaxBytes: c.MaxBytes, Client: newClient(transport)}
	for name, value := range c.Headers {
		h.Header.Set(name, value)
	}
	if c.Type == "otlp" {
		return &OTLP{HTTP: h, Log: origin}, nil
	}
	return &OPA{h}, nil
}

func (c *Config) transport() (http.RoundTripper, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", c.CAFile)
		}
	}
	if c.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig.Certificates = []tls.Certificate{cert}
	}
	return t, nil
}

// Set is a gateway's sinks while they run.
type Set struct {
	runners []*Runner
	done    sync.WaitGroup
}

// Start runs sinks over a log until the context ends. state is a folder for their
// positions; report is told of every failure.
func Start(ctx context.Context, log, state string, cs []Config, stdout io.Writer, report func(error)) (*Set, error) {
	if err := ValidateAll(cs); err != nil {
		return nil, err
	}
	if len(cs) > 0 {
		if err := os.MkdirAll(state, 0o700); err != nil {
			return nil, fmt.Errorf("audit sinks: %w", err)
		}
	}
	s := &Set{}
	for i := range cs {
		sender, err := cs[i].sender(stdout, filepath.Base(log))
		if err != nil {
			return nil, err
		}
		r, err := NewRunner(sender, Options{Name: cs[i].Name, Log: log, State: filepath.Join(state, cs[i].Name+".json"), Report: report})
		if err != nil {
			return nil, err
		}
		s.runners = append(s.runners, r)
	}
	for _, r := range s.runners {
		s.done.Go(func() { r.keepRunning(ctx) })
	}
	return s, nil
}

// keepRunning runs a sink again where its log could not be read for a while.
func (r *Runner) keepRunning(ctx context.Context) {
	for ctx.Err() == nil {
		if err := r.Run(ctx); err != nil && !r.wait(ctx, err, longestPause) {
			return
		}
	}
}

// Wait returns when every sink has ended.
func (s *Set) Wait() { s.done.Wait() }

// Status says how far each sink is.
func (s *Set) Status() []Status {
	var out []Status
	for _, r := range s.runners {
		out = append(out, r.Status())
	}
	return out
}
