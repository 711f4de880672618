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
 *
 * The taps vanish with their last descriptor, however the monitor ends. The redirect on the interface stays,
 * if that lives longer (a namespace given by path), and drops what comes in: vm_net_disconnect() takes it
 * away, and so does the next vm_net_connect() there.
 *
 * What a guest cannot be given is refused by name, before anything is changed: interfaces that are not
 * Ethernet, that are a part of others (of a bridge, a VLAN on one that is there, too), tc filters on what an
 * interface receives, rules of policy routing, routes with several next hops or encapsulation. Interfaces
 * that are down are left out. Sysctls of the namespace are not read, but for accept_ra and disable_ipv6 of
 * each interface: a guest that listens to router advertisements where the host's side does not can be led
 * astray.
 *
 * "network" in the SETUP document (plan.h), between vm_net_connect() and vm_net_apply():
 *
 *   "interfaces": [
 *     { "name": "eth0",
 *       "mac": "02:00:00:00:00:01",  the interface is found by it, and renamed
 *       "mtu": 1500,
 *       "addresses": [
 *         { "address": "10.88.0.5/16", "peer": "10.88.0.1/32",
 *           "broadcast": "10.88.255.255", "scope": 0, "deprecated": false } ],
 *       "ipv6": true,                false: disable_ipv6; missing: the host has no IPv6
 *       "acceptRa": 0,               the sysctl accept_ra
 *       "ownLinkLocal": false } ],   true: the guest's kernel makes that address itself
 *   "routes": [                      of the main tables, those of prefixes included
 *     { "to": "0.0.0.0/0", "via": "10.88.0.1", "dev": "eth0", "src": "10.88.0.5",
 *       "scope": 0, "protocol": 3, "metric": 0, "tos": 0, "onlink": false,
 *       "type": "unicast", "metrics": { "mtu": 1400 } } ],
 *   "neighbours": [
 *     { "to": "10.88.0.1", "mac": "02:00:00:00:00:02", "dev": "eth0" } ]
 *
 * lo is among the interfaces with "name" and "addresses" only, those that it has anyway left out. All but
 * "name", "mac", "address", "to" and a neighbour's members may be missing.
 */
#ifndef SANDBOX_NET_H
#define SANDBOX_NET_H

#include "base/err.h"
#include "base/json.h"
#include "sandbox/vm.h"

/*
 * In the network namespace of the calling process, with CAP_NET_ADMIN there and /dev/net/tun in reach:
 * connects its interfaces, fills nics (room for VM_NICS_MAX; more are refused by name) and writes the members
 * of "network" (plan.h) into an open object of w, also before a failure. The descriptors are the caller's.
 * -EOPNOTSUPP with advice where the kernel lacks what it takes, or the configuration is nothing for a guest;
 * -EBUSY where another sandbox lives in the namespace. After a failure the namespace is as it was.
 */
int vm_net_connect(struct vm_nic *nics, unsigned *n, struct json_writer *w, struct err *e);

/*
 * In the network namespace of the calling process, as above: takes away what sandboxes whose taps are gone
 * have left. One that lives there is not disturbed. Nothing to do is no error.
 */
int vm_net_disconnect(struct err *e);

/* In the guest: brings up lo and applies what vm_net_connect() wrote ("network"; NULL: only lo). */
int vm_net_apply(const struct json *network, struct err *e);

#endif
