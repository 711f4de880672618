/* SPDX-License-Identifier: Apache-2.0 */
/* The network namespace: loopback up, linux.netDevices moved in (config-linux.md#network-devices). */
#ifndef NAMESPACES_NET_H
#define NAMESPACES_NET_H

#include <sys/types.h>

#include "base/err.h"
#include "spec/spec.h"

/* In the child: `lo` up (one ioctl). */
int net_loopback_up(struct err *e);

/*
 * In the parent: moves each device into the namespace behind netns_fd, renamed, its global permanent
 * addresses kept, and set up there. A name that exists there already is -EEXIST unless it is a pattern
 * ("eth%d"). Never moved back by the runtime.
 */
int net_move_devices(const struct spec *s, int netns_fd, struct err *e);

/*
 * Statistics of the interfaces (but lo) in the network namespace of `pid`: writes the array member
 * `network_interfaces` (runc's events layout) into an open object of w.
 */
struct json_writer;
int net_stats(pid_t pid, struct json_writer *w, struct err *e);

#endif
