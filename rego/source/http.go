package source

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/rego/archive"
)

// HTTP says how a bundle server is reached.
type HTTP struct {
	TokenFile string // bearer token, read for each request so that it may rotate
	CAFile    string // roots of the server's certificate; "" the system's
	CertFile  string // client certificate
	KeyFile   string // and its key
}

// longPolling is the content type of a server that holds requests; exactly this.
const longPolling = "application/vnd.openpolicyagent.bundles"

// answerTimeout bounds one request besides the time that it is held.
const answerTimeout = 30 * time.Second

// httpFetcher asks by OPA's bundle protocol.
type httpFetcher struct {
	opts   Options
	client *http.Client
	etag   string
	holds  bool // the server holds requests
	hasty  bool // and yet it answered at once that nothing is new
}

func newHTTPFetcher(o Options) (*httpFetcher, string, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, "", fmt.Errorf("%q is no http or https address of a bundle", o.URL)
	}
	if u.User != nil {
		return nil, "", errors.New("the address of a bundle holds credentials; put a token into a file")
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: answerTimeout, ForceAttemptHTTP2: true}
	if transport.TLSClientConfig, err = o.HTTP.tls(); err != nil {
		return nil, "", err
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &httpFetcher{opts: o, client: client}, u.Redacted(), nil
}

func (h HTTP) tls() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if h.CAFile != "" {
		text, err := os.ReadFile(h.CAFile)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate", h.CAFile)
		}
	}
	if h.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(h.CertFile, h.KeyFile)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

// minPause keeps a server that answers at once, again and again, from keeping the
// gateway busy.
const minPause = 20 * time.Millisecond

func (f *httpFetcher) pause() time.Duration {
	if f.holds && !f.hasty && f.opts.LongPoll > 0 {
		return minPause
	}
	return f.opts.Poll
}

func (f *httpFetcher) next(ctx context.Context) ([]byte, error) {
	hold := time.Duration(0)
	if f.holds || f.etag == "" {
		hold = f.opts.LongPoll
	}
	ctx, cancel := context.WithTimeout(ctx, hold+answerTimeout)
	defer cancel()
	req, err := f.request(ctx)
	if err != nil {
		return nil, err
	}
	asked := time.Now()
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, unavailable("%s: %v", req.URL.Redacted(), errors.Unwrap(err))
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusNotModified:
		f.hasty = time.Since(asked) < hold/2
		return nil, nil
	case http.StatusOK:
	default:
		return nil, unavailable("%s answers %s", req.URL.Redacted(), resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, archive.MaxPacked+1))
	if err != nil {
		return nil, unavailable("%s: %v", req.URL.Redacted(), err)
	}
	f.etag, f.hasty = resp.Header.Get("ETag"), false
	f.holds = f.etag != "" && resp.Header.Get("Content-Type") == longPolling
	return data, nil
}

// request asks for snapshots only: a delta changes data that was signed, and is
// never signed itself.
func (f *httpFetcher) request(ctx context.Context) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.opts.URL, nil)
	if err != nil {
		return nil, err
	}
	prefer := "modes=snapshot"
	if seconds := int(f.opts.LongPoll / time.Second); seconds > 0 {
		prefer += fmt.Sprintf(";wait=%d", seconds)
	}
	req.Header.Set("Prefer", prefer)
	if f.etag != "" {
		req.Header.Set("If-None-Match", f.etag)
	}
	return req, f.opts.HTTP.authorize(req)
}

// authorize adds the token, if there is one.
func (h HTTP) authorize(req *http.Request) error {
	if h.TokenFile == "" {
		return nil
	}
	token, err := os.ReadFile(h.TokenFile)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	return nil
}

// unavailable is a source that does not answer with a bundle.
func unavailable(format string, args ...any) error {
	return &archive.Error{Code: archive.CodeSource, Detail: fmt.Sprintf(format, args...), Hint: "check the address, the credentials and the network"}
}

func unreached(err error) bool {
	var e *archive.Error
	return errors.As(err, &e) && e.Code == archive.CodeSource
}
