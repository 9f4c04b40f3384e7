package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// BundleSource is where signed bundles come from instead of policy files: a file, a
// server that speaks OPA's bundle protocol, or an OCI registry.
type BundleSource struct {
	File string `yaml:"file"` // path of a bundle
	URL  string `yaml:"url"`  // https://HOST/bundles/NAME
	OCI  string `yaml:"oci"`  // oci://HOST/REPOSITORY:TAG

	// Keys are files of public keys. A bundle that none of them signed is refused
	// unless InsecureUnsigned is set, which is logged and shown in /readyz.
	Keys             []string `yaml:"keys"`
	InsecureUnsigned bool     `yaml:"insecure_unsigned"`
	// Name is the only bundle that is taken; "" takes any at first, and from then
	// on only that one.
	Name string `yaml:"name"`
	// MinSerial is the least serial that is taken at a first start; later the
	// highest that was in force counts.
	MinSerial int64 `yaml:"min_serial"`

	Poll      time.Duration `yaml:"poll"`       // between requests that are not held; 0 is a minute
	LongPoll  time.Duration `yaml:"long_poll"`  // how long a server may hold a request; 0 is a minute, negative never
	TokenFile string        `yaml:"token_file"` // bearer token for url
	CAFile    string        `yaml:"ca_file"`    // roots of the server; "" the system's
	CertFile  string        `yaml:"cert_file"`  // client certificate
	KeyFile   string        `yaml:"key_file"`
	PlainHTTP bool          `yaml:"plain_http"` // for a registry on this machine
	// StatusURL is a service that gets OPA's status messages, at StatusURL/status.
	StatusURL string `yaml:"status_url"`
}

// Set tells whether bundles come from a source.
func (b *BundleSource) Set() bool { return b.File != "" || b.URL != "" || b.OCI != "" }

// Files lists the fields that are paths, for who makes them absolute.
func (b *BundleSource) Files() []*string {
	paths := []*string{&b.File, &b.TokenFile, &b.CAFile, &b.CertFile, &b.KeyFile}
	for i := range b.Keys {
		paths = append(paths, &b.Keys[i])
	}
	return paths
}

func (b *BundleSource) validate(policies []string) error {
	given := 0
	for _, s := range []string{b.File, b.URL, b.OCI} {
		if s != "" {
			given++
		}
	}
	switch {
	case given > 1:
		return errors.New("configuration: bundle has more than one of file, url and oci")
	case given == 0 && (len(b.Keys) > 0 || b.InsecureUnsigned || b.Name != "" || b.MinSerial != 0 || b.StatusURL != ""):
		return errors.New("configuration: bundle needs one of file, url and oci")
	case given == 0:
		return nil
	case len(policies) > 0:
		return errors.New("configuration: policies and bundle exclude each other")
	case len(b.Keys) == 0 && !b.InsecureUnsigned:
		return errors.New("configuration: bundle.keys is empty: name the public keys that bundles are signed with, or set bundle.insecure_unsigned")
	case b.MinSerial < 0 || b.Poll < 0:
		return errors.New("configuration: bundle.min_serial and bundle.poll are not negative")
	case (b.CertFile == "") != (b.KeyFile == ""):
		return errors.New("configuration: bundle.cert_file and bundle.key_file go together")
	}
	return nil
}

// ErrNotYet is in the error of Deps.Compile where there are no policies yet, but
// may be later: the gateway starts, is not ready, and denies everything.
var ErrNotYet = errors.New("no policies yet")

// Follow calls reload whenever there is something new, until the context ends.
type Follow func(ctx context.Context, reload func(context.Context) error)

// Origin describes where policies come from.
type Origin func() *adminapi.PolicySource

// sourceMetrics show a source of bundles: serial, expiry, and whether the last one
// was refused.
func (g *Gateway) sourceMetrics() {
	if g.deps.Origin == nil {
		return
	}
	gauge := func(name, help string, value func(*adminapi.PolicySource) float64) {
		g.metrics.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(g.deps.Origin()) }))
	}
	gauge("openshell_bundle_serial", "Serial of the bundle in force.", func(s *adminapi.PolicySource) float64 { return float64(s.Serial) })
	gauge("openshell_bundle_expires_timestamp_seconds", "When the bundle in force expires; 0 never.", func(s *adminapi.PolicySource) float64 {
		if s.Expires == nil {
			return 0
		}
		return float64(s.Expires.Unix())
	})
	gauge("openshell_bundle_refused", "1 while the bundle seen last, or the last look for one, is not in force.", func(s *adminapi.PolicySource) float64 {
		if s.Fault == "" {
			return 0
		}
		return 1
	})
}

// follow looks for new policies where Deps says how, else in files.
func (g *Gateway) follow(ctx context.Context) error {
	if g.deps.Follow == nil {
		return g.watch(ctx)
	}
	g.deps.Follow(ctx, func(ctx context.Context) error {
		_, err := g.Reload(ctx)
		return err
	})
	return nil
}

// keep says that what was compiled last is in force.
func (g *Gateway) keep(ctx context.Context) {
	if g.deps.InForce == nil {
		return
	}
	if err := g.deps.InForce(ctx); err != nil {
		g.metrics.reloads.WithLabelValues("not_kept").Inc()
		g.log.Error("the bundle is in force, but that is not kept: after a restart an older one could be taken", "error", err)
	}
}
