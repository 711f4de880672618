/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child that borrows our memory until it executes something, as that of vfork(2) does, but born by
 * clone3(2).
 *
 * A copy of the page tables is what fork(2) takes longest for, and each page that either side then touches is
 * a fault. The price: whatever the child writes to memory stays written for us. Descriptors, signal handlers,
 * working directory, umask, limits and credentials are its own.
 */
#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H

#include <linux/sched.h>
#include <stdbool.h>
#include <sys/types.h>

/* Whether this machine's few lines of assembly are there. */
bool spawn_can_borrow(void);

/*
 * clone3(2) with CLONE_VM and CLONE_VFORK added to `args`. The child calls run(arg), on our stack below all
 * that is on it, while we stand still: until it has executed another program or is gone. `run` must not
 * return, nor use longjmp(3). Returns the pid, or -errno (-ENOSYS: see above).
 *
 * The child must be single-threaded in all it does, and not enter or make time namespaces, which the kernel
 * only allows to who shares no memory (kernel/time/namespace.c). It must not be let into a memory cgroup that
 * may run out: the OOM killer ends all who share the memory (mm/oom_kill.c, __oom_kill_process()).
 */
pid_t spawn_borrowing(struct clone_args *args, void (*run)(void *arg), void *arg);

#endif
