/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device nodes and the usual symlinks of /dev.
 *
 * A tmpfs that was just mounted on /dev is ours to fill by name. Without one the directory belongs to the
 * root file system, that is to whoever made the image: it is opened once, never through a symlink, and
 * nothing in it is followed, replaced, removed or given away (CVE-2026-41579, CVE-2026-47766, CVE-2026-88264,
 * CVE-2026-88265). A /dev that was bound from elsewhere is not touched at all.
 */
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/mount_state.h"

/* config-linux.md#default-devices; console comes with the terminal, ptmx is a symlink. */
static const struct mnt_device default_devices[] = {
	{ "/dev/null", 'c', 1, 3, 0666, .tree = -EBADF },
	{ "/dev/zero", 'c', 1, 5, 0666, .tree = -EBADF },
	{ "/dev/full", 'c', 1, 7, 0666, .tree = -EBADF },
	{ "/dev/tty", 'c', 5, 0, 0666, .tree = -EBADF },
	{ "/dev/random", 'c', 1, 8, 0666, .tree = -EBADF },
	{ "/dev/urandom", 'c', 1, 9, 0666, .tree = -EBADF },
};

static const struct {
	const char *name, *target;
} links[] = {
	{ "fd", "/proc/self/fd" },
	{ "stdin", "/proc/self/fd/0" },
	{ "stdout", "/proc/self/fd/1" },
	{ "stderr", "/proc/self/fd/2" },
	{ "core", "/proc/kcore" },
	{ "ptmx", "pts/ptmx" },
};

static void from_spec(struct mnt_device *out, const struct spec_device *d)
{
	*out = (struct mnt_device){
		.path = d->path,
		.type = d->type,
		.major = d->major,
		.minor = d->minor,
		.mode = d->has_mode ? d->mode & 07777 : 0666,
		.chown = (d->has_uid && d->uid) || (d->has_gid && d->gid),
		.uid = d->has_uid ? d->uid : 0,
		.gid = d->has_gid ? d->gid : 0,
		.tree = -EBADF,
	};
}

/* The default ones, and the config's, which may stand for a default one. */
int mnt_devices_init(struct mnt_ctx *c, struct err *e)
{
	struct mnt_state *st = c->state;
	const struct spec *s = c->spec;
	size_t n = 0;

	st->devices =
		arena_calloc(st->arena, ARRAY_SIZE(default_devices) + s->n_devices, sizeof(*st->devices));
	if (!st->devices)
		return err_set(e, ENOMEM, "prepare devices");
	for (size_t i = 0; i < ARRAY_SIZE(default_devices); i++)
		st->devices[n++] = default_devices[i];
	for (size_t i = 0; i < s->n_devices; i++) {
		struct mnt_device *d = &st->devices[n];

		for (size_t k = 0; k < n; k++)
			if (str_eq(st->devices[k].path, s->devices[i].path))
				d = &st->devices[k];
		from_spec(d, &s->devices[i]);
		n += d == &st->devices[n];
	}
	st->n_devices = n;
	return 0;
}

static mode_t node_type(const struct mnt_device *d)
{
	return d->type == 'b' ? S_IFBLK : d->type == 'p' ? S_IFIFO : S_IFCHR;
}

bool mnt_is_device(int fd, mode_t type, unsigned int major, unsigned int minor)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type && st.st_rdev == makedev(major, minor);
}

/* --- nodes of the host ---------------------------------------------------------------------------------- */

/* The host's node as a tree: at the same path, or where udev keeps one for every number. */
static int open_host_node(const struct mnt_device *d, struct err *e)
{
	char by_number[64], by_name[280];
	const char *paths[] = { d->path, by_number, by_name };
	const char *name = strrchr(d->path, '/');
	bool other = false;
	int r = -ENOENT;

	snprintf(by_number, sizeof(by_number), "/dev/%s/%u:%u", d->type == 'b' ? "block" : "char",
		(unsigned int)d->major, (unsigned int)d->minor);
	/* Under the name that it has here, wherever it is to be inside; what counts are the numbers. */
	snprintf(by_name, sizeof(by_name), "/dev/%.250s", name ? name + 1 : d->path);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		r = sys_clone_tree(AT_FDCWD, paths[i], 0);
		if (r == -EPERM)
			break;
		if (r < 0)
			continue;
		if (mnt_is_device(r, node_type(d), (unsigned int)d->major, (unsigned int)d->minor))
			return r;
		other = true;
		fd_close(r);
		r = -ENODEV;
	}
	if (r == -EPERM)
		return err_set(e, EPERM, "open the host's device %s", d->path);
	return err_text(e, ENODEV,
		"linux.devices: %s (%c %lld:%lld) cannot be made here, and the host has %s to "
		"bind in its place",
		d->path, d->type, (long long)d->major, (long long)d->minor,
		other ? "a different node there" : "no such node");
}

int mnt_devices_open(struct mnt_ctx *c, struct err *e)
{
	struct mnt_state *st = c->state;

	if (st->dev_kind == MNT_DEV_HOST)
		return 0;
	for (size_t i = 0; i < st->n_devices && !st->unprivileged; i++) {
		struct mnt_device *d = &st->devices[i];
		int fd = d->type == 'p' ? -EBADF : open_host_node(d, e);

		if (fd == -EPERM) {
			st->unprivileged = true;
			err_clear(e);
		} else if (fd < 0 && d->type != 'p') {
			return fd;
		}
		d->tree = fd < 0 ? -EBADF : fd;
	}
	return 0;
}

/* --- in the child --------------------------------------------------------------------------------------- */

int mnt_dev_open(struct mnt_ctx *c, struct err *e)
{
	struct mnt_state *st = c->state;
	int fd;

	if (st->dev >= 0)
		return 0;
	fd = path_open(st->root, "/dev", O_PATH | O_DIRECTORY, 0, PATH_NO_SYMLINKS);
	if (fd == -ENOENT) {
		if (mkdirat(st->root, "dev", 0755) < 0 && errno != EEXIST)
			return err_set(e, errno, "create /dev in the root file system");
		fd = path_open(st->root, "/dev", O_PATH | O_DIRECTORY, 0, PATH_NO_SYMLINKS);
	}
	if (fd == -ELOOP || fd == -ENOTDIR)
		return err_text(e, -fd,
			"/dev of the root file system must be a real directory, but it is a %s",
			fd == -ELOOP ? "symlink" : "file");
	if (fd < 0)
		return err_set(e, -fd, "open /dev of the root file system");
	st->dev = fd;
	st->own_dev = true;
	return 0;
}

/* Directory and name of a node: by the held /dev for what lies in it, in-root for other paths. */
static int find_parent(struct mnt_ctx *c, const char *path, int *own, const char **name)
{
	const char *in_dev =
		path_within(path, "/dev") && !str_eq(path, "/dev") ? path + strlen("/dev/") : NULL;

	if (in_dev && !strchr(in_dev, '/')) {
		*name = in_dev;
		return c->state->dev;
	}
	*own = in_dev ? path_open_parent(c->state->dev, in_dev, true, name)
		      : path_open_parent(c->state->root, path, true, name);
	return *own;
}

/* Who owns it, once it is certain what it is: the name may mean something else by now where others can write.
 */
static int set_owner(int dir, const char *name, const struct mnt_device *d, struct err *e)
{
	_cleanup_close_ int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "open device %s", d->path);
	if ((st.st_mode & S_IFMT) != node_type(d) ||
		(d->type != 'p' && st.st_rdev != makedev((unsigned)d->major, (unsigned)d->minor)))
		return err_text(e, EEXIST, "device %s was replaced while it was made", d->path);
	if (fchownat(fd, "", d->uid, d->gid, AT_EMPTY_PATH) < 0)
		return err_set(e, errno, "set the owner of device %s", d->path);
	return 0;
}

static int make_node(int dir, const char *name, const struct mnt_device *d, struct err *e)
{
	struct stat st;

	if (mknodat(dir, name, node_type(d) | d->mode, makedev((unsigned)d->major, (unsigned)d->minor)) == 0)
		return d->chown ? set_owner(dir, name, d, e) : 0;
	if (errno != EEXIST)
		return err_set(e, errno, "make device %s", d->path);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(e, errno, "look at %s", d->path);
	if ((st.st_mode & S_IFMT) == node_type(d) &&
		(d->type == 'p' || st.st_rdev == makedev((unsigned)d->major, (unsigned)d->minor)))
		return 0;
	return err_text(
		e, EEXIST, "device %s: the root file system has something else there already", d->path);
}

/*
 * The host's node over an empty file. What may serve as that file is anything that is no directory and no
 * symlink: it is only covered.
 */
static int bind_node(struct mnt_ctx *c, int dir, const char *name, struct mnt_device *d, struct err *e)
{
	_cleanup_close_ int tree = TAKE_FD(d->tree);
	struct stat st;
	int r;

	if (tree < 0)
		tree = open_host_node(d, e);
	if (tree < 0)
		return tree;
	if (mknodat(dir, name, S_IFREG | 0644, 0) < 0) {
		if (errno != EEXIST)
			return err_set(e, errno, "create %s for a device", d->path);
		if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_set(e, errno, "look at %s", d->path);
		if (S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode))
			return err_text(e, EEXIST, "device %s: the root file system has a %s there", d->path,
				S_ISLNK(st.st_mode) ? "symlink" : "directory");
	}
	r = sys_attach(tree, dir, name);
	if (r < 0)
		return err_set(e, -r, "bind the host's device on %s", d->path);
	if (c->state->slave_later)
		r = mnt_attr(tree, "", 0, 0, 0, MS_SLAVE);
	return r < 0 ? err_set(e, -r, "cut %s off from the host's mounts", d->path) : 0;
}

static int make_device(struct mnt_ctx *c, struct mnt_device *d, struct err *e)
{
	_cleanup_close_ int own = -EBADF;
	const char *name;
	int dir = find_parent(c, d->path, &own, &name), r = 0;

	if (dir < 0)
		return err_set(e, -dir, "open the directory of device %s", d->path);
	if (d->type == 'p' || !c->user_ns)
		r = make_node(dir, name, d, e);
	/* Where we are root and still may not: without CAP_MKNOD, or on 9p in a sandbox. */
	if (d->type != 'p' && (c->user_ns || r == -EPERM)) {
		err_clear(e);
		r = bind_node(c, dir, name, d, e);
	}
	return r;
}

static int make_links(struct mnt_ctx *c, struct err *e)
{
	struct mnt_state *st = c->state;

	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		if (symlinkat(links[i].target, st->dev, links[i].name) == 0 || errno == EEXIST)
			continue;
		/* A read-only image without a /dev mount: what it lacks, it lacks. */
		if (errno == EROFS && st->dev_kind != MNT_DEV_FRESH)
			continue;
		return err_set(e, errno, "create /dev/%s", links[i].name);
	}
	return 0;
}

int mnt_devices(struct mnt_ctx *c, struct err *e)
{
	struct mnt_state *st = c->state;
	int r = 0;

	if (st->dev_kind != MNT_DEV_HOST) {
		r = mnt_dev_open(c, e);
		for (size_t i = 0; i < st->n_devices && r == 0; i++)
			r = make_device(c, &st->devices[i], e);
		if (r == 0)
			r = make_links(c, e);
	}
	umask(st->umask);
	return r;
}
