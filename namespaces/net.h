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
 * ("eth%d"). On failure all are where they were. *out, the caller's, is untouched where there are none.
 */
struct net_moved;
int net_move_devices(const struct spec *s, int netns_fd, struct net_moved **out, struct err *e);
/*
 * When what they were moved for comes to nothing: back, with name, addresses and state. A partition that was
 * made takes them along when it goes (config-linux.md, "Network Devices").
 */
void net_return_devices(const struct net_moved *m);
void net_moved_free(struct net_moved *m);

/*
 * Statistics of the interfaces (but lo) in the network namespace of `pid`: writes the array member
 * `network_interfaces` (runc's events layout) into an open object of w.
 */
struct json_writer;
int net_stats(pid_t pid, struct json_writer *w, struct err *e);
/* Their bytes received and sent, all together. */
int net_usage(pid_t pid, uint64_t *rx, uint64_t *tx, struct err *e);

#endif
