package wiring

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/openshell-policy/openshell/gateway"
)

// LoadConfig reads a gateway's configuration: the file, if one is named, then
// OPENSHELL_* variables. Relative paths in a file are relative to it. stateDir
// counts before all where it is not empty; a state folder that nothing names is
// this user's.
func LoadConfig(file, stateDir string) (gateway.Config, error) {
	cfg := gateway.DefaultConfig()
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return cfg, err
		}
		if cfg, err = gateway.LoadConfig(data); err != nil {
			return cfg, fmt.Errorf("%s: %w", file, err)
		}
		anchor(&cfg, filepath.Dir(file))
	}
	cfg.Override(os.LookupEnv)
	if stateDir != "" {
		cfg.StateDir = stateDir
	}
	if cfg.StateDir == "" {
		dir, err := StateDir()
		if err != nil {
			return cfg, err
		}
		cfg.StateDir = dir
	}
	return cfg, cfg.Validate()
}

// anchor makes the paths of a configuration file relative to its folder.
func anchor(cfg *gateway.Config, dir string) {
	paths := []*string{
		&cfg.StateDir, &cfg.CA.Dir, &cfg.CA.Cert, &cfg.CA.Key, &cfg.Audit.Path, &cfg.Audit.CheckpointFile, &cfg.UpstreamRoots,
		&cfg.UpstreamProxy.CredentialsFile, &cfg.Admin.TLS.Cert, &cfg.Admin.TLS.Key, &cfg.Admin.TLS.ClientCA,
	}
	paths = append(paths, cfg.Bundle.Files()...)
	for i := range cfg.Audit.Sinks {
		s := &cfg.Audit.Sinks[i]
		paths = append(paths, &s.TokenFile, &s.CAFile, &s.CertFile, &s.KeyFile)
	}
	for i := range cfg.Policies {
		paths = append(paths, &cfg.Policies[i])
	}
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
}
