/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share; nobody else includes it. */
#ifndef CGROUPS_INTERNAL_H
#define CGROUPS_INTERNAL_H

#include "cgroups/cgroup.h"

enum {
	CG_NODES_MAX = 24,   /* hierarchies: at most 16 v1 controllers, a few named ones, cgroup2 */
	CG_PATH_MAX = 2048,  /* of a cgroup below its hierarchy's root, NUL included */
	CG_FILE_MAX = 2560,  /* mount point, path and file name */
	CG_VALUE_MAX = 4096, /* a page: what kernfs reads and writes at most */
};

/* The partition in one hierarchy. */
struct cg_node {
	const char *mount, *controllers; /* as in struct cgrp_hierarchy */
	const char *path; /* of the partition's cgroup, below the mount point: "/ringfence-x" */
	const char *join; /* where processes go: `path`, or below it */
	bool v2;
	bool made; /* cgrp_create() made the directory: undone when a later step fails */
	int fd;	   /* v1: `tasks`, open for writing; v2: the directory, O_PATH; -EBADF: not open */
};

struct cgrp {
	struct arena *arena; /* holds this struct as well */
	enum cgrp_manager manager;
	const char *path; /* the same in most nodes */
	size_t keep; /* so many bytes of `path` existed before; parents below are ours though they carry no
			label */
	bool rootless;
	bool no_clone;
	const char *delegated; /* the name of run.oci.delegate-cgroup's sub-cgroup, or NULL */
	struct cg_node node[CG_NODES_MAX];
	size_t n;

	/* systemd */
	const char *slice, *unit, *subgroup;
	bool user_bus;
	bool started;			  /* the unit is ours to stop; one that existed before is not */
	const struct cgrp_params *params; /* until cgrp_attach() */
};

/* --- node.c: files of one node --------------------------------------------------------------- */

/* "MOUNT PATH/FILE" in buf of CG_FILE_MAX bytes; paths were checked to fit when the node was made. */
const char *cg_file(char *buf, const struct cg_node *n, const char *file);
/* One write of a value. cg_try_put(): 0 or -errno. cg_put(): the same with a text. */
int cg_try_put(const struct cg_node *n, const char *file, const char *value);
int cg_put(const struct cg_node *n, const char *file, const char *value, struct err *e);
int cg_put_i64(const struct cg_node *n, const char *file, int64_t value, struct err *e);
int cg_put_u64(const struct cg_node *n, const char *file, uint64_t value, struct err *e);
/* Whole small file, trailing newline cut: its length or -errno. */
ssize_t cg_get(const struct cg_node *n, const char *file, char *buf, size_t size);
/* A file with one number; "max" gives UINT64_MAX. 0 or -errno. */
int cg_get_u64(const struct cg_node *n, const char *file, uint64_t *out);
/* The number after KEY in a file of "key value" lines. 0, -ENODATA or -errno. The same in the text of one,
 * which is cut into lines. */
int cg_get_key(const struct cg_node *n, const char *file, const char *key, uint64_t *out);
int cg_find_key(char *text, const char *key, uint64_t *out);
/* True if the list ("cpu,cpuacct" or "cpu memory") has the word. */
bool cg_list_has(const char *list, const char *word);
/* "2MB", "1GB", "64KB" */
bool cg_page_size_ok(const char *size);
/* The v1 node of a controller, the v2 node; NULL if the partition has none. */
const struct cg_node *cg_v1(const struct cgrp *c, const char *controller);
const struct cg_node *cg_v2(const struct cgrp *c);
/* The node whose cgroup.procs tells every process: the freezer's, which also stops them, else the first. */
const struct cg_node *cg_main(const struct cgrp *c);

/* --- cgroup.c -------------------------------------------------------------------------------- */

struct cgrp *cg_new(struct err *e);
/* Of all nodes, also in the child's copy of a handle. */
void cg_close_fds(const struct cgrp *c);
/* One hierarchy more, with nothing made in it yet. */
int cg_add_node(struct cgrp *c, const struct cgrp_hierarchy *h, const char *path, struct err *e);
/* Resources, devices and delegation, into directories that exist. */
int cg_configure(struct cgrp *c, const struct cgrp_params *p, struct err *e);
const char *cg_annotation(const struct cgrp_params *p, const char *key);

/* --- host.c ---------------------------------------------------------------------------------- */

/* The hierarchies as a look into /sys/fs/cgroup shows them: quick, but a directory may turn out to be no
 * mount. */
int cg_host_quick(struct cgrp_host **out, struct err *e);
/* Again, from /proc/self/mountinfo: complete. Replaces the cached list. */
int cg_host_full(struct cgrp_host **out, struct err *e);
/* cg_create() saw that it is one. */
void cg_host_checked(size_t i);
/* The pure parts. `list` has room for CG_NODES_MAX entries; `v2_root` is what statfs says of /sys/fs/cgroup.
 */
int cg_host_parse(const char *mountinfo, struct cgrp_host *h, struct err *e);
bool cg_host_add_dir(struct cgrp_host *h, const char *base, const char *name);
/* The line of a /proc/PID/cgroup text that belongs to a hierarchy: its path. -ENOENT if there is none. */
int cg_path_in(const char *proc_cgroup, const struct cgrp_hierarchy *h, char *buf, size_t size);

/* --- paths.c --------------------------------------------------------------------------------- */

/* Refuses control characters, "..", over-long parts, and the root itself; "//" and "/./" go. Into buf. */
int cg_clean(const char *path, char *buf, size_t size, struct err *e);
/* cgroupfs: the path below every hierarchy's root. `own` is the parent of the caller's own cgroup, for
 * rootless use; else "". */
int cg_fs_path(const struct cgrp_params *p, const char *own, char *buf, size_t size, struct err *e);
/* "a-b.slice" to "/a.slice/a-b.slice"; "-.slice" to "". */
int cg_slice_path(const char *slice, char *buf, size_t size, struct err *e);
/* slice:prefix:name to the slice and the unit's name. */
int cg_unit_name(const struct cgrp_params *p, char *slice, char *unit, size_t size, struct err *e);

/* --- tree.c ---------------------------------------------------------------------------------- */

/* mkdir of the node's path with its parents; fills v1 cpusets. *keep: how much of the path was there. Sets
 * n->made. */
int cg_make(struct cgrp *c, struct cg_node *n, const struct spec_resources *r, bool *bogus, struct err *e);
/* The same for one that may exist and hold our process: systemd's, or one made for a living partition. */
int cg_make_member(struct cgrp *c, struct cg_node *n, const struct spec_resources *r, struct err *e);
/* Refuses a cgroup that holds processes or is frozen. */
int cg_check_unused(const struct cg_node *n, struct err *e);
int cg_check_frozen(const struct cg_node *n, struct err *e);
/* Removes empty parents that are ours. */
void cg_remove_parents(const struct cgrp *c);

/* --- walk.c ---------------------------------------------------------------------------------- */

/* All pids in and below n->path, sorted, each once. */
int cg_pids_below(const struct cg_node *n, pid_t **pids, size_t *count, struct err *e);
/* Thaws a v1 freezer's cgroup and all below it. */
void cg_thaw_below(const struct cg_node *n);
/* Removes n->path with all below it, waiting until `deadline` (CLOCK_MONOTONIC ns) for dying processes. */
int cg_remove(const struct cg_node *n, uint64_t deadline, struct err *e);
uint64_t cg_now(void);
void cg_sleep_us(unsigned int us);

/* --- resources.c, v1.c, v2.c ----------------------------------------------------------------- */

/* One controller's files: writes what `r` asks. `fresh`: the cgroup is new, so defaults need no write. */
typedef int (*cg_writer)(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e);

int cg_v1_memory(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e);
int cg_v1_cpu(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e);
int cg_v1_cpuset(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e);
int cg_v1_blkio(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e);
int cg_v1_hugetlb(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e);
int cg_v1_net_cls(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e);
int cg_v1_net_prio(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e);
/* For an update: what cg_v2_memory() would refuse. */
int cg_v2_memory_check(const struct cg_node *n, const struct spec_resources *r, struct err *e);
int cg_v2_memory(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e);
int cg_v2_cpu(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e);
int cg_v2_cpuset(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e);
int cg_v2_io(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e);
int cg_v2_hugetlb(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e);
/* The same files in both versions. */
int cg_pids(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e);
int cg_rdma(const struct cg_node *n, const struct spec_resources *r, bool fresh, struct err *e);
int cg_v2_unified(const struct cg_node *n, const struct spec_resources *r, struct err *e);

/* The property ("linux.resources.memory.limit") for which `r` needs more than the host's controllers on v1;
 * NULL: none. */
const char *cg_needs_v2(const struct cgrp_host *h, const struct spec_resources *r);
/* True if `r` asks for any limit. */
bool cg_any_limit(const struct spec_resources *r);
/* Which property of `r` wants a controller of this v1 hierarchy ("cpu,cpuacct"); NULL: none. */
const char *cg_wanted_v1(const char *controllers, const struct spec_resources *r);
/* Writes what `r` says of this new v1 cgroup's controllers. */
int cg_write_v1(const struct cg_node *n, const struct spec_resources *r, struct err *e);
/* The controllers ("memory pids …") that `r` needs and that the partition has no v1 cgroup of, into buf. */
void cg_v2_needed(const struct cgrp *c, const struct spec_resources *r, char *buf, size_t size);
/* Writes all of `r` except devices. */
int cg_write_resources(const struct cgrp *c, const struct spec_resources *r, bool fresh, struct err *e);
/* Enables controllers on the way from the v2 root to the node's parent: those of `needed` or an error, others
 * if possible. */
int cg_v2_enable(const struct cgrp *c, const struct cg_node *n, const char *needed, struct err *e);
/* chown of what may be delegated. */
int cg_v2_delegate(const struct cg_node *n, uid_t uid, gid_t gid, struct err *e);

/* --- devices --------------------------------------------------------------------------------- */

struct bpf_insn;

/* The config's rules with the defaults after them, in an array of the arena's. */
int cg_dev_rules(struct arena *a, const struct spec_resources *r, struct spec_dev_rule **out, size_t *n,
	struct err *e);
/*
 * What a v1 devices cgroup can hold of an ordered list: allow all or deny all, and exceptions to that (in
 * rules[0..*n), the input is overwritten). -EINVAL where an order has no such form: a narrow exception to a
 * wider exception.
 */
int cg_dev_flatten(struct spec_dev_rule *rules, size_t *n, bool *allow_all, struct err *e);
/* "c 1:3 rwm" */
void cg_dev_text(const struct spec_dev_rule *r, char *buf, size_t size);
int cg_dev_v1(
	const struct cg_node *n, const struct spec_dev_rule *rules, size_t count, bool fresh, struct err *e);

/* The program, malloc()ed; *count 0: all is allowed, no program is needed. */
int cg_dev_program(
	const struct spec_dev_rule *rules, size_t n, struct bpf_insn **out, size_t *count, struct err *e);
/* Loads it and puts it in place of ours that is attached to the cgroup now, if it is not `fresh`. */
int cg_dev_bpf(
	const struct cg_node *n, const struct spec_dev_rule *rules, size_t count, bool fresh, struct err *e);
/* Either of them. */
int cg_write_devices(const struct cgrp *c, const struct spec_resources *r, bool fresh, struct err *e);

/* --- systemd --------------------------------------------------------------------------------- */

/* A unit property as D-Bus carries it. */
struct sd_pair {
	const char *a, *b;
};
struct sd_prop {
	const char *name;
	char type; /* 's' 'b' 't' 'u' 'i' 'x' 'd', 'S' (as), 'B' (ay), 'U' (au), 'P' (a(ss)), 'L' (a(st)) */
	const char *s;
	uint64_t u; /* b, t, u; the bits of i, x */
	double d;
	char **strv;
	const uint8_t *bytes;
	const uint32_t *u32s;
	const struct sd_pair *pairs;
	size_t n;
};
struct sd_props {
	struct arena *arena;
	struct sd_prop list[96];
	size_t n;
};

/* One GVariant text value ("uint64 5", "['a', 'b']", "true") as a property. */
int sd_parse_variant(struct arena *a, const char *text, struct sd_prop *out, struct err *e);
/* An annotation org.systemd.property.NAME; refuses NAMEs that are not on the list of harmless ones. */
int sd_annotation(struct sd_props *p, const char *name, const char *value, struct err *e);
/* A cpu or node list ("0-3,7") as systemd's bit mask. */
int sd_cpu_mask(struct arena *a, const char *list, const uint8_t **bytes, size_t *n, struct err *e);
/* Its device rules, as far as systemd's list can say them. */
int sd_devices(struct sd_props *p, const struct spec_resources *r, struct err *e);
/* The limits of `r` as properties of a unit. `v2`: which set of names. */
int sd_limits(struct sd_props *p, const struct spec_resources *r, bool v2, bool fresh, struct err *e);
/* All properties of a new unit. */
int sd_unit_props(struct sd_props *p, const struct cgrp *c, const struct cgrp_params *params, bool v2,
	pid_t pid, struct err *e);
/* The property of that name, to be filled: an empty one, or the one that is there; NULL if there are too
 * many.
 */
struct sd_prop *sd_slot(struct sd_props *p, const char *name, struct err *e);
int sd_add(struct sd_props *p, const char *name, char type, const char *s, uint64_t u, struct err *e);

/* systemd.c; without HAVE_SYSTEMD they refuse. */
int cg_systemd_prepare(struct cgrp *c, const struct cgrp_params *p, struct err *e);
int cg_systemd_attach(struct cgrp *c, pid_t pid, struct err *e);
int cg_systemd_update(const struct cgrp *c, const struct spec_resources *r, struct err *e);
int cg_systemd_stop(const struct cgrp *c, struct err *e);

/* dbus.c, dbus_manager.c: one connection to a bus, and systemd's manager on it. Timeouts in ms. */
struct sd_bus_conn;
int sd_open(bool user, struct sd_bus_conn **out, struct err *e);
void sd_close(struct sd_bus_conn *b);
DEFINE_CLEANUP(struct sd_bus_conn *, sd_close);
int sd_start_transient(struct sd_bus_conn *b, const char *unit, const struct sd_props *p, struct err *e);
int sd_set_properties(struct sd_bus_conn *b, const char *unit, const struct sd_props *p, struct err *e);
int sd_stop_unit(struct sd_bus_conn *b, const char *unit, struct err *e);
/* A slice's cgroup, as systemd tells it. */
int sd_control_group(struct sd_bus_conn *b, const char *unit, char *buf, size_t size, struct err *e);

/* --- libcgroup.c, stats.c -------------------------------------------------------------------- */

/* Calls fn for each line of a file, without its newline. 0, or -errno if there is no such file. */
int cg_lines(const struct cg_node *n, const char *file, void (*fn)(char *line, void *arg), void *arg);
/* The same through libcgroup, for v1 controllers. */
int cg_lines_v1(const struct cg_node *n, const char *file, void (*fn)(char *line, void *arg), void *arg);

/* --- freezer.c ------------------------------------------------------------------------------- */

/* Asks for it and waits at most `ms`; -ETIMEDOUT leaves it half frozen. */
int cg_freeze_to(const struct cgrp *c, bool frozen, unsigned int ms, struct err *e);

#endif
