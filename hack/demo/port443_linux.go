package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// inNamespace is set for the second start of withPort443.
const inNamespace = "OPENSHELL_DEMO_IN_NAMESPACE"

// withPort443 runs the demo where it can listen on port 443: here if this user
// may, else in a user and network namespace of its own, which has nothing but
// loopback.
func withPort443(ctx context.Context, demo func(context.Context) error) (status int, err error) {
	if os.Getenv(inNamespace) != "" {
		if err := loopbackUp(); err != nil {
			return 1, err
		}
		return 0, demo(ctx)
	}
	_ = loopbackUp() // in a namespace that somebody else made; it is on elsewhere
	l, err := listen443()
	if err == nil {
		l.Close()
		return 0, demo(ctx)
	}
	return elsewhere(ctx, err)
}

func elsewhere(ctx context.Context, why error) (status int, err error) {
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	if err != nil {
		err = fmt.Errorf("the demo plays web sites on port 443: %w; and a network namespace of its own cannot be had either: %w", why, err)
	}
	return 0, err
}

// loopbackUp switches lo on, which is off in a new network namespace
// (netdevice(7)).
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	return nil
}
