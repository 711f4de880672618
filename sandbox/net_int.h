/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the sandbox's network share (see net.h for what it is all about). */
#ifndef SANDBOX_NET_INT_H
#define SANDBOX_NET_INT_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "sandbox/vm.h"

/* More of these in a namespace is no container's network, but somebody who wants our memory. */
#define NET_ADDRESSES_MAX 256	/* of an interface */
#define NET_ROUTES_MAX	  4096	/* of the main tables, and of permanent neighbours */
#define NET_MTU_MAX	  65521 /* of a tap: 65,535 less the Ethernet header */

/* The number is the kernel's (RTN_*, RTAX_*); NULL: none of that number. */
extern const char *const net_route_types[], *const net_route_metrics[];
extern const unsigned net_n_route_types, net_n_route_metrics;

/* An interface of the partition's network namespace that the guest is to have. */
struct net_link {
	int index;
	char name[IFNAMSIZ];
	uint8_t mac[6];
	uint16_t mtu;
	bool loopback;
	bool has_ip6;	/* the kernel's IPv6 knows it */
	bool ip6_off;	/* disable_ipv6 */
	int accept_ra;	/* as the sysctl has it */
	bool own_local; /* its kernel makes the link-local address by itself */
};

struct net_links {
	struct net_link list[VM_NICS_MAX + 1]; /* without lo at most VM_NICS_MAX */
	unsigned n;
};

/* An interface's name that any kernel takes, and any terminal shows. */
bool net_name_is_valid(const char *name);

/* --- net_read.c: what is there --------------------------------------------------------------------- */

/* Interfaces that are up, lo among them; those that a guest cannot take over are refused by name. */
int net_read_links(int sock, struct net_links *out, struct err *e);
/* Writes the members of "network" into an open object. */
int net_read(int sock, const struct net_links *links, struct json_writer *w, struct err *e);

/* --- net_tc.c: from one interface to the other ----------------------------------------------------- */

enum net_redirect {
	NET_REDIRECT_NONE,
	NET_REDIRECT_LIVE, /* ours, to an interface that is there */
	NET_REDIRECT_DEAD, /* ours, left behind: its tap has gone, and everything that comes in is dropped */
};

/* Is there a redirect of ours on what comes in at the interface? *foreign: somebody else's filters are. */
int net_redirect_find(int sock, int index, enum net_redirect *out, bool *foreign);
/* What comes in at `from` goes out at `to`. */
int net_redirect_add(int sock, int from, int to, struct err *e);
/* Takes ours away again, and the qdisc if nobody else uses it. */
int net_redirect_remove(int sock, int index);

#endif
