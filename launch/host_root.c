/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lower directory of the zone "host" (host.c), which all such partitions share.
 *
 * Theory of operation
 *   <data>/host/KEY is one, made when it is first wanted; a copy of /etc/alternatives alone may be a thousand
 * links. KEY is a hash of what it is made of: the host's files as stat(2) tells them apart, our own texts,
 * and the boot, since nobody waits for what is written there to be on disk. A partition that uses one has a
 * symlink "host" to it in its own directory, for as long as it is there.
 *
 *   <data>/host is locked (flock(2), which a kill -9 lets go of): shared from looking for KEY until the
 * symlink is there, exclusively for making one. Whoever makes one has it whole under another name first, and
 * then removes those that no partition has a symlink to: what a launch that was killed has left, and what the
 * host has changed since.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/fd.h"
#include "base/log.h"
#include "launch/host.h"
#include "launch/record_internal.h"
#include "launch/tree.h"
#include "runtime/partition.h"

#define LINK	  "host"
#define KEY_MAX	  17
#define DEPTH_MAX 16

/* --- the key ------------------------------------------------------------------------------------ */

struct key {
	XXH3_state_t state;
	int entries;
};

static void add(struct key *k, const void *data, size_t len)
{
	XXH3_64bits_update(&k->state, data, len);
}

static void add_text(struct key *k, const char *text)
{
	add(k, text, strlen(text) + 1);
}

static void add_link(struct key *k, int dir, const char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	target[n < 0 ? 0 : n] = '\0';
	add_text(k, target);
}

static void add_stat(struct key *k, const struct stat *st)
{
	const uint64_t all[] = { st->st_dev, st->st_ino, st->st_mode, (uint64_t)st->st_size,
		(uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec, (uint64_t)st->st_ctim.tv_sec,
		(uint64_t)st->st_ctim.tv_nsec };

	add(k, all, sizeof(all));
}

/*
 * A directory's links are in its time of change, as all its names are; not so what is in its files and
 * directories. What cannot be looked at is not copied either.
 */
static void add_entry(struct key *k, int dir, const char *name, int depth)
{
	_cleanup_closedir_ DIR *d = NULL;
	const struct dirent *entry;
	struct stat st;
	int fd;

	add_text(k, name);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (S_ISLNK(st.st_mode))
		add_link(k, dir, name);
	else
		add_stat(k, &st);
	if (!S_ISDIR(st.st_mode) || depth > DEPTH_MAX)
		return;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		fd_close(fd);
	while (d && (entry = readdir(d)) && ++k->entries <= HOST_ENTRIES_MAX)
		if (entry->d_type != DT_LNK && !str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
			add_entry(k, dirfd(d), entry->d_name, depth + 1);
}

static void make_key(char text[KEY_MAX])
{
	_cleanup_close_ int etc = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
			    top = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct key k = { 0 };

	XXH3_64bits_reset(&k.state);
	add_text(&k, launch_boot_id());
	for (size_t i = 0; host_texts[i]; i++)
		add_text(&k, host_texts[i]);
	for (size_t i = 0; host_into_usr[i]; i++)
		add_link(&k, top, host_into_usr[i]);
	for (size_t i = 0; host_copied[i]; i++)
		add_entry(&k, etc, host_copied[i], 0);
	snprintf(text, KEY_MAX, "%016" PRIx64, (uint64_t)XXH3_64bits_digest(&k.state));
}

/* Anew, from its beginning; the descriptor stays the caller's. NULL: nobody can look. */
static DIR *list(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		fd_close(fd);
	return d;
}

/* --- which are used ----------------------------------------------------------------------------- */

static bool is_used(int partitions, const char *name)
{
	_cleanup_closedir_ DIR *d = list(partitions);
	char path[NAME_MAX + sizeof("/" LINK)], target[PATH_MAX];
	const struct dirent *entry;

	/* Who cannot look removes nothing. */
	if (!d)
		return true;
	while ((errno = 0, entry = readdir(d))) {
		const char *last;
		ssize_t n;

		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/" LINK, entry->d_name);
		n = readlinkat(partitions, path, target, sizeof(target) - 1);
		if (n < 0 && errno != ENOENT && errno != EINVAL && errno != ENOTDIR)
			return true;
		if (n < 0)
			continue;
		target[n] = '\0';
		last = strrchr(target, '/');
		if (last && str_eq(last + 1, name))
			return true;
	}
	return errno != 0;
}

static void sweep(int roots, int partitions, const char *key)
{
	_cleanup_closedir_ DIR *d = list(roots);
	const struct dirent *entry;
	int r;

	while (d && (entry = readdir(d))) {
		/* With a dot: what launch_tree_remove() is at. */
		if (entry->d_name[0] == '.' || str_eq(entry->d_name, key) ||
			is_used(partitions, entry->d_name))
			continue;
		r = launch_tree_remove(roots, entry->d_name, -1);
		if (r < 0)
			log_debug("zone \"host\": %s stays behind: %s", entry->d_name, strerror(-r));
	}
}

/* --- having one --------------------------------------------------------------------------------- */

static int lock(int roots, int how, struct err *e)
{
	int r = launch_lock_as(roots, how, RT_LOCK_SECONDS * 1000);

	if (r == -EBUSY)
		return err_text(e, EBUSY,
			"zone \"host\" is busy: another command has held its lock for %d seconds",
			RT_LOCK_SECONDS);
	return r < 0 ? err_set(e, -r, "lock the directory of the zone \"host\"") : 0;
}

static bool is_there(int roots, const char *key)
{
	return faccessat(roots, key, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Locked exclusively. */
static int make(int roots, const char *key, struct err *e)
{
	static const char unfinished[] = ".new";
	_cleanup_close_ int dir = -EBADF;
	int r;

	r = is_there(roots, unfinished) ? launch_tree_remove(roots, unfinished, -1) : 0;
	if (r < 0)
		return err_set(e, -r, "remove an unfinished root of the zone \"host\"");
	if (mkdirat(roots, unfinished, 0755) < 0)
		return err_set(e, errno, "make the root of the zone \"host\"");
	dir = openat(roots, unfinished, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = dir < 0 ? err_set(e, errno, "open the root of the zone \"host\"") : launch_host_write(dir, e);
	if (r == 0 && renameat(roots, unfinished, roots, key) < 0)
		r = err_set(e, errno, "make the root of the zone \"host\"");
	if (r < 0)
		(void)launch_tree_remove(roots, unfinished, -1);
	return r;
}

int launch_host_hold(const struct launch_ctx *ctx, struct arena *a, struct err *e)
{
	_cleanup_close_ int roots = launch_data_open(ctx, "host", false, a, NULL, e);
	int r = roots < 0 ? roots : lock(roots, LOCK_SH, e);

	return r < 0 ? r : TAKE_FD(roots);
}

int launch_host_take(const struct launch_ctx *ctx, const struct launch_dir *d, struct arena *a,
	const char **path, struct err *e)
{
	_cleanup_close_ int roots = -EBADF;
	char key[KEY_MAX], target[KEY_MAX + 32];
	const char *parent;
	int r;

	roots = launch_data_open(ctx, "host", true, a, &parent, e);
	if (roots < 0)
		return roots;
	r = lock(roots, LOCK_SH, e);
	if (r < 0)
		return r;
	make_key(key);
	if (!is_there(roots, key)) {
		r = lock(roots, LOCK_EX, e);
		/* Changing a lock lets go of it first (flock(2)). */
		if (r == 0 && !is_there(roots, key)) {
			r = make(roots, key, e);
			if (r == 0)
				sweep(roots, d->partitions, key);
		}
	}
	if (r < 0)
		return r;
	snprintf(target, sizeof(target), "../../host/%s", key);
	if (symlinkat(target, d->fd, LINK) < 0)
		return err_set(e, errno, "partition \"%s\"", d->record.name);
	*path = arena_printf(a, "%s/%s", parent, key);
	return *path ? 0 : err_set(e, ENOMEM, "partition \"%s\"", d->record.name);
}
