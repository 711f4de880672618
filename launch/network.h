/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks of launched partitions, by what the ecosystem already has.
 *
 *   none            a network namespace with nothing but loopback; the default where nothing is published
 *   host            the host's own
 *   bridge[:NAME]   CNI plugins (Debian: containernetworking-plugins) in /usr/lib/cni and /opt/cni/bin: a
 * network of /etc/cni/net.d by its name, or our own "ringfence" (bridge rf0, 10.89.0.0/16 host-local,
 * firewall and portmap). The default for root where something is published. pasta           pasta(1) (Debian:
 * passt); the default without root where something is published container:NAME  that of another partition,
 * which must be running
 *
 *   The namespace is the partition's own, made by the runtime. The createRuntime hook `ringfence network-hook
 * up` gets its pid on stdin (runtime-spec config.md, "POSIX-platform Hooks"), runs the plugins in order (CNI
 * specification 1.0.0 "ADD", each with the result of the one before as prevResult), and keeps the result in
 * <data>/network/NAME.json for `inspect`, `port` and "DEL", which the poststop hook `network-hook down` does,
 * also without a namespace. A plugin that is missing is an error that names the Debian package.
 */
#ifndef LAUNCH_NETWORK_H
#define LAUNCH_NETWORK_H

#include "launch/record.h"

/* Checks --network and --publish; fills in r->network, ports, n_ports (host port 0: any free one, chosen
 * here). */
int launch_network_parse(
	const struct launch_opts *o, bool rootless, struct launch_record *r, struct arena *a, struct err *e);
/* What config.json needs of it: the network namespace's path (container:NAME), or none of its own (host). */
struct launch_network_plan {
	bool own, hooks;
	const char *join; /* path of a namespace, or NULL */
};
int launch_network_plan(const struct launch_ctx *ctx, const struct launch_record *r, struct arena *a,
	struct launch_network_plan *out, struct err *e);
/* The verb `network-hook up|down`: the state is read from stdin. */
int launch_network_hook(const struct launch_ctx *ctx, const char *what, struct err *e);
/* After a crash: takes down what poststop did not. Nothing there is no error. */
int launch_network_down(const struct launch_ctx *ctx, const char *name, struct err *e);
/* Addresses it has been given ("10.89.0.5/16"), NULL-terminated, in the arena; none is an empty vector. */
int launch_network_addresses(
	const struct launch_ctx *ctx, const char *name, struct arena *a, char ***out, struct err *e);

#endif
