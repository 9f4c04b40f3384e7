package shim

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl/shim/filter"
	"github.com/openshell-policy/openshell/sandboxctl/shim/floor"
	"github.com/openshell-policy/openshell/sandboxctl/shim/sys"
)

// Config is what a sandbox is confined to. It is data: the supervisor sends it
// into the sandbox, and keeps it.
type Config struct {
	Grants []floor.Grant  `json:"grants"`
	Mode   FileMode       `json:"mode"`
	Level  Level          `json:"level"`
	ABI    int            `json:"abi"` // of Landlock
	Filter filter.Options `json:"filter"`
}

// Confine puts the calling thread under the configuration, for good: no new
// privileges, no capabilities, the Landlock domain and the filter. What it forks
// inherits them; other threads of the process are not touched. It runs in the
// namespaces and the file system that the grants are meant for.
//
// It returns the descriptor of the filter's listener, which goes to the
// supervisor, or -1 if the filter never notifies. From then on calls that
// notify, an open or a connect, wait for the supervisor.
func Confine(c Config) (listener int, err error) {
	if err := sys.NoNewPrivileges(); err != nil {
		return -1, err
	}
	sys.DropBounding()
	if err := enterDomain(c, unix.AT_FDCWD, 0); err != nil {
		return -1, err
	}
	if err := sys.DropThreadCapabilities(); err != nil {
		return -1, err
	}
	return sys.InstallFilter(filter.Build(c.Filter), c.Filter.Any())
}

// enterDomain puts the calling thread into a Landlock domain of the grants, whose
// paths are looked up from root under the limits of openat2(2).
func enterDomain(c Config, root int, resolve uint64) error {
	if c.ABI == 0 {
		if c.Level == None {
			return nil
		}
		return errors.New("the kernel offers no Landlock")
	}
	ruleset, err := sys.CreateRuleset(floor.Handled(c.ABI))
	if err != nil {
		return err
	}
	defer unix.Close(ruleset)
	for _, g := range c.Grants {
		if err := allow(ruleset, g, c.ABI, root, resolve); err != nil {
			return err
		}
	}
	return sys.RestrictThread(ruleset)
}

// allow adds one grant. What went away since the grants were planned is left
// out, which denies it.
func allow(ruleset int, g floor.Grant, abi, root int, resolve uint64) error {
	// A link of /proc leads to what this process has open, whatever that is.
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS | resolve}
	fd, err := unix.Openat2(root, g.Path, &how)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("grant %q: %w", g.Path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("grant %q: %w", g.Path, err)
	}
	rights := floor.Rights(g.Access, abi, st.Mode&unix.S_IFMT == unix.S_IFDIR)
	if rights == 0 {
		return nil
	}
	if err := sys.AllowBeneath(ruleset, fd, rights); err != nil {
		return fmt.Errorf("grant %q: %w", g.Path, err)
	}
	return nil
}
