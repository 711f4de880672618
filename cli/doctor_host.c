/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence doctor: what partitions need of the host. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cgroups/cgroup.h"
#include "cli/doctor.h"
#include "launch/cni.h"
#include "launch/ids.h"
#include "launch/ids_internal.h"
#include "launch/network.h"
#include "namespaces/ns.h"
#include "runtime/program.h"
#include "security/seccomp.h"

/* modules.dep and modules.builtin of the largest kernels have less than that. */
#define LIST_MAX (4U << 20)

/* --- the kernel ----------------------------------------------------------------------------------- */

static bool is_listed(const char *path, const char *word)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	return fd_read_at(AT_FDCWD, path, LIST_MAX, &text, &len) == 0 && strstr(text, word);
}

static bool has_module(const char *name)
{
	char path[256], word[64];
	struct utsname u;

	if (uname(&u) < 0)
		return false;
	snprintf(word, sizeof(word), "/%s.ko", name);
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", u.release);
	return is_listed(path, word);
}

enum doctor_state doctor_filesystem(struct doctor *d, const char *name)
{
	char word[64];

	(void)d;
	snprintf(word, sizeof(word), "\t%s\n", name);
	if (is_listed("/proc/filesystems", word))
		return DOCTOR_OK;
	return has_module(name) ? DOCTOR_LIMITED : DOCTOR_MISSING;
}

static void look_kernel(struct doctor *d, struct doctor_finding *f)
{
	struct utsname u;
	bool mounts = syscall(SYS_fsopen, NULL, 0) == 0 || errno != ENOSYS;

	f->why = uname(&u) < 0 ? "uname: no answer" : doctor_say(d, "Linux %s, %s", u.release, u.machine);
	if (mounts)
		return;
	f->state = DOCTOR_MISSING;
	f->why = doctor_say(d, "%s: without fsopen(2), open_tree(2) and their kin", f->why);
	f->what = "Linux 5.2 has them; in a container, its seccomp profile has to allow them";
}

static void look_namespaces(struct doctor *d, struct doctor_finding *f)
{
	static const char *const names[] = { "cgroup", "ipc", "mnt", "net", "pid", "uts" };

	f->why = "cgroup, ipc, mnt, net, pid, uts";
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		if (access(path, F_OK) == 0)
			continue;
		f->state = DOCTOR_MISSING;
		f->why = doctor_say(d, "%s: %s", path, strerror(errno));
		f->what = "take a kernel with CONFIG_NAMESPACES and all that it offers, and a mounted /proc";
	}
}

/* Runs `attempt` in a child, and so in namespaces that go with it. 0 or -errno. */
static int try(int (*attempt)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(-attempt() & 0xff);
	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

static int new_pids(void)
{
	return unshare(CLONE_NEWNS | CLONE_NEWPID) < 0 ? -errno : 0;
}

static int new_users(void)
{
	return unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID) < 0 ? -errno : 0;
}

static void look_rights(struct doctor *d, struct doctor_finding *f)
{
	int r = try(d->root ? new_pids : new_users);

	f->why =
		d->root ? "root" : "a user: partitions are made in a user namespace, without what takes root";
	if (r < 0) {
		f->state = DOCTOR_MISSING;
		f->why = doctor_say(
			d, "%s may not make namespaces: %s", d->root ? "root" : "a user", strerror(-r));
		f->what =
			d->root ? "inside a container: give it CAP_SYS_ADMIN, or run ringfence outside"
				: "be root, or allow it: sysctl kernel.unprivileged_userns_clone=1 (Debian), "
				  "user.max_user_namespaces above 0, AppArmor's restriction of user "
				  "namespaces off";
	} else if (!d->root) {
		f->state = DOCTOR_LIMITED;
	}
}

static void look_users(struct doctor *d, struct doctor_finding *f)
{
	struct ids_grants g;
	struct err e = ERR_INIT;
	int64_t ranges = 0;
	int r = try(new_users);

	if (r < 0) {
		f->state = DOCTOR_LIMITED;
		f->why =
			doctor_say(d, "no user namespace can be made (%s): root inside would be root outside",
				strerror(-r));
		f->what =
			"take a kernel with CONFIG_USER_NS; sysctl user.max_user_namespaces must be above 0";
		return;
	}
	if (!d->root) {
		f->why = "newuidmap and newgidmap are there for the ranges of /etc/subuid and /etc/subgid";
		if (ns_has_map_helpers())
			return;
		f->state = DOCTOR_LIMITED;
		f->why = "newuidmap and newgidmap are missing: a partition has a single user id";
		f->what = "install the package uidmap, and have ranges in /etc/subuid and /etc/subgid";
		return;
	}
	if (ids_grants_read("/etc/subuid", "/etc/subgid", d->arena, &g, &e) < 0) {
		f->state = DOCTOR_LIMITED;
		f->why = doctor_say(d, "%s", e.text);
		return;
	}
	for (size_t i = 0; i < g.n_allowed; i++)
		ranges += g.allowed[i].size / LAUNCH_IDS;
	f->why = doctor_say(d, "%lld ranges of %d ids, %s", (long long)ranges, LAUNCH_IDS,
		g.granted ? "from /etc/subuid and /etc/subgid" : "from what systemd keeps for containers");
	if (ranges > 0)
		return;
	f->state = DOCTOR_LIMITED;
	f->what = "give \"ringfence\" or \"containers\" at least 65536 ids in /etc/subuid and /etc/subgid";
}

static void look_idmap(struct doctor *d, struct doctor_finding *f)
{
	const char *data = d->ctx->data ? d->ctx->data : "/var/lib";

	if (!d->root) {
		f->state = DOCTOR_LIMITED;
		f->why = "takes root";
		return;
	}
	if (access(data, F_OK) < 0)
		data = "/";
	f->why = doctor_say(d, "%s can be mounted with its ids mapped", data);
	if (launch_ids_can_map(data))
		return;
	f->state = DOCTOR_LIMITED;
	f->why = doctor_say(d,
		"the file system of %s cannot have its ids mapped: launched partitions have no "
		"user namespace there",
		data);
	f->what = "keep the data directory (--data) on ext4, XFS, Btrfs or (Linux 6.3) tmpfs; overlays take "
		  "Linux 5.19";
}

static void filesystem(struct doctor *d, struct doctor_finding *f, const char *name, const char *without)
{
	f->state = doctor_filesystem(d, name);
	f->why =
		f->state == DOCTOR_OK ? "in the kernel" : "a module, which is loaded when it is first needed";
	if (f->state == DOCTOR_LIMITED)
		f->state = DOCTOR_OK;
	if (f->state == DOCTOR_OK)
		return;
	f->why = without;
	f->what = doctor_say(d, "load the module: modprobe %s", name);
}

static void look_overlay(struct doctor *d, struct doctor_finding *f)
{
	filesystem(d, f, "overlay", "this kernel has none: bundles run, images and launch do not");
}

static void look_erofs(struct doctor *d, struct doctor_finding *f)
{
	filesystem(d, f, "erofs",
		"this kernel has none: images are unpacked into directories, which works as well");
	if (f->state == DOCTOR_MISSING) {
		f->state = DOCTOR_LIMITED;
		return;
	}
	if (access("/usr/bin/mkfs.erofs", X_OK) == 0 || access("/usr/sbin/mkfs.erofs", X_OK) == 0)
		return;
	f->state = DOCTOR_LIMITED;
	f->why = doctor_say(d, "%s, but mkfs.erofs is not there to make images of", f->why);
	f->what = "install the package erofs-utils for `prepare --format erofs`";
}

static void look_seccomp(struct doctor *d, struct doctor_finding *f)
{
	const char *flags[8];

	if (prctl(PR_GET_SECCOMP) < 0) {
		f->state = DOCTOR_MISSING;
		f->why = doctor_say(d, "no seccomp: %s", strerror(errno));
		f->what = "take a kernel with CONFIG_SECCOMP_FILTER";
		return;
	}
	f->why = doctor_say(
		d, "libseccomp %s, %d flags", seccomp_library_version(), seccomp_supported_flags(flags));
}

/* --- cgroups ------------------------------------------------------------------------------------- */

static bool has_controller(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = list; p && *p; p += strcspn(p, ", \n"), p += *p != '\0')
		if (strcspn(p, ", \n") == len && memcmp(p, name, len) == 0)
			return true;
	return false;
}

static bool offers(const struct cgrp_hierarchy *h, const char *name)
{
	char path[512], text[1024];

	/* One is called otherwise in v1. */
	if (!h->v2)
		return has_controller(h->controllers, str_eq(name, "io") ? "blkio" : name);
	snprintf(path, sizeof(path), "%s/cgroup.controllers", h->mount_point);
	return fd_get_at(AT_FDCWD, path, text, sizeof(text)) > 0 && has_controller(text, name);
}

static void look_cgroups(struct doctor *d, struct doctor_finding *f)
{
	static const char *const modes[] = {
		[CGRP_MODE_NONE] = "none",
		[CGRP_MODE_V1] = "v1",
		[CGRP_MODE_V2] = "v2",
		[CGRP_MODE_MIXED] = "v1 and v2, mixed",
	};
	const struct cgrp_host *h;
	struct err e = ERR_INIT;

	if (cgrp_host(&h, &e) < 0) {
		f->state = DOCTOR_MISSING;
		f->why = doctor_say(d, "%s", e.text);
		return;
	}
	f->why = modes[h->mode];
	if (h->mode != CGRP_MODE_NONE)
		return;
	f->state = DOCTOR_LIMITED;
	f->why =
		"no hierarchy is mounted: partitions run with --cgroup-manager disabled only, without limits";
	f->what = "mount -t cgroup2 cgroup2 /sys/fs/cgroup";
}

static void look_controllers(struct doctor *d, struct doctor_finding *f)
{
	static const char *const names[] = { "cpu", "cpuset", "io", "memory", "pids" };
	_cleanup_strbuf_ struct strbuf there = { 0 }, not = { 0 };
	const struct cgrp_host *h;
	struct err e = ERR_INIT;

	if (cgrp_host(&h, &e) < 0) {
		f->state = DOCTOR_MISSING;
		f->why = "unknown, as the hierarchies";
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		bool found = false;
		struct strbuf *b;

		for (size_t k = 0; k < h->n && !found; k++)
			found = offers(&h->list[k], names[i]);
		b = found ? &there : &not ;
		strbuf_printf(b, "%s%s", b->len ? ", " : "", names[i]);
	}
	f->why = doctor_say(d, "%s%s%s", there.len ? there.s : "", there.len && not .len ? "; without " : "",
		not .len ? not .s : "");
	if (!not .len)
		return;
	f->state = DOCTOR_LIMITED;
	f->what = "a limit on what has no controller is refused by name; see cgroup_disable= on the kernel's "
		  "command line";
}

static void look_manager(struct doctor *d, struct doctor_finding *f)
{
	struct err e = ERR_INIT;

	f->why = "cgroupfs and systemd";
	if (cgrp_systemd(!d->root, &e) == 0)
		return;
	f->state = DOCTOR_LIMITED;
	f->why = doctor_say(d, "cgroupfs; systemd cannot be asked: %s", e.text);
}

/* --- programs ------------------------------------------------------------------------------------- */

static void look_image(struct doctor *d, struct doctor_finding *f)
{
	char path[PATH_MAX];

	rt_companion("ringfence-image", path, sizeof(path));
	f->why = doctor_say(d, "%s", path);
	if (access(path, X_OK) == 0)
		return;
	f->state = DOCTOR_LIMITED;
	f->why = doctor_say(
		d, "%s: %s: no images; bundles and what is in the store run", path, strerror(errno));
	f->what = "install it (make install), or configure without --disable-images";
}

static void look_cni(struct doctor *d, struct doctor_finding *f)
{
	static const char *const plugins[] = { "bridge", "host-local", "firewall", "portmap" };
	struct err e = ERR_INIT;
	const char *path = cni_path(d->arena, &e), *program;

	f->why = "bridge, host-local, firewall, portmap";
	for (size_t i = 0; path && i < ARRAY_SIZE(plugins); i++) {
		if (cni_plugin_find(plugins[i], path, d->arena, &program, &e) == 0)
			continue;
		f->state = DOCTOR_LIMITED;
		f->why = doctor_say(d, "plugin %s is in none of %s: no --network bridge", plugins[i], path);
		f->what = "install the package containernetworking-plugins";
		return;
	}
}

static void look_pasta(struct doctor *d, struct doctor_finding *f)
{
	const char *program = launch_network_pasta();

	if (program) {
		f->why = doctor_say(d, "%s", program);
		return;
	}
	f->state = DOCTOR_LIMITED;
	f->why = "not there: no --network pasta, which is what publishes ports without root";
	f->what = "install the package passt";
}

const struct doctor_check doctor_host[] = {
	{ "kernel", true, look_kernel },
	{ "namespaces", true, look_namespaces },
	{ "rights", true, look_rights },
	{ "seccomp", true, look_seccomp },
	{ "cgroups", true, look_cgroups },
	{ "controllers", false, look_controllers },
	{ "cgroup manager", false, look_manager },
	{ "user ids", false, look_users },
	{ "idmapped mounts", false, look_idmap },
	{ "overlay", false, look_overlay },
	{ "erofs", false, look_erofs },
	{ "ringfence-image", false, look_image },
	{ "network: bridge", false, look_cni },
	{ "network: pasta", false, look_pasta },
	{ 0 },
};
