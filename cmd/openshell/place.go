package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/cmd/internal/wiring"
	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/gateway/sandboxes"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/sandboxctl"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// place says where the gateway and its state are.
type place struct {
	gateway  string
	stateDir string

	ca, cert, key string // files
}

func (p *place) flags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&p.gateway, "gateway", "", "`ADDRESS` of the gateway's admin API: unix:/path, host:port or https://host:port (env OPENSHELL_GATEWAY; default: the one of the state folder)")
	f.StringVar(&p.ca, "gateway-ca", "", "`FILE` of the authorities that sign the admin API's certificate, for https (env OPENSHELL_GATEWAY_CA; default: the system's)")
	f.StringVar(&p.cert, "gateway-cert", "", "`FILE` of a certificate that stands for the token (env OPENSHELL_GATEWAY_CERT)")
	f.StringVar(&p.key, "gateway-key", "", "`FILE` of its key (env OPENSHELL_GATEWAY_KEY)")
	f.StringVar(&p.stateDir, "state-dir", "", "`FOLDER` of the gateway's state (env OPENSHELL_STATE_DIR; default: openshell below XDG_STATE_HOME)")
}

// config is the configuration of a gateway of this user: gateway.yaml below
// XDG_CONFIG_HOME if there is one, or file.
func (p *place) config(file string) (gateway.Config, error) {
	if file == "" {
		standard, err := wiring.ConfigFile()
		if err == nil {
			if _, err = os.Stat(standard); err == nil {
				file = standard
			}
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && p.stateDir == "" {
			return gateway.Config{}, err
		}
	}
	cfg, err := wiring.LoadConfig(file, p.stateDir)
	if err != nil {
		return cfg, err
	}
	if cfg.Listen.Admin == gateway.DefaultConfig().Listen.Admin {
		cfg.Listen.Admin = wiring.AdminSocket(cfg.StateDir)
	}
	return cfg, nil
}

// dir is the state folder.
func (p *place) dir() (string, error) {
	cfg, err := p.config("")
	return cfg.StateDir, err
}

// errNoGateway says that no gateway answers.
var errNoGateway = errors.New("no gateway is running")

// client connects to the gateway that runs.
func (p *place) client(ctx context.Context) (*adminapi.Client, error) {
	dir, err := p.dir()
	if err != nil {
		return nil, err
	}
	address := cmp.Or(p.gateway, os.Getenv("OPENSHELL_GATEWAY"))
	named := address != ""
	c, err := p.remote(address, dir)
	if err != nil {
		return nil, err
	}
	if !named {
		serving, err := wiring.ReadServing(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, errNoGateway
		}
		if err != nil {
			return nil, err
		}
		if c, err = serving.Client(token(dir)); err != nil {
			return nil, err
		}
	}
	if _, err := c.Ready(ctx); err != nil {
		if named {
			return nil, cli.WithHint(fmt.Errorf("%w at %s: %w", errNoGateway, address, err), "check --gateway and OPENSHELL_GATEWAY")
		}
		return nil, errNoGateway
	}
	return c, nil
}

// remote is a client for an address that the user named.
func (p *place) remote(address, dir string) (*adminapi.Client, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if file := cmp.Or(p.ca, os.Getenv("OPENSHELL_GATEWAY_CA")); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("--gateway-ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--gateway-ca: %q holds no certificate", file)
		}
	}
	cert, key := cmp.Or(p.cert, os.Getenv("OPENSHELL_GATEWAY_CERT")), cmp.Or(p.key, os.Getenv("OPENSHELL_GATEWAY_KEY"))
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("--gateway-cert and --gateway-key: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return adminapi.NewClient(address, token(dir)).WithTLS(cfg), nil
}

func token(dir string) string {
	if t := os.Getenv("OPENSHELL_GATEWAY_TOKEN"); t != "" {
		return t
	}
	data, err := os.ReadFile((&gateway.Config{StateDir: dir}).AdminTokenFile())
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// named tells whether the user said which gateway to use.
func (p *place) named() bool { return p.gateway != "" || os.Getenv("OPENSHELL_GATEWAY") != "" }

// auditPath is the decision log.
func (p *place) auditPath() (string, error) {
	cfg, err := p.config("")
	if err != nil {
		return "", err
	}
	if serving, err := wiring.ReadServing(cfg.StateDir); err == nil && serving.Audit != "" {
		return serving.Audit, nil
	}
	return cfg.AuditPath(), nil
}

func (p *place) runs() (sandboxctl.Runs, error) {
	dir, err := p.dir()
	return sandboxctl.Runs{Dir: filepath.Join(dir, "runs")}, err
}

// sandboxes lists what the gateway knows, or what it has left on disk when none
// runs.
func (p *place) sandboxes(ctx context.Context, all bool) ([]adminapi.Sandbox, error) {
	c, err := p.client(ctx)
	if err == nil {
		l, err := c.Sandboxes(ctx, all)
		return l.Sandboxes, err
	}
	if !errors.Is(err, errNoGateway) || p.named() {
		return nil, err
	}
	reg, err := p.registry()
	if err != nil {
		return nil, err
	}
	runs, err := p.runs()
	if err != nil {
		return nil, err
	}
	var out []adminapi.Sandbox
	for _, s := range reg.List(true) {
		if run, ok := runs.Get(s.ID); s.Status == adminapi.StatusRunning && !(ok && run.Alive()) {
			s.Status = adminapi.StatusStopped // with its gateway
		}
		if all || s.Status == adminapi.StatusRunning {
			out = append(out, s)
		}
	}
	return out, nil
}

func (p *place) registry() (*sandboxes.Registry, error) {
	dir, err := p.dir()
	if err != nil {
		return nil, err
	}
	return sandboxes.Open(dir)
}

// find returns a sandbox by its id or a unique prefix, also one that ended.
func (p *place) find(ctx context.Context, ref string) (adminapi.Sandbox, error) {
	c, err := p.client(ctx)
	if err == nil {
		s, err := c.Get(ctx, ref)
		return s, unknownSandbox(err)
	}
	if !errors.Is(err, errNoGateway) || p.named() {
		return adminapi.Sandbox{}, err
	}
	reg, err := p.registry()
	if err != nil {
		return adminapi.Sandbox{}, err
	}
	s, err := reg.Find(ref)
	return s, unknownSandbox(err)
}

func unknownSandbox(err error) error {
	var e *adminapi.Error
	if errors.As(err, &e) && e.Code == "not_found" || errors.Is(err, sandboxes.ErrNotFound) {
		return cli.WithHint(err, "openshell sandbox list --all shows every sandbox")
	}
	return err
}
