/* SPDX-License-Identifier: Apache-2.0 */
/* Making the partition's directory in one hierarchy, with its parents. */
#include "cgroups/internal.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/str.h"

/*
 * Marks a parent directory that we made, so that the last partition to leave it removes it, whoever made it.
 * Without the right to write trusted attributes (rootless) only the maker removes it.
 */
#define LABEL "trusted.ringfence"

/* "MOUNT PATH[0..len)" */
static const char *prefix(char *buf, const struct cg_node *n, size_t len)
{
	snprintf(buf, CG_FILE_MAX, "%s%.*s", n->mount, (int)len, n->path);
	return buf;
}

/* Length of the parent of path[0..len). */
static size_t parent_of(const char *path, size_t len)
{
	while (len > 0 && path[len - 1] != '/')
		len--;
	return len > 0 ? len - 1 : 0;
}

/* kernfs hands out a whole value at the first read, so the second one that would say "end of file" is spared.
 */
static ssize_t read_value(const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (n < 0)
		return -errno;
	while (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return n;
}

/*
 * A v1 cpuset starts empty, and nothing can join it until it has cpus and memory nodes: the nearest
 * ancestor's are copied down the whole way, over ancestors that somebody else left empty too.
 */
static int fill_cpuset(const struct cg_node *n, size_t len, const char *file, struct err *e)
{
	char path[CG_FILE_MAX + 16], dir[CG_FILE_MAX], value[CG_VALUE_MAX];
	size_t from = len;
	ssize_t got;
	int r;

	do {
		if (from == 0)
			return err_text(e, EINVAL, "%s/%s is empty", n->mount, file);
		from = parent_of(n->path, from);
		snprintf(path, sizeof(path), "%s/%s", prefix(dir, n, from), file);
		got = read_value(path, value, sizeof(value));
		if (got < 0)
			return err_set(e, (int)-got, "read %s", path);
	} while (got == 0);
	while (from < len) {
		from += 1 + strcspn(n->path + from + 1, "/");
		snprintf(path, sizeof(path), "%s/%s", prefix(dir, n, from), file);
		r = fd_put_at(AT_FDCWD, path, value);
		if (r < 0)
			return err_set(e, -r, "write '%s' to %s", value, path);
	}
	return 0;
}

/* For a leaf whose own value the config sets: only its parents, as far as they are empty. */
static int fill_parents(const struct cg_node *n, const char *file, struct err *e)
{
	size_t len = parent_of(n->path, strlen(n->path));
	char path[CG_FILE_MAX + 16], dir[CG_FILE_MAX], value[CG_VALUE_MAX];
	ssize_t got;

	if (len == 0)
		return 0;
	snprintf(path, sizeof(path), "%s/%s", prefix(dir, n, len), file);
	got = read_value(path, value, sizeof(value));
	if (got < 0)
		return err_set(e, (int)-got, "read %s", path);
	return got > 0 ? 0 : fill_cpuset(n, len, file, e);
}

static int fill_file(const struct cg_node *n, const char *file, const char *wanted, struct err *e)
{
	char text[CG_VALUE_MAX];

	/* What the config sets is written by cg_v1_cpuset(). */
	if (wanted && *wanted)
		return fill_parents(n, file, e);
	if (!n->made && cg_get(n, file, text, sizeof(text)) != 0)
		return 0;
	return fill_cpuset(n, strlen(n->path), file, e);
}

static int fill_cpusets(const struct cg_node *n, const struct spec_resources *r, struct err *e)
{
	int q = fill_file(n, "cpuset.cpus", r ? r->cpus : NULL, e);

	return q < 0 ? q : fill_file(n, "cpuset.mems", r ? r->mems : NULL, e);
}

/* 0 also if a directory vanished meanwhile: the caller tries again. */
static int make_parents(struct cgrp *c, const struct cg_node *n, bool *bogus, struct err *e)
{
	size_t end = parent_of(n->path, strlen(n->path));
	char dir[CG_FILE_MAX];

	for (size_t len = 0; len < end;) {
		size_t before = len;

		len += 1 + strcspn(n->path + len + 1, "/");
		if (mkdir(prefix(dir, n, len), 0755) == 0) {
			if (setxattr(dir, LABEL, "1", 1, XATTR_CREATE) < 0 && before < c->keep)
				c->keep = before;
		} else if (errno == ENOENT && before > 0) {
			return 0;
		} else if (errno != EEXIST) {
			*bogus = errno == ENOENT;
			return err_set(e, errno, "create cgroup %s", dir);
		}
	}
	if (end == 0) {
		*bogus = true;
		return err_set(e, ENOENT, "create cgroup %s%s", n->mount, n->path);
	}
	return 0;
}

static int make_leaf(struct cgrp *c, struct cg_node *n, bool shared, bool *bogus, struct err *e)
{
	char dir[CG_FILE_MAX];
	size_t len = strlen(n->path);

	/* Others may remove our parent between its making and its use, for it is empty then. */
	for (int tries = 0; tries < 100; tries++) {
		int r;

		if (mkdir(prefix(dir, n, len), 0755) == 0) {
			n->made = true;
			return 0;
		}
		if (errno == EEXIST)
			return shared ? 0 : cg_check_unused(n, e);
		if (errno != ENOENT)
			break;
		r = make_parents(c, n, bogus, e);
		if (r < 0)
			return r;
	}
	return err_set(e, errno, "create cgroup %s", dir);
}

/* Opens what joins need; that it is there shows that the directory is a cgroup and not just a directory. */
static int open_join(struct cg_node *n, bool *bogus, struct err *e)
{
	char path[CG_FILE_MAX];
	struct statfs fs;

	if (n->v2) {
		prefix(path, n, strlen(n->path));
		n->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (n->fd >= 0 && !str_eq(n->mount, "/sys/fs/cgroup") && fstatfs(n->fd, &fs) == 0 &&
			fs.f_type != CGROUP2_SUPER_MAGIC) {
			n->fd = fd_close(n->fd);
			errno = ENOENT;
		}
	} else {
		n->fd = open(cg_file(path, n, "tasks"), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	}
	if (n->fd < 0) {
		*bogus = errno == ENOENT;
		return err_set(e, errno, "open %s", path);
	}
	return 0;
}

int cg_make(struct cgrp *c, struct cg_node *n, const struct spec_resources *r, bool *bogus, struct err *e)
{
	int q;

	*bogus = false;
	q = make_leaf(c, n, false, bogus, e);
	if (q == 0)
		q = open_join(n, bogus, e);
	/* A process that joins a frozen cgroup stops at once: only a parent that others named can be one. */
	if (q == 0 && parent_of(n->path, strlen(n->path)) > 0)
		q = cg_check_frozen(n, e);
	if (q == 0 && !n->v2 && cg_list_has(n->controllers, "cpuset"))
		q = fill_cpusets(n, r, e);
	return q;
}

int cg_make_member(struct cgrp *c, struct cg_node *n, const struct spec_resources *r, struct err *e)
{
	bool bogus;
	int q = make_leaf(c, n, true, &bogus, e);

	if (q == 0 && !n->v2 && cg_list_has(n->controllers, "cpuset"))
		q = fill_cpusets(n, r, e);
	return q;
}

int cg_check_frozen(const struct cg_node *n, struct err *e)
{
	char state[32];
	uint64_t frozen = 0;

	if (n->v2)
		cg_get_key(n, "cgroup.events", "frozen", &frozen);
	else if (cg_list_has(n->controllers, "freezer") &&
		 cg_get(n, "freezer.state", state, sizeof(state)) > 0)
		frozen = !str_eq(state, "THAWED");
	if (!frozen)
		return 0;
	return err_text(e, EBUSY,
		"cgroup %s is frozen: another partition uses it, or a parent is paused; thaw it or choose "
		"another linux.cgroupsPath",
		n->path);
}

int cg_check_unused(const struct cg_node *n, struct err *e)
{
	_cleanup_free_ pid_t *pids = NULL;
	size_t count;
	int r = cg_pids_below(n, &pids, &count, e);

	if (r < 0)
		return r;
	if (count > 0)
		return err_text(e, EBUSY,
			"cgroup %s already holds processes (pid %d%s): another partition uses it; choose "
			"another linux.cgroupsPath",
			n->path, (int)pids[0], count > 1 ? ", …" : "");
	return cg_check_frozen(n, e);
}

static bool is_labelled(const char *dir)
{
	char value[4];

	return getxattr(dir, LABEL, value, sizeof(value)) == 1;
}

void cg_remove_parents(const struct cgrp *c)
{
	char dir[CG_FILE_MAX];

	for (size_t i = 0; i < c->n; i++) {
		const struct cg_node *n = &c->node[i];
		size_t len = parent_of(n->path, strlen(n->path));

		for (; len > 0; len = parent_of(n->path, len)) {
			prefix(dir, n, len);
			if (len <= c->keep && !is_labelled(dir))
				break;
			if (rmdir(dir) < 0 && errno != ENOENT) {
				/* Others live there; they do in every hierarchy. */
				if (i == 0)
					return;
				break;
			}
		}
	}
}
