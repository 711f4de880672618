/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of the engine "partition"'s create, for each other: engine_ns.c has their order. */
#ifndef RUNTIME_CREATE_NS_H
#define RUNTIME_CREATE_NS_H

#include "runtime/init.h"
#include "runtime/launch.h"
#include "runtime/partition.h"

/* What one create holds: the parent's half of it. */
struct make {
	struct rt_partition *p;
	const struct spec *s;
	struct rt_launch *l;
	struct init in;
	int sync[2];
	int time_ns; /* to go back to, or -1 */
	pid_t joiner;
	pid_t *birth; /* with a joiner: sync_birth_page() */
	struct mnt_hierarchy *hierarchies;
	struct net_moved *net_moved;
	struct init_report report;
	int mnt_template; /* rt_create_opts's, if it suits; else 0 */
};

/* prepare_ns.c: refuses what can be refused before anything is made. */
int ns_prepare(struct make *m, const struct rt_create_opts *o, struct err *e);
/* Makes the cgroup, unless there is to be none. */
int ns_make_cgroup(struct make *m, struct err *e);
/* The host's hierarchies, for a cgroup mount: once the partition's own cgroup is there. */
int ns_fill_hierarchies(struct make *m, struct err *e);

/* clone_ns.c: the child, born in its new namespaces; by a joiner where it must enter some first. */
int ns_launch_child(struct make *m, struct err *e);
/* Whether the child can do without the parent, so that it may borrow its memory. */
bool ns_can_borrow(const struct make *m);
/* Launches, records and starts it, all in one; l->started. What was made of the process is gone after a
 * failure. */
int ns_launch_at_once(struct make *m, struct err *e);
/* Why a child that said nothing is gone. */
int ns_child_gone(struct make *m, struct err *e);

#endif
