/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of networks share; private to launch/. */
#ifndef LAUNCH_NETWORK_INTERNAL_H
#define LAUNCH_NETWORK_INTERNAL_H

#include "base/json.h"
#include "launch/network.h"

/* --- network.c */

enum net_kind { NET_NONE, NET_HOST, NET_BRIDGE, NET_PASTA, NET_CONTAINER };

/* "bridge:NAME": the kind, and NAME within `text` (NULL: not said). -EINVAL, with what there is in the text.
 */
int net_kind_parse(const char *text, enum net_kind *out, const char **name, struct err *e);

/* --- network_ports.c */

/* At most as many as one would write by hand, and as a firewall bears. */
#define NET_PORTS_MAX 4096

/*
 * --publish: [[IP:]HOST:]PORT[/tcp|/udp], with ranges and IPv6 addresses in brackets, appended to r->ports. A
 * host port that is to be chosen is free in our network namespace, and not one of `taken`.
 */
struct net_taken {
	struct launch_port port;
	const char *by; /* name of the partition that has it */
};
int net_ports_parse(char *const *publish, const struct net_taken *taken, size_t n_taken,
	struct launch_record *r, struct arena *a, struct err *e);
/* That all of these can be had: -EADDRINUSE, -EADDRNOTAVAIL, -EACCES with a text that names the first that
 * cannot. */
int net_ports_check(const struct launch_port *ports, size_t n, const struct net_taken *taken, size_t n_taken,
	struct err *e);
/* "0.0.0.0:8080", "[::1]:8080"; the protocol is left out. */
#define NET_PORT_TEXT_MAX 64
const char *net_port_text(const struct launch_port *p, char buf[NET_PORT_TEXT_MAX]);

/* --- network_file.c: <data>/network/NAME.json */

struct net_file {
	const char *name;      /* of the partition */
	const char *container; /* CNI_CONTAINERID */
	enum net_kind kind;    /* NET_BRIDGE or NET_PASTA */
	const char *boot_id;
	/* bridge */
	const char *cni_path;	   /* directories of plugins, by ':' */
	const struct json *config; /* the network's configuration list */
	const struct json *result; /* of the last plugin; NULL: the ADDs were not finished */
	/* pasta */
	pid_t pasta;
	uint64_t pasta_start;
	const char *pasta_address; /* what it has given out, or NULL */
	struct launch_port *ports;
	size_t n_ports;
};

/* fd of <data>/network. -ENOENT without `create`. */
int net_dir_open(const struct launch_ctx *ctx, bool create, struct arena *a, struct err *e);
int net_file_read(int dir, const char *name, struct arena *a, struct net_file *out, struct err *e);
int net_file_write(int dir, const struct net_file *f, struct err *e);
int net_file_remove(int dir, const char *name, struct err *e);
/* Host ports of all partitions but `except` (may be NULL) below this data directory that have a network. */
int net_file_taken(
	int dir, const char *except, struct arena *a, struct net_taken **out, size_t *n, struct err *e);

/* --- network_pasta.c */

/*
 * Starts pasta for the namespaces of `pid` and waits until it serves. f->pasta and f->pasta_start are set as
 * soon as there is a process, and written (dir), so that it can be ended whatever happens.
 */
int net_pasta_up(int dir, struct net_file *f, pid_t pid, struct arena *a, struct err *e);
/* One that is gone is no error. */
int net_pasta_down(int dir, const struct net_file *f, struct arena *a, struct err *e);
/* Where a partition asks for names; pasta answers with the host's name server. */
#define NET_PASTA_DNS "169.254.1.1"

/* --- network_hosts.c */

/* The line of <bundle>/etc/hosts that has the address ("10.89.0.5/16" too) of this start. No such file is no
 * error. */
int net_hosts_set(const char *bundle, const char *address, struct err *e);

#endif
