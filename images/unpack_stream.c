/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packed bytes to a tar's (see unpack_internal.h). A thread reads and inflates into a ring of buffers;
 * whoever unpacks takes them out, hashes them, and counts. So the two halves of the work, of which either can
 * be the longer one, share two processors.
 */
#include <archive.h>
#include <archive_entry.h>
#include <pthread.h>
#include <signal.h>

#include "base/str.h"
#include "images/unpack_internal.h"

#define BUFFERS	    8
#define BUFFER_SIZE (256U * 1024U)
#define PACKED_SIZE (128U * 1024U)

/* Below this a ratio says nothing: an empty file system of zeros is small and harmless. */
#define RATIO_FROM    (64 * 1024 * 1024)
#define RATIO_DEFAULT 400

/* archive.h has the names of its error numbers for users who write formats of their own only. */
#define ARCHIVE_ERRNO_FILE_FORMAT EILSEQ

struct up_stream {
	const struct img_unpack *u;
	const char *what;
	pthread_t thread;
	bool started;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	char *buffers[BUFFERS];
	size_t used[BUFFERS];
	unsigned int filled, taken; /* how many ever; the difference is what waits */
	bool ended, stop;	    /* the producer has no more; the consumer wants no more */
	struct err failure;	    /* the producer's, with `ended` */

	/* The producer's own */
	char *packed_buf;
	int64_t packed; /* read by both */

	/* The consumer's own */
	bool holding; /* the buffer that was given out last is still in use */
	struct img_hash *hash;
	int64_t unpacked, max_ratio, max_unpacked;
	struct err err;
};

/* --- the producer ------------------------------------------------------------------------------- */

static la_ssize_t read_packed(struct archive *a, void *arg, const void **buf)
{
	struct up_stream *s = arg;
	ssize_t n = s->u->read(s->u->arg, s->packed_buf, PACKED_SIZE);

	if (n < 0) {
		archive_set_error(a, (int)-n, "it cannot be read: %s", strerror((int)-n));
		return -1;
	}
	__atomic_add_fetch(&s->packed, n, __ATOMIC_RELAXED);
	*buf = s->packed_buf;
	return n;
}

/* A free buffer's number, or -1: stop. */
static int wait_for_room(struct up_stream *s)
{
	int i = -1;

	pthread_mutex_lock(&s->lock);
	while (s->filled - s->taken == BUFFERS && !s->stop)
		pthread_cond_wait(&s->changed, &s->lock);
	if (!s->stop)
		i = (int)(s->filled % BUFFERS);
	pthread_mutex_unlock(&s->lock);
	return i;
}

static void hand_over(struct up_stream *s, int i, size_t len)
{
	pthread_mutex_lock(&s->lock);
	s->used[i] = len;
	s->filled++;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* Gathers what libarchive gives in small pieces into whole buffers. */
static int inflate_all(struct up_stream *s, struct archive *a)
{
	size_t used = 0;
	int i = -1;

	for (;;) {
		const void *data;
		la_int64_t offset;
		size_t size;
		int r = archive_read_data_block(a, &data, &size, &offset);

		if (r == ARCHIVE_EOF)
			break;
		if (r != ARCHIVE_OK)
			return -1;
		for (size_t n; size > 0; size -= n, data = (const char *)data + n) {
			if (i < 0) {
				i = wait_for_room(s);
				if (i < 0)
					return 0;
				used = 0;
			}
			n = size < BUFFER_SIZE - used ? size : BUFFER_SIZE - used;
			memcpy(s->buffers[i] + used, data, n);
			used += n;
			if (used == BUFFER_SIZE) {
				hand_over(s, i, used);
				i = -1;
			}
		}
	}
	if (i >= 0 && used > 0)
		hand_over(s, i, used);
	return 0;
}

/*
 * ARCHIVE_WARN: libarchive was built without that library and would run a program (gzip -d) instead, which is
 * not wanted here. With such a libarchive the stream then fails as one of an unknown format.
 */
static struct archive *new_inflater(void)
{
	static int (*const filters[])(struct archive *) = {
		archive_read_support_filter_gzip,
		archive_read_support_filter_zstd,
		archive_read_support_filter_xz,
		archive_read_support_filter_bzip2,
	};
	bool usable[ARRAY_SIZE(filters)];
	struct archive *a;

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		a = archive_read_new();
		usable[i] = a && filters[i](a) == ARCHIVE_OK;
		archive_read_free(a);
	}
	a = archive_read_new();
	if (!a)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++)
		if (usable[i])
			filters[i](a);
	archive_read_support_format_raw(a);
	archive_read_support_format_empty(a);
	return a;
}

static int inflate(struct up_stream *s, struct archive *a, struct err *e)
{
	struct archive_entry *entry;
	int r;

	if (archive_read_open2(a, s, NULL, read_packed, NULL, NULL) != ARCHIVE_OK)
		goto fail;
	r = archive_read_next_header(a, &entry);
	if (r == ARCHIVE_EOF)
		return 0;
	if (r != ARCHIVE_OK)
		goto fail;
	/* One, and the "none" below it: packed twice is how bombs are made small. */
	if (archive_filter_count(a) > 2)
		return err_text(e, EINVAL, "%s is compressed more than once", s->what);
	if (inflate_all(s, a) == 0)
		return 0;
fail:
	r = archive_errno(a);
	return err_text(e, r <= 0 || r == ARCHIVE_ERRNO_FILE_FORMAT ? EBADMSG : r,
		"%s cannot be uncompressed: %s", s->what,
		archive_error_string(a) ? archive_error_string(a) : "unknown format");
}

static void *produce(void *arg)
{
	struct up_stream *s = arg;
	struct archive *a = new_inflater();
	struct err failure = ERR_INIT;

	if (a)
		inflate(s, a, &failure);
	else
		err_set(&failure, ENOMEM, "uncompress %s", s->what);
	archive_read_free(a);
	pthread_mutex_lock(&s->lock);
	s->failure = failure;
	s->ended = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* --- the consumer ------------------------------------------------------------------------------- */

int up_stream_open(const struct img_unpack *u, struct up_stream **out, struct err *e)
{
	struct up_stream *s = calloc(1, sizeof(*s));
	sigset_t all, old;
	int r = 0;

	if (!s)
		return err_set(e, ENOMEM, "unpack layer");
	s->u = u;
	s->what = u->what ? u->what : "layer";
	s->max_ratio = u->limits.max_ratio ? u->limits.max_ratio : RATIO_DEFAULT;
	s->hash = img_hash_new(u->diff_id.text[0] ? &u->diff_id : NULL);
	s->packed_buf = malloc(PACKED_SIZE);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	for (int i = 0; i < BUFFERS; i++) {
		s->buffers[i] = malloc(BUFFER_SIZE);
		if (!s->buffers[i])
			r = -ENOMEM;
	}
	if (!s->hash || !s->packed_buf)
		r = -ENOMEM;
	if (r == 0) {
		/* Signals are for whoever called us. */
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &old);
		r = -pthread_create(&s->thread, NULL, produce, s);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
		s->started = r == 0;
	}
	if (r < 0) {
		up_stream_close(s);
		return err_set(e, r, "unpack layer");
	}
	*out = s;
	return 0;
}

static ssize_t check_ratio(struct up_stream *s, size_t more)
{
	int64_t packed = __atomic_load_n(&s->packed, __ATOMIC_RELAXED);

	s->unpacked += (int64_t)more;
	if (s->unpacked > RATIO_FROM && s->unpacked / s->max_ratio > packed)
		return err_text(&s->err, E2BIG,
			"%s grows to more than %lld times its size when it is uncompressed, as no honest "
			"one does",
			s->what, (long long)s->max_ratio);
	if (s->u->tick && s->u->tick(s->u->tick_arg, packed))
		return err_text(&s->err, EINTR, "unpacking was stopped");
	return (ssize_t)more;
}

ssize_t up_stream_next(struct up_stream *s, const void **data)
{
	size_t len = 0;
	int i = 0;

	if (s->err.code)
		return -s->err.code;
	pthread_mutex_lock(&s->lock);
	if (s->holding) {
		s->taken++;
		s->holding = false;
		pthread_cond_broadcast(&s->changed);
	}
	while (s->filled == s->taken && !s->ended)
		pthread_cond_wait(&s->changed, &s->lock);
	if (s->filled != s->taken) {
		i = (int)(s->taken % BUFFERS);
		len = s->used[i];
		s->holding = true;
	} else {
		s->err = s->failure;
	}
	pthread_mutex_unlock(&s->lock);
	if (len == 0)
		return -s->err.code;
	if (!s->u->unhashed)
		img_hash_add(s->hash, s->buffers[i], len);
	*data = s->buffers[i];
	return check_ratio(s, len);
}

int up_stream_finish(struct up_stream *s, struct img_digest *diff_id)
{
	const void *data;
	ssize_t n;

	do {
		n = up_stream_next(s, &data);
	} while (n > 0);
	if (n < 0)
		return (int)n;
	img_hash_end(s->hash, diff_id);
	if (!diff_id->text[0])
		return err_text(&s->err, EIO, "%s could not be hashed", s->what);
	if (s->u->diff_id.text[0] && !img_digest_eq(diff_id, &s->u->diff_id))
		return err_text(&s->err, EBADMSG, "%s's content is %s, and its image's config says %s",
			s->what, diff_id->text, s->u->diff_id.text);
	return 0;
}

const struct err *up_stream_err(const struct up_stream *s)
{
	return &s->err;
}

void up_stream_close(struct up_stream *s)
{
	if (!s)
		return;
	if (s->started) {
		pthread_mutex_lock(&s->lock);
		s->stop = true;
		pthread_cond_broadcast(&s->changed);
		pthread_mutex_unlock(&s->lock);
		pthread_join(s->thread, NULL);
	}
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	for (int i = 0; i < BUFFERS; i++)
		free(s->buffers[i]);
	free(s->packed_buf);
	img_hash_free(s->hash);
	free(s);
}

int img_unpack_bytes(const struct img_unpack *u,
	int (*write)(void *arg, const void *data, size_t len, struct err *e), void *write_arg,
	struct img_digest *diff_id, int64_t *bytes, struct err *e)
{
	_cleanup_(up_stream_closep) struct up_stream *s = NULL;
	struct img_digest got;
	const void *data;
	ssize_t n = 0;
	int r = up_stream_open(u, &s, e);

	if (r < 0)
		return r;
	while (write && (n = up_stream_next(s, &data)) > 0) {
		r = write(write_arg, data, (size_t)n, e);
		if (r < 0)
			return r;
	}
	if (n == 0)
		n = up_stream_finish(s, &got);
	if (n < 0)
		return err_text(e, (int)-n, "%s", s->err.text);
	if (diff_id)
		*diff_id = got;
	if (bytes)
		*bytes = s->unpacked;
	return 0;
}
