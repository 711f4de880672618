/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of the CNI specification 1.0.0: networks described by files, set up and taken down by programs.
 *
 * What plugins print is not believed: it is bounded, strict JSON or an error, and only what was checked is
 * used. The addresses that a result names are checked here; all else of it is only handed on.
 */
#ifndef LAUNCH_CNI_H
#define LAUNCH_CNI_H

#include "launch/record.h"

#define CNI_OUTPUT_MAX	   (1024 * 1024) /* of a plugin, and a configuration file */
#define CNI_PLUGIN_SECONDS 40
#define CNI_IFNAME	   "eth0"
#define CNI_OWN_NETWORK	   "ringfence"

/* --- cni_conf.c */

/* Directories of plugins, by ':': $CNI_PATH and the usual ones. */
const char *cni_path(struct arena *a, struct err *e);
/*
 * The configuration list of that name below $NETCONFPATH or /etc/cni/net.d; a file of a single plugin is made
 * a list of one. NULL: our own, which a file of its name (CNI_OWN_NETWORK) may take the place of. *own
 * tells which. -ENOENT names the networks that there are.
 */
int cni_conf_find(const char *name, struct arena *a, const struct json **out, bool *own, struct err *e);
/* Checks a list, and that its plugins are there. `ports`: one of them must publish ports. */
int cni_conf_check(const struct json *list, const char *path, bool ports, struct arena *a, struct err *e);
/* The program of a plugin, in the arena; -ENOENT names the Debian package. */
int cni_plugin_find(const char *type, const char *path, struct arena *a, const char **program, struct err *e);

/* --- cni_own.c: the network that needs no file */

/* Where leases of our own network and the lock are, for the network namespace that we are in: /run/…, made.
 */
int cni_run_dir(struct arena *a, const char **path, struct err *e);
/*
 * A /16 that no route of ours goes into; that of the bridge where there is one already. The caller holds
 * cni_lock().
 */
int cni_own_conf(struct arena *a, const struct json **out, struct err *e);
/*
 * Keeps the host's loopback out of reach from our bridge: to publish ports on 127.0.0.1, too, the portmap
 * plugin has the kernel route such addresses there (route_localnet), in both directions (CVE-2020-8558).
 */
int cni_own_guard(struct err *e);
/* One at a time sets up or takes down: plugins look for a chain or a bridge, and then make it. The fd. */
int cni_lock(struct arena *a, struct err *e);
/* The first of 10.89.0.0/16, 10.90.0.0/16, … that no line of /proc/net/route overlaps but those of `bridge`;
 * network byte order removed. -EADDRNOTAVAIL. */
int cni_free_subnet(const char *routes, const char *bridge, uint32_t *out);

/* --- cni_exec.c */

struct cni_call {
	const char *program, *type; /* type: for errors */
	const char *command;	    /* "ADD", "DEL" */
	const char *container, *path;
	const char *netns; /* NULL: none */
	const char *input;
	size_t input_len;
	int seconds;
};
/* *out is malloc()ed and NUL-terminated. What the plugin said of its failure becomes the text. */
int cni_exec(const struct cni_call *c, char **out, size_t *len, struct err *e);

/* --- cni_result.c */

/* "10.89.0.5/16" of a result, NULL-terminated; -EINVAL for what is no result. */
int cni_result_addresses(const struct json *result, struct arena *a, char ***out, struct err *e);
/* An address and its prefix; -EINVAL. binary: 16 bytes; *family AF_INET or AF_INET6. */
int cni_address_parse(const char *text, int *family, unsigned char *binary, int *prefix);
/* The address that host-local has leased for this container, "10.89.0.5/32", or NULL: for what was cut short
 * before it could tell. */
const char *cni_leased(const struct json *list, const char *container, struct arena *a);

/* --- cni.c */

struct cni_job {
	const struct json *list;
	const char *container, *path;
	const struct launch_port *ports;
	size_t n_ports;
};
/*
 * ADD of all in order. *result is the last so far, and `note` (may be NULL) is called when there is a new
 * one; it may fail. After a failure the caller is to call cni_del().
 */
int cni_add(const struct cni_job *job, const char *netns, const struct json **result,
	int (*note)(void *arg, const struct json *result, struct err *e), void *arg, struct arena *a,
	struct err *e);
/*
 * DEL of all in reverse order, all of them even if some fail; the first error. `netns` NULL: it is gone.
 * Plugins that look into it for what they are to undo (bridge, for its masquerading) are shown one that looks
 * as it did.
 */
int cni_del(const struct cni_job *job, const char *netns, const struct json *result, struct arena *a,
	struct err *e);

/* --- cni_ghost.c */

/* A network namespace with a device CNI_IFNAME that has these addresses. The fd. */
int cni_ghost(char *const *addresses, struct err *e);

#endif
