/* SPDX-License-Identifier: Apache-2.0 */
/* The host's cgroup hierarchies: found by a look into /sys/fs/cgroup, or, where that is unusual, in
 * /proc/self/mountinfo. */
#include "cgroups/internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/str.h"

#define ROOT "/sys/fs/cgroup"

/*
 * A look into the usual directory costs three calls whatever the host has mounted; mountinfo has a line for
 * each mount of each running container of other engines, and costs 2 µs a line. So it is read only where the
 * directory says something unexpected, or not enough.
 */
static struct cgrp_hierarchy hierarchies[CG_NODES_MAX];
static bool checked[CG_NODES_MAX]; /* known to be a mount, not just a directory */
static struct cgrp_host host = { .list = hierarchies };
static bool have_host, all_checked;

static const char *const v1_controllers[] = { "cpu", "cpuacct", "cpuset", "blkio", "memory", "devices",
	"freezer", "net_cls", "net_prio", "perf_event", "hugetlb", "pids", "rdma", "misc", "dmem", "debug" };

static void set_mode(struct cgrp_host *h)
{
	bool v1 = false, v2 = false;

	for (size_t i = 0; i < h->n; i++) {
		v2 |= h->list[i].v2;
		v1 |= !h->list[i].v2;
	}
	h->mode = v1 && v2 ? CGRP_MODE_MIXED : v1 ? CGRP_MODE_V1 : v2 ? CGRP_MODE_V2 : CGRP_MODE_NONE;
}

static bool known_controllers(const char *list)
{
	char word[32];

	while (*list) {
		size_t len = strcspn(list, ","), i;

		if (len == 0 || len >= sizeof(word))
			return false;
		memcpy(word, list, len);
		word[len] = '\0';
		for (i = 0; i < ARRAY_SIZE(v1_controllers); i++)
			if (str_eq(word, v1_controllers[i]))
				break;
		if (i == ARRAY_SIZE(v1_controllers))
			return false;
		list += len;
		if (*list == ',' && !*++list)
			return false;
	}
	return true;
}

/* cgroup2 last: its place in the list is part of the contract. */
static struct cgrp_hierarchy *add(struct cgrp_host *h, bool v2)
{
	struct cgrp_hierarchy *x;

	if (h->n == CG_NODES_MAX)
		return NULL;
	x = &h->list[h->n];
	if (!v2 && h->n > 0 && h->list[h->n - 1].v2) {
		h->list[h->n] = h->list[h->n - 1];
		x = &h->list[h->n - 1];
	}
	h->n++;
	*x = (struct cgrp_hierarchy){ .v2 = v2 };
	return x;
}

bool cg_host_add_dir(struct cgrp_host *h, const char *base, const char *name)
{
	struct cgrp_hierarchy *x;
	bool v2 = str_eq(name, "unified"),
	     named = str_eq(name, "systemd") || str_eq(name, "elogind") || str_eq(name, "openrc");

	if (!v2 && !named && !known_controllers(name))
		return false;
	x = add(h, v2);
	if (!x || strlen(base) + strlen(name) + 2 > sizeof(x->mount_point) || strlen(name) >= sizeof(x->name))
		return false;
	snprintf(x->mount_point, sizeof(x->mount_point), "%.*s/%.*s", 100, base, 127, name);
	snprintf(x->name, sizeof(x->name), "%.*s", 127, name);
	if (!v2)
		snprintf(x->controllers, sizeof(x->controllers), "%s%.*s", named ? "name=" : "", 127, name);
	return true;
}

/* The entries of /sys/fs/cgroup, without a stat() each. False: something is there that only mountinfo can
 * explain. */
static bool look(int dir, struct cgrp_host *h)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct dirent64))));
	ssize_t n;

	while ((n = getdents64(dir, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n;) {
			struct dirent64 *d = (struct dirent64 *)(void *)(buf + i);

			i += d->d_reclen;
			/* Symlinks are the second names of co-mounted controllers. */
			if (d->d_name[0] == '.' || d->d_type == DT_LNK)
				continue;
			if (d->d_type != DT_DIR || !cg_host_add_dir(h, ROOT, d->d_name))
				return false;
		}
		/* tmpfs fills the buffer as far as names fit: with that much room left there is nothing more.
		 */
		if (n < (ssize_t)(sizeof(buf) / 2))
			break;
	}
	return n >= 0 && h->n > 0;
}

int cg_host_quick(struct cgrp_host **out, struct err *e)
{
	_cleanup_close_ int dir = -EBADF;
	struct statfs fs;

	if (have_host) {
		*out = &host;
		return 0;
	}
	host.n = 0;
	if (statfs(ROOT, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC) {
		struct cgrp_hierarchy *x = add(&host, true);

		snprintf(x->mount_point, sizeof(x->mount_point), ROOT);
		snprintf(x->name, sizeof(x->name), "cgroup");
		all_checked = true;
	} else {
		dir = open(ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0 || !look(dir, &host))
			return cg_host_full(out, e);
	}
	set_mode(&host);
	have_host = true;
	*out = &host;
	return 0;
}

/* mountinfo writes blank, tab, newline and backslash as \ooo. */
static void unescape(char *s)
{
	char *w = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' &&
			s[3] <= '7') {
			*w++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*w++ = *s;
		}
	}
	*w = '\0';
}

/* The controllers, and "name=…", among a v1 mount's superblock options. */
static void v1_options(char *options, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (char *o = options; o && *o;) {
		char *next = strchr(o, ',');

		if (next)
			*next++ = '\0';
		if ((str_starts(o, "name=") || known_controllers(o)) && used + strlen(o) + 2 < size)
			used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? "," : "", o);
		o = next;
	}
}

/* One line: "31 23 0:28 ROOT MOUNTPOINT OPTIONS [TAGS] - TYPE SOURCE SUPEROPTIONS". */
static void parse_line(char *line, struct cgrp_host *h)
{
	char *field[6] = { 0 }, *dash = strstr(line, " - "), *type, *options, *mount, controllers[256] = "";
	struct cgrp_hierarchy *x;
	const char *name;
	bool v2;

	if (!dash)
		return;
	*dash = '\0';
	type = dash + 3;
	options = strchr(type, ' ');
	if (!options)
		return;
	*options++ = '\0';
	v2 = str_eq(type, "cgroup2");
	if (!v2 && !str_eq(type, "cgroup"))
		return;
	options = strchr(options, ' ');
	if (!options)
		return;
	options++;
	for (size_t i = 0; i < ARRAY_SIZE(field); i++) {
		field[i] = line;
		line = strchr(line, ' ');
		if (!line)
			break;
		*line++ = '\0';
	}
	mount = field[4];
	if (!mount)
		return;
	unescape(mount);
	if (!v2)
		v1_options(options, controllers, sizeof(controllers));
	name = strrchr(mount, '/');
	if (strlen(mount) >= sizeof(x->mount_point) || !name || strlen(name) > sizeof(x->name) ||
		(!v2 && !controllers[0]))
		return;
	/* A hierarchy mounted twice (a bind mount for a container) is the first one again. */
	for (size_t i = 0; i < h->n; i++)
		if (h->list[i].v2 == v2 && str_eq(h->list[i].controllers, controllers))
			return;
	x = add(h, v2);
	if (!x)
		return;
	memcpy(x->mount_point, mount, strlen(mount) + 1);
	memcpy(x->name, name + 1, strlen(name));
	memcpy(x->controllers, controllers, sizeof(x->controllers));
}

int cg_host_parse(const char *mountinfo, struct cgrp_host *h, struct err *e)
{
	_cleanup_free_ char *text = strdup(mountinfo);
	char *line = text;

	if (!text)
		return err_set(e, ENOMEM, "read the mount table");
	h->n = 0;
	while (line && *line) {
		char *end = strchr(line, '\n');

		if (end)
			*end++ = '\0';
		parse_line(line, h);
		line = end;
	}
	set_mode(h);
	return 0;
}

int cg_host_full(struct cgrp_host **out, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	int r = fd_read_at(AT_FDCWD, "/proc/self/mountinfo", 64U << 20, &text, NULL);

	if (r < 0)
		return err_set(e, -r, "read /proc/self/mountinfo to find the cgroup hierarchies");
	r = cg_host_parse(text, &host, e);
	if (r < 0)
		return r;
	have_host = all_checked = true;
	*out = &host;
	return 0;
}

void cg_host_checked(size_t i)
{
	checked[i] = true;
}

int cgrp_host(const struct cgrp_host **out, struct err *e)
{
	struct cgrp_host *h;
	int r = cg_host_quick(&h, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < h->n && !all_checked; i++) {
		struct statfs fs;

		if (checked[i])
			continue;
		if (statfs(h->list[i].mount_point, &fs) < 0 ||
			fs.f_type != (h->list[i].v2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC)) {
			r = cg_host_full(&h, e);
			if (r < 0)
				return r;
		}
	}
	all_checked = true;
	*out = h;
	return 0;
}

int cgrp_host_names(const struct cgrp_host **out, struct err *e)
{
	struct cgrp_host *h;
	int r = cg_host_quick(&h, e);

	if (r == 0)
		*out = h;
	return r;
}

/* --- where a process is ---------------------------------------------------------------------- */

int cg_path_in(const char *proc_cgroup, const struct cgrp_hierarchy *h, char *buf, size_t size)
{
	for (const char *line = proc_cgroup; *line;) {
		const char *end = strchrnul(line, '\n'), *c1 = memchr(line, ':', (size_t)(end - line)), *c2;
		char list[256];
		bool same;

		c2 = c1 ? memchr(c1 + 1, ':', (size_t)(end - c1 - 1)) : NULL;
		if (c2 && (size_t)(c2 - c1) <= sizeof(list)) {
			memcpy(list, c1 + 1, (size_t)(c2 - c1 - 1));
			list[c2 - c1 - 1] = '\0';
			/* The order of co-mounted controllers differs between the two files, but each is in
			 * one hierarchy only. */
			list[strcspn(list, ",")] = '\0';
			if (h->v2)
				same = line[0] == '0' && c1 == line + 1 && !list[0];
			else
				same = list[0] && cg_list_has(h->controllers, list);
			if (same) {
				size_t len = (size_t)(end - c2 - 1);

				if (len >= size)
					return -ENAMETOOLONG;
				memcpy(buf, c2 + 1, len);
				buf[len] = '\0';
				return 0;
			}
		}
		line = *end ? end + 1 : end;
	}
	return -ENOENT;
}

/* Where mountinfo says that a mount shows only a part of its hierarchy: that part's path. */
static int mount_root(const char *mount_point, char *buf, size_t size)
{
	_cleanup_free_ char *text = NULL;
	int r = fd_read_at(AT_FDCWD, "/proc/self/mountinfo", 64U << 20, &text, NULL);
	size_t found = 0;

	if (r < 0)
		return r;
	for (char *line = text; line && *line;) {
		char *end = strchr(line, '\n'), *field = line, *root, *mount;

		if (end)
			*end++ = '\0';
		for (int i = 0; i < 3 && field; i++) {
			field = strchr(field, ' ');
			field = field ? field + 1 : NULL;
		}
		root = field;
		mount = root ? strchr(root, ' ') : NULL;
		if (mount) {
			*mount++ = '\0';
			mount[strcspn(mount, " ")] = '\0';
			unescape(root);
			unescape(mount);
			/* The last mount on a place is the one that is seen. */
			if (str_eq(mount, mount_point) && strlen(root) < size) {
				memcpy(buf, root, strlen(root) + 1);
				found++;
			}
		}
		line = end;
	}
	return found ? 0 : -ENOENT;
}

int cgrp_path_of(pid_t pid, const struct cgrp_hierarchy *h, char *buf, size_t size, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	char file[64], path[CG_PATH_MAX], full[CG_FILE_MAX], root[CG_PATH_MAX];
	size_t skip = 0;
	int r;

	if (pid > 0)
		snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	else
		snprintf(file, sizeof(file), "/proc/self/cgroup");
	r = fd_read_at(AT_FDCWD, file, 1U << 20, &text, NULL);
	if (r < 0)
		return err_set(e, -r, "read %s", file);
	r = cg_path_in(text, h, path, sizeof(path));
	if (r < 0)
		return err_text(e, -r, "%s has no line for the cgroup hierarchy on %s", file, h->mount_point);
	/* "/../x": above the root of our own cgroup namespace. */
	if (str_starts(path, "/.."))
		return err_text(e, EXDEV, "process %d is in cgroup %s, outside this cgroup namespace",
			(int)pid, path);
	snprintf(full, sizeof(full), "%s%s", h->mount_point, path);
	if (faccessat(AT_FDCWD, full, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
		/* In a container of another engine without a cgroup namespace the mount shows a part of what
		 * the path names. */
		r = mount_root(h->mount_point, root, sizeof(root));
		skip = strlen(root);
		if (r < 0 || !str_starts(path, root) || (path[skip] && path[skip] != '/'))
			return err_text(e, ENOENT, "cgroup %s of process %d is not to be seen below %s", path,
				(int)pid, h->mount_point);
	}
	if (strlen(path + skip) + 2 > size)
		return err_set(e, ENAMETOOLONG, "cgroup %s", path);
	snprintf(buf, size, "%s", path[skip] ? path + skip : "/");
	return 0;
}
