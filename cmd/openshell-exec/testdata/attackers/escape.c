// Calls what leads out of a sandbox, and prints what does not fail.
// escape SUPERVISOR: its process number
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int tried, won;

static void fails(const char *what, long result) {
	tried++;
	if (result < 0)
		return;
	won++;
	printf("%s: %ld\n", what, result);
}

int main(int argc, char **argv) {
	long parent = getppid(), supervisor = atol(argv[1]), zero[64] = {0};
	char buf[8] = "x", path[64];
	struct iovec here = {buf, sizeof buf}, there = {(void *)0x400000, 8};
	long targets[] = {supervisor, parent, 1};
	for (int i = 0; i < 3; i++) {
		long pid = targets[i];
		fails("ptrace attach", ptrace(PTRACE_ATTACH, pid, 0, 0));
		fails("ptrace seize", ptrace(PTRACE_SEIZE, pid, 0, 0));
		fails("process_vm_readv", syscall(SYS_process_vm_readv, pid, &here, 1, &there, 1, 0));
		fails("process_vm_writev", syscall(SYS_process_vm_writev, pid, &here, 1, &there, 1, 0));
		fails("kcmp", syscall(SYS_kcmp, pid, getpid(), 0, 0, 0));
		const char *files[] = {"mem", "environ", "fd/3", "root/etc/shadow", "cwd/..", "map_files", "syscall"};
		for (int k = 0; k < 7 && pid != parent; k++) { // the shell that started this is in the sandbox
			sprintf(path, "/proc/%ld/%s", pid, files[k]);
			fails(path, open(path, O_RDONLY));
		}
		int fd = syscall(SYS_pidfd_open, pid, 0);
		fails("pidfd_getfd", syscall(SYS_pidfd_getfd, fd, 3, 0));
		fails("setns", syscall(SYS_setns, fd, 0x20000));
	}
	fails("kill the supervisor", syscall(SYS_kill, supervisor, 9));
	fails("traceme", ptrace(PTRACE_TRACEME, 0, 0, 0));
	fails("io_uring_setup", syscall(SYS_io_uring_setup, 8, zero));
	fails("io_uring_enter", syscall(SYS_io_uring_enter, 0, 0, 0, 0, 0, 0));
	fails("unshare", syscall(SYS_unshare, 0x10000000));
	fails("clone with a namespace", syscall(SYS_clone, 0x10000000 | 17, 0, 0, 0, 0));
	fails("clone3", syscall(SYS_clone3, zero, 88));
	fails("mount", syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, 0));
	fails("umount", syscall(SYS_umount2, "/proc", 2));
	fails("pivot_root", syscall(SYS_pivot_root, ".", "."));
	fails("chroot", syscall(SYS_chroot, "."));
	fails("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
	fails("move_mount", syscall(SYS_move_mount, AT_FDCWD, "/", AT_FDCWD, "/tmp", 0));
	fails("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
	fails("mount_setattr", syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, zero, 32));
	fails("name_to_handle_at", syscall(SYS_name_to_handle_at, AT_FDCWD, "/", zero, zero + 32, 0));
	fails("open_by_handle_at", syscall(SYS_open_by_handle_at, AT_FDCWD, zero, 0));
	fails("fanotify_init", syscall(SYS_fanotify_init, 0, 0));
	fails("bpf", syscall(SYS_bpf, 0, zero, 120));
	fails("perf_event_open", syscall(SYS_perf_event_open, zero, 0, -1, -1, 0));
	fails("userfaultfd", syscall(SYS_userfaultfd, 0));
	fails("keyctl", syscall(SYS_keyctl, 0, -3, 1));
	fails("add_key", syscall(SYS_add_key, "user", "x", "x", 1, -3));
	fails("init_module", syscall(SYS_init_module, zero, 1, ""));
	fails("kexec_load", syscall(SYS_kexec_load, 0, 0, 0, 0));
	fails("personality", syscall(SYS_personality, 0x0400000) < 0 ? -1 : syscall(SYS_personality, 0xffffffff) & 0x0400000 ? 0 : -1);
	fails("second listener", syscall(SYS_seccomp, 1, 8, zero));
	fails("acct", syscall(SYS_acct, "/tmp/a"));
	fails("an unknown call", syscall(470 + 100));
	fails("x32", syscall(0x40000000 | SYS_getpid));
	struct open_how how = {.flags = O_RDONLY};
	for (int r = 0; r < 64; r++) { // every combination of RESOLVE_*
		how.resolve = r;
		fails("openat2 of what is blocked", syscall(SYS_openat2, AT_FDCWD, argv[2], &how, sizeof how));
	}
	how = (struct open_how){.flags = 1ull << 40};
	fails("openat2 with unknown flags", syscall(SYS_openat2, AT_FDCWD, argv[2], &how, sizeof how));
	char large[4096] = {0};
	large[64] = 1;
	fails("openat2 with a larger structure", syscall(SYS_openat2, AT_FDCWD, argv[2], large, sizeof large));
	printf("tried %d won %d\n", tried, won);
	return won != 0;
}
