/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AppArmor and SELinux labels, written to the kernel's attr files through a procfs fd that the caller has
 * checked: a container that mounts something over /proc/self/attr must not be able to fake the write
 * (CVE-2019-16884, CVE-2025-52881).
 */
#ifndef SECURITY_LSM_H
#define SECURITY_LSM_H

#include <stdbool.h>

#include "base/err.h"

/* Asks the host (/sys/module/apparmor/parameters/enabled, /sys/fs/selinux) once: before pivot_root. */
bool lsm_apparmor_enabled(void);
bool lsm_selinux_enabled(void);

/*
 * For the next execve(2): "exec <profile>" to attr/apparmor/exec (or attr/exec), `label` to attr/exec. procfd
 * is an fd of a real procfs root. A label where the LSM is off is -EOPNOTSUPP, with a text that says so.
 */
int lsm_set_apparmor(int procfd, const char *profile, struct err *e);
int lsm_set_selinux(int procfd, const char *label, struct err *e);
int lsm_set_keycreate(int procfd, const char *label, struct err *e);

#endif
