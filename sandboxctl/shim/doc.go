// Package shim enforces a policy on commands and files with the kernel's help:
// seccomp user notification, Landlock and ptrace, none of which needs privilege.
//
// Two processes take part. Inside the sandbox a thread calls Confine and from
// then on starts every command: it and what it forks are in a Landlock domain
// and under a seccomp filter for good. Outside, a Supervisor reads the filter's
// notifications and answers them:
//
//	execve, execveat     judged, let through, and checked again by ptrace after
//	                     the kernel has loaded the program and before its first
//	                     instruction; what differs from what was judged is killed
//	open and its kin     judged on the object and opened for the caller, who is
//	                     given the descriptor (file mode trapped only)
//	rename, link, mkdir, judged and made for the caller
//	chmod, setxattr, ...
//	connect              made for the caller on its own socket, whose owner is
//	                     noted
//
// No answer lets the kernel read the caller's memory a second time, except where
// a check follows (execve) or nothing is at stake (O_PATH).
//
// Prepare says what of a policy Landlock can hold, in which file mode, and Probe
// what this machine can do. A policy comes into force for a running sandbox by
// Supervisor.Swap; what the Landlock domain does not allow stays denied and is
// reported.
//
//	config, report := shim.Prepare(policy, ceiling, home, view, level)
//	// inside:  listener, err := shim.Confine(config)
//	sup, err := shim.New(shim.Options{Listener: listener, Config: config, ...})
//	go sup.Serve(ctx)
//	sup.Expect(shim.Entry{...}); // then have the thread inside start the command
package shim
