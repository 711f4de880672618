/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A resolver that an engine has on the loopback interface of the network namespace (Docker's, at 127.0.0.11,
 * for networks of users): a guest has a loopback interface of its own, so its packets do not get there.
 *
 * Theory of operation
 *   Where the file that is bound to /etc/resolv.conf names such an address, the monitor has a socket that is
 * connected to its port 53, made while it was still allowed to, and the agent one that is bound to it. A
 * query is a frame, DNS, on the control channel, and so is an answer; UDP only. The agent replaces the number
 * of a query by its own, by which it finds the asker again.
 *
 * Trust: the guest may send the resolver whatever it likes, as a partition may. Queries that it sends faster
 * than they are taken, and answers that it does not fetch, are dropped.
 */
#ifndef SANDBOX_DNS_H
#define SANDBOX_DNS_H

#include <stddef.h>

#include "base/err.h"
#include "spec/spec.h"

#define VM_DNS_MAX  4096 /* bytes of a message */
#define VM_DNS_PORT 53

/* The first nameserver in 127.0.0.0/8, but for 127.0.0.1, which is the guest's own, of what is to be bound to
 * /etc/resolv.conf. False: there is none. */
#define VM_DNS_ADDRESS 16
bool vm_dns_wanted(const struct spec *s, char address[VM_DNS_ADDRESS]);
bool vm_dns_find(const char *resolv_conf, char address[VM_DNS_ADDRESS]);

/* In the network namespace: a non-blocking socket that is connected to it, the caller's; in the guest: bound
 * to it. -errno. */
int vm_dns_connect(const char *address, struct err *e);
int vm_dns_bind(const char *address, struct err *e);

#endif
