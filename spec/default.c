/* SPDX-License-Identifier: Apache-2.0 */
/* The document that `ringfence spec` writes: a shell in a read-only root file system with few rights. */
#include "spec/spec.h"

#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

static const char *const args[] = { "sh", NULL };
static const char *const env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"TERM=xterm", NULL };
static const char *const caps[] = { "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE", NULL };

/* What of /proc and /sys tells about or reaches the host's hardware and other partitions. */
static const char *const masked[] = { "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys",
	"/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/sys/firmware", NULL };
static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
	"/proc/sysrq-trigger", NULL };

/*
 * The oldest version that has all of this: a runtime takes a document of its own version or an older one
 * (config.md), and crun 1.8 (Debian 12) refuses all after 1.1.
 */
#define COMPLIES_WITH "1.0.2"

enum variant { ALWAYS, ROOTFUL, ROOTLESS };

struct mount {
	enum variant when;
	const char *destination, *type, *source;
	const char *options[8];
};

/*
 * Rootless: a sysfs can only be mounted by the owner of the network namespace, which is the host's, so the
 * host's is bound; and group 5 (tty) has no id in a map of one.
 */
static const struct mount mounts[] = {
	{ ALWAYS, "/proc", "proc", "proc", { NULL } },
	{ ALWAYS, "/dev", "tmpfs", "tmpfs", { "nosuid", "strictatime", "mode=755", "size=65536k" } },
	{ ROOTFUL, "/dev/pts", "devpts", "devpts",
		{ "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5" } },
	{ ROOTLESS, "/dev/pts", "devpts", "devpts",
		{ "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620" } },
	{ ALWAYS, "/dev/shm", "tmpfs", "shm", { "nosuid", "noexec", "nodev", "mode=1777", "size=65536k" } },
	{ ALWAYS, "/dev/mqueue", "mqueue", "mqueue", { "nosuid", "noexec", "nodev" } },
	{ ROOTFUL, "/sys", "sysfs", "sysfs", { "nosuid", "noexec", "nodev", "ro" } },
	{ ROOTLESS, "/sys", "none", "/sys", { "rbind", "nosuid", "noexec", "nodev", "ro" } },
	{ ALWAYS, "/sys/fs/cgroup", "cgroup", "cgroup", { "nosuid", "noexec", "nodev", "relatime", "ro" } },
};

static bool wanted(enum variant when, bool rootless)
{
	return when == ALWAYS || when == (rootless ? ROOTLESS : ROOTFUL);
}

static void put_process(struct json_writer *w)
{
	static const char *const sets[] = { "bounding", "effective", "permitted" };

	json_open_object(w, "process");
	json_put_bool(w, "terminal", true);
	json_open_object(w, "user");
	json_put_u64(w, "uid", 0);
	json_put_u64(w, "gid", 0);
	json_close_object(w);
	json_put_strv(w, "args", (char *const *)args);
	json_put_strv(w, "env", (char *const *)env);
	json_put_string(w, "cwd", "/");
	json_open_object(w, "capabilities");
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		json_put_strv(w, sets[i], (char *const *)caps);
	json_close_object(w);
	json_open_array(w, "rlimits");
	json_open_object(w, NULL);
	json_put_string(w, "type", "RLIMIT_NOFILE");
	json_put_u64(w, "hard", 1024);
	json_put_u64(w, "soft", 1024);
	json_close_object(w);
	json_close_array(w);
	json_put_bool(w, "noNewPrivileges", true);
	json_close_object(w);
}

static void put_mounts(struct json_writer *w, bool rootless)
{
	json_open_array(w, "mounts");
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		const struct mount *m = &mounts[i];

		if (!wanted(m->when, rootless))
			continue;
		json_open_object(w, NULL);
		json_put_string(w, "destination", m->destination);
		json_put_string(w, "type", m->type);
		json_put_string(w, "source", m->source);
		if (m->options[0])
			json_put_strv(w, "options", (char *const *)m->options);
		json_close_object(w);
	}
	json_close_array(w);
}

static void put_map(struct json_writer *w, const char *name, uint64_t host_id)
{
	json_open_array(w, name);
	json_open_object(w, NULL);
	json_put_u64(w, "containerID", 0);
	json_put_u64(w, "hostID", host_id);
	json_put_u64(w, "size", 1);
	json_close_object(w);
	json_close_array(w);
}

static void put_namespaces(struct json_writer *w, bool rootless)
{
	static const enum spec_ns order[] = { SPEC_NS_PID, SPEC_NS_NETWORK, SPEC_NS_IPC, SPEC_NS_UTS,
		SPEC_NS_MOUNT, SPEC_NS_CGROUP, SPEC_NS_USER };
	struct statfs fs;
	/* Only cgroup2 delegates safely; on v1 a namespace of its own would hide nothing that matters. */
	bool cgroup2 = statfs("/sys/fs/cgroup", &fs) == 0 && (unsigned long)fs.f_type == CGROUP2_SUPER_MAGIC;

	json_open_array(w, "namespaces");
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if ((order[i] == SPEC_NS_CGROUP && !cgroup2) || (order[i] == SPEC_NS_USER && !rootless) ||
			(order[i] == SPEC_NS_NETWORK && rootless))
			continue;
		json_open_object(w, NULL);
		json_put_string(w, "type", spec_ns_names[order[i]]);
		json_close_object(w);
	}
	json_close_array(w);
}

static void put_linux(struct json_writer *w, bool rootless)
{
	json_open_object(w, "linux");
	if (rootless) {
		put_map(w, "uidMappings", geteuid());
		put_map(w, "gidMappings", getegid());
	} else {
		json_open_object(w, "resources");
		json_open_array(w, "devices");
		json_open_object(w, NULL);
		json_put_bool(w, "allow", false);
		json_put_string(w, "access", "rwm");
		json_close_object(w);
		json_close_array(w);
		json_close_object(w);
	}
	put_namespaces(w, rootless);
	json_put_strv(w, "maskedPaths", (char *const *)masked);
	json_put_strv(w, "readonlyPaths", (char *const *)readonly);
	json_close_object(w);
}

char *spec_default(bool rootless, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);
	const char *text = NULL;
	char *out = NULL;

	if (w) {
		json_open_object(w, NULL);
		json_put_string(w, "ociVersion", COMPLIES_WITH);
		put_process(w);
		json_open_object(w, "root");
		json_put_string(w, "path", "rootfs");
		json_put_bool(w, "readonly", true);
		json_close_object(w);
		json_put_string(w, "hostname", "ringfence");
		put_mounts(w, rootless);
		put_linux(w, rootless);
		json_close_object(w);
		text = json_writer_text(w, NULL);
	}
	if (text && asprintf(&out, "%s\n", text) < 0)
		out = NULL;
	if (!out)
		err_set(e, ENOMEM, "write the default config.json");
	return out;
}
