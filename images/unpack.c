/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking a layer: entry by entry, from the tar to the calls that make things (see unpack.h for the rules).
 */
#include "images/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <search.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/str.h"
#include "images/unpack_internal.h"

#define BYTES_DEFAULT	(INT64_C(64) << 30)
#define ENTRIES_DEFAULT 4000000
#define XATTRS_DEFAULT	65536
#define XATTRS_MAX	256 /* of one entry */
#define TAR_BLOCK	512

struct layer {
	struct up up;
	struct up_stream *stream;
	struct archive *tar;
	int64_t read;	   /* bytes of the tar that libarchive has been given */
	bool whole_so_far; /* the member that was read last is complete, and the next one is looked for */
};

/* --- the tar ------------------------------------------------------------------------------------ */

/*
 * A tar that ends right behind its last file's content, without the padding of that, is what umoci 0.4
 * `insert` writes. Go's reader, and with it every engine, takes it for whole; libarchive does not, unless it
 * gets the padding. One that ends in the middle of a file stays an error.
 */
static la_ssize_t read_stream(struct archive *a, void *arg, const void **buf)
{
	static const char padding[TAR_BLOCK];
	struct layer *l = arg;
	ssize_t n = up_stream_next(l->stream, buf);

	if (n == 0 && l->whole_so_far && l->read % TAR_BLOCK) {
		*buf = padding;
		n = TAR_BLOCK - l->read % TAR_BLOCK;
	}
	if (n >= 0) {
		l->read += n;
		return n;
	}
	archive_set_error(a, (int)-n, "%s", "stream");
	return -1;
}

/* What went wrong: the stream's own reason before what libarchive makes of it. */
static int tar_error(struct layer *l)
{
	const struct err *why = up_stream_err(l->stream);
	const char *text = archive_error_string(l->tar);

	if (why->code)
		return err_text(l->up.err, why->code, "%s", why->text);
	return err_text(l->up.err, archive_errno(l->tar) == ENOMEM ? ENOMEM : EBADMSG,
		"layer is no tar that can be read: %s", text ? text : "unknown format");
}

static int open_tar(struct layer *l)
{
	l->tar = archive_read_new();
	if (!l->tar)
		return err_set(l->up.err, ENOMEM, "unpack layer");
	archive_read_support_format_tar(l->tar);
	archive_read_support_format_empty(l->tar);
	return archive_read_open2(l->tar, l, NULL, read_stream, NULL, NULL) == ARCHIVE_OK ? 0 : tar_error(l);
}

/*
 * 1: an entry, 0: the end. A warning is an error, for it means that we and another tool may understand the
 * entry differently; but for this one: names are bytes to us, and libarchive, which would like to convert
 * them, keeps the bytes when it cannot.
 */
static int next_entry(struct layer *l, struct archive_entry **entry)
{
	const char *text;
	int r = archive_read_next_header(l->tar, entry);

	l->whole_so_far = false;
	switch (r) {
	case ARCHIVE_EOF:
		return 0;
	case ARCHIVE_OK:
		return 1;
	case ARCHIVE_WARN:
		text = archive_error_string(l->tar);
		return text && strstr(text, "be converted from") ? 1 : tar_error(l);
	default:
		return tar_error(l);
	}
}

/* --- attributes --------------------------------------------------------------------------------- */

static struct timespec time_of(int64_t sec, long nsec)
{
	return (struct timespec){ .tv_sec = sec, .tv_nsec = nsec >= 0 && nsec < 1000000000 ? nsec : 0 };
}

static int read_xattrs(struct layer *l, struct archive_entry *entry, struct up_xattr list[XATTRS_MAX],
	size_t *n, const char *path)
{
	struct up *p = &l->up;
	const char *name;
	const void *value;
	int64_t total = 0;
	size_t size;

	*n = 0;
	if (archive_entry_xattr_reset(entry) == 0)
		return 0;
	while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
		if (!name)
			continue;
		total += (int64_t)(strlen(name) + size);
		if (total > p->max_xattrs || *n == XATTRS_MAX)
			return err_text(p->err, E2BIG,
				"\"%s\" has more than %lld bytes, or %d, of extended attributes", path,
				(long long)p->max_xattrs, XATTRS_MAX);
		list[(*n)++] = (struct up_xattr){ .name = name, .value = value, .size = size };
	}
	return 0;
}

static int read_attrs(struct layer *l, struct archive_entry *entry, const char *path, struct up_attrs *a)
{
	int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);

	/* 2^32 - 1 means "no change" to chown(2). */
	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return err_text(l->up.err, EINVAL, "\"%s\" belongs to %lld:%lld, and Linux has no such ids",
			path, (long long)uid, (long long)gid);
	a->uid = (uid_t)uid;
	a->gid = (gid_t)gid;
	a->mode = archive_entry_mode(entry) & 07777;
	a->times[1] = time_of(archive_entry_mtime(entry), archive_entry_mtime_nsec(entry));
	a->times[0] = archive_entry_atime_is_set(entry)
			      ? time_of(archive_entry_atime(entry), archive_entry_atime_nsec(entry))
			      : a->times[1];
	return 0;
}

/* --- content ------------------------------------------------------------------------------------ */

static int write_at(int fd, const char *data, size_t len, int64_t at)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, data, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
		at += n;
	}
	return 0;
}

/* The blocks of a file, which may have holes between them; `size` is where it ends. */
static int write_content(struct layer *l, int fd, const char *path, int64_t size)
{
	struct up *p = &l->up;
	int64_t end = 0;

	for (;;) {
		const void *data;
		la_int64_t at;
		size_t len;
		int r = archive_read_data_block(l->tar, &data, &len, &at);

		if (r == ARCHIVE_EOF)
			break;
		if (r != ARCHIVE_OK)
			return tar_error(l);
		if (len == 0)
			continue;
		if (at < 0 || at > size || (uint64_t)(size - at) < len)
			return err_text(p->err, EBADMSG, "\"%s\" has content beyond its size", path);
		p->bytes += (int64_t)len;
		if (p->bytes > p->max_bytes)
			return err_text(
				p->err, E2BIG, "layer has more than %lld bytes", (long long)p->max_bytes);
		r = write_at(fd, data, len, at);
		if (r < 0)
			return err_set(p->err, r, "write \"%s\"", path);
		end = at + (int64_t)len > end ? at + (int64_t)len : end;
		/* The call that finds that this was all also passes over the padding. */
		l->whole_so_far = end == size;
	}
	if (end < size && ftruncate(fd, size) < 0)
		return err_set(p->err, errno, "\"%s\" of %lld bytes", path, (long long)size);
	/* Holes take no room, and so are not limited; but nobody has more bytes than can be counted. */
	if (__builtin_add_overflow(p->out.tree.bytes, size, &p->out.tree.bytes))
		return err_text(
			p->err, E2BIG, "layer has files of more than %lld bytes", (long long)INT64_MAX);
	return 0;
}

static int make_file(struct layer *l, struct archive_entry *entry, const char *path, const struct up_attrs *a)
{
	int64_t size = archive_entry_size(entry);
	_cleanup_close_ int fd = -EBADF;
	int r;

	if (size < 0)
		return err_text(l->up.err, EBADMSG, "\"%s\" has a negative size", path);
	fd = up_make_file(&l->up, path);
	if (fd < 0)
		return fd;
	r = write_content(l, fd, path, size);
	return r < 0 ? r : up_set_attrs(&l->up, fd, path, a, false);
}

/* --- entries ------------------------------------------------------------------------------------ */

static int make_link(struct layer *l, const char *link, const char *path)
{
	char target[PATH_MAX];
	int r = up_clean(&l->up, link, "the target of a hard link", target);

	if (r > 0 ||
		(r == 0 && str_starts(strrchr(target, '/') ? strrchr(target, '/') + 1 : target, UP_WHITEOUT)))
		return err_text(l->up.err, EINVAL,
			"hard link \"%s\" leads to \"%.200s\", which is reserved for whiteouts", path, link);
	return r < 0 ? r : up_make_link(&l->up, path, target);
}

static int make_entry(
	struct layer *l, struct archive_entry *entry, const char *path, const struct up_attrs *a)
{
	mode_t type = archive_entry_filetype(entry);
	const char *target;
	dev_t rdev;

	if (!*path && type != AE_IFDIR)
		return err_text(l->up.err, EINVAL, "layer's root is no directory");
	switch (type) {
	case AE_IFDIR:
		return up_make_dir(&l->up, path, a);
	case AE_IFREG:
		return make_file(l, entry, path, a);
	case AE_IFLNK:
		target = archive_entry_symlink(entry);
		if (!target || !*target)
			return err_text(l->up.err, EINVAL, "symlink \"%s\" leads nowhere", path);
		return up_make_symlink(&l->up, path, target, a);
	case AE_IFCHR:
	case AE_IFBLK:
	case AE_IFIFO:
		rdev = type == AE_IFIFO ? 0
					: makedev((unsigned int)archive_entry_rdevmajor(entry),
						  (unsigned int)archive_entry_rdevminor(entry));
		return up_make_node(&l->up, path, type, rdev, a);
	default:
		return 0; /* a socket: made anew by whoever listens on it */
	}
}

static int unpack_entry(struct layer *l, struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry), *last, *link;
	struct up_xattr xattrs[XATTRS_MAX];
	struct up_attrs a = { .xattrs = xattrs };
	struct up *p = &l->up;
	char path[PATH_MAX];
	int r;

	if (++p->entries > p->max_entries)
		return err_text(p->err, E2BIG, "layer has more than %lld entries", (long long)p->max_entries);
	if (!name || !*name)
		return err_text(p->err, EINVAL, "layer has an entry without a name");
	r = up_clean(p, name, "path", path);
	if (r != 0)
		return r < 0 ? r : 0; /* aufs' own data */
	last = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	if (str_starts(last, UP_WHITEOUT))
		return up_hide(p, path);
	link = archive_entry_hardlink(entry);
	if (link)
		return *path ? make_link(l, link, path)
			     : err_text(p->err, EINVAL, "layer's root is no directory");
	r = read_attrs(l, entry, path, &a);
	if (r == 0)
		r = read_xattrs(l, entry, xattrs, &a.n_xattrs, path);
	return r < 0 ? r : make_entry(l, entry, path, &a);
}

/* The root's attributes, where the layer does not say: those it has below. */
static int imply_root(struct up *p)
{
	struct timespec times[2];

	return up_imply(p, p->u->dir, "", false, times);
}

static int unpack_all(struct layer *l, struct img_digest *diff_id)
{
	struct archive_entry *entry;
	int r = imply_root(&l->up), more;

	if (r == 0)
		r = open_tar(l);
	while (r == 0 && (more = next_entry(l, &entry)) != 0)
		r = more < 0 ? more : unpack_entry(l, entry);
	if (r == 0 && l->up.root_opaque)
		r = up_hide_root(&l->up);
	if (r == 0)
		r = up_leave(&l->up);
	if (r == 0)
		r = up_finish_modes(&l->up);
	if (r == 0 && up_stream_finish(l->stream, diff_id) < 0)
		r = tar_error(l);
	return r;
}

static void set_up(struct up *p, const struct img_unpack *u, struct err *e)
{
	p->u = u;
	p->err = e;
	p->at.fd = -EBADF;
	p->opaque = u->rootless ? "user.overlay.opaque" : "trusted.overlay.opaque";
	p->max_bytes = u->limits.max_bytes ? u->limits.max_bytes : BYTES_DEFAULT;
	p->max_entries = u->limits.max_entries ? u->limits.max_entries : ENTRIES_DEFAULT;
	p->max_xattrs = u->limits.max_xattrs ? u->limits.max_xattrs : XATTRS_DEFAULT;
}

static void tear_down(struct up *p)
{
	fd_close(p->at.fd);
	tdestroy(p->late, free);
	for (struct up_path *c = p->copied, *next; c; c = next) {
		next = c->next;
		free(c);
	}
}

int img_unpack(const struct img_unpack *u, struct img_unpacked *out, struct err *e)
{
	struct err own = ERR_INIT;
	struct layer l = { 0 };
	int r;

	set_up(&l.up, u, e ? e : &own);
	r = up_stream_open(u, &l.stream, l.up.err);
	if (r < 0)
		return r;
	r = unpack_all(&l, &l.up.out.diff_id);
	/* A failure's text may be libarchive's: the handle goes last. */
	archive_read_free(l.tar);
	up_stream_close(l.stream);
	tear_down(&l.up);
	if (r == 0)
		*out = l.up.out;
	return r;
}
