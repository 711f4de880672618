/* SPDX-License-Identifier: Apache-2.0 */
/* Files into a tar or a directory, for img_save() (see save_internal.h). */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "images/save_internal.h"

#define LEFT_MAX (INT64_C(1) << 30)

struct save_sink {
	int fd, dir;
	struct archive *tar;
	struct archive_entry *entry;
	int file;     /* the present one, of a directory */
	int64_t left; /* of its bytes */
	int error;    /* of the last write(2) */
};

/* Never an error to libarchive, which would then leak what it has: whoever called it asks for k->error. */
static la_ssize_t write_out(struct archive *a, void *arg, const void *data, size_t len)
{
	struct save_sink *k = arg;

	if (!k->error)
		k->error = -fd_write_all(k->fd, data, len);
	return (la_ssize_t)len;
}

/* The kernel's reason before what libarchive makes of it. */
static int write_error(struct save_sink *k, struct err *e)
{
	if (k->error)
		return err_set(e, k->error, "write");
	return err_text(e, archive_errno(k->tar) > 0 ? archive_errno(k->tar) : EIO, "write: %s",
		archive_error_string(k->tar) ? archive_error_string(k->tar) : "unknown error");
}

int save_sink_open(int fd, int dir, struct save_sink **out, struct err *e)
{
	_cleanup_(save_sink_closep) struct save_sink *k = calloc(1, sizeof(*k));

	if (!k)
		return err_set(e, ENOMEM, "save");
	k->fd = fd;
	k->dir = dir;
	k->file = -EBADF;
	if (dir < 0) {
		k->tar = archive_write_new();
		k->entry = archive_entry_new();
		if (!k->tar || !k->entry)
			return err_set(e, ENOMEM, "save");
		/* ustar, and pax headers where a size does not fit into it. */
		if (archive_write_set_format_pax_restricted(k->tar) != ARCHIVE_OK ||
			archive_write_set_bytes_in_last_block(k->tar, 1) != ARCHIVE_OK ||
			archive_write_open(k->tar, k, NULL, write_out, NULL) != ARCHIVE_OK)
			return write_error(k, e);
	}
	*out = TAKE_PTR(k);
	return 0;
}

/* `name` is ours: digits, and at most "blobs/ALG/" before them. */
static int make_file(struct save_sink *k, const char *name, struct err *e)
{
	char dir[256];

	for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - name), name);
		if (mkdirat(k->dir, dir, 0755) < 0 && errno != EEXIST)
			return err_set(e, errno, "make directory %s", dir);
	}
	k->file = openat(k->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	return k->file < 0 ? err_set(e, errno, "create %s", name) : 0;
}

int save_file(struct save_sink *k, const char *name, int64_t size, struct err *e)
{
	k->left = size;
	if (!k->tar)
		return make_file(k, name, e);
	archive_entry_clear(k->entry);
	archive_entry_set_pathname(k->entry, name);
	archive_entry_set_filetype(k->entry, AE_IFREG);
	archive_entry_set_perm(k->entry, 0644);
	archive_entry_set_size(k->entry, size);
	archive_entry_set_mtime(k->entry, 0, 0);
	return archive_write_header(k->tar, k->entry) == ARCHIVE_OK && !k->error ? 0 : write_error(k, e);
}

int save_data(void *sink, const void *data, size_t len, struct err *e)
{
	struct save_sink *k = sink;
	int r;

	if ((uint64_t)k->left < len)
		return err_text(e, EBADMSG, "there is more of it than there should be");
	k->left -= (int64_t)len;
	if (!k->tar) {
		r = fd_write_all(k->file, data, len);
		return r < 0 ? err_set(e, r, "write") : 0;
	}
	return archive_write_data(k->tar, data, len) == (la_ssize_t)len && !k->error ? 0 : write_error(k, e);
}

int save_file_end(struct save_sink *k, struct err *e)
{
	k->file = fd_close(k->file);
	/* libarchive would fill it up with zeros. */
	return k->left ? err_text(e, EBADMSG, "there is less of it than there should be") : 0;
}

int save_text(struct save_sink *k, const char *name, const char *text, size_t len, struct err *e)
{
	int r = save_file(k, name, (int64_t)len, e);

	if (r == 0)
		r = save_data(k, text, len, e);
	return r == 0 ? save_file_end(k, e) : r;
}

int save_finish(struct save_sink *k, struct err *e)
{
	return !k->tar || (archive_write_close(k->tar) == ARCHIVE_OK && !k->error) ? 0 : write_error(k, e);
}

void save_sink_close(struct save_sink *k)
{
	if (!k)
		return;
	/* Freed unfinished, a tar gets an end, and its file zeros: what is not whole should not look so. */
	if (!k->error)
		k->error = ECANCELED;
	if (k->tar && k->left > LEFT_MAX)
		archive_write_fail(k->tar);
	archive_write_free(k->tar);
	archive_entry_free(k->entry);
	fd_close(k->file);
	free(k);
}
