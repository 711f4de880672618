/* SPDX-License-Identifier: Apache-2.0 */
/* The members of a tar into the spool (see archive.h). */
#include <archive.h>
#include <archive_entry.h>

#include "base/fd.h"
#include "images/archive_internal.h"
#include "images/unpack_internal.h"

struct reading {
	struct img_source *ar;
	struct err *err;
	int fd;
	struct img_progress *progress;
	struct up_stream *stream;
	struct archive *tar;
	unsigned int members;
	bool any; /* bytes */
};

/* --- the stream --------------------------------------------------------------------------------- */

static ssize_t read_file(void *arg, void *buf, size_t size)
{
	const struct reading *d = arg;
	ssize_t n;

	do {
		n = read(d->fd, buf, size);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static bool tell_progress(void *arg, int64_t packed)
{
	const struct reading *d = arg;

	if (d->progress)
		d->progress->at(d->progress, 0, packed);
	return false;
}

static la_ssize_t read_stream(struct archive *a, void *arg, const void **buf)
{
	struct reading *d = arg;
	ssize_t n = up_stream_next(d->stream, buf);

	d->any = d->any || n > 0;
	if (n >= 0)
		return n;
	archive_set_error(a, (int)-n, "%s", "stream");
	return -1;
}

static int tar_error(struct reading *d)
{
	const struct err *why = up_stream_err(d->stream);
	const char *text = archive_error_string(d->tar);

	if (why->code)
		return err_text(d->err, why->code, "%s", why->text);
	return err_text(d->err, archive_errno(d->tar) == ENOMEM ? ENOMEM : EBADMSG,
		"it is no tar that can be read: %s", text ? text : "unknown format");
}

/* --- members ------------------------------------------------------------------------------------ */

/* Documents have names that end so; layers and blobs have not. What is larger is refused before it is
 * written. */
static bool is_document(const char *name)
{
	return str_ends(name, ".json") || str_eq(name, "oci-layout") || str_eq(name, "repositories");
}

static int spool_content(struct reading *d, struct ar_member *m, int64_t size, struct ar_spool *sp)
{
	int r = ar_spool_begin(d->ar, m, sp, d->err);

	while (r == 0) {
		const void *data;
		la_int64_t at;
		size_t len;
		int got = archive_read_data_block(d->tar, &data, &len, &at);

		if (got == ARCHIVE_EOF)
			break;
		if (got != ARCHIVE_OK)
			return tar_error(d);
		/* A hole would be disk for free, and no tool makes images with some. */
		if (at != sp->size && len > 0)
			return err_text(d->err, EINVAL, "\"%s\" is a sparse file", m->name);
		r = ar_spool_add(d->ar, sp, data, len, d->err);
	}
	if (r == 0 && sp->size != size)
		r = err_text(d->err, EINVAL, "\"%s\" is a sparse file", m->name);
	return r < 0 ? r : ar_spool_end(m, sp, d->err);
}

static int read_file_member(struct reading *d, struct archive_entry *entry, const char *name)
{
	int64_t size = archive_entry_size(entry);
	struct ar_spool sp = { .fd = -EBADF };
	struct img_digest digest;
	struct ar_member *m;
	int r;

	if (size < 0)
		return err_text(d->err, EBADMSG, "\"%s\" has a negative size", name);
	if (is_document(name) && size > IMG_DOCUMENT_MAX)
		return err_text(
			d->err, E2BIG, "%s: %lld bytes is too large for a document", name, (long long)size);
	if (size > IMG_ARCHIVE_BYTES - d->ar->bytes)
		return ar_too_much(d->err);
	d->ar->bytes += size;
	m = ar_add(d->ar, name);
	if (!m)
		return err_set(d->err, ENOMEM, "read archive");
	if (ar_blob_name(name, &digest) && img_blob_has(d->ar->s, &digest, size)) {
		m->file = (struct img_source_file){ .size = size, .digest = digest };
		m->present = true;
		return archive_read_data_skip(d->tar) == ARCHIVE_OK ? 0 : tar_error(d);
	}
	r = spool_content(d, m, size, &sp);
	ar_spool_close(&sp);
	return r;
}

static int read_link_member(struct reading *d, const char *name, const char *target, bool hard)
{
	struct ar_member *m;

	if (strlen(target) >= PATH_MAX)
		return 0;
	m = ar_add(d->ar, name);
	if (m)
		m->target = strdup(target);
	if (!m || !m->target)
		return err_set(d->err, ENOMEM, "read archive");
	m->hard = hard;
	return 0;
}

static int read_member(struct reading *d, struct archive_entry *entry)
{
	const char *raw = archive_entry_pathname(entry), *hard = archive_entry_hardlink(entry),
		   *sym = archive_entry_symlink(entry), *name;
	char buf[PATH_MAX];

	if (++d->members > IMG_ARCHIVE_MEMBERS)
		return err_text(d->err, E2BIG, "archive has more than %d members", IMG_ARCHIVE_MEMBERS);
	name = raw ? ar_clean_name(raw, buf) : NULL;
	if (!name || strlen(name) > IMG_ARCHIVE_NAME_MAX)
		return 0;
	if (hard)
		return read_link_member(d, name, hard, true);
	if (archive_entry_filetype(entry) == AE_IFLNK && sym)
		return read_link_member(d, name, sym, false);
	return archive_entry_filetype(entry) == AE_IFREG ? read_file_member(d, entry, name) : 0;
}

static int read_all(struct reading *d)
{
	struct archive_entry *entry;
	const void *rest;
	int r = 0;
	ssize_t n;

	d->tar = archive_read_new();
	if (!d->tar)
		return err_set(d->err, ENOMEM, "read archive");
	archive_read_support_format_tar(d->tar);
	archive_read_support_format_empty(d->tar);
	if (archive_read_open2(d->tar, d, NULL, read_stream, NULL, NULL) != ARCHIVE_OK)
		return tar_error(d);
	while (r == 0) {
		int got = archive_read_next_header(d->tar, &entry);

		if (got == ARCHIVE_EOF)
			break;
		/* ARCHIVE_WARN: of names that are not of this locale, which no image needs. */
		r = got == ARCHIVE_OK || got == ARCHIVE_WARN ? read_member(d, entry) : tar_error(d);
	}
	/* To its end: whoever writes into a pipe should not be told that nobody reads. */
	while (r == 0 && (n = up_stream_next(d->stream, &rest)) != 0) {
		d->any = true;
		if (n < 0)
			r = tar_error(d);
	}
	return r == 0 && !d->any ? err_text(d->err, EBADMSG, "it is empty") : r;
}

int ar_read_tar(struct img_source *ar, int fd, int64_t size, struct img_progress *p, struct err *e)
{
	struct err own = ERR_INIT;
	struct reading d = { .ar = ar, .err = e ? e : &own, .fd = fd, .progress = p };
	struct img_unpack u = {
		.read = read_file,
		.arg = &d,
		.what = "archive",
		.unhashed = true,
		.tick = tell_progress,
		.tick_arg = &d,
	};
	int r;

	if (p)
		p->begin(p, 0, "archive", size);
	r = up_stream_open(&u, &d.stream, d.err);
	if (r == 0)
		r = read_all(&d);
	archive_read_free(d.tar);
	up_stream_close(d.stream);
	if (p)
		p->end(p, 0, r < 0 ? "failed" : "done");
	return r;
}
