/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls that the machine's threads make once they run. */
#include "sandbox/vm_confine.h"

#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <sys/mman.h>

#include "base/cleanup.h"

const struct vm_syscall vm_vcpu_syscalls[] = {
	{ "ioctl", 1, KVM_RUN },
	{ "write", -1, 0 }, /* eventfds, the serial port */
	{ "futex", -1, 0 },
	/* The end of a thread. */
	{ "exit", -1, 0 },
	{ "madvise", 2, MADV_DONTNEED },
	{ "rt_sigprocmask", -1, 0 },
};
const size_t vm_vcpu_n_syscalls = ARRAY_SIZE(vm_vcpu_syscalls);

const struct vm_syscall vm_loop_syscalls[] = {
	{ "epoll_wait", -1, 0 },
	{ "epoll_ctl", -1, 0 },
	{ "poll", -1, 0 },
	{ "futex", -1, 0 },
	/* Devices: eventfds, ports, disks, taps. */
	{ "read", -1, 0 },
	{ "write", -1, 0 },
	{ "sendmsg", -1, 0 },
	{ "recvmsg", -1, 0 },
	{ "preadv", -1, 0 },
	{ "pwritev", -1, 0 },
	{ "fallocate", -1, 0 },
	{ "fdatasync", -1, 0 },
	{ "writev", -1, 0 },
	{ "ioctl", 1, TUNSETOFFLOAD },
	{ "getrandom", -1, 0 },
	/* The end. */
	{ "getpid", -1, 0 },
	{ "tgkill", -1, 0 },
	{ "rt_sigprocmask", -1, 0 },
	{ "madvise", -1, 0 },
	{ "munmap", -1, 0 },
	{ "close", -1, 0 },
};
const size_t vm_loop_n_syscalls = ARRAY_SIZE(vm_loop_syscalls);
