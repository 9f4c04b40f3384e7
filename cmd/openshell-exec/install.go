package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/sandboxctl"
	"github.com/openshell-policy/openshell/sandboxctl/fault"
)

// programName is what the copy is called.
const programName = "openshell-exec"

func newInstall() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "install DIR",
		Short: "Copy this program into a folder",
		Long: `Copy this program into a folder, as DIR/openshell-exec, for containers that do not
have it: an init container installs it into a volume that the main container mounts
read-only. What is there already is replaced at once, never in part.`,
		Example: "  openshell-exec install /openshell/bin",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.WithHint(errors.New("install takes one folder"), "openshell-exec install /openshell/bin")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if err := install(args[0]); err != nil {
				return &fault.Error{Code: fault.CodeInstall, Err: err}
			}
			return nil
		},
	}
	cli.FailWith(cmd, sandboxctl.StatusFailed)
	return cmd
}

// install copies the running program.
func install(dir string) error {
	from, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer from.Close()
	next, err := os.CreateTemp(dir, "."+programName+"-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(next, from)
	err = errors.Join(err, next.Chmod(0o755), next.Sync(), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), filepath.Join(dir, programName))
	}
	if err != nil {
		_ = os.Remove(next.Name())
	}
	return err
}
