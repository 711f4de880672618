/* SPDX-License-Identifier: Apache-2.0 */
/* `ringfence cp`: finds out which side is which, where the source goes, and joins source and sink. */
#include "launch/cp.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "base/fd.h"
#include "base/path.h"
#include "launch/cp_internal.h"

/* As many as the kernel follows. */
#define SYMLINKS_MAX 40

struct copy {
	const struct launch_cp_opts *o;
	struct arena *a;
	struct cp_place from, to;
	struct cp_root root;
	int cwd; /* where relative paths of the host begin, whatever mount namespace we go on in */
	struct launch_cp_report *report;
};

/* --- one side --------------------------------------------------------------------------------- */

static int side_open(const struct copy *c, const struct cp_place *p, const char *path, int flags)
{
	int fd;

	if (p->kind == CP_INSIDE)
		return path_open(c->root.fd, path, flags, 0, 0);
	fd = openat(c->cwd, path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static const char *shown(const struct cp_place *p, char buf[static CP_SHOWN + 256])
{
	char path[CP_SHOWN];

	snprintf(buf, CP_SHOWN + 256, "%s%s%s", p->kind == CP_INSIDE ? p->name : "",
		p->kind == CP_INSIDE ? ":" : "", cp_show(p->path, path));
	return buf;
}

/* The source's top, not opened for anything but to be looked at. */
static int open_source(const struct copy *c, bool *is_dir, struct err *e)
{
	char text[CP_SHOWN + 256];
	_cleanup_close_ int fd =
		side_open(c, &c->from, c->from.path, O_PATH | (c->o->follow ? 0 : O_NOFOLLOW));
	struct stat st;

	if (fd < 0)
		return err_set(e, -fd, "copy from %s", shown(&c->from, text));
	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "copy from %s", shown(&c->from, text));
	*is_dir = S_ISDIR(st.st_mode);
	return TAKE_FD(fd);
}

/*
 * What the destination is, with symlinks at its end followed, so that `path` is the name to be made. A
 * missing one is CP_MISSING.
 */
static int find_target(const struct copy *c, const char **path, enum cp_found *found, struct err *e)
{
	char text[CP_SHOWN + 256], target[PATH_MAX];
	const struct cp_place *p = &c->to;

	*path = p->path;
	for (int i = 0; i < SYMLINKS_MAX; i++) {
		_cleanup_close_ int fd = side_open(c, p, *path, O_PATH | O_NOFOLLOW);
		struct stat st;
		ssize_t n;

		if (fd == -ENOENT) {
			*found = CP_MISSING;
			return 0;
		}
		if (fd < 0 || fstat(fd, &st) < 0)
			return err_set(e, fd < 0 ? -fd : errno, "copy to %s", shown(p, text));
		if (!S_ISLNK(st.st_mode)) {
			*found = S_ISDIR(st.st_mode) ? CP_DIR : CP_FILE;
			return 0;
		}
		n = readlinkat(fd, "", target, sizeof(target) - 1);
		if (n < 0)
			return err_set(e, errno, "copy to %s", shown(p, text));
		target[n] = '\0';
		*path = cp_join_link(c->a, *path, target);
		if (!*path)
			return err_set(e, ENOMEM, "cp");
	}
	return err_set(e, ELOOP, "copy to %s", shown(p, text));
}

/* "a/b/" to "a/b"; its parent as a path that can be opened. */
static int split(struct arena *a, const char *path, const char **parent, const char **name, struct err *e)
{
	size_t len = strlen(path);
	char *copy = arena_strdup(a, path), *slash;

	if (!copy)
		return err_set(e, ENOMEM, "cp");
	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	slash = strrchr(copy, '/');
	*name = slash ? slash + 1 : copy;
	*parent = slash == copy ? "/" : slash ? copy : ".";
	if (slash)
		*slash = '\0';
	if (!**parent)
		*parent = "/";
	return 0;
}

/* --- the sink --------------------------------------------------------------------------------- */

static int open_sink_dir(const struct copy *c, const char *path, struct cp_tree_sink *s, struct err *e)
{
	char text[CP_SHOWN + 256];
	const char *fs;

	s->dir = side_open(c, &c->to, path, O_PATH | O_DIRECTORY);
	s->dir_path = path;
	if (s->dir == -ENOENT) {
		err_text(e, ENOENT, "copy to %s: the directory that it would be in does not exist",
			shown(&c->to, text));
		return err_hint(e, "make it first");
	}
	if (s->dir < 0)
		return err_set(e, -s->dir, "copy to %s", shown(&c->to, text));
	if (s->inside && cp_is_kernel_fs(s->dir, &fs))
		return err_text(e, EPERM,
			"copy to %s: it is on a file system of the kernel (%s) inside the partition, where "
			"nothing is copied to",
			shown(&c->to, text), fs);
	return 0;
}

static int place_sink(const struct copy *c, bool is_dir, struct cp_tree_sink *s, struct err *e)
{
	const char *path, *parent = NULL, *base;
	enum cp_target target;
	enum cp_found found;
	int r = find_target(c, &path, &found, e);

	if (r == 0)
		r = cp_decide(&c->to, found, is_dir, c->from.contents, c->o->overwrite, &target, e);
	if (r < 0)
		return r;
	if (c->from.kind == CP_STREAM) {
		char text[CP_SHOWN + 256];

		if (found != CP_DIR)
			return err_text(e, ENOTDIR, "copy to %s: a tar stream needs a directory that exists",
				shown(&c->to, text));
		s->name = "";
		return open_sink_dir(c, path, s, e);
	}
	if (target == CP_AS_NAMED) {
		r = split(c->a, path, &parent, &s->name, e);
		return r < 0 ? r : open_sink_dir(c, parent, s, e);
	}
	base = target == CP_INTO ? "" : cp_base(c->a, c->from.path);
	if (!base)
		return err_set(e, ENOMEM, "cp");
	s->name = base;
	return open_sink_dir(c, path, s, e);
}

/* Inside, files are made as the partition's root; on the host by whoever calls. */
static int prepare_sink(const struct copy *c, struct cp_tree_sink *s, struct err *e)
{
	int64_t uid, gid;

	s->sink.report = c->report;
	s->inside = c->to.kind == CP_INSIDE;
	s->archive = c->o->archive;
	s->overwrite = c->o->overwrite;
	s->root = s->inside ? &c->root : NULL;
	s->chown = geteuid() == 0 && (s->inside || s->archive);
	if (!s->inside)
		return 0;
	uid = cp_id_host(c->root.uid_map, c->root.n_uid, 0);
	gid = cp_id_host(c->root.gid_map, c->root.n_gid, 0);
	if (uid < 0 || gid < 0)
		return err_text(e, EINVAL, "the user namespace of \"%s\" has no root", c->to.name);
	return cp_become_owner((uint32_t)uid, (uint32_t)gid, e);
}

/* --- all of it -------------------------------------------------------------------------------- */

static int to_stream(struct copy *c, int top, struct err *e)
{
	struct cp_tree tree = { .inside = c->from.kind == CP_INSIDE,
		.root = &c->root,
		.devices = true,
		.capabilities = c->o->archive };
	const char *base = c->from.contents ? "" : cp_base(c->a, c->from.path);
	struct cp_tar_sink s;
	int r;

	if (!base)
		return err_set(e, ENOMEM, "cp");
	if (isatty(STDOUT_FILENO))
		return err_text(
			e, EINVAL, "stdout is a terminal: a tar stream is to go into a pipe or a file");
	cp_tar_sink_init(&s, STDOUT_FILENO, base);
	s.sink.report = c->report;
	r = s.buffer ? cp_tree_walk(&tree, top, &s.sink, e) : err_set(e, ENOMEM, "cp");
	cp_tar_sink_free(&s);
	return r;
}

static int to_tree(struct copy *c, int top, bool is_dir, struct err *e)
{
	struct cp_tree tree = { .inside = c->from.kind == CP_INSIDE, .capabilities = c->o->archive };
	struct cp_tree_sink s = { .dir = -EBADF };
	struct stat st;
	int r;

	tree.root = tree.inside ? &c->root : NULL;
	cp_tree_sink_init(&s);
	/* The kind of side must be known before anything is opened on it. */
	s.inside = c->to.kind == CP_INSIDE;
	r = place_sink(c, is_dir, &s, e);
	if (r == 0)
		r = prepare_sink(c, &s, e);
	if (r == 0 && fstat(s.dir, &st) == 0) {
		tree.have_not = *s.name != '\0';
		tree.not_dev = st.st_dev;
		tree.not_ino = st.st_ino;
	}
	if (r == 0)
		r = c->from.kind == CP_STREAM ? cp_tar_read(STDIN_FILENO, c->o->archive, &s.sink, e)
					      : cp_tree_walk(&tree, top, &s.sink, e);
	cp_tree_sink_free(&s);
	fd_close(s.dir);
	return r;
}

/* Each level of a tree holds a descriptor or two. */
static void raise_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

static int check_sides(const struct copy *c, struct err *e)
{
	bool in = c->from.kind == CP_INSIDE, out = c->to.kind == CP_INSIDE;

	if (in && out)
		return err_text(e, EINVAL,
			"both are of partitions: copy through a pipe, `ringfence cp %s:… - | ringfence cp - "
			"%s:…`",
			c->from.name, c->to.name);
	if (!in && !out)
		return err_text(e, EINVAL,
			"neither is of a partition: one of both must be NAME:PATH (a path of the host that "
			"has "
			"a colon begins with / or ./)");
	if (c->from.kind == CP_STREAM && isatty(STDIN_FILENO))
		return err_text(
			e, EINVAL, "stdin is a terminal: a tar stream is to come from a pipe or a file");
	return 0;
}

int launch_cp(const struct launch_ctx *ctx, const char *from, const char *to, const struct launch_cp_opts *o,
	struct launch_cp_report *report, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct copy c = {
		.o = o, .a = a, .root = { .fd = -EBADF, .dir = LAUNCH_DIR_INIT }, .report = report
	};
	_cleanup_close_ int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC), top = -EBADF;
	bool is_dir = true;
	int r;

	if (!a || cwd < 0)
		return err_set(e, a ? errno : ENOMEM, "cp: open the working directory");
	c.cwd = cwd;
	r = cp_parse_place(from, a, &c.from, e);
	if (r == 0)
		r = cp_parse_place(to, a, &c.to, e);
	if (r == 0)
		r = check_sides(&c, e);
	if (r < 0)
		return r;
	raise_files();
	/* The host's source first: it is the caller's, whatever rights we take on for the inside. */
	if (c.from.kind == CP_HOST) {
		top = open_source(&c, &is_dir, e);
		if (top < 0)
			return TAKE_FD(top);
	}
	r = cp_root_open(ctx, c.from.kind == CP_INSIDE ? c.from.name : c.to.name, a, &c.root, e);
	if (r == 0 && c.from.kind == CP_INSIDE) {
		top = open_source(&c, &is_dir, e);
		r = top < 0 ? TAKE_FD(top) : 0;
	}
	if (r == 0)
		r = c.to.kind == CP_STREAM ? to_stream(&c, top, e) : to_tree(&c, top, is_dir, e);
	cp_root_close(&c.root);
	if (r < 0 && e->code && c.from.kind != CP_STREAM) {
		char text[CP_SHOWN + 256];

		if (!strstr(e->text, "copy "))
			err_wrap(e, "copy %s", shown(&c.from, text));
	}
	return r;
}
