package wiring

import (
	"errors"
	"os"
	"path/filepath"
)

// StateDir is where a gateway of this user keeps its state unless it is told
// otherwise: openshell below XDG_STATE_HOME.
func StateDir() (string, error) { return xdg("XDG_STATE_HOME", ".local/state") }

// ConfigFile is the gateway's configuration of this user: openshell/gateway.yaml
// below XDG_CONFIG_HOME. It need not exist.
func ConfigFile() (string, error) {
	dir, err := xdg("XDG_CONFIG_HOME", ".config")
	return filepath.Join(dir, "gateway.yaml"), err
}

func xdg(variable, fallback string) (string, error) {
	if dir := os.Getenv(variable); filepath.IsAbs(dir) {
		return filepath.Join(dir, "openshell"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("neither HOME nor " + variable + " is set")
	}
	return filepath.Join(home, fallback, "openshell"), nil
}

// AdminSocket is the admin listener of a gateway that this user starts: a socket
// below XDG_RUNTIME_DIR, else in the state folder.
func AdminSocket(stateDir string) string {
	path := filepath.Join(stateDir, "admin.sock")
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) && len(path) > maxSocketPath {
		path = filepath.Join(dir, "openshell", "admin.sock")
	}
	return "unix:" + path
}

// maxSocketPath is what fits into sockaddr_un (unix(7)), with its NUL.
const maxSocketPath = 107
