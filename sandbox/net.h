/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The partition's network namespace, made the guest's network.
 *
 * Theory of operation
 *   CNI, docker's libnetwork, podman's netavark or pasta set up interfaces in the network namespace as for
 * any partition. Then, for each interface but the loopback: a tap device is made beside it, and everything
 * that comes in on one goes out on the other (tc: an ingress qdisc with a u32 filter that matches everything
 * and a mirred redirect, both ways). The guest's interface gets the original's MAC address, MTU, addresses
 * and routes; the host's side keeps them too, where they are never used, since the redirect comes before the
 * host's stack sees a packet.
 */
#ifndef SANDBOX_NET_H
#define SANDBOX_NET_H

#include "base/err.h"
#include "base/json.h"
#include "sandbox/vm.h"

/*
 * In the network namespace of the calling process: connects its interfaces, fills nics (at most VM_NICS_MAX;
 * more are refused by name) and writes the members of "network" (plan.h) into an open object of w. The taps
 * go with their descriptors. -EOPNOTSUPP with advice where the kernel lacks tun, u32 or mirred.
 */
int vm_net_connect(struct vm_nic *nics, unsigned *n, struct json_writer *w, struct err *e);

/* In the guest: brings up lo and applies what vm_net_connect() wrote ("network"; NULL: only lo). */
int vm_net_apply(const struct json *network, struct err *e);

#endif
