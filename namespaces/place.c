/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a mount goes: destinations inside a hostile root, and the file systems that are held open (see
 * mount_state.h).
 */
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/mount_state.h"

/* As many as the kernel follows. */
#define SYMLINKS_MAX 40

/*
 * Files below /proc that may be covered: what virtualises resources (lxcfs), and what checkpoint and FIPS
 * set-ups need. Anything else could fake what a runtime, an LSM or the partition itself reads and writes
 * there (CVE-2019-16884).
 */
static const char *const proc_files[] = {
	"/proc/cpuinfo",
	"/proc/diskstats",
	"/proc/loadavg",
	"/proc/meminfo",
	"/proc/net/dev",
	"/proc/slabinfo",
	"/proc/stat",
	"/proc/swaps",
	"/proc/sys/crypto/fips_enabled",
	"/proc/sys/kernel/ns_last_pid",
	"/proc/uptime",
	NULL,
};

int mnt_check_destination(const struct mnt_entry *m, struct err *e)
{
	const char *at = m->m->destination;

	if (m->o.remount)
		return 0;
	if (mnt_is_root_overlay(m->m))
		return err_text(e, EINVAL,
			"mounts: an overlay on / is the root file system only as the first of the mounts");
	if (str_eq(at, "/"))
		return err_text(
			e, EINVAL, "mounts: destination \"/\": the root file system is what root.path names");
	if (!path_within(at, "/proc"))
		return 0;
	if (str_eq(at, "/proc")) {
		/* A bind of another procfs is looked at when it is opened. */
		if (m->kind == MNT_BIND || (m->kind == MNT_FS && m->m->type && str_eq(m->m->type, "proc")))
			return 0;
		return err_text(e, EPERM, "mounts: only a proc file system may be mounted on /proc, not %s",
			m->m->type ? m->m->type : "this");
	}
	if (m->kind == MNT_BIND && strv_has((char *const *)proc_files, at))
		return 0;
	return err_text(e, EPERM,
		"mounts: %s lies inside /proc: nothing may be mounted there but files like /proc/meminfo",
		at);
}

/* --- bases ---------------------------------------------------------------------------------------------- */

const struct mnt_base *mnt_base_for(
	const struct mnt_state *st, const char *path, size_t before, const char **rest)
{
	const struct mnt_base *best = NULL;

	for (size_t b = 0; b < st->n_bases; b++)
		if (path_within(path, st->bases[b].destination) &&
			(!best || path_within(st->bases[b].destination, best->destination)))
			best = &st->bases[b];
	if (!best || str_eq(path, best->destination))
		return NULL;
	*rest = path + strlen(best->destination) + 1;
	if (best->ours && strchr(*rest, '/'))
		return NULL;
	/* The way must not lead through another mount, whose content is not ours. */
	for (size_t j = best->entry + 1; j < before; j++) {
		const char *at = st->entries[j].m->destination;

		if (path_within(at, best->destination) && path_within(path, at) && !str_eq(path, at))
			return NULL;
	}
	return strlen(*rest) + FD_PATH_MAX < MNT_PLACE_PATH ? best : NULL;
}

void mnt_base_hold(struct mnt_state *st, const char *destination, int fd, bool ours, size_t entry)
{
	if (st->n_bases == MNT_BASES_MAX)
		fd_close(fd);
	else
		st->bases[st->n_bases++] = (struct mnt_base){ destination, fd, ours, entry };
}

void mnt_base_drop(struct mnt_state *st, const char *destination)
{
	for (size_t b = st->n_bases; b-- > 0;) {
		if (!path_within(st->bases[b].destination, destination))
			continue;
		if (st->dev == st->bases[b].fd)
			st->dev = -EBADF;
		if (st->here == st->bases[b].fd)
			st->here = -EBADF;
		fd_close(st->bases[b].fd);
		st->bases[b] = st->bases[--st->n_bases];
	}
}

/* --- places --------------------------------------------------------------------------------------------- */

void mnt_place_free(struct mnt_place *p)
{
	p->own = fd_close(p->own);
}

const char *mnt_place_path(const struct mnt_place *p, char buf[MNT_PLACE_PATH])
{
	snprintf(buf, MNT_PLACE_PATH, "/proc/self/fd/%d%s%s", p->dir, *p->name ? "/" : "", p->name);
	return buf;
}

const char *mnt_place_here(struct mnt_ctx *c, const struct mnt_place *p, char buf[MNT_PLACE_PATH])
{
	/* Of descriptors that come and go the number says nothing; those of bases and of the root stay. */
	if (!*p->name || p->own >= 0)
		return mnt_place_path(p, buf);
	if (c->state->here != p->dir) {
		/* In a user namespace it may be a directory that we must not enter. */
		if (fchdir(p->dir) < 0)
			return mnt_place_path(p, buf);
		c->state->here = p->dir;
	}
	return p->name;
}

/* After symlinks were followed: are we somewhere that the destination's own words would have been refused? */
static int check_real(int rootfd, int fd, const char *destination, struct err *e)
{
	struct stat root, st;
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0 || fstat(rootfd, &root) < 0)
		return err_set(e, errno, "look at mount destination %s", destination);
	if (fs.f_type == PROC_SUPER_MAGIC)
		return err_text(
			e, EPERM, "mounts: %s leads through a symlink into /proc: refused", destination);
	if (st.st_dev == root.st_dev && st.st_ino == root.st_ino)
		return err_text(e, EPERM, "mounts: %s leads through a symlink to the root itself: refused",
			destination);
	return 0;
}

/*
 * The path that a destination with dangling symlinks means inside the root: images like to have
 * /etc/resolv.conf point to a file in /run that only exists once something runs. Words only: who creates it
 * resolves it in-root once more, so a race gains nothing.
 */
static int resolve_dangling(int rootfd, const char *path, char out[PATH_MAX])
{
	char rest[PATH_MAX], target[PATH_MAX], joined[PATH_MAX * 2];
	int links = 0;

	if (snprintf(rest, sizeof(rest), "%s", path) >= (int)sizeof(rest))
		return -ENAMETOOLONG;
	out[0] = '\0';
	for (char *p = rest; *(p += strspn(p, "/"));) {
		size_t n = strcspn(p, "/"), len = strlen(out);
		_cleanup_close_ int dir = -EBADF;
		ssize_t got;

		if (n == 2 && p[0] == '.' && p[1] == '.') {
			/* What was resolved has no symlinks, so that the words are enough. */
			*(strrchr(out, '/') ? strrchr(out, '/') : out) = '\0';
			p += n;
			continue;
		}
		if (len + n + 2 > PATH_MAX)
			return -ENAMETOOLONG;
		dir = path_open(rootfd, len ? out : "/", O_PATH | O_DIRECTORY, 0, PATH_NO_SYMLINKS);
		if (dir < 0 && dir != -ENOENT)
			return dir;
		memcpy(joined, p, n);
		joined[n] = '\0';
		got = dir < 0 || str_eq(joined, ".") ? -1
						     : readlinkat(dir, joined, target, sizeof(target) - 1);
		p += n;
		if (got < 0) {
			/* It fits: looked at above. */
			if (!str_eq(joined, ".")) {
				out[len] = '/';
				memcpy(out + len + 1, joined, n + 1);
			}
			continue;
		}
		if (++links > SYMLINKS_MAX)
			return -ELOOP;
		target[got] = '\0';
		if (snprintf(joined, sizeof(joined), "%s/%s", target, p) >= PATH_MAX)
			return -ENAMETOOLONG;
		memcpy(rest, joined, strlen(joined) + 1);
		p = rest;
		if (target[0] == '/')
			out[0] = '\0';
	}
	return *out ? 0 : -EISDIR;
}

static int make_at(int rootfd, const char *destination, enum mnt_want want)
{
	return want == MNT_WANT_DIR ? path_mkdirs(rootfd, destination, 0755)
				    : path_touch(rootfd, destination, 0644);
}

static int make(int rootfd, const char *destination, enum mnt_want want, bool no_symlinks)
{
	char real[PATH_MAX];
	int fd = make_at(rootfd, destination, want);

	if (fd == -ENOENT && !no_symlinks && resolve_dangling(rootfd, destination, real) == 0)
		return make_at(rootfd, real, want);
	if (fd < 0 || !no_symlinks)
		return fd;
	fd_close(fd);
	return path_open(rootfd, destination, O_PATH, 0, PATH_NO_SYMLINKS);
}

int mnt_place_open(int rootfd, const char *destination, enum mnt_want want, bool nofollow, bool no_symlinks,
	struct mnt_place *p, struct err *e)
{
	_cleanup_close_ int fd = path_open(rootfd, destination, O_PATH, 0, PATH_NO_SYMLINKS);
	bool existed = true, followed = false;
	int r;

	if (fd == -ELOOP && !no_symlinks) {
		fd = path_open(rootfd, destination, O_PATH | (nofollow ? O_NOFOLLOW : 0), 0, 0);
		followed = true;
	}
	if (fd == -ENOENT) {
		if (want == MNT_WANT_ANY)
			return -ENOENT;
		fd = make(rootfd, destination, want, no_symlinks);
		existed = false;
		followed = true;
	}
	if (fd == -ELOOP && no_symlinks)
		return err_text(e, ELOOP,
			"mount destination %s must be a real directory, not a symlink, nor behind one",
			destination);
	if (fd == -ENOENT)
		return err_text(e, ENOENT,
			"mount destination %s: a symlink on the way leads nowhere inside the root",
			destination);
	if (fd < 0)
		return err_set(e, -fd, "open or create mount destination %s", destination);
	r = followed ? check_real(rootfd, fd, destination, e) : 0;
	if (r < 0)
		return r;
	p->existed = existed;
	p->name = "";
	p->dir = p->own = TAKE_FD(fd);
	return 0;
}

/* Into a fresh tmpfs that only we know: made by name, and what is there already was made by us too. */
static int place_in_ours(const struct mnt_base *b, const char *name, enum mnt_want want, struct mnt_place *p)
{
	if (want == MNT_WANT_ANY)
		return -ENOENT;
	if (want == MNT_WANT_DIR ? mkdirat(b->fd, name, 0755) < 0
				 : mknodat(b->fd, name, S_IFREG | 0644, 0) < 0) {
		if (errno != EEXIST)
			return -errno;
		p->existed = true;
	}
	p->dir = b->fd;
	p->name = name;
	return 0;
}

int mnt_place_find(struct mnt_ctx *c, size_t i, enum mnt_want want, struct mnt_place *p, struct err *e)
{
	const struct mnt_entry *m = &c->state->entries[i];
	const char *destination = m->m->destination, *rest;
	const struct mnt_base *b = mnt_base_for(c->state, destination, i, &rest);
	/*
	 * Where the kernel's own trees go decides what all later writes to them mean (CVE-2019-19921,
	 * CVE-2023-27561).
	 */
	bool strict = m->kind == MNT_FS && m->m->type &&
		      (str_eq(m->m->type, "proc") || str_eq(m->m->type, "sysfs"));
	int r;

	if (b && b->ours) {
		r = place_in_ours(b, rest, want, p);
		if (r == 0 || r == -ENOENT)
			return r;
		return err_set(e, -r, "create mount destination %s", destination);
	}
	if (b) {
		/* The kernel's: it is there or it is not, and no symlink in it leads out. */
		p->dir = b->fd;
		p->name = rest;
		p->existed = true;
		return 0;
	}
	return mnt_place_open(c->state->root, destination, want, m->o.dest_nofollow,
		strict || str_eq(destination, "/proc"), p, e);
}
