package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Config is the gateway's configuration file. docs/operations.md explains each
// field.
type Config struct {
	Listen   Listen   `yaml:"listen"`
	Policies []string `yaml:"policies"` // files and folders
	StateDir string   `yaml:"state_dir"`
	CA       CA       `yaml:"ca"`
	Audit    Audit    `yaml:"audit"`

	// DenyConnect says where a CONNECT to a host that no rule names is denied:
	// inside the tunnel, where clients show the reason, or plain.
	DenyConnect   string                  `yaml:"deny_connect"`
	AllowPrivate  []netip.Prefix          `yaml:"allow_private"`
	AllowLoopback bool                    `yaml:"allow_loopback"`
	Resolve       map[string][]netip.Addr `yaml:"resolve"`
	UpstreamRoots string                  `yaml:"upstream_roots"` // PEM file
	Limits        Limits                  `yaml:"limits"`
}

// Listen are the listeners' addresses.
type Listen struct {
	Proxy string `yaml:"proxy"` // host:port
	Admin string `yaml:"admin"` // host:port on loopback, or unix:/path
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
	Path string `yaml:"path"`
	Sync bool   `yaml:"sync"` // a request waits until its record is on disk
}

// Limits bound what sandboxes can make the gateway hold or do.
type Limits struct {
	Connections           int           `yaml:"connections"`             // in all
	ConnectionsPerSandbox int           `yaml:"connections_per_sandbox"` // tunnels count
	NewNamesPerMinute     int           `yaml:"new_names_per_minute"`    // leaves for unlisted hosts, per sandbox
	HeaderBytes           int           `yaml:"header_bytes"`
	HeaderTimeout         time.Duration `yaml:"header_timeout"`
	HandshakeTimeout      time.Duration `yaml:"handshake_timeout"`
	BodyTimeout           time.Duration `yaml:"body_timeout"` // for each piece
	IdleTimeout           time.Duration `yaml:"idle_timeout"`
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
		DenyConnect: DenyInside,
		Limits: Limits{
			Connections:           4096,
			ConnectionsPerSandbox: 256,
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
// OPENSHELL_STATE_DIR, OPENSHELL_AUDIT_PATH and OPENSHELL_DENY_CONNECT.
func (c *Config) Override(lookup LookupEnv) {
	for key, field := range map[string]*string{
		"OPENSHELL_LISTEN_PROXY": &c.Listen.Proxy,
		"OPENSHELL_LISTEN_ADMIN": &c.Listen.Admin,
		"OPENSHELL_STATE_DIR":    &c.StateDir,
		"OPENSHELL_AUDIT_PATH":   &c.Audit.Path,
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
	case c.DenyConnect != DenyInside && c.DenyConnect != DenyPlain:
		return fmt.Errorf("configuration: deny_connect is %q, not %q or %q", c.DenyConnect, DenyInside, DenyPlain)
	case (c.CA.Cert == "") != (c.CA.Key == ""):
		return errors.New("configuration: ca.cert and ca.key go together")
	case c.CA.Cert != "" && c.CA.Dir != "":
		return errors.New("configuration: ca.dir and ca.cert exclude each other")
	case c.Limits.Connections < 1 || c.Limits.ConnectionsPerSandbox < 1 || c.Limits.HeaderBytes < 1024:
		return errors.New("configuration: limits.connections and connections_per_sandbox are at least 1, header_bytes at least 1024")
	case c.Limits.HeaderTimeout <= 0 || c.Limits.HandshakeTimeout <= 0 || c.Limits.BodyTimeout <= 0 || c.Limits.IdleTimeout <= 0:
		return errors.New("configuration: time-outs are positive")
	}
	for name := range c.Resolve {
		if name != strings.ToLower(name) || strings.HasSuffix(name, ".") {
			return fmt.Errorf("configuration: resolve: %q is not a lower-case name without a trailing dot", name)
		}
	}
	return nil
}

// AuditPath is where the log is: audit.path, else audit.ndjson in the state
// folder.
func (c *Config) AuditPath() string {
	if c.Audit.Path != "" {
		return c.Audit.Path
	}
	return filepath.Join(c.StateDir, "audit.ndjson")
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
