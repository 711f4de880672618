/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.sysctl: only namespaced keys, only when that namespace is the partition's own
 * (config-linux.md#sysctl).
 */
#ifndef NAMESPACES_SYSCTL_H
#define NAMESPACES_SYSCTL_H

#include "base/err.h"
#include "spec/spec.h"

/*
 * Pure check, in the parent: key grammar (dots or slashes, "net.ipv4.conf.eth0/1.x"), allow-list, which
 * namespace it needs.
 */
int sysctl_check(const struct spec *s, struct err *e);

/*
 * In the child, in its namespaces: writes each value with one write(2) below a checked procfs fd
 * (mnt_procfs()).
 */
int sysctl_apply(const struct spec *s, int procfd, struct err *e);

#endif
