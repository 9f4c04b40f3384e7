//go:build linux

package ns

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// openWorkspace takes a copy of the workspace's mount; without a workspace or
// with an overlay there is none to take.
func openWorkspace(cfg *Config) (*tree, error) {
	if cfg.Workspace == "" || cfg.Upper != "" {
		return nil, nil
	}
	t, err := copyTree(cfg.Workspace, false)
	if err != nil {
		return nil, err
	}
	t.path = Workspace
	return &t, nil
}

func attachWorkspace(cfg *Config, t *tree) error {
	at := filepath.Join(cfg.Stage, Workspace)
	if t != nil {
		return attach(cfg.Stage, *t)
	}
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	if cfg.Workspace == "" {
		return mountTmpfs(at, fmt.Sprintf("mode=0755,size=%d", cfg.TmpBytes), unix.MS_NOSUID|unix.MS_NODEV)
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,userxattr", escape(cfg.Workspace), escape(cfg.Upper), escape(cfg.Work))
	if err := unix.Mount("overlay", at, "overlay", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return fmt.Errorf("overlay over %s: %w", cfg.Workspace, err)
	}
	return nil
}

// escape protects what overlayfs reads as separators.
func escape(path string) string {
	var out []byte
	for i := range len(path) {
		switch path[i] {
		case '\\', ',', ':':
			out = append(out, '\\')
		}
		out = append(out, path[i])
	}
	return string(out)
}
