/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs: reading, and the way in (see store.h). */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "images/store_internal.h"

/* How much is written before the kernel is told to begin with it: so that the fsync(2) at the end has little
 * left to wait for. */
#define WRITE_BEHIND (8 * 1024 * 1024)

/* --- reading ------------------------------------------------------------------------------------ */

bool img_blob_has(struct img_store *s, const struct img_digest *d, int64_t size)
{
	char path[IMG_DIGEST_MAX];
	struct stat st;

	if (!d->text[0])
		return false;
	st_blob_path(d, path);
	return fstatat(s->blobs, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       (size < 0 || st.st_size == size);
}

int img_blob_open(struct img_store *s, const struct img_digest *d, struct err *e)
{
	char path[IMG_DIGEST_MAX];
	struct stat st;
	_cleanup_close_ int fd = -EBADF;

	if (!d->text[0])
		return err_text(e, EOPNOTSUPP, "content whose digest cannot be verified");
	st_blob_path(d, path);
	fd = openat(s->blobs, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return err_text(e, ENOENT, "%s is not in image store %s", d->text, s->path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "open %s in image store %s", d->text, s->path);
	if (!S_ISREG(st.st_mode))
		return err_text(e, EBADMSG, "%s in image store %s is no regular file", d->text, s->path);
	return TAKE_FD(fd);
}

int img_blob_read(struct img_store *s, const struct img_descriptor *d, const char *what, struct arena *a,
	const char **text, size_t *len, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	_cleanup_free_ char *buf = NULL;
	char *copy;
	size_t n;
	int r;

	if (d->size > IMG_DOCUMENT_MAX)
		return err_text(
			e, EINVAL, "%s: %lld bytes is too large for a document", what, (long long)d->size);
	if (d->data && !img_blob_has(s, &d->digest, -1))
		return img_descriptor_data(a, d, what, text, len, e);
	fd = img_blob_open(s, &d->digest, e);
	if (fd < 0) {
		err_wrap(e, "%s", what);
		return fd;
	}
	r = fd_read_regular(fd, IMG_DOCUMENT_MAX, &buf, &n);
	if (r < 0)
		return err_set(e, r, "read %s", what);
	r = img_digest_check(buf, n, &d->digest, d->size, what, e);
	if (r < 0) {
		err_hint(e, "see \"ringfence store check\"");
		return r;
	}
	copy = arena_strndup(a, buf, n);
	if (!copy)
		return err_set(e, ENOMEM, "%s", what);
	*text = copy;
	*len = n;
	return 0;
}

/* --- the way in --------------------------------------------------------------------------------- */

struct img_writer {
	struct img_store *store;
	struct img_hash *hash;
	struct img_digest want;		  /* "": none */
	int64_t want_size, size, started; /* started: up to where the kernel was told to write */
	int fd;
	bool resumable;			/* our name in tmp/ is that of the content */
	char name[IMG_DIGEST_MAX + 16]; /* in tmp/ */
};

static void writer_free(struct img_writer *w)
{
	fd_close(w->fd);
	img_hash_free(w->hash);
	free(w);
}

/*
 * The partial file of a known digest: whoever holds its flock(2) goes on with it. Between open(2) and
 * flock(2) the one before us may have renamed it to its place, or removed it: then it is not the file of that
 * name any more.
 */
static int open_partial(struct img_writer *w)
{
	struct stat mine, named;

	for (int i = 0; i < 10; i++) {
		_cleanup_close_ int fd =
			openat(w->store->tmp, w->name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0)
			return errno == EWOULDBLOCK ? -EBUSY : -errno;
		if (fstat(fd, &mine) == 0 &&
			fstatat(w->store->tmp, w->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
			mine.st_ino == named.st_ino && mine.st_dev == named.st_dev && S_ISREG(mine.st_mode))
			return TAKE_FD(fd);
	}
	return -EBUSY;
}

static int open_new(struct img_writer *w)
{
	int fd;

	st_tmp_name(w->store, "blob", w->name);
	fd = openat(w->store->tmp, w->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	w->resumable = false;
	return fd < 0 ? -errno : fd;
}

/* Hashes what is there already; more than there should be cannot be the beginning of it. */
static int catch_up(struct img_writer *w)
{
	_cleanup_free_ char *buf = malloc(256 * 1024);

	if (!buf)
		return -ENOMEM;
	for (;;) {
		ssize_t n = pread(w->fd, buf, 256 * 1024, w->size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		img_hash_add(w->hash, buf, (size_t)n);
		w->size += n;
		if (w->want_size >= 0 && w->size > w->want_size)
			return img_writer_restart(w, NULL);
	}
	w->started = w->size;
	return lseek(w->fd, w->size, SEEK_SET) < 0 ? -errno : 0;
}

int img_writer_open(struct img_store *s, const struct img_digest *want, int64_t want_size,
	struct img_writer **out, int64_t *have, struct err *e)
{
	struct img_writer *w = calloc(1, sizeof(*w));
	int r = 0;

	if (!w)
		return err_set(e, ENOMEM, "receive content");
	w->store = s;
	w->want_size = want_size;
	w->fd = -EBUSY;
	w->hash = img_hash_new(want);
	if (!w->hash) {
		writer_free(w);
		return err_set(e, ENOMEM, "receive content");
	}
	if (want && want->text[0]) {
		w->want = *want;
		w->resumable = true;
		snprintf(w->name, sizeof(w->name), ST_PARTIAL "%s-%s", img_digest_algorithm(want),
			img_digest_hex(want));
		w->fd = open_partial(w);
	}
	if (w->fd == -EBUSY)
		w->fd = open_new(w);
	r = w->fd < 0 ? w->fd : catch_up(w);
	if (r < 0) {
		writer_free(w);
		return err_set(e, r, "receive content into %s/tmp", s->path);
	}
	*have = w->size;
	*out = w;
	return 0;
}

static int write_error(struct img_writer *w, int r, struct err *e)
{
	r = err_set(e, r, "write %s to image store %s", w->want.text[0] ? w->want.text : "content",
		w->store->path);
	if (r == -ENOSPC || r == -EDQUOT)
		err_hint(e, "\"ringfence prune\" removes what is not needed");
	return r;
}

int img_writer_add(struct img_writer *w, const void *data, size_t len, struct err *e)
{
	int r;

	if (w->want_size >= 0 && (uint64_t)(w->want_size - w->size) < len)
		return err_text(e, EBADMSG, "%s is longer than the %lld bytes that its descriptor says",
			w->want.text[0] ? w->want.text : "content", (long long)w->want_size);
	r = fd_write_all(w->fd, data, len);
	if (r < 0) {
		/* Some of it may be there, which the hash has not seen. */
		if (ftruncate(w->fd, w->size) < 0 || lseek(w->fd, w->size, SEEK_SET) < 0)
			w->resumable = false;
		return write_error(w, r, e);
	}
	img_hash_add(w->hash, data, len);
	w->size += (int64_t)len;
	if (w->size - w->started >= WRITE_BEHIND) {
		(void)sync_file_range(w->fd, w->started, w->size - w->started, SYNC_FILE_RANGE_WRITE);
		w->started = w->size;
	}
	return 0;
}

int img_writer_restart(struct img_writer *w, struct err *e)
{
	struct img_hash *fresh = img_hash_new(w->want.text[0] ? &w->want : NULL);

	if (!fresh)
		return err_set(e, ENOMEM, "receive content");
	img_hash_free(w->hash);
	w->hash = fresh;
	w->size = w->started = 0;
	if (ftruncate(w->fd, 0) < 0 || lseek(w->fd, 0, SEEK_SET) < 0)
		return write_error(w, errno, e);
	return 0;
}

static int verify(struct img_writer *w, struct img_digest *got, struct err *e)
{
	if (w->want_size >= 0 && w->size != w->want_size)
		return err_text(e, EBADMSG,
			"%s: %lld bytes came instead of the %lld that its descriptor says",
			w->want.text[0] ? w->want.text : "content", (long long)w->size,
			(long long)w->want_size);
	img_hash_end(w->hash, got);
	if (!got->text[0])
		return err_text(e, EIO, "content could not be hashed");
	if (w->want.text[0] && !img_digest_eq(got, &w->want))
		return err_text(e, EBADMSG,
			"content that should be %s is %s: it was damaged on its way, or exchanged",
			w->want.text, got->text);
	return 0;
}

int img_writer_commit(struct img_writer *w, struct img_digest *out, int64_t *size, struct err *e)
{
	char path[IMG_DIGEST_MAX];
	struct img_digest got;
	int r = verify(w, &got, e);

	/* What is too short can be gone on with. */
	if (r < 0) {
		img_writer_abort(w, w->size < w->want_size);
		return r;
	}
	st_blob_path(&got, path);
	if (fsync(w->fd) < 0 || renameat(w->store->tmp, w->name, w->store->blobs, path) < 0) {
		r = write_error(w, errno, e);
		img_writer_abort(w, true);
		return r;
	}
	if (out)
		*out = got;
	if (size)
		*size = w->size;
	writer_free(w);
	return 0;
}

void img_writer_abort(struct img_writer *w, bool keep)
{
	if (!w)
		return;
	if (!keep || !w->resumable || w->size == 0)
		unlinkat(w->store->tmp, w->name, 0);
	writer_free(w);
}

int st_blob_adopt(struct img_store *s, int dir, const char *name, const struct img_digest *d, struct err *e)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char path[IMG_DIGEST_MAX];

	st_blob_path(d, path);
	if (fd < 0 || fsync(fd) < 0 || renameat(dir, name, s->blobs, path) < 0)
		return err_set(e, errno, "put %s into image store %s", d->text, s->path);
	return 0;
}

int img_blob_put(struct img_store *s, const void *data, size_t len, struct img_digest *out, struct err *e)
{
	struct img_writer *w;
	int64_t have;
	int r = img_writer_open(s, NULL, (int64_t)len, &w, &have, e);

	if (r < 0)
		return r;
	r = img_writer_add(w, data, len, e);
	if (r < 0) {
		img_writer_abort(w, false);
		return r;
	}
	return img_writer_commit(w, out, NULL, e);
}
