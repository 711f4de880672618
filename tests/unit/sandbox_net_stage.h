/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stage for tests of the sandbox's network: real network namespaces. The peer (what is on the other end
 * of a veth), the partition's namespace, and one that plays the guest: a tap there is the guest's interface,
 * and a process carries frames between the two taps, virtio header included, as virtio-net does.
 */
#ifndef TESTS_SANDBOX_NET_STAGE_H
#define TESTS_SANDBOX_NET_STAGE_H

#include <linux/if_tun.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "sandbox/net.h"

#define SKIPPED	 77
#define PORT	 7777
#define OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)

#define CHECK(condition)                                                                              \
	do {                                                                                          \
		if (!(condition)) {                                                                   \
			fprintf(stderr, "%s:%d: %s: %s\n", __func__, __LINE__, #condition, err.text); \
			return __LINE__ % 200 + 1;                                                    \
		}                                                                                     \
	} while (0)

extern struct err err;
extern int peer, host, guest; /* namespaces */

struct sandbox {
	struct vm_nic nics[VM_NICS_MAX];
	unsigned n;
	char *json;
};

/* A cmocka test in a process of its own, as the namespaces want it: 0, SKIPPED, or a failure. */
void in_child(int (*check)(void));
int run(const char *script); /* by sh -e; its exit code */
int enter(int ns);

/* The three namespaces; we are in the partition's afterwards. 0 or SKIPPED. */
int set_stage(void);
/* A veth between peer and partition; we are in the partition's namespace afterwards. */
int make_pair(const char *outside, const char *inside, const char *mac);
/* p0 and eth0 (02:00:00:00:77:02), with addresses and routes. */
int make_veth(const char *mtu);

/* In the partition's namespace: vm_net_connect(). Closing is all that the end of a sandbox does. */
int net_connect(struct sandbox *b);
void net_close(struct sandbox *b);
/* vm_net_apply() in the namespace that we are in. */
int apply(const char *json);
/* A tap that plays the guest's interface: with the kernel's name for it, and the MAC that it shall have. */
int guest_tap(const char *name, const uint8_t mac[6]);

/* Connects; then we are in the guest's namespace, with interfaces as its kernel would have them. */
int start_guest(struct sandbox *b, unsigned offloads);
void stop_guest(struct sandbox *b);

/* A connection from the namespace `from` to an address of the namespace `to`, `bytes` each way. */
int exchange(int from, int to, int family, const char *text, size_t bytes);
/* A datagram in several fragments, there and back. */
int datagram(int from, int to, int family, const char *text);

#endif
