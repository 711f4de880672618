/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tar as a layer (see pack.h). Without excludes its bytes are taken as they are, and only looked at as they
 * go by: what is no tar should be told when it comes, and not when it is unpacked.
 */
#include <archive.h>
#include <archive_entry.h>
#include <limits.h>

#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "images/pack_internal.h"
#include "images/unpack_internal.h"

#define BUFFER	(256 * 1024)
#define EXTENTS 65536
#define XATTRS	PACK_XATTRS_MAX

struct repack {
	const struct img_pack_opts *o;
	struct layer_writer *w;
	struct err *err;
	int fd;
	struct up_stream *stream;
	struct archive *tar;
	bool copy;	    /* bytes as they are */
	struct err failure; /* of the layer, beneath libarchive */
	struct img_packed out;
	char *buf;
	struct layer_extent *extents;
	struct layer_xattr xattrs[XATTRS];
};

/* --- the stream --------------------------------------------------------------------------------- */

static ssize_t read_file(void *arg, void *buf, size_t size)
{
	const struct repack *p = arg;
	ssize_t n;

	do {
		n = read(p->fd, buf, size);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static bool tell_progress(void *arg, int64_t packed)
{
	const struct repack *p = arg;

	if (p->o->progress)
		p->o->progress->at(p->o->progress, 0, packed);
	return false;
}

static ssize_t next_bytes(struct repack *p, const void **data)
{
	ssize_t n = up_stream_next(p->stream, data);
	int r;

	if (n <= 0 || !p->copy)
		return n;
	r = layer_bytes(p->w, *data, (size_t)n, &p->failure);
	return r < 0 ? r : n;
}

static la_ssize_t read_stream(struct archive *a, void *arg, const void **buf)
{
	ssize_t n = next_bytes(arg, buf);

	if (n >= 0)
		return n;
	archive_set_error(a, (int)-n, "%s", "stream");
	return -1;
}

static int tar_error(struct repack *p)
{
	const struct err *why = p->failure.code ? &p->failure : up_stream_err(p->stream);
	const char *text = archive_error_string(p->tar);

	if (why->code)
		return err_text(p->err, why->code, "%s", why->text);
	return err_text(p->err, archive_errno(p->tar) == ENOMEM ? ENOMEM : EBADMSG,
		"it is no tar that can be read: %s", text ? text : "unknown format");
}

/* --- one entry to another tar ------------------------------------------------------------------- */

static int copy_content(struct repack *p, int64_t size)
{
	la_ssize_t n;
	int r = 0;

	while (r == 0 && size > 0) {
		n = archive_read_data(p->tar, p->buf, size < BUFFER ? (size_t)size : BUFFER);
		if (n < 0)
			return tar_error(p);
		if (n == 0)
			break;
		size -= n;
		p->out.bytes += n;
		r = layer_data(p->w, p->buf, (size_t)n, p->err);
	}
	memset(p->buf, 0, BUFFER);
	for (la_ssize_t len; r == 0 && size > 0; size -= len) { /* it ends in a hole */
		len = size < BUFFER ? (la_ssize_t)size : BUFFER;
		r = layer_data(p->w, p->buf, (size_t)len, p->err);
	}
	return r;
}

static void get_extents(struct repack *p, struct archive_entry *a, struct layer_entry *x)
{
	la_int64_t at, len;

	if (archive_entry_sparse_count(a) <= 0 || archive_entry_sparse_reset(a) > EXTENTS)
		return;
	while (archive_entry_sparse_next(a, &at, &len) == ARCHIVE_OK && x->n_extents < EXTENTS)
		p->extents[x->n_extents++] = (struct layer_extent){ at, len };
	x->extents = p->extents;
	x->sparse = true;
}

static int get_xattrs(struct repack *p, struct archive_entry *a, struct layer_entry *x)
{
	const char *name;
	const void *value;
	size_t size;

	archive_entry_xattr_reset(a);
	while (archive_entry_xattr_next(a, &name, &value, &size) == ARCHIVE_OK) {
		if (!name)
			continue;
		if (x->n_xattrs == XATTRS)
			return err_text(p->err, E2BIG, "\"%s\" has more than %d extended attributes", x->path,
				XATTRS);
		p->xattrs[x->n_xattrs++] = (struct layer_xattr){ name, value, size };
	}
	x->xattrs = p->xattrs;
	return 0;
}

static const char *clean(const char *path, char buf[PATH_MAX])
{
	return path_clean(path, buf, PATH_MAX) == 0 ? buf + 1 : path;
}

/* Below an excluded directory everything is. */
static bool is_excluded(const struct repack *p, const char *path)
{
	char part[PATH_MAX];

	if (!*path)
		return false;
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		if (img_pack_is_excluded(p->o->excludes, part))
			return true;
	}
	return img_pack_is_excluded(p->o->excludes, path);
}

static int copy_entry(struct repack *p, struct archive_entry *a)
{
	const char *path = archive_entry_pathname(a), *hard = archive_entry_hardlink(a);
	char buf[PATH_MAX], target[PATH_MAX];
	struct layer_entry x = { .path = path };
	int r;

	if (!path)
		return err_text(p->err, EBADMSG, "it has an entry without a name");
	if (is_excluded(p, clean(path, buf)))
		return 0;
	if (hard && is_excluded(p, clean(hard, target))) {
		log_warn("\"%s\" is left out: it is a link to \"%s\", which is excluded", path, hard);
		return 0;
	}
	x.mode = archive_entry_mode(a);
	x.uid = (uid_t)archive_entry_uid(a);
	x.gid = (gid_t)archive_entry_gid(a);
	x.mtime = (struct timespec){ archive_entry_mtime(a), archive_entry_mtime_nsec(a) };
	x.rdev = archive_entry_rdev(a);
	x.hard = hard != NULL;
	x.link = hard ? hard : archive_entry_symlink(a);
	x.size = archive_entry_filetype(a) == AE_IFREG && !hard ? archive_entry_size(a) : 0;
	if (hard)
		x.mode |= AE_IFREG;
	get_extents(p, a, &x);
	r = get_xattrs(p, a, &x);
	if (r == 0)
		r = layer_entry(p->w, &x, p->err);
	p->out.entries++;
	return r == 0 && x.size > 0 ? copy_content(p, x.size) : r;
}

/* --- all of it ---------------------------------------------------------------------------------- */

static int open_tar(struct repack *p)
{
	p->tar = archive_read_new();
	if (!p->tar)
		return err_set(p->err, ENOMEM, "read tar");
	archive_read_support_format_tar(p->tar);
	archive_read_support_format_empty(p->tar);
	return archive_read_open2(p->tar, p, NULL, read_stream, NULL, NULL) == ARCHIVE_OK ? 0 : tar_error(p);
}

static int read_all(struct repack *p)
{
	struct archive_entry *entry;
	const void *rest;
	int r = open_tar(p);
	ssize_t n;

	while (r == 0) {
		int got = archive_read_next_header(p->tar, &entry);

		if (got == ARCHIVE_EOF)
			break;
		if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
			return tar_error(p);
		if (p->copy)
			p->out.entries++;
		else
			r = copy_entry(p, entry);
	}
	while (r == 0 && (n = next_bytes(p, &rest)) != 0)
		if (n < 0)
			r = tar_error(p);
	if (r == 0 && p->out.entries == 0)
		return err_text(p->err, EBADMSG, "there is nothing in it");
	return r;
}

int img_pack_tar(
	struct img_store *s, int fd, const struct img_pack_opts *o, struct img_packed *out, struct err *e)
{
	_cleanup_(layer_closep) struct layer_writer *w = NULL;
	_cleanup_free_ struct repack *p = calloc(1, sizeof(*p));
	_cleanup_free_ struct layer_extent *extents = calloc(EXTENTS, sizeof(*extents));
	_cleanup_free_ char *buf = malloc(BUFFER);
	struct err own = ERR_INIT;
	struct img_unpack u = {
		.read = read_file,
		.arg = p,
		.what = "tar",
		.unhashed = true,
		.tick = tell_progress,
		.tick_arg = p,
	};
	int r;

	e = e ? e : &own;
	if (!p || !extents || !buf)
		return err_set(e, ENOMEM, "read tar");
	p->o = o;
	p->err = e;
	p->fd = fd;
	p->buf = buf;
	p->extents = extents;
	p->copy = !o->excludes || !*o->excludes;
	r = layer_open(s, o->compression, &w, e);
	if (r < 0)
		return r;
	p->w = w;
	if (o->progress)
		o->progress->begin(o->progress, 0, "layer", -1);
	r = up_stream_open(&u, &p->stream, e);
	if (r == 0)
		r = read_all(p);
	if (r == 0)
		r = layer_finish(w, &p->out, e);
	if (o->progress)
		o->progress->end(o->progress, 0, r < 0 ? "failed" : "done");
	archive_read_free(p->tar);
	up_stream_close(p->stream);
	if (r == 0)
		*out = p->out;
	return r;
}
