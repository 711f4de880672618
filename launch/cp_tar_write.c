/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tar stream as a sink: POSIX.1-2001 (pax interchange format), with extended headers only where the ustar
 * header has no room: long names, large numbers, fractions of seconds, extended attributes (as
 * SCHILY.xattr.NAME, which GNU tar, bsdtar and star read).
 */
#include <errno.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "launch/cp_internal.h"

enum { BLOCK = 512, BUFFER = 256 * 1024 };

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[6],
		version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};

static int flush(struct cp_tar_sink *s, struct err *e)
{
	int r = s->used ? fd_write_all(s->fd, s->buffer, s->used) : 0;

	s->used = 0;
	return r < 0 ? err_set(e, -r, "write the tar stream") : 0;
}

static int add(struct cp_tar_sink *s, const void *data, size_t len, struct err *e)
{
	const char *p = data;

	while (len > 0) {
		size_t n = BUFFER - s->used < len ? BUFFER - s->used : len;

		memcpy(s->buffer + s->used, p, n);
		s->used += n;
		p += n;
		len -= n;
		if (s->used == BUFFER && flush(s, e) < 0)
			return -e->code;
	}
	return 0;
}

static int pad(struct cp_tar_sink *s, int64_t len, struct err *e)
{
	static const char zeros[BLOCK];

	return len % BLOCK ? add(s, zeros, (size_t)(BLOCK - len % BLOCK), e) : 0;
}

/* "LENGTH key=value\n", where the length counts its own digits. */
static void record(struct strbuf *b, const char *key, const void *value, size_t len)
{
	size_t body = strlen(key) + len + 3, total = body + 1, digits;
	char text[32];

	do {
		digits = (size_t)snprintf(text, sizeof(text), "%zu", total);
		if (digits + body == total)
			break;
		total = digits + body;
	} while (true);
	strbuf_printf(b, "%s %s=", text, key);
	strbuf_add(b, value, len);
	strbuf_puts(b, "\n");
}

static void record_number(struct strbuf *b, const char *key, uint64_t v)
{
	char text[24];

	record(b, key, text, (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)v));
}

static void octal(char *field, size_t size, uint64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), "%0*llo", (int)size - 1, (unsigned long long)v);
	memcpy(field, text, size - 1);
}

static bool fits(uint64_t v, size_t size)
{
	return v < (uint64_t)1 << (3 * (size - 1));
}

static int put_header(struct cp_tar_sink *s, struct header *h, struct err *e)
{
	unsigned int sum = 0;

	memcpy(h->magic, "ustar", 6);
	memcpy(h->version, "00", 2);
	memset(h->sum, ' ', sizeof(h->sum));
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += ((const unsigned char *)h)[i];
	octal(h->sum, 7, sum);
	h->sum[6] = '\0';
	return add(s, h, sizeof(*h), e);
}

static void put_name(char *field, size_t size, const char *name, const char *key, struct strbuf *pax)
{
	size_t len = strlen(name);

	memcpy(field, name, len < size ? len : size);
	if (len > size)
		record(pax, key, name, len);
}

static void put_id(char *field, uint32_t id, const char *key, struct strbuf *pax)
{
	octal(field, 8, fits(id, 8) ? id : 0);
	if (!fits(id, 8))
		record_number(pax, key, id);
}

static void put_time(struct header *h, const struct timespec *t, struct strbuf *pax)
{
	char text[48];
	bool plain = t->tv_sec >= 0 && fits((uint64_t)t->tv_sec, 12);

	octal(h->mtime, 12, plain ? (uint64_t)t->tv_sec : 0);
	if (plain && t->tv_nsec == 0)
		return;
	/* Before 1970 the fraction counts the other way. */
	if (t->tv_sec < 0 && t->tv_nsec > 0)
		snprintf(text, sizeof(text), "-%lld.%09ld", -(long long)(t->tv_sec + 1),
			1000000000L - t->tv_nsec);
	else
		snprintf(text, sizeof(text), "%lld.%09ld", (long long)t->tv_sec, t->tv_nsec);
	record(pax, "mtime", text, strlen(text));
}

static char type_of(const struct cp_entry *x)
{
	if (x->hard)
		return '1';
	switch (x->mode & S_IFMT) {
	case S_IFDIR:
		return '5';
	case S_IFLNK:
		return '2';
	case S_IFIFO:
		return '6';
	case S_IFCHR:
		return '3';
	case S_IFBLK:
		return '4';
	default:
		return '0';
	}
}

static void put_xattrs(const struct cp_entry *x, struct strbuf *pax)
{
	for (size_t i = 0; i < x->n_xattrs; i++) {
		_cleanup_strbuf_ struct strbuf key = { 0 };

		/* A key ends at its "=". */
		if (strchr(x->xattrs[i].name, '='))
			continue;
		strbuf_printf(&key, "SCHILY.xattr.%s", x->xattrs[i].name);
		if (!key.failed)
			record(pax, key.s, x->xattrs[i].value, x->xattrs[i].len);
	}
}

static void member_name(const struct cp_tar_sink *s, const char *path, bool dir, struct strbuf *out)
{
	strbuf_printf(out, "%s%s%s%s", *s->name ? s->name : ".", *path ? "/" : "", path, dir ? "/" : "");
}

/* Exactly as many bytes as the header said, whatever has become of the file. */
static int put_data(struct cp_tar_sink *s, const struct cp_entry *x, struct err *e)
{
	_cleanup_free_ char *buf = malloc(1 << 16);
	char shown[CP_SHOWN];
	int64_t at = 0;
	bool ended = false;

	if (!buf)
		return err_set(e, ENOMEM, "cp");
	while (at < x->size) {
		size_t want = x->size - at < 1 << 16 ? (size_t)(x->size - at) : 1 << 16;
		ssize_t n = ended ? 0 : pread(x->fd, buf, want, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, "read %s", cp_show(*x->path ? x->path : ".", shown));
		if (n == 0) {
			ended = true;
			memset(buf, 0, want);
			n = (ssize_t)want;
		}
		if (add(s, buf, (size_t)n, e) < 0)
			return -e->code;
		at += n;
	}
	return pad(s, x->size, e);
}

static int put_pax(struct cp_tar_sink *s, const struct strbuf *pax, struct err *e)
{
	struct header h = { .name = "PaxHeaders/ringfence", .mode = "0000644", .type = 'x' };
	int r;

	if (pax->len == 0)
		return 0;
	octal(h.uid, 8, 0);
	octal(h.gid, 8, 0);
	octal(h.size, 12, pax->len);
	octal(h.mtime, 12, 0);
	r = put_header(s, &h, e);
	if (r == 0)
		r = add(s, pax->s, pax->len, e);
	return r < 0 ? r : pad(s, (int64_t)pax->len, e);
}

static int put(struct cp_sink *sink, const struct cp_entry *x, struct err *e)
{
	struct cp_tar_sink *s = (struct cp_tar_sink *)sink;
	_cleanup_strbuf_ struct strbuf pax = { 0 }, name = { 0 }, link = { 0 };
	bool data = S_ISREG(x->mode) && !x->hard;
	uint64_t size = data ? (uint64_t)x->size : 0;
	struct header h = { .type = type_of(x) };
	int r;

	member_name(s, x->path, S_ISDIR(x->mode), &name);
	if (x->hard)
		member_name(s, x->link, false, &link);
	else if (x->link)
		strbuf_puts(&link, x->link);
	if (name.failed || link.failed)
		return err_set(e, ENOMEM, "cp");
	put_name(h.name, sizeof(h.name), name.s, "path", &pax);
	put_name(h.link, sizeof(h.link), link.s ? link.s : "", "linkpath", &pax);
	octal(h.mode, 8, x->mode & 07777);
	put_id(h.uid, x->uid, "uid", &pax);
	put_id(h.gid, x->gid, "gid", &pax);
	octal(h.size, 12, fits(size, 12) ? size : 0);
	if (!fits(size, 12))
		record_number(&pax, "size", size);
	put_time(&h, &x->mtime, &pax);
	octal(h.major, 8, S_ISCHR(x->mode) || S_ISBLK(x->mode) ? major(x->device) : 0);
	octal(h.minor, 8, S_ISCHR(x->mode) || S_ISBLK(x->mode) ? minor(x->device) & 07777777 : 0);
	if (!x->hard)
		put_xattrs(x, &pax);
	if (pax.failed)
		return err_set(e, ENOMEM, "cp");
	sink->report->files++;
	r = put_pax(s, &pax, e);
	if (r == 0)
		r = put_header(s, &h, e);
	return r < 0 || !data ? r : put_data(s, x, e);
}

/* Two empty blocks. */
static int end(struct cp_sink *sink, struct err *e)
{
	static const char zeros[2 * BLOCK];
	struct cp_tar_sink *s = (struct cp_tar_sink *)sink;
	int r = add(s, zeros, sizeof(zeros), e);

	return r < 0 ? r : flush(s, e);
}

static const struct cp_sink_ops ops = { .put = put, .end = end };

void cp_tar_sink_init(struct cp_tar_sink *s, int fd, const char *name)
{
	*s = (struct cp_tar_sink){ .sink.ops = &ops, .fd = fd, .name = name, .buffer = malloc(BUFFER) };
}

void cp_tar_sink_free(struct cp_tar_sink *s)
{
	free(s->buffer);
}
