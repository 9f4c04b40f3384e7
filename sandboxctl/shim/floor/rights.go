package floor

import (
	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl/shim/sys"
)

// Access is what a grant gives.
type Access int

// The accesses, each with what comes before it.
const (
	List   Access = iota + 1 // the names in directories
	Read                     // reading and executing
	Device                   // and writing to device nodes
	Write                    // and changing everything
)

// rights of Landlock, by the version that brought them (landlock(7)).
var (
	listRights   = uint64(unix.LANDLOCK_ACCESS_FS_READ_DIR)
	readRights   = listRights | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_EXECUTE
	deviceRights = readRights | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV |
		unix.LANDLOCK_ACCESS_FS_TRUNCATE
	writeRights = deviceRights&^unix.LANDLOCK_ACCESS_FS_IOCTL_DEV | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR |
		unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SYM |
		unix.LANDLOCK_ACCESS_FS_REFER
	fileOnly = uint64(unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_EXECUTE |
		unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV |
		unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX)
)

// MinABI is the oldest version that holds what the shim promises: before it
// truncate(2) was no right.
const MinABI = 3

// Handled returns what a domain of one version handles. Devices can be made by
// nobody: no grant gives that back.
func Handled(abi int) sys.Ruleset {
	all := uint64(1<<13 - 1) // version 1
	var r sys.Ruleset
	if abi >= 2 {
		all |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		all |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 5 {
		all |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if abi >= 6 {
		r.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	if abi >= 9 {
		all |= unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX
	}
	r.FS = all
	return r
}

// Rights returns the rights of a grant under one version, on a directory or on a
// single file, which has fewer.
func Rights(a Access, abi int, dir bool) uint64 {
	var rights uint64
	switch a {
	case List:
		rights = listRights
	case Read:
		rights = readRights
	case Device:
		rights = deviceRights
	case Write:
		rights = writeRights | unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX
	}
	rights &= Handled(abi).FS
	if !dir {
		rights &= fileOnly
	}
	return rights
}
