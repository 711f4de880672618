/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whiteouts and opaque directories (see unpack_internal.h).
 *
 * Both hide what the layers below have, and never what this layer has, wherever in the tar they stand
 * (image-spec layer.md, "Whiteouts").
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/str.h"
#include "images/unpack_internal.h"

bool up_is_whiteout(mode_t mode, dev_t rdev)
{
	return S_ISCHR(mode) && rdev == makedev(0, 0);
}

int up_set_opaque(struct up *p, int fd)
{
	if (fsetxattr(fd, p->opaque, "y", 1, 0) == 0)
		return 0;
	err_set(p->err, errno, "set attribute %s on a directory of the layer", p->opaque);
	return err_hint(p->err,
		"the image store must be on a file system with extended attributes, as overlayfs needs them");
}

static int make_whiteout(struct up *p, int dir, const char *name)
{
	if (mknodat(dir, name, S_IFCHR, makedev(0, 0)) == 0) {
		p->out.tree.entries++;
		return 0;
	}
	if (errno == EEXIST)
		return -EEXIST;
	err_set(p->err, errno, "make a whiteout for \"%s\"", name);
	if (p->err->code == EPERM)
		err_hint(p->err, "without root's powers that needs Linux 5.8");
	return -p->err->code;
}

static bool was_copied(const struct up *p, const char *path)
{
	for (const struct up_path *c = p->copied; c; c = c->next)
		if (str_eq(c->path, path))
			return true;
	return false;
}

/* `name` in the place is this layer's own: a directory then only hides what the layers below have in it. */
static int hide_behind(struct up *p, const char *name)
{
	_cleanup_close_ int fd = path_open(
		p->at.fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, PATH_NO_SYMLINKS | PATH_NO_XDEV);

	return fd < 0 ? 0 : up_set_opaque(p, fd);
}

static int hide_name(struct up *p, const char *dir, const char *name)
{
	char path[PATH_MAX + NAME_MAX + 2];
	int r = up_go(p, dir);

	if (r < 0)
		return r;
	p->at.touched = true;
	r = make_whiteout(p, p->at.fd, name);
	if (r != -EEXIST)
		return r;
	/* Here only because a hard link led to it in a layer below: it is no entry of this one. */
	snprintf(path, sizeof(path), "%s%s%s", dir, *dir ? "/" : "", name);
	if (was_copied(p, path)) {
		r = up_clear(p, name);
		return r < 0 ? r : make_whiteout(p, p->at.fd, name);
	}
	return hide_behind(p, name);
}

int up_hide(struct up *p, const char *path)
{
	char dir[PATH_MAX];
	const char *last = up_split(path, dir), *name = last + strlen(UP_WHITEOUT);
	int r;

	if (str_starts(last, UP_META)) {
		if (!str_eq(last, UP_OPAQUE) || p->u->n_lowers == 0)
			return 0; /* aufs' own data; or nothing to hide */
		if (!*dir) {
			p->root_opaque = true;
			return 0;
		}
		r = up_go(p, dir);
		return r < 0 ? r : up_set_opaque(p, p->at.fd);
	}
	if (!*name || str_eq(name, ".") || str_eq(name, ".."))
		return err_text(p->err, EINVAL, "layer has a whiteout \"%.200s\" of nothing", path);
	return p->u->n_lowers == 0 ? 0 : hide_name(p, dir, name);
}

static int hide_root_of(struct up *p, int lower)
{
	int fd = path_open(lower, "", O_RDONLY | O_DIRECTORY, 0, PATH_NO_SYMLINKS);
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int r = 0;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return err_set(p->err, fd < 0 ? fd : errno, "read a layer below");
	}
	while (r >= 0 && (entry = readdir(d))) {
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		r = make_whiteout(p, p->at.fd, entry->d_name);
		if (r == -EEXIST)
			r = hide_behind(p, entry->d_name);
	}
	return r;
}

int up_hide_root(struct up *p)
{
	int r = up_go(p, "");

	p->at.touched = true;
	for (size_t i = 0; r == 0 && i < p->u->n_lowers; i++)
		r = hide_root_of(p, p->u->lowers[i]);
	return r;
}
