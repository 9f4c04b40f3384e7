// Package ns makes the place in which a sandbox's commands run: its own user,
// mount, pid, network, ipc, uts and cgroup namespaces, a read-only copy of the
// host's programs, a workspace, and a network in which every connection arrives
// at the supervisor.
//
// The supervisor starts Main in a new process (Start); it becomes the sandbox's
// process 1, builds the root, and then spawns commands as it is told over a
// socket that only the two of them hold. Nothing in the sandbox can reach the
// socket: process 1 is outside of the commands' Landlock domain, which keeps them
// from looking into it or signalling it, and the filter of the exec shim forbids
// ptrace and pidfd_getfd. Its memory has to be readable for the supervisor, which
// is an ordinary process: a command that was forked and not yet executed shares it.
package ns
