/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks of launched partitions, by what the ecosystem already has.
 *
 *   none: a network namespace with nothing but loopback; the default where nothing is published.
 *   host: the host's own.
 *   bridge[:NAME]: CNI plugins (Debian: containernetworking-plugins) in /usr/lib/cni and /opt/cni/bin; a
 * network of /etc/cni/net.d by its name, or our own "ringfence" (bridge rf0, 10.89.0.0/16 or what is free
 * beside the host's routes, firewall and portmap). The default for root where something is published.
 *   pasta: pasta(1) (Debian: passt); the default without root where something is published.
 *   container:NAME: that of another partition, which must be running.
 *
 *   The namespace is the partition's own, made by the runtime. The createRuntime hook `ringfence network-hook
 * up` gets its pid on stdin (runtime-spec config.md, "POSIX-platform Hooks"), runs the plugins in order (CNI
 * specification 1.0.0 "ADD", each with the result of the one before as prevResult), and keeps the result in
 * <data>/network/NAME.json for `inspect`, `port` and "DEL", which the poststop hook `network-hook down` does,
 * also without a namespace. A plugin that is missing is an error that names the Debian package.
 *
 *   NAME.json is there before the first plugin or pasta is run, and goes when the last has undone its work,
 * so that after a kill -9 at any point launch_network_down() finds what to undo. It names the container by an
 * id of its own (CNI_CONTAINERID), for partitions below other data directories may have the same name.
 */
#ifndef LAUNCH_NETWORK_H
#define LAUNCH_NETWORK_H

#include "launch/record.h"

/* The program pasta, or NULL. */
const char *launch_network_pasta(void);

/*
 * Checks --network, --publish and --dns; fills in network, ports, n_ports and dns of `r`. A host port that
 * was left out, or is 0, is chosen here: one that no program listens on and no other partition has. Without
 * --network it is $RINGFENCE_NETWORK, or "none", or where something is published "bridge" for root and
 * "pasta" without root.
 */
int launch_network_parse(const struct launch_ctx *ctx, const struct launch_opts *o, bool rootless,
	struct launch_record *r, struct arena *a, struct err *e);

/*
 * What config.json needs of it. `own`: a network namespace without path. `join`: its path; for container:NAME
 * that is LAUNCH_NETWORK_JOIN, a descriptor that whoever calls rt_run() or rt_create() opens before, by
 * launch_network_join(): a path of a process could mean another one by then, and another one at the next
 * start. Neither: the host's (no entry). `hooks`: createRuntime `ringfence --root … --data … network-hook up`
 * with `timeout`, and poststop `… network-hook down`; with the environment `hook_env`.
 */
#define LAUNCH_NETWORK_FD	    900
#define LAUNCH_NETWORK_JOIN	    "/proc/self/fd/900"
#define LAUNCH_NETWORK_HOOK_SECONDS 120
struct launch_network_plan {
	bool own, hooks;
	const char *join;
	char *const *hook_env; /* "NAME=value" */
};
int launch_network_plan(const struct launch_ctx *ctx, const struct launch_record *r, struct arena *a,
	struct launch_network_plan *out, struct err *e);
/*
 * For container:NAME: opens the namespace of that partition, which must run, as LAUNCH_NETWORK_FD. Does
 * nothing for other networks.
 */
int launch_network_join(const struct launch_ctx *ctx, const struct launch_record *r, struct err *e);

/* What /etc/resolv.conf of the partition is to say, in the arena: its own --dns, or what of the host's it can
 * reach. */
int launch_network_resolv_conf(
	const struct launch_record *r, struct arena *a, const char **text, struct err *e);

/* An error of rt_run() or rt_create() that is that of the network hook: what the hook said, without how it
 * came to say it. Others stay as they are. */
void launch_network_explain(struct err *e);

/* The verb `network-hook up|down`: the state is read from stdin. */
int launch_network_hook(const struct launch_ctx *ctx, const char *what, struct err *e);
/*
 * After a crash: takes down what poststop did not. Nothing there is no error. After an error what could not
 * be undone is still known: another call tries again, and so does the next start under the name.
 */
int launch_network_down(const struct launch_ctx *ctx, const char *name, struct err *e);
/* Addresses it has been given ("10.89.0.5/16"), NULL-terminated, in the arena; none is an empty vector. */
int launch_network_addresses(
	const struct launch_ctx *ctx, const char *name, struct arena *a, char ***out, struct err *e);

#endif
