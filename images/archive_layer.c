/* SPDX-License-Identifier: Apache-2.0 */
/* The writer of layers (see pack_internal.h): libarchive's tar, our hash, libarchive's compression, the
 * store. */
#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/str.h"
#include "images/pack_internal.h"
#include "images/unpack_internal.h"

#define BLOCK	 (128 * 1024)
#define LEFT_MAX (INT64_C(1) << 30)

struct layer_writer {
	struct img_store *s;
	enum img_compression compression;
	struct archive *tar, *packer;
	struct archive_entry *entry;
	struct img_hash *diff;
	struct img_writer *out;
	locale_t utf8;	    /* 0: there is none */
	int64_t left;	    /* of the present entry's bytes */
	struct err failure; /* of the store, beneath libarchive */
};

/* --- the pipe ----------------------------------------------------------------------------------- */

/*
 * Never an error to libarchive, which would then leak what it has: it is noted, what comes after it is
 * dropped, and whoever called libarchive asks afterwards.
 */
static la_ssize_t to_store(struct archive *a, void *arg, const void *data, size_t len)
{
	struct layer_writer *w = arg;

	if (!w->failure.code)
		(void)img_writer_add(w->out, data, len, &w->failure);
	return (la_ssize_t)len;
}

static int archive_failed(struct layer_writer *w, struct archive *a, struct err *e)
{
	int code = archive_errno(a);

	if (w->failure.code)
		return err_text(e, w->failure.code, "%s", w->failure.text);
	return err_text(e, code > 0 ? code : EIO, "write layer: %s",
		archive_error_string(a) ? archive_error_string(a) : "unknown error");
}

int layer_bytes(struct layer_writer *w, const void *data, size_t len, struct err *e)
{
	img_hash_add(w->diff, data, len);
	if (!w->packer)
		return img_writer_add(w->out, data, len, e);
	if (archive_write_data(w->packer, data, len) != (la_ssize_t)len || w->failure.code)
		return archive_failed(w, w->packer, e);
	return 0;
}

static la_ssize_t from_tar(struct archive *a, void *arg, const void *data, size_t len)
{
	struct layer_writer *w = arg;
	struct err why = ERR_INIT;

	if (!w->failure.code && layer_bytes(w, data, len, &why) < 0)
		w->failure = why;
	return (la_ssize_t)len;
}

/* Only what is built in: ARCHIVE_WARN says that a program would be run instead. */
static int add_filter(struct layer_writer *w)
{
	if (w->compression == IMG_ZSTD)
		return archive_write_add_filter_zstd(w->packer) == ARCHIVE_OK &&
				       archive_write_set_filter_option(
					       w->packer, "zstd", "compression-level", "3") == ARCHIVE_OK
			       ? 0
			       : -1;
	/* Without the time of day, which gzip has in its header. */
	return archive_write_add_filter_gzip(w->packer) == ARCHIVE_OK &&
			       archive_write_set_filter_option(w->packer, "gzip", "timestamp", NULL) ==
				       ARCHIVE_OK
		       ? 0
		       : -1;
}

static int open_packer(struct layer_writer *w, struct err *e)
{
	if (w->compression == IMG_NONE)
		return 0;
	w->packer = archive_write_new();
	if (!w->packer)
		return err_set(e, ENOMEM, "write layer");
	if (archive_write_set_format_raw(w->packer) != ARCHIVE_OK || add_filter(w) < 0)
		return err_text(e, ENOTSUP,
			"this libarchive was built without %s; choose another --compression",
			w->compression == IMG_ZSTD ? "zstd" : "gzip");
	archive_write_set_bytes_per_block(w->packer, BLOCK);
	archive_write_set_bytes_in_last_block(w->packer, 1);
	archive_entry_set_filetype(w->entry, AE_IFREG);
	if (archive_write_open(w->packer, w, NULL, to_store, NULL) != ARCHIVE_OK ||
		archive_write_header(w->packer, w->entry) != ARCHIVE_OK)
		return archive_failed(w, w->packer, e);
	return 0;
}

static int open_tar(struct layer_writer *w, struct err *e)
{
	w->tar = archive_write_new();
	if (!w->tar)
		return err_set(e, ENOMEM, "write layer");
	if (archive_write_set_format_pax(w->tar) != ARCHIVE_OK ||
		archive_write_set_format_option(w->tar, "pax", "xattrheader", "SCHILY") != ARCHIVE_OK ||
		archive_write_set_bytes_per_block(w->tar, BLOCK) != ARCHIVE_OK ||
		archive_write_set_bytes_in_last_block(w->tar, 1) != ARCHIVE_OK ||
		archive_write_open(w->tar, w, NULL, from_tar, NULL) != ARCHIVE_OK)
		return archive_failed(w, w->tar, e);
	return 0;
}

int layer_open(struct img_store *s, enum img_compression c, struct layer_writer **out, struct err *e)
{
	_cleanup_(layer_closep) struct layer_writer *w = calloc(1, sizeof(*w));
	int64_t have;
	int r;

	if (!w)
		return err_set(e, ENOMEM, "write layer");
	w->s = s;
	w->compression = c;
	/* Names of files are UTF-8, or only bytes; libarchive takes them as what the locale says. */
	w->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	w->entry = archive_entry_new();
	w->diff = img_hash_new(NULL);
	if (!w->entry || !w->diff)
		return err_set(e, ENOMEM, "write layer");
	r = img_writer_open(s, NULL, -1, &w->out, &have, e);
	if (r == 0)
		r = open_packer(w, e);
	if (r < 0)
		return r;
	*out = TAKE_PTR(w);
	return 0;
}

/* --- entries ------------------------------------------------------------------------------------ */

static void fill(struct archive_entry *a, const struct layer_entry *x)
{
	archive_entry_clear(a);
	archive_entry_set_pathname(a, x->path);
	archive_entry_set_mode(a, x->mode);
	archive_entry_set_uid(a, x->uid);
	archive_entry_set_gid(a, x->gid);
	archive_entry_set_mtime(a, x->mtime.tv_sec, x->mtime.tv_nsec);
	archive_entry_set_size(a, x->hard ? 0 : x->size);
	if (S_ISCHR(x->mode) || S_ISBLK(x->mode)) {
		archive_entry_set_rdevmajor(a, major(x->rdev));
		archive_entry_set_rdevminor(a, minor(x->rdev));
	}
	if (x->link && x->hard)
		archive_entry_set_hardlink(a, x->link);
	else if (x->link)
		archive_entry_set_symlink(a, x->link);
	for (size_t i = 0; i < x->n_xattrs; i++)
		archive_entry_xattr_add_entry(a, x->xattrs[i].name, x->xattrs[i].value, x->xattrs[i].size);
	for (size_t i = 0; x->sparse && i < x->n_extents; i++)
		archive_entry_sparse_add_entry(a, x->extents[i].at, x->extents[i].len);
	if (x->sparse && x->n_extents == 0)
		archive_entry_sparse_add_entry(a, x->size, 0);
}

/* A warning is taken where a name is not UTF-8: its bytes are written, and said to be only bytes. */
static int put_header(struct layer_writer *w, struct err *e)
{
	const char *text;

	switch (archive_write_header(w->tar, w->entry)) {
	case ARCHIVE_OK:
		return w->failure.code ? archive_failed(w, w->tar, e) : 0;
	case ARCHIVE_WARN:
		text = archive_error_string(w->tar);
		if (text && strstr(text, "translate") && !w->failure.code)
			return 0;
		return archive_failed(w, w->tar, e);
	default:
		return archive_failed(w, w->tar, e);
	}
}

int layer_empty(struct layer_writer *w, struct err *e)
{
	return w->tar ? 0 : open_tar(w, e);
}

int layer_entry(struct layer_writer *w, const struct layer_entry *x, struct err *e)
{
	locale_t old = (locale_t)0;
	int r = w->tar ? 0 : open_tar(w, e);

	if (r < 0)
		return r;
	if (w->utf8)
		old = uselocale(w->utf8);
	fill(w->entry, x);
	r = put_header(w, e);
	w->left = r < 0 || x->hard ? 0 : x->size;
	if (w->utf8)
		uselocale(old);
	return r;
}

int layer_data(struct layer_writer *w, const void *data, size_t len, struct err *e)
{
	la_ssize_t n = archive_write_data(w->tar, data, len);

	w->left -= (int64_t)len;
	return n == (la_ssize_t)len && !w->failure.code ? 0 : archive_failed(w, w->tar, e);
}

/* --- the end ------------------------------------------------------------------------------------ */

int layer_finish(struct layer_writer *w, struct img_packed *out, struct err *e)
{
	int r;

	if (w->tar && (archive_write_close(w->tar) != ARCHIVE_OK || w->failure.code))
		return archive_failed(w, w->tar, e);
	if (w->packer && (archive_write_close(w->packer) != ARCHIVE_OK || w->failure.code))
		return archive_failed(w, w->packer, e);
	img_hash_end(w->diff, &out->diff_id);
	if (!out->diff_id.text[0])
		return err_text(e, EIO, "layer could not be hashed");
	r = img_writer_commit(w->out, &out->digest, &out->size, e);
	w->out = NULL;
	return r;
}

void layer_close(struct layer_writer *w)
{
	if (!w)
		return;
	/* Freed unfinished, a tar gets its end, and its entry zeros, for which nobody wants to wait. */
	if (!w->failure.code)
		w->failure.code = ECANCELED;
	if (w->tar && w->left > LEFT_MAX)
		archive_write_fail(w->tar);
	archive_write_free(w->tar);
	archive_write_free(w->packer);
	archive_entry_free(w->entry);
	img_writer_abort(w->out, false);
	img_hash_free(w->diff);
	if (w->utf8)
		freelocale(w->utf8);
	free(w);
}
