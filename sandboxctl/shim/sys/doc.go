// Package sys is the thin layer of system calls under the exec shim: seccomp
// user notification, Landlock, ptrace of one execution, memory of another
// process, and what one thread can give up. It decides nothing.
//
// Calls that change or act for the calling thread alone say so; their callers
// hold runtime.LockOSThread.
package sys
