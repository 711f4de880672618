/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json of the OCI runtime-spec 1.3.0 (Linux) as plain C structs: parse, check, write. No side effects.
 *
 * Everything lives in the spec's arena and stays valid until spec_free(). An absent property is NULL, a count
 * of 0, or false in the `has_` flag beside it; `null` is the same as absent. Strings are never NULL where a
 * comment says "required". Arrays are pointer + `n_` count; string vectors are NULL-terminated. Clause names
 * in comments are files of the runtime-spec repository (config.md, config-linux.md, …).
 */
#ifndef SPEC_SPEC_H
#define SPEC_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

/* --- ids, maps ------------------------------------------------------------------------------------------ */

struct spec_id_map {
	uint32_t container_id, host_id, size;
};

struct spec_annotation {
	const char *key, *value;
};

/* --- process (config.md#process) ------------------------------------------------------------------------ */

struct spec_rlimit {
	int resource; /* RLIMIT_* */
	uint64_t soft, hard;
};

/* Bit n is capability n of linux/capability.h. Names that are no capability at all are collected in
 * `unknown`. */
struct spec_caps {
	bool present;
	uint64_t bounding, effective, inheritable, permitted, ambient;
	char **unknown; /* as written, for a warning; may be NULL */
};

struct spec_scheduler {
	bool present;
	uint32_t policy; /* SCHED_* of linux/sched.h */
	bool has_nice;
	int32_t nice;
	int32_t priority;
	uint64_t flags;			    /* SCHED_FLAG_* */
	uint64_t runtime, deadline, period; /* ns */
};

struct spec_io_priority {
	bool present;
	int class;    /* IOPRIO_CLASS_RT 1, BE 2, IDLE 3 */
	int priority; /* 0 (highest) to 7 */
};

struct spec_user {
	uint32_t uid, gid;
	bool has_umask;
	mode_t umask;
	uint32_t *additional_gids;
	size_t n_additional_gids;
};

struct spec_process {
	bool terminal;
	bool has_console_size;
	uint16_t console_height, console_width;
	struct spec_user user;
	char **args;	 /* NULL or at least one */
	char **env;	 /* "NAME=value"; may be NULL */
	const char *cwd; /* required, absolute */
	struct spec_caps caps;
	struct spec_rlimit *rlimits;
	size_t n_rlimits;
	bool no_new_privileges;
	const char *apparmor_profile;
	const char *selinux_label;
	bool has_oom_score_adj;
	int oom_score_adj;
	struct spec_scheduler scheduler;
	struct spec_io_priority io_priority;
	/* execCPUAffinity: cpu lists as written ("0-3,7"); parsed by security/sched.h. */
	const char *cpu_affinity_initial, *cpu_affinity_final;
};

/* --- mounts (config.md#mounts) -------------------------------------------------------------------------- */

/* What an `idmap` or `ridmap` option, or uid/gidMappings, ask for. */
enum spec_idmap { SPEC_IDMAP_NONE, SPEC_IDMAP, SPEC_RIDMAP };

struct spec_mount {
	const char
		*destination; /* required; cleaned and absolute (a relative one is taken relative to "/") */
	const char *type;     /* NULL: none given */
	const char *
		source; /* NULL: none given; a bind's is made absolute against the bundle by the mount code */
	char **options; /* as written; mnt_options_parse() of namespaces/ gives them meaning */
	struct spec_id_map *uid_map, *gid_map;
	size_t n_uid_map, n_gid_map;
};

/* --- hooks (config.md#posix-platform-hooks) ------------------------------------------------------------- */

struct spec_hook {
	const char *path; /* required, absolute */
	char **args;	  /* NULL: { path } */
	char **env;	  /* NULL: empty */
	int timeout;	  /* seconds, > 0; 0: none */
};

enum spec_hook_kind {
	SPEC_HOOK_PRESTART,
	SPEC_HOOK_CREATE_RUNTIME,
	SPEC_HOOK_CREATE_CONTAINER,
	SPEC_HOOK_START_CONTAINER,
	SPEC_HOOK_POSTSTART,
	SPEC_HOOK_POSTSTOP,
	SPEC_HOOK_KINDS,
};

/* "prestart", "createRuntime", … in the order of the enum. */
extern const char *const spec_hook_names[SPEC_HOOK_KINDS];

struct spec_hooks {
	struct spec_hook *list[SPEC_HOOK_KINDS];
	size_t n[SPEC_HOOK_KINDS];
};

/* --- namespaces, devices (config-linux.md) -------------------------------------------------------------- */

enum spec_ns {
	SPEC_NS_USER,
	SPEC_NS_MOUNT,
	SPEC_NS_PID,
	SPEC_NS_NETWORK,
	SPEC_NS_IPC,
	SPEC_NS_UTS,
	SPEC_NS_CGROUP,
	SPEC_NS_TIME,
	SPEC_NS_KINDS,
};

struct spec_ns_entry {
	bool present; /* listed: a new one, or the one at `path`; otherwise the runtime's own is inherited */
	const char *path; /* absolute; NULL: a new one */
};

/* The spec's names ("user", "mount", …), the CLONE_NEW* flags and the names below /proc/PID/ns, by enum
 * spec_ns. */
extern const char *const spec_ns_names[SPEC_NS_KINDS];
extern const char *const spec_ns_proc_names[SPEC_NS_KINDS];
extern const uint64_t spec_ns_flags[SPEC_NS_KINDS];

struct spec_time_offset {
	bool present;
	int64_t secs;
	uint32_t nanosecs;
};

struct spec_device {
	const char *path; /* absolute, cleaned */
	char type;	  /* 'c', 'b', 'p'; 'u' is stored as 'c' */
	int64_t major, minor;
	bool has_mode;
	mode_t mode;
	bool has_uid, has_gid;
	uint32_t uid, gid;
};

struct spec_sysctl {
	const char *key, *value;
};

struct spec_net_device {
	const char *host_name; /* the key */
	const char *name;      /* NULL: keep host_name */
};

struct spec_memory_policy {
	bool present;
	int mode;	   /* MPOL_* of linux/mempolicy.h */
	int flags;	   /* MPOL_F_* mode flags */
	const char *nodes; /* list format, may be "" */
};

struct spec_intel_rdt {
	bool present;
	const char *clos_id;
	const char *l3_cache_schema, *mem_bw_schema;
	char **schemata;
	bool enable_monitoring;
};

/* --- seccomp (config-linux.md#seccomp) ------------------------------------------------------------------ */

/* Names are kept as written; security/seccomp.c, the only file with libseccomp, gives them meaning. */
struct spec_seccomp_arg {
	uint32_t index;
	uint64_t value, value_two;
	const char *op; /* SCMP_CMP_* */
};

struct spec_seccomp_rule {
	char **names;
	const char *action; /* SCMP_ACT_* */
	bool has_errno_ret;
	uint32_t errno_ret;
	struct spec_seccomp_arg *args;
	size_t n_args;
};

struct spec_seccomp {
	bool present;
	const char *default_action;
	bool has_default_errno_ret;
	uint32_t default_errno_ret;
	char **architectures;
	char **flags; /* NULL: absent, [] is an empty vector: the difference matters (default flags) */
	const char *listener_path, *listener_metadata;
	struct spec_seccomp_rule *rules;
	size_t n_rules;
	/* The section exactly as in config.json: the key under which a compiled filter is kept. */
	const char *text;
	size_t text_len;
};

/* --- resources (config-linux.md#control-groups) --------------------------------------------------------- */

/* An optional integer: `has` false means leave it alone. */
struct spec_i64 {
	bool has;
	int64_t v;
};
struct spec_u64 {
	bool has;
	uint64_t v;
};

struct spec_dev_rule {
	bool allow;
	char type;	      /* 'a', 'b', 'c' */
	int64_t major, minor; /* -1: any */
	uint8_t access;	      /* SPEC_DEV_* bits; absent in the document: all */
};
enum { SPEC_DEV_READ = 1, SPEC_DEV_WRITE = 2, SPEC_DEV_MKNOD = 4 };

struct spec_block_weight {
	int64_t major, minor;
	struct spec_u64 weight, leaf_weight;
};
struct spec_block_rate {
	int64_t major, minor;
	uint64_t rate;
};
struct spec_hugepage {
	const char *page_size; /* "2MB" */
	uint64_t limit;
};
struct spec_ifprio {
	const char *name;
	uint32_t priority;
};
struct spec_rdma {
	const char *device;
	struct spec_u64 hca_handles, hca_objects;
};
struct spec_unified {
	const char *file, *value;
};

enum spec_block_throttle {
	SPEC_BLOCK_READ_BPS,
	SPEC_BLOCK_WRITE_BPS,
	SPEC_BLOCK_READ_IOPS,
	SPEC_BLOCK_WRITE_IOPS,
	SPEC_BLOCK_THROTTLES,
};

struct spec_resources {
	bool present;
	struct spec_dev_rule *devices;
	size_t n_devices;

	/* memory: bytes, -1: unlimited */
	struct spec_i64 mem_limit, mem_reservation, mem_swap, mem_kernel, mem_kernel_tcp;
	struct spec_i64 mem_swappiness; /* 0 to 100; -1 is treated as absent */
	bool has_disable_oom_killer, disable_oom_killer;
	bool has_use_hierarchy, use_hierarchy;
	bool check_before_update;

	/* cpu: shares 2 to 262144; quota, period, burst, rt in microseconds */
	struct spec_u64 cpu_shares, cpu_period, cpu_burst, cpu_rt_period;
	struct spec_i64 cpu_quota, cpu_rt_runtime, cpu_idle;
	const char *cpus, *mems;

	struct spec_i64 pids_limit; /* -1: unlimited; 0 is a real limit */

	struct spec_u64 block_weight, block_leaf_weight; /* 10 to 1000 */
	struct spec_block_weight *block_weights;
	size_t n_block_weights;
	struct spec_block_rate *block_rates[SPEC_BLOCK_THROTTLES];
	size_t n_block_rates[SPEC_BLOCK_THROTTLES];

	struct spec_hugepage *hugepages;
	size_t n_hugepages;

	bool has_class_id;
	uint32_t class_id;
	struct spec_ifprio *priorities;
	size_t n_priorities;

	struct spec_rdma *rdma;
	size_t n_rdma;

	struct spec_unified *unified;
	size_t n_unified;
};

/* --- vm (config-vm.md): parsed and checked here, used by the sandbox engine ----------------------------- */

struct spec_vm {
	bool present;
	const char *hypervisor_path, *kernel_path, *kernel_initrd, *image_path, *image_format;
	char **hypervisor_parameters, **kernel_parameters;
	const struct json *hw_config;
};

/* --- the whole ------------------------------------------------------------------------------------------ */

enum spec_propagation { /* linux.rootfsPropagation */
	SPEC_PROPAGATION_UNSET,
	SPEC_PROPAGATION_SHARED,
	SPEC_PROPAGATION_SLAVE,
	SPEC_PROPAGATION_PRIVATE,
	SPEC_PROPAGATION_UNBINDABLE,
};

struct spec {
	struct arena *arena;
	const struct json *json; /* the whole tree, for what is only passed on */

	const char *oci_version; /* required */
	bool has_root;
	const char *root_path; /* required with has_root; as written: relative to the bundle or absolute */
	bool root_readonly;
	struct spec_mount *mounts;
	size_t n_mounts;
	bool has_process;
	struct spec_process process;
	const char *hostname, *domainname;
	struct spec_hooks hooks;
	struct spec_annotation *annotations;
	size_t n_annotations;

	/* linux */
	struct spec_ns_entry ns[SPEC_NS_KINDS];
	struct spec_id_map *uid_map, *gid_map;
	size_t n_uid_map, n_gid_map;
	bool maps_added; /* not in the document: by the runtime, for a user that is not root */
	struct spec_time_offset time_monotonic, time_boottime;
	struct spec_device *devices;
	size_t n_devices;
	struct spec_net_device *net_devices;
	size_t n_net_devices;
	const char *cgroups_path;
	struct spec_resources resources;
	enum spec_propagation rootfs_propagation;
	bool rootfs_propagation_recursive;
	struct spec_seccomp seccomp;
	struct spec_sysctl *sysctl;
	size_t n_sysctl;
	char **masked_paths, **readonly_paths;
	const char *mount_label;
	struct spec_intel_rdt intel_rdt;
	struct spec_memory_policy memory_policy;
	bool has_personality;
	unsigned long personality; /* PER_LINUX or PER_LINUX32 */

	struct spec_vm vm;

	/* Notes that are no errors (an unknown capability, a relative mount destination): for a warning or
	 * debug line. */
	char **notes;
};

void spec_free(struct spec *s);
DEFINE_CLEANUP(struct spec *, spec_free);

/*
 * Parses and checks text[0..len). What a single document can tell is checked here: types, ranges, required
 * properties, conflicts (hostname without a UTS namespace, offsets without a time namespace, mappings without
 * a user namespace, duplicates). What needs the host is checked where it is used. Errors name the property:
 * "process.cwd must be …". 0 or -EINVAL / -ENOMEM; *out is untouched on failure.
 */
int spec_parse(const char *text, size_t len, struct spec **out, struct err *e);

/* The most that is read of a document. */
#define SPEC_FILE_MAX (16U * 1024U * 1024U)

/* A process.json as `exec --process` takes it: the process object alone. Lives in the arena that is given. */
int spec_parse_process(
	struct arena *a, const char *text, size_t len, struct spec_process *out, struct err *e);

/* A resources.json as `update --resources` takes it. */
int spec_parse_resources(
	struct arena *a, const char *text, size_t len, struct spec_resources *out, struct err *e);

/*
 * Back to JSON, as spec_parse_process() and spec_parse_resources() read it: a member `name` of an open
 * object. Of resources what `update` can change on a living partition but for devices: memory, cpu, pids. LSM
 * labels and execCPUAffinity, which are those of one host, are left out.
 */
void spec_write_process(struct json_writer *w, const char *name, const struct spec_process *p);
void spec_write_resources(struct json_writer *w, const char *name, const struct spec_resources *r);

/* The value of an annotation, or NULL. */
const char *spec_annotation(const struct spec *s, const char *key);

/* "CAP_NET_ADMIN" or "net_admin", any case: the capability's number, or -EINVAL. Knows all of
 * linux/capability.h up to 40. */
int spec_cap_from_name(const char *name);
const char *spec_cap_name(int cap); /* "CAP_CHOWN"; NULL beyond the last */

/* The document that `ringfence spec` writes: a default config.json, pretty, with a final newline. malloc()ed.
 */
char *spec_default(bool rootless, struct err *e);

#endif
