// Runs a command as a container runtime would in a Pod without capabilities: no
// new privileges, and a filter with what its default profile refuses then.
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define DENY(nr, error) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))

#define NAMESPACES 0x7e020000

int main(int argc, char **argv) {
	struct sock_filter filter[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		DENY(SYS_clone3, ENOSYS),
		DENY(SYS_acct, EPERM), DENY(SYS_add_key, EPERM), DENY(SYS_bpf, EPERM), DENY(SYS_chroot, EPERM),
		DENY(SYS_clock_adjtime, EPERM), DENY(SYS_clock_settime, EPERM), DENY(SYS_delete_module, EPERM),
		DENY(SYS_fanotify_init, EPERM), DENY(SYS_finit_module, EPERM), DENY(SYS_fsconfig, EPERM),
		DENY(SYS_fsmount, EPERM), DENY(SYS_fsopen, EPERM), DENY(SYS_fspick, EPERM), DENY(SYS_init_module, EPERM),
		DENY(SYS_io_uring_setup, EPERM), DENY(SYS_io_uring_enter, EPERM), DENY(SYS_io_uring_register, EPERM),
		DENY(SYS_ioperm, EPERM), DENY(SYS_iopl, EPERM), DENY(SYS_kexec_load, EPERM), DENY(SYS_keyctl, EPERM),
		DENY(SYS_lookup_dcookie, EPERM), DENY(SYS_mount, EPERM), DENY(SYS_mount_setattr, EPERM),
		DENY(SYS_move_mount, EPERM), DENY(SYS_move_pages, EPERM), DENY(SYS_name_to_handle_at, EPERM),
		DENY(SYS_open_by_handle_at, EPERM), DENY(SYS_open_tree, EPERM), DENY(SYS_perf_event_open, EPERM),
		DENY(SYS_pivot_root, EPERM), DENY(SYS_quotactl, EPERM), DENY(SYS_reboot, EPERM), DENY(SYS_request_key, EPERM),
		DENY(SYS_setdomainname, EPERM), DENY(SYS_sethostname, EPERM), DENY(SYS_setns, EPERM), DENY(SYS_settimeofday, EPERM),
		DENY(SYS_swapoff, EPERM), DENY(SYS_swapon, EPERM), DENY(SYS_syslog, EPERM), DENY(SYS_umount2, EPERM),
		DENY(SYS_unshare, EPERM), DENY(SYS_userfaultfd, EPERM), DENY(SYS_vhangup, EPERM),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4),
		LOAD(args[0]),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, NAMESPACES),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
	if (argc < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
		perror("podprofile");
		return 125;
	}
	execv(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
