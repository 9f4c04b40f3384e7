package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/audit/sink"
)

// Config is the gateway's configuration file. docs/operations.md explains each
// field.
type Config struct {
	Listen   Listen   `yaml:"listen"`
	Policies []string `yaml:"policies"` // files and folders
	// Bundle is where policies come from instead, signed.
	Bundle   BundleSource `yaml:"bundle"`
	StateDir string       `yaml:"state_dir"`
	CA       CA           `yaml:"ca"`
	Audit    Audit        `yaml:"audit"`
	Admin    AdminAPI     `yaml:"admin"`

	// DenyConnect says where a CONNECT to a host that no rule names is denied:
	// inside the tunnel, where clients show the reason, or plain.
	DenyConnect   string                  `yaml:"deny_connect"`
	AllowPrivate  []netip.Prefix          `yaml:"allow_private"`
	AllowLoopback bool                    `yaml:"allow_loopback"`
	Resolve       map[string][]netip.Addr `yaml:"resolve"`
	UpstreamRoots string                  `yaml:"upstream_roots"` // PEM file
	UpstreamProxy UpstreamProxy           `yaml:"upstream_proxy"`
	Identity      Identity                `yaml:"identity"`
	Limits        Limits                  `yaml:"limits"`
	// Sandbox is for the local runtime, which reads the same file.
	Sandbox Sandbox `yaml:"sandbox"`
}

// Sandbox bounds what runs on this machine.
type Sandbox struct {
	// MaxConcurrent is how many local sandboxes of one state folder run at once.
	MaxConcurrent int `yaml:"max_concurrent"`
}

// Identity says which evidence of who connects counts.
type Identity struct {
	// Require is the evidence that a request must bring: any, token, source, or
	// both (token and source). A socket of the sandbox's own always suffices.
	Require string `yaml:"require"`
	// TrustedUIDs are users that no sandboxed process can be. Of a process that
	// connects a Unix socket as one of them, /proc tells the program.
	TrustedUIDs []uint32 `yaml:"trusted_uids"`
}

// The values of Identity.Require.
const (
	RequireAny    = "any"
	RequireToken  = "token"
	RequireSource = "source"
	RequireBoth   = "both"
)

// Listen are the listeners' addresses.
type Listen struct {
	Proxy string `yaml:"proxy"` // host:port
	// SOCKS is where SOCKS 5 is spoken, host:port; "" nowhere.
	SOCKS string `yaml:"socks"`
	// Transparent is where connections are redirected to, host:port; "" nowhere.
	Transparent string `yaml:"transparent"`
	Admin       string `yaml:"admin"` // host:port on loopback, or unix:/path
}

// CA says where the certificate authority is: a folder in which one is made at
// first start, or two PEM files.
type CA struct {
	Dir  string `yaml:"dir"`
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// Audit says where decisions are recorded.
type Audit struct {
	Path string `yaml:"path"` // a folder
	// Mode is strict, where a request waits until its record is on disk, or
	// bounded, where it waits until the record is queued.
	Mode     audit.Mode    `yaml:"mode"`
	Origin   string        `yaml:"origin"`    // the log's name; "" made at first start
	Keep     time.Duration `yaml:"keep"`      // older records are deleted; 0 none
	MaxBytes int64         `yaml:"max_bytes"` // of the folder; 0 no bound
	// CheckpointFile and CheckpointURL get copies of what the log signs.
	CheckpointFile string `yaml:"checkpoint_file"`
	CheckpointURL  string `yaml:"checkpoint_url"`
	// Sinks send the log elsewhere, too.
	Sinks []sink.Config `yaml:"sinks"`
}

// Limits bound what sandboxes can make the gateway hold or do.
type Limits struct {
	Connections           int           `yaml:"connections"`             // in all
	ConnectionsPerSandbox int           `yaml:"connections_per_sandbox"` // tunnels count
	TunnelsPerSandbox     int           `yaml:"tunnels_per_sandbox"`
	HandshakesPerSandbox  int           `yaml:"handshakes_per_sandbox"` // at once; further ones wait
	RequestsPerSecond     int           `yaml:"requests_per_second"`    // per sandbox; 0: any
	RequestBurst          int           `yaml:"request_burst"`          // at once; 0: as many as in a second
	BytesPerSecond        int           `yaml:"bytes_per_second"`       // bodies and tunnels, both ways, per sandbox; 0: any
	RequestsAtOnce        int           `yaml:"requests_at_once"`       // worked on before sandboxes take turns; 0: 2 a processor
	NewNamesPerMinute     int           `yaml:"new_names_per_minute"`   // leaves for unlisted hosts, per sandbox
	HeaderBytes           int           `yaml:"header_bytes"`
	HeaderTimeout         time.Duration `yaml:"header_timeout"`
	HandshakeTimeout      time.Duration `yaml:"handshake_timeout"`
	BodyTimeout           time.Duration `yaml:"body_timeout"` // for each piece
	IdleTimeout           time.Duration `yaml:"idle_timeout"`
	DrainDelay            time.Duration `yaml:"drain_delay"` // served on, while /readyz says no
	DrainTimeout          time.Duration `yaml:"drain_timeout"`
}

// The values of Config.DenyConnect.
const (
	DenyInside = "inside"
	DenyPlain  = "plain"
)

// DefaultConfig returns the configuration of an empty file.
func DefaultConfig() Config {
	return Config{
		Listen:      Listen{Proxy: "127.0.0.1:8080", Admin: "127.0.0.1:9090"},
		Audit:       Audit{Mode: audit.Strict, Keep: audit.DefaultKeep},
		DenyConnect: DenyInside,
		Identity:    Identity{Require: RequireAny},
		Sandbox:     Sandbox{MaxConcurrent: 20},
		Limits: Limits{
			Connections:           4096,
			ConnectionsPerSandbox: 256,
			TunnelsPerSandbox:     256,
			HandshakesPerSandbox:  16,
			NewNamesPerMinute:     60,
			HeaderBytes:           64 << 10,
			HeaderTimeout:         10 * time.Second,
			HandshakeTimeout:      10 * time.Second,
			BodyTimeout:           time.Minute,
			IdleTimeout:           5 * time.Minute,
			DrainTimeout:          10 * time.Second,
		},
	}
}

// LoadConfig reads a configuration file over the defaults. An unknown key, a
// duplicate key and a value of the wrong type are errors that name the line.
func LoadConfig(data []byte) (Config, error) {
	cfg := DefaultConfig()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&cfg); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	if err := dec.Decode(new(Config)); !errors.Is(err, io.EOF) {
		return Config{}, errors.New("configuration: more than one document")
	}
	return cfg, cfg.Validate()
}

// LookupEnv is the type of os.LookupEnv.
type LookupEnv func(key string) (string, bool)

// Override sets the fields whose variable is set: OPENSHELL_LISTEN_PROXY,
// OPENSHELL_LISTEN_ADMIN, OPENSHELL_POLICIES (separated as PATH is),
// OPENSHELL_STATE_DIR, OPENSHELL_AUDIT_PATH, OPENSHELL_AUDIT_MODE and
// OPENSHELL_DENY_CONNECT.
func (c *Config) Override(lookup LookupEnv) {
	for key, field := range map[string]*string{
		"OPENSHELL_LISTEN_PROXY": &c.Listen.Proxy,
		"OPENSHELL_LISTEN_ADMIN": &c.Listen.Admin,
		"OPENSHELL_STATE_DIR":    &c.StateDir,
		"OPENSHELL_AUDIT_PATH":   &c.Audit.Path,
		"OPENSHELL_AUDIT_MODE":   (*string)(&c.Audit.Mode),
		"OPENSHELL_DENY_CONNECT": &c.DenyConnect,
	} {
		if v, ok := lookup(key); ok {
			*field = v
		}
	}
	if v, ok := lookup("OPENSHELL_POLICIES"); ok {
		c.Policies = filepath.SplitList(v)
	}
}

// Validate checks what a type cannot say.
func (c *Config) Validate() error {
	switch {
	case c.Audit.Mode != audit.Strict && c.Audit.Mode != audit.Bounded:
		return fmt.Errorf("configuration: audit.mode is %q, not %q or %q", c.Audit.Mode, audit.Strict, audit.Bounded)
	case c.Audit.Keep < 0 || c.Audit.MaxBytes < 0:
		return errors.New("configuration: audit.keep and audit.max_bytes are 0 or more")
	case c.DenyConnect != DenyInside && c.DenyConnect != DenyPlain:
		return fmt.Errorf("configuration: deny_connect is %q, not %q or %q", c.DenyConnect, DenyInside, DenyPlain)
	case !slices.Contains([]string{RequireAny, RequireToken, RequireSource, RequireBoth}, c.Identity.Require):
		return fmt.Errorf("configuration: identity.require is %q, not any, token, source or both", c.Identity.Require)
	case (c.CA.Cert == "") != (c.CA.Key == ""):
		return errors.New("configuration: ca.cert and ca.key go together")
	case c.CA.Cert != "" && c.CA.Dir != "":
		return errors.New("configuration: ca.dir and ca.cert exclude each other")
	case c.Limits.Connections < 1 || c.Limits.ConnectionsPerSandbox < 1 || c.Limits.HeaderBytes < 1024:
		return errors.New("configuration: limits.connections and connections_per_sandbox are at least 1, header_bytes at least 1024")
	case c.Limits.TunnelsPerSandbox < 1 || c.Limits.HandshakesPerSandbox < 1:
		return errors.New("configuration: limits.tunnels_per_sandbox and handshakes_per_sandbox are at least 1")
	case c.Limits.RequestsPerSecond < 0 || c.Limits.RequestBurst < 0 || c.Limits.BytesPerSecond < 0 || c.Limits.RequestsAtOnce < 0:
		return errors.New("configuration: limits.requests_per_second, request_burst, bytes_per_second and requests_at_once are 0 or more")
	case c.Sandbox.MaxConcurrent < 1:
		return errors.New("configuration: sandbox.max_concurrent is at least 1")
	case c.Limits.DrainDelay < 0 || c.Limits.DrainTimeout < 0:
		return errors.New("configuration: limits.drain_delay and drain_timeout are not negative")
	case c.Limits.HeaderTimeout <= 0 || c.Limits.HandshakeTimeout <= 0 || c.Limits.BodyTimeout <= 0 || c.Limits.IdleTimeout <= 0:
		return errors.New("configuration: time-outs are positive")
	}
	if err := sink.ValidateAll(c.Audit.Sinks); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if err := c.Admin.validate(); err != nil {
		return err
	}
	if err := c.Bundle.validate(c.Policies); err != nil {
		return err
	}
	for name := range c.Resolve {
		if name != strings.ToLower(name) || strings.HasSuffix(name, ".") {
			return fmt.Errorf("configuration: resolve: %q is not a lower-case name without a trailing dot", name)
		}
	}
	return nil
}

// AuditPath is the log's folder: audit.path, else audit in the state folder.
func (c *Config) AuditPath() string {
	if c.Audit.Path != "" {
		return c.Audit.Path
	}
	return filepath.Join(c.StateDir, "audit")
}

// CADir is the folder of the authority: ca.dir, else ca in the state folder.
func (c *Config) CADir() string {
	if c.CA.Dir != "" {
		return c.CA.Dir
	}
	return filepath.Join(c.StateDir, "ca")
}

// CAFile is the certificate that clients must trust.
func (c *Config) CAFile() string {
	if c.CA.Cert != "" {
		return c.CA.Cert
	}
	return filepath.Join(c.CADir(), "ca.crt")
}

// AdminTokenFile holds the admin API's bearer token, mode 0600.
func (c *Config) AdminTokenFile() string { return filepath.Join(c.StateDir, "admin.token") }
