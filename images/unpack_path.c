/* SPDX-License-Identifier: Apache-2.0 */
/* Where entries go: paths cleaned, directories held and made (see unpack_internal.h). */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "images/unpack_internal.h"

#define INSIDE	 (PATH_NO_SYMLINKS | PATH_NO_XDEV)
#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW)

/* --- paths -------------------------------------------------------------------------------------- */

static int add_component(struct up *p, const char *comp, size_t len, const char *path, const char *what,
	char out[PATH_MAX], size_t *used)
{
	if (len == 1 && comp[0] == '.')
		return 0;
	if (len == 2 && comp[0] == '.' && comp[1] == '.') {
		if (*used == 0)
			return err_text(p->err, EINVAL, "%s \"%.200s\" leads out of the layer", what, path);
		while (*used > 0 && out[--*used] != '/')
			;
		out[*used] = '\0';
		return 0;
	}
	if (len > NAME_MAX || *used + len + 2 > PATH_MAX)
		return err_text(
			p->err, ENAMETOOLONG, "%s \"%.100s…\" is longer than a path can be", what, path);
	if (*used)
		out[(*used)++] = '/';
	memcpy(out + *used, comp, len);
	*used += len;
	out[*used] = '\0';
	return 0;
}

/* Names that stand for something else (whiteouts) are no directories. */
static int check_reserved(struct up *p, const char *out, const char *what)
{
	const char *slash;

	for (; (slash = strchr(out, '/')); out = slash + 1) {
		if (str_starts(out, UP_META))
			return 1;
		if (str_starts(out, UP_WHITEOUT))
			return err_text(p->err, EINVAL,
				"%s has a component \"%.*s\", a name that is reserved for whiteouts", what,
				(int)(slash - out), out);
	}
	return 0;
}

int up_clean(struct up *p, const char *path, const char *what, char out[PATH_MAX])
{
	size_t used = 0;

	out[0] = '\0';
	for (const char *s = path + strspn(path, "/"); *s; s += strspn(s, "/")) {
		size_t len = strcspn(s, "/");
		int r = add_component(p, s, len, path, what, out, &used);

		if (r < 0)
			return r;
		s += len;
	}
	return check_reserved(p, out, what);
}

const char *up_split(const char *path, char dir[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	memcpy(dir, path, len);
	dir[len] = '\0';
	return slash ? slash + 1 : path;
}

/* --- the place ---------------------------------------------------------------------------------- */

int up_open_dir(const struct up *p, const char *path)
{
	return path_open(p->u->dir, path, OPEN_DIR, 0, INSIDE);
}

int up_leave(struct up *p)
{
	int r = 0;

	if (p->at.fd >= 0 && p->at.touched && futimens(p->at.fd, p->at.times) < 0)
		r = err_set(p->err, errno, "set the time of directory \"%s\"", p->at.path);
	p->at.fd = fd_close(p->at.fd);
	p->at.touched = false;
	return r;
}

void up_stay(struct up *p, int fd, const char *path, const struct timespec times[2])
{
	p->at.fd = fd;
	snprintf(p->at.path, sizeof(p->at.path), "%s", path);
	p->at.times[0] = times[0];
	p->at.times[1] = times[1];
	p->at.touched = false;
}

static int times_of(int fd, struct timespec times[2])
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	return 0;
}

/*
 * One directory more, `name` in `parent`, in the place of whatever is there that is none. What was whited out
 * before in this layer hides what is below, and so must the directory.
 */
static int make_implied(struct up *p, int parent, const char *name, const char *path, int *out)
{
	_cleanup_close_ int fd = -EBADF;
	struct timespec parent_times[2], times[2];
	struct img_tree gone = { 0 };
	bool hidden = false;
	struct stat st;
	int r;

	if (++p->entries > p->max_entries)
		return err_text(p->err, E2BIG, "layer has more than %lld entries", (long long)p->max_entries);
	r = times_of(parent, parent_times);
	if (r < 0)
		return err_set(p->err, r, "make directory \"%s\"", path);
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		hidden = up_is_whiteout(st.st_mode, st.st_rdev);
		r = img_tree_remove_counted(parent, name, &gone, p->err);
		if (r < 0)
			return r;
		p->out.tree.entries -= gone.entries;
		p->out.tree.bytes -= gone.bytes;
	}
	if (mkdirat(parent, name, 0700) < 0)
		return err_set(p->err, errno, "make directory \"%s\"", path);
	p->out.tree.entries++;
	fd = path_open(parent, name, OPEN_DIR, 0, INSIDE);
	if (fd < 0)
		return err_set(p->err, fd, "open directory \"%s\"", path);
	r = up_imply(p, fd, path, hidden, times);
	if (r == 0 && hidden)
		r = up_set_opaque(p, fd);
	if (r == 0 && futimens(parent, parent_times) < 0)
		r = err_set(p->err, errno, "set the time of the directory of \"%s\"", path);
	if (r == 0)
		*out = TAKE_FD(fd);
	return r;
}

/* mkdir -p, component by component. */
static int make_dirs(struct up *p, const char *path, int *out)
{
	_cleanup_close_ int at = path_open(p->u->dir, "", OPEN_DIR, 0, INSIDE);
	char prefix[PATH_MAX], name[NAME_MAX + 1];
	size_t end = 0;

	if (at < 0)
		return err_set(p->err, at, "open the layer's directory");
	while (path[end]) {
		size_t start = end + (path[end] == '/'), len = strcspn(path + start, "/");
		int next, r;

		end = start + len;
		memcpy(prefix, path, end);
		prefix[end] = '\0';
		memcpy(name, path + start, len);
		name[len] = '\0';
		next = path_open(at, name, OPEN_DIR, 0, INSIDE);
		if (next == -ENOENT || next == -ENOTDIR || next == -ELOOP) {
			r = make_implied(p, at, name, prefix, &next);
			if (r < 0)
				return r;
		}
		if (next < 0)
			return err_set(p->err, next, "open directory \"%s\"", prefix);
		close(at);
		at = next;
	}
	*out = TAKE_FD(at);
	return 0;
}

int up_go(struct up *p, const char *path)
{
	struct timespec times[2];
	int fd, r;

	if (p->at.fd >= 0 && str_eq(p->at.path, path))
		return 0;
	r = up_leave(p);
	if (r < 0)
		return r;
	fd = up_open_dir(p, path);
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP) {
		r = make_dirs(p, path, &fd);
		if (r < 0)
			return r;
	}
	if (fd < 0)
		return err_set(p->err, fd, "open directory \"%s\"", path);
	r = times_of(fd, times);
	if (r < 0) {
		close(fd);
		return err_set(p->err, r, "open directory \"%s\"", path);
	}
	up_stay(p, fd, path, times);
	return 0;
}

int up_clear(struct up *p, const char *name)
{
	struct img_tree gone = { 0 };
	int r = img_tree_remove_counted(p->at.fd, name, &gone, p->err);

	p->at.touched = true;
	p->out.tree.entries -= gone.entries;
	p->out.tree.bytes -= gone.bytes;
	return r;
}
