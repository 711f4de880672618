/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes: made, and filled with what the image has where they are mounted (config.h).
 *
 *   An image that runs as a user of its own says by the owner of a directory who may write to its volume, and
 * some bring data along; so an empty volume gets a copy, as with docker and podman. The layers are looked
 * through as overlayfs would, the uppermost first: whiteouts and opaque directories hide what lies below.
 * Nothing follows a symlink; devices and sockets are left out. Ids on disk are the image's, in layers as in
 * volumes, so that they are copied as they are.
 *
 * Crash safety: a file "filling" beside _data is there until all is; who finds it goes on with what is
 * missing, files being linked when they are whole. flock(2) on the volume's directory lets one fill it at a
 * time. Nothing that is there is replaced: others may use the volume already.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "launch/config_internal.h"

/* More than an image's volume has; a mistake must not take the stack. */
#define DEPTH_MAX 256

/* One directory, in all layers that have a part of it. */
struct layers {
	int *fd;
	size_t n;
};

static void layers_close(struct layers *l)
{
	for (size_t k = 0; k < l->n; k++)
		close(l->fd[k]);
	free(l->fd);
}

/* --- making ------------------------------------------------------------------------------------- */

int launch_volumes_make(int volumes, const struct launch_record *r, struct err *e)
{
	const char *name;

	strv_each (name, r->volumes) {
		_cleanup_close_ int dir = -EBADF, data = -EBADF;

		dir = cfg_make_dir(volumes, name, 0700, e);
		if (dir < 0)
			return err_wrap(e, "volume %.200s", name);
		data = cfg_make_dir(dir, "_data", 0755, e);
		if (data < 0)
			return err_wrap(e, "volume %.200s", name);
	}
	return 0;
}

/* --- looking through layers --------------------------------------------------------------------- */

static bool is_opaque(int fd)
{
	static const char *const names[] = { "trusted.overlay.opaque", "user.overlay.opaque" };
	char value[4];

	for (size_t k = 0; k < ARRAY_SIZE(names); k++)
		if (fgetxattr(fd, names[k], value, sizeof(value)) > 0 && *value == 'y')
			return true;
	return false;
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* Directory `name` in `from`; none is no error. */
static int descend(const struct layers *from, const char *name, struct layers *out)
{
	out->n = 0;
	out->fd = calloc(from->n, sizeof(*out->fd));
	if (!out->fd)
		return -ENOMEM;
	for (size_t k = 0; k < from->n; k++) {
		struct stat st;
		int fd;

		if (fstatat(from->fd[k], name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT)
				continue;
			return -errno;
		}
		if (!S_ISDIR(st.st_mode))
			break;
		fd = openat(from->fd[k], name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		out->fd[out->n++] = fd;
		if (is_opaque(fd))
			break;
	}
	return 0;
}

static int open_layers(const struct launch_image *i, struct layers *out)
{
	const char *path;

	out->n = 0;
	out->fd = calloc(strv_len(i->lower) + 1, sizeof(*out->fd));
	if (!out->fd)
		return -ENOMEM;
	strv_each (path, i->lower) {
		int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			return -errno;
		out->fd[out->n++] = fd;
	}
	return 0;
}

/* --- copying ------------------------------------------------------------------------------------ */

static int copy_xattrs(int from, int to)
{
	char names[4096], value[4096];
	ssize_t len = flistxattr(from, names, sizeof(names));

	for (const char *p = names; len > 0 && p < names + len; p += strlen(p) + 1) {
		ssize_t n;

		if ((!str_starts(p, "user.") && !str_eq(p, "security.capability")) ||
			str_starts(p, "user.overlay."))
			continue;
		n = fgetxattr(from, p, value, sizeof(value));
		if (n >= 0 && fsetxattr(to, p, value, (size_t)n, 0) < 0 && errno != ENOTSUP && errno != EPERM)
			return -errno;
	}
	return 0;
}

/* chown(2) clears set-user-ID bits and file capabilities: it comes first. */
static int copy_attributes(int from, int to)
{
	struct timespec times[2];
	struct stat st;
	int r;

	if (fstat(from, &st) < 0)
		return -errno;
	if (fchown(to, st.st_uid, st.st_gid) < 0 && !(errno == EPERM && geteuid() != 0))
		return -errno;
	if (fchmod(to, st.st_mode & 07777) < 0)
		return -errno;
	r = copy_xattrs(from, to);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	return r < 0 ? r : futimens(to, times) < 0 ? -errno : 0;
}

static int copy_content(int in, int out)
{
	for (;;) {
		/* Where it can, the kernel shares the blocks. */
		ssize_t n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0);

		if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP))
			n = sendfile(out, in, NULL, 1 << 30);
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
	}
}

static int copy_file(int from, const char *name, int to)
{
	_cleanup_close_ int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_close_ int out = -EBADF;
	char path[FD_PATH_MAX];
	int r;

	if (in < 0)
		return -errno;
	out = openat(to, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	r = copy_content(in, out);
	if (r == 0)
		r = copy_attributes(in, out);
	if (r == 0 && linkat(AT_FDCWD, fd_path(path, out), to, name, AT_SYMLINK_FOLLOW) < 0 &&
		errno != EEXIST)
		r = -errno;
	return r;
}

static int copy_link(int from, const char *name, const struct stat *st, int to)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (symlinkat(target, to, name) < 0)
		return errno == EEXIST ? 0 : -errno;
	if (fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 && geteuid() == 0)
		return -errno;
	return 0;
}

static int copy_tree(const struct layers *from, int to, int depth);

static int copy_dir(const struct layers *from, const char *name, int to, int depth)
{
	_cleanup_(layers_close) struct layers below = { 0 };
	_cleanup_close_ int dir = -EBADF;
	int r;

	if (depth > DEPTH_MAX)
		return -ELOOP;
	r = descend(from, name, &below);
	if (r < 0)
		return r;
	if (mkdirat(to, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	dir = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return dir < 0 ? -errno : copy_tree(&below, dir, depth + 1);
}

/* Layer k's entry, unless one above has something of that name, if only a whiteout. */
static int copy_entry(const struct layers *from, size_t k, const char *name, int to, int depth)
{
	struct layers here = { from->fd + k, from->n - k };
	struct stat st;

	for (size_t above = 0; above < k; above++)
		if (fstatat(from->fd[above], name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return 0;
	if (fstatat(from->fd[k], name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return copy_dir(&here, name, to, depth);
	if (S_ISREG(st.st_mode))
		return copy_file(from->fd[k], name, to);
	if (S_ISLNK(st.st_mode))
		return copy_link(from->fd[k], name, &st, to);
	if (S_ISFIFO(st.st_mode))
		return mkfifoat(to, name, st.st_mode & 0777) < 0 && errno != EEXIST ? -errno : 0;
	if (!is_whiteout(&st))
		log_debug("a device or socket of the image is left out of its volume");
	return 0;
}

static int copy_tree(const struct layers *from, int to, int depth)
{
	for (size_t k = 0; k < from->n; k++) {
		_cleanup_closedir_ DIR *dir = NULL;
		const struct dirent *d;
		int fd = openat(from->fd[k], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

		dir = fd < 0 ? NULL : fdopendir(fd);
		if (!dir) {
			r = -errno;
			fd_close(fd);
			return r;
		}
		while ((d = readdir(dir))) {
			if (str_eq(d->d_name, ".") || str_eq(d->d_name, ".."))
				continue;
			r = copy_entry(from, k, d->d_name, to, depth);
			if (r < 0)
				return r;
		}
	}
	return from->n ? copy_attributes(from->fd[0], to) : 0;
}

/* --- filling ------------------------------------------------------------------------------------ */

static int is_empty(int fd)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *d;
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = own < 0 ? NULL : fdopendir(own);
	if (!dir) {
		fd_close(own);
		return -errno;
	}
	while ((d = readdir(dir)))
		if (!str_eq(d->d_name, ".") && !str_eq(d->d_name, ".."))
			return 0;
	return 1;
}

/* What the layers have at `path`, which is clean: through directories alone. */
static int look_up(const struct layers *top, struct arena *a, const char *path, struct layers *out)
{
	size_t n;
	char **parts = cfg_split(a, path + 1, '/', &n);
	struct layers at = *top;
	bool ours = false;

	if (!parts)
		return -ENOMEM;
	for (size_t k = 0; k < n; k++) {
		struct layers next = { 0 };
		int r = descend(&at, parts[k], &next);

		if (ours)
			layers_close(&at);
		if (r < 0) {
			layers_close(&next);
			return r;
		}
		at = next;
		ours = true;
	}
	*out = at;
	return 0;
}

static int fill_locked(const struct layers *top, struct arena *a, int volume, const struct spec_mount *m)
{
	_cleanup_(layers_close) struct layers from = { 0 };
	_cleanup_close_ int to = -EBADF, mark = -EBADF;
	int r;

	to = openat(volume, "_data", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return -errno;
	mark = openat(volume, "filling", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	r = mark >= 0 ? 1 : is_empty(to);
	if (r <= 0)
		return r;
	r = look_up(top, a, m->destination, &from);
	if (r < 0 || !from.n)
		return r;
	if (mark < 0)
		mark = openat(volume, "filling", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (mark < 0)
		return -errno;
	r = copy_tree(&from, to, 0);
	return r < 0 ? r : unlinkat(volume, "filling", 0) < 0 ? -errno : 0;
}

static int fill(const struct layers *top, struct arena *a, const struct spec_mount *m, struct err *e)
{
	const char *parent = arena_printf(a, "%s/..", m->source);
	_cleanup_close_ int volume = -EBADF;
	int r;

	if (!parent)
		return cfg_no_memory(e);
	volume = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (volume < 0)
		return err_set(e, errno, "open the volume for %s", m->destination);
	do
		r = flock(volume, LOCK_EX) < 0 ? -errno : 0;
	while (r == -EINTR);
	if (r == 0)
		r = fill_locked(top, a, volume, m);
	return r < 0 ? err_set(e, -r, "fill the volume for %s with what the image has there", m->destination)
		     : 0;
}

int launch_volumes_fill(const struct launch_places *at, const struct launch_image *i, const char *config,
	size_t len, struct err *e)
{
	_cleanup_(layers_close) struct layers top = { 0 };
	_cleanup_(spec_freep) struct spec *s = NULL;
	int r = spec_parse(config, len, &s, e);

	if (r < 0 || i->host)
		return r;
	for (size_t k = 0; k < s->n_mounts; k++) {
		const struct spec_mount *m = &s->mounts[k];

		if (!m->source || *m->source != '/' || !path_within(m->source, at->volumes) ||
			strv_has(m->options, "nocopy"))
			continue;
		if (!top.fd) {
			r = open_layers(i, &top);
			/* An image file (EROFS), which only a mount can look into: an empty volume it is. */
			if (r == -ENOTDIR) {
				log_debug("layers are no directories: volumes stay empty");
				return 0;
			}
			if (r < 0)
				return err_set(e, -r, "open the layers of the image");
		}
		r = fill(&top, s->arena, m, e);
		if (r < 0)
			return r;
	}
	return 0;
}
