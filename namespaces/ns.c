/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces: what to create, what to join, clock offsets (see ns.h). */
#include "namespaces/ns.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/fd.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

uint64_t ns_new_flags(const struct spec *s)
{
	uint64_t flags = 0;

	for (int k = 0; k < SPEC_NS_KINDS; k++)
		if (s->ns[k].present && !s->ns[k].path)
			flags |= spec_ns_flags[k];
	return flags;
}

/* True when the file is the namespace of that kind that we are in ourselves. */
static bool is_own(const struct stat *st, enum spec_ns kind)
{
	char path[48];
	struct stat own;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", spec_ns_proc_names[kind]);
	return stat(path, &own) == 0 && own.st_dev == st->st_dev && own.st_ino == st->st_ino;
}

bool ns_is_of(pid_t pid, enum spec_ns kind)
{
	char path[48];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, spec_ns_proc_names[kind]);
	return stat(path, &st) == 0 && is_own(&st, kind);
}

bool ns_has_user(const struct spec *s)
{
	const struct spec_ns_entry *user = &s->ns[SPEC_NS_USER];
	struct stat st;

	if (!user->present)
		return false;
	return !user->path || stat(user->path, &st) < 0 || !is_own(&st, SPEC_NS_USER);
}

bool ns_is_ours(const struct spec *s, enum spec_ns kind)
{
	const struct spec_ns_entry *ns = &s->ns[kind];
	struct stat st;

	if (!ns->present)
		return true;
	return ns->path && stat(ns->path, &st) == 0 && is_own(&st, kind);
}

int ns_check_ours(const struct spec *s, struct err *e)
{
	const char *what = s->hostname ? "hostname" : "domainname";

	if ((s->hostname || s->domainname) && ns_is_ours(s, SPEC_NS_UTS))
		return err_text(e, EINVAL,
			"%s: the uts namespace in linux.namespaces is the runtime's own: it would rename the "
			"host",
			what);
	if (s->n_net_devices && ns_is_ours(s, SPEC_NS_NETWORK))
		return err_text(e, EINVAL,
			"linux.netDevices: the network namespace in linux.namespaces is the runtime's own, "
			"where they are already");
	return 0;
}

void ns_close(int fds[SPEC_NS_KINDS])
{
	for (int k = 0; k < SPEC_NS_KINDS; k++) {
		fd_close(fds[k]);
		fds[k] = -1;
	}
}

/*
 * A path may name anything: opening a FIFO would wait for ever and opening a device may act on it. So it is
 * opened as a mere location first, and for real only when it is nsfs.
 */
static int open_one(enum spec_ns kind, const char *path, struct err *e)
{
	_cleanup_close_ int at = open(path, O_PATH | O_CLOEXEC), fd = -EBADF;
	char via[FD_PATH_MAX];
	struct statfs fs;
	struct stat st;
	int type;

	if (at < 0)
		return err_set(e, errno, "open the %s namespace %s", spec_ns_names[kind], path);
	if (fstatfs(at, &fs) < 0)
		return err_set(e, errno, "look at the %s namespace %s", spec_ns_names[kind], path);
	if (fs.f_type != NSFS_MAGIC)
		return err_text(e, EINVAL,
			"%s is no namespace: linux.namespaces[].path must be a file like /proc/PID/ns/%s",
			path, spec_ns_proc_names[kind]);
	fd = open(fd_path(via, at), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, "open the %s namespace %s", spec_ns_names[kind], path);
	type = ioctl(fd, NS_GET_NSTYPE);
	if (type < 0)
		return err_set(e, errno, "ask %s for its namespace type", path);
	if ((uint64_t)type != spec_ns_flags[kind])
		return err_text(e, EINVAL, "%s is no %s namespace", path, spec_ns_names[kind]);
	if (kind == SPEC_NS_USER && fstat(fd, &st) == 0 && is_own(&st, kind))
		return -1;
	return TAKE_FD(fd);
}

int ns_open_paths(const struct spec *s, int fds[SPEC_NS_KINDS], struct err *e)
{
	struct err here = ERR_INIT;

	for (int k = 0; k < SPEC_NS_KINDS; k++)
		fds[k] = -1;
	for (int k = 0; k < SPEC_NS_KINDS; k++) {
		if (!s->ns[k].present || !s->ns[k].path)
			continue;
		fds[k] = open_one((enum spec_ns)k, s->ns[k].path, &here);
		if (fds[k] < 0 && here.code) {
			fds[k] = -1;
			ns_close(fds);
			if (e)
				*e = here;
			return -here.code;
		}
	}
	return 0;
}

int ns_join(int fd, enum spec_ns kind, struct err *e)
{
	if (setns(fd, (int)spec_ns_flags[kind]) < 0)
		return err_set(e, errno, "join the %s namespace", spec_ns_names[kind]);
	return 0;
}

int ns_join_all(const int fds[SPEC_NS_KINDS], struct err *e)
{
	static const enum spec_ns order[] = { SPEC_NS_IPC, SPEC_NS_UTS, SPEC_NS_NETWORK, SPEC_NS_PID,
		SPEC_NS_CGROUP, SPEC_NS_TIME, SPEC_NS_MOUNT };
	bool user = fds[SPEC_NS_USER] >= 0, later[ARRAY_SIZE(order)] = { false };
	int r;

	/*
	 * With privilege over the target all but the user namespace are joined with the rights we have now:
	 * they may belong to the host's user namespace, where we have none afterwards. Without it each
	 * answers EPERM, and belongs to the user namespace that we are about to become root of.
	 */
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if (fds[order[i]] < 0)
			continue;
		r = ns_join(fds[order[i]], order[i], e);
		if (r == -EPERM && user)
			later[i] = true;
		else if (r < 0)
			return r;
	}
	if (user) {
		r = ns_join(fds[SPEC_NS_USER], SPEC_NS_USER, e);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		r = later[i] ? ns_join(fds[order[i]], order[i], e) : 0;
		if (r < 0)
			return r;
	}
	err_clear(e);
	return 0;
}

int ns_time_prepare(const struct spec *s, int *saved, struct err *e)
{
	const struct spec_time_offset *mono = &s->time_monotonic, *boot = &s->time_boottime;
	_cleanup_close_ int before = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	char text[128];
	int len = 0, r;

	if (before < 0) {
		r = err_set(e, errno, "open /proc/self/ns/time_for_children");
		return r == -ENOENT ? err_hint(e, "the kernel has no time namespaces (Linux 5.6)") : r;
	}
	if (unshare(CLONE_NEWTIME) < 0) {
		r = err_set(e, errno, "make a time namespace");
		return r == -EPERM ? err_hint(e, "it takes CAP_SYS_ADMIN in the runtime's own user namespace")
				   : r;
	}
	if (mono->present)
		len += snprintf(text, sizeof(text), "monotonic %" PRId64 " %" PRIu32 "\n", mono->secs,
			mono->nanosecs);
	if (boot->present)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "boottime %" PRId64 " %" PRIu32 "\n",
			boot->secs, boot->nanosecs);
	r = len ? fd_put_at(AT_FDCWD, "/proc/self/timens_offsets", text) : 0;
	if (r < 0) {
		err_set(e, -r, "set linux.timeOffsets");
		/* Children of this process must not inherit a namespace that was never finished. */
		if (setns(before, CLONE_NEWTIME) < 0)
			return err_hint(e, "and the runtime could not go back to the host's clocks");
		return r;
	}
	*saved = TAKE_FD(before);
	return 0;
}

int ns_time_restore(int saved, struct err *e)
{
	if (setns(saved, CLONE_NEWTIME) < 0)
		return err_set(e, errno, "go back to the host's time namespace");
	return 0;
}
