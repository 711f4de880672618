/* SPDX-License-Identifier: Apache-2.0 */
/* Archives by the names of their members (see archive.h; archive_read.c reads tars). */
#include "images/archive.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "images/archive_internal.h"
#include "images/unpack.h"

#define LINKS_MAX 8 /* one after another */

/* --- members ------------------------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct ar_member *)a)->name, ((const struct ar_member *)b)->name);
}

const char *ar_clean_name(const char *name, char buf[PATH_MAX])
{
	if (path_clean(name, buf, PATH_MAX) < 0)
		return NULL;
	/* ".." never leaves the root there, so "../a" is "a": refused, for it is nobody's honest name. */
	for (const char *p = name; (p = strstr(p, "..")); p += 2)
		if ((p == name || p[-1] == '/') && (p[2] == '/' || !p[2]))
			return NULL;
	return buf[1] ? buf + 1 : NULL;
}

struct ar_member *ar_lookup(struct img_source *ar, const char *name)
{
	struct ar_member key = { .name = name };
	struct ar_member *const *found = tfind(&key, &ar->members, by_name);

	return found ? *found : NULL;
}

static void member_free(void *arg)
{
	struct ar_member *m = arg;

	free(m->target);
	free(m);
}

struct ar_member *ar_add(struct img_source *ar, const char *name)
{
	struct ar_member *m = ar_lookup(ar, name);
	size_t len = strlen(name) + 1;

	if (m) {
		/* Of equal names the last one counts. */
		ar_drop(ar, m);
		return m;
	}
	m = calloc(1, sizeof(*m) + len);
	if (!m)
		return NULL;
	memcpy(m->text, name, len);
	m->name = m->text;
	m->number = ++ar->numbers;
	if (!tsearch(m, &ar->members, by_name)) {
		free(m);
		return NULL;
	}
	return m;
}

void ar_drop(struct img_source *ar, struct ar_member *m)
{
	char number[16];

	if (m->spooled)
		unlinkat(ar->spool, ar_number(m, number), 0);
	free(m->target);
	m->target = NULL;
	m->spooled = m->present = false;
}

const char *ar_number(const struct ar_member *m, char buf[16])
{
	snprintf(buf, 16, "%u", m->number);
	return buf;
}

/* A link's text from where it is: "../other/layer.tar" in "this/layer.tar" is "other/layer.tar". */
static const char *follow(const struct ar_member *m, char buf[PATH_MAX])
{
	char joined[2 * PATH_MAX];
	const char *slash = strrchr(m->name, '/');
	int dir = m->hard || !slash ? 0 : (int)(slash - m->name);

	if (*m->target == '/' ||
		snprintf(joined, sizeof(joined), "%.*s/%s", dir, m->name, m->target) >= (int)sizeof(joined))
		return NULL;
	/* Lexically; where ".." would leave the archive it stays at its top, where there is such a member or
	 * none. */
	return path_clean(joined, buf, PATH_MAX) < 0 || !buf[1] ? NULL : buf + 1;
}

/* --- spooled files ------------------------------------------------------------------------------ */

/* The digest that a name claims: "blobs/ALG/HEX". */
bool ar_blob_name(const char *name, struct img_digest *out)
{
	char text[IMG_DIGEST_MAX];
	const char *alg = name + strlen("blobs/"), *hex;

	if (!str_starts(name, "blobs/"))
		return false;
	hex = strchr(alg, '/');
	if (!hex ||
		snprintf(text, sizeof(text), "%.*s:%s", (int)(hex - alg), alg, hex + 1) >= (int)sizeof(text))
		return false;
	return img_digest_parse(text, out, NULL) == 0;
}

int ar_spool_begin(struct img_source *ar, struct ar_member *m, struct ar_spool *out, struct err *e)
{
	struct img_digest like = { "" };
	char number[16];

	(void)ar_blob_name(m->name, &like);
	*out = (struct ar_spool){ .fd = openat(ar->spool, ar_number(m, number),
					  O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600) };
	if (out->fd < 0)
		return err_set(e, errno, "make a file in %s/tmp", ar->s->path);
	m->spooled = true;
	out->hash = img_hash_new(&like);
	return out->hash ? 0 : err_set(e, ENOMEM, "read archive");
}

int ar_spool_add(struct img_source *ar, struct ar_spool *sp, const void *data, size_t len, struct err *e)
{
	int r = fd_write_all(sp->fd, data, len);

	if (r < 0) {
		r = err_set(e, r, "write to %s/tmp", ar->s->path);
		if (r == -ENOSPC || r == -EDQUOT)
			err_hint(e, "\"ringfence prune\" removes what is not needed");
		return r;
	}
	img_hash_add(sp->hash, data, len);
	sp->size += (int64_t)len;
	if (sp->size - sp->started >= AR_WRITE_BEHIND) {
		(void)sync_file_range(sp->fd, sp->started, sp->size - sp->started, SYNC_FILE_RANGE_WRITE);
		sp->started = sp->size;
	}
	return 0;
}

int ar_spool_end(struct ar_member *m, struct ar_spool *sp, struct err *e)
{
	img_hash_end(sp->hash, &m->file.digest);
	if (!m->file.digest.text[0])
		return err_text(e, EIO, "\"%s\" could not be hashed", m->name);
	m->file.size = sp->size;
	m->present = true;
	return 0;
}

void ar_spool_close(struct ar_spool *sp)
{
	sp->fd = fd_close(sp->fd);
	img_hash_free(sp->hash);
	sp->hash = NULL;
}

/* --- directories -------------------------------------------------------------------------------- */

static int copy_in(struct img_source *ar, struct ar_member *m, int fd, struct err *e)
{
	_cleanup_free_ char *buf = malloc(AR_BUFFER);
	struct ar_spool sp = { .fd = -EBADF };
	int r = buf ? ar_spool_begin(ar, m, &sp, e) : err_set(e, ENOMEM, "read \"%s\"", m->name);

	while (r == 0) {
		ssize_t n = read(fd, buf, AR_BUFFER);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = err_set(e, errno, "read \"%s\"", m->name);
		if (n <= 0)
			break;
		ar->bytes += n;
		r = ar->bytes > IMG_ARCHIVE_BYTES ? ar_too_much(e) : ar_spool_add(ar, &sp, buf, (size_t)n, e);
	}
	if (r == 0)
		r = ar_spool_end(m, &sp, e);
	ar_spool_close(&sp);
	return r;
}

/* Of a directory: symlinks in it are followed, and stay inside. */
static int fetch(struct img_source *ar, const char *name, struct ar_member **out, struct err *e)
{
	_cleanup_close_ int fd = path_open(ar->dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, 0);
	struct img_digest d;
	struct ar_member *m;
	struct stat st;
	int r;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return -ENOENT;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, fd < 0 ? fd : errno, "open \"%s\"", name);
	if (!S_ISREG(st.st_mode))
		return err_text(e, EINVAL, "\"%s\" is no regular file", name);
	m = ar_add(ar, name);
	if (!m)
		return err_set(e, ENOMEM, "read \"%s\"", name);
	if (ar_blob_name(name, &d) && img_blob_has(ar->s, &d, st.st_size)) {
		m->file = (struct img_source_file){ .size = st.st_size, .digest = d };
		m->present = true;
		r = 0;
	} else {
		r = copy_in(ar, m, fd, e);
	}
	*out = m;
	return r;
}

/* --- the interface ------------------------------------------------------------------------------ */

int ar_too_much(struct err *e)
{
	return err_text(e, E2BIG, "archive has more than %lld GiB", (long long)(IMG_ARCHIVE_BYTES >> 30));
}

int img_source_open(
	struct img_store *s, const char *path, struct img_progress *p, struct img_source **out, struct err *e)
{
	_cleanup_(img_source_closep) struct img_source *ar = calloc(1, sizeof(*ar));
	_cleanup_close_ int fd = -EBADF;
	bool input = str_eq(path, "-");
	struct stat st;
	int r;

	if (!ar)
		return err_set(e, ENOMEM, "read archive");
	ar->s = s;
	ar->dir = ar->spool = -EBADF;
	fd = input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "open %s", input ? "standard input" : path);
	st_tmp_name(s, "load", ar->name);
	if (mkdirat(s->tmp, ar->name, 0700) < 0)
		return err_set(e, errno, "make a directory in %s/tmp", s->path);
	ar->made = true;
	ar->spool = openat(s->tmp, ar->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (ar->spool < 0)
		return err_set(e, errno, "open a directory in %s/tmp", s->path);
	if (S_ISDIR(st.st_mode))
		ar->dir = TAKE_FD(fd);
	else if ((r = ar_read_tar(ar, fd, S_ISREG(st.st_mode) ? st.st_size : -1, p, e)) < 0)
		return r;
	*out = TAKE_PTR(ar);
	return 0;
}

void img_source_close(struct img_source *ar)
{
	if (!ar)
		return;
	tdestroy(ar->members, member_free);
	fd_close(ar->dir);
	fd_close(ar->spool);
	if (ar->made)
		(void)img_tree_remove(ar->s->tmp, ar->name, NULL);
	free(ar);
}

int img_source_find(
	struct img_source *ar, const char *name, const struct img_source_file **out, struct err *e)
{
	char buf[2][PATH_MAX];
	const char *at = ar_clean_name(name, buf[0]);

	for (int i = 1; at && i <= LINKS_MAX; i++) {
		struct ar_member *m = ar_lookup(ar, at);
		int r = 0;

		if (!m && ar->dir >= 0)
			r = fetch(ar, at, &m, e);
		if (r < 0 || !m)
			return r < 0 ? r : -ENOENT;
		if (m->present) {
			*out = &m->file;
			return 0;
		}
		if (!m->target)
			return -ENOENT;
		at = follow(m, buf[i % 2]);
	}
	return at ? err_text(e, ELOOP, "\"%.200s\" is a link that leads round in circles", name) : -ENOENT;
}

static struct ar_member *member_of(const struct img_source_file *f)
{
	return (struct ar_member *)((char *)f - offsetof(struct ar_member, file));
}

int img_source_fd(struct img_source *ar, const struct img_source_file *f, struct err *e)
{
	const struct ar_member *m = member_of(f);
	char number[16];
	int fd;

	if (!m->spooled)
		return img_blob_open(ar->s, &f->digest, e);
	fd = openat(ar->spool, ar_number(m, number), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_set(e, errno, "open a file in %s/tmp", ar->s->path) : fd;
}

int img_source_read(struct img_source *ar, const struct img_source_file *f, const char *what, struct arena *a,
	const char **text, size_t *len, struct err *e)
{
	_cleanup_free_ char *buf = NULL;
	_cleanup_close_ int fd = -EBADF;
	char *copy;
	size_t n;
	int r;

	if (f->size > IMG_DOCUMENT_MAX)
		return err_text(
			e, E2BIG, "%s: %lld bytes is too large for a document", what, (long long)f->size);
	fd = img_source_fd(ar, f, e);
	if (fd < 0)
		return fd;
	r = fd_read_regular(fd, IMG_DOCUMENT_MAX, &buf, &n);
	if (r < 0)
		return err_set(e, r, "read %s", what);
	copy = arena_strndup(a, buf, n);
	if (!copy)
		return err_set(e, ENOMEM, "%s", what);
	*text = copy;
	*len = n;
	return 0;
}

int img_source_adopt(struct img_source *ar, const struct img_source_file *f, struct err *e)
{
	struct ar_member *m = member_of(f);
	char number[16];
	int r;

	if (!m->spooled)
		return 0;
	r = st_blob_adopt(ar->s, ar->spool, ar_number(m, number), &f->digest, e);
	if (r == 0)
		m->spooled = false;
	return r;
}

/* --- compression -------------------------------------------------------------------------------- */

enum img_compression img_compression_of(const void *start, size_t len)
{
	static const struct {
		const char *magic;
		size_t len;
		enum img_compression is;
	} table[] = {
		{ "\x1f\x8b", 2, IMG_GZIP },
		{ "\x28\xb5\x2f\xfd", 4, IMG_ZSTD },
		{ "\xfd"
		  "7zXZ\0",
			6, IMG_XZ },
		{ "BZh", 3, IMG_BZIP2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (len >= table[i].len && memcmp(start, table[i].magic, table[i].len) == 0)
			return table[i].is;
	/* A zstd stream may begin with a frame to be skipped: 0x184D2A50 to 5F, little-endian. */
	if (len >= 4 && memcmp((const char *)start + 1, "\x2a\x4d\x18", 3) == 0 &&
		(*(const unsigned char *)start & 0xf0) == 0x50)
		return IMG_ZSTD;
	return IMG_NONE;
}

const char *img_layer_type(enum img_compression c)
{
	switch (c) {
	case IMG_NONE:
		return "application/vnd.oci.image.layer.v1.tar";
	case IMG_GZIP:
		return "application/vnd.oci.image.layer.v1.tar+gzip";
	case IMG_ZSTD:
		return "application/vnd.oci.image.layer.v1.tar+zstd";
	default:
		return NULL;
	}
}

int img_compression_parse(const char *text, enum img_compression *out, struct err *e)
{
	static const char *const names[] = { [IMG_NONE] = "none", [IMG_GZIP] = "gzip", [IMG_ZSTD] = "zstd" };

	*out = IMG_ZSTD;
	for (size_t i = 0; text && i < ARRAY_SIZE(names); i++) {
		if (str_eq(names[i], text)) {
			*out = (enum img_compression)i;
			return 0;
		}
	}
	return text ? err_text(e, EINVAL, "option --compression must be zstd, gzip or none, not \"%s\"", text)
		    : 0;
}
