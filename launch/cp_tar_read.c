/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tar stream as a source: ustar, pax and GNU members, sparse ones in GNU's old and its newest pax form. The
 * stream may be anybody's: names that climb ("..") are refused, "/" in front of them is dropped, sizes of
 * what is kept in memory are bounded, and the rest is up to the sink, which makes no difference between this
 * and a tree.
 */
#include <errno.h>
#include <unistd.h>

#include "base/fd.h"
#include "launch/cp_internal.h"

enum { BLOCK = 512, META_MAX = 1 << 20, PIECES_MAX = 1 << 18 };

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[6],
		version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};

/* What is said ahead of a member. */
struct said {
	char *path, *link;
	bool has_size, has_uid, has_gid, has_mtime, sparse1, sparse_old, sparse_name, has_real;
	int64_t size, uid, gid, real;
	struct timespec mtime;
	struct cp_xattr *xattrs;
	size_t n_xattrs;
};

struct reader {
	int fd;
	bool capabilities;
	int64_t left; /* of the member's data */
	int64_t padding;
	struct said said;
	struct cp_piece *pieces;
	size_t n_pieces, room;
};

/* --- bytes ------------------------------------------------------------------------------------ */

static int64_t read_some(int fd, void *buf, size_t len, struct err *e)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, (char *)buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, "read the tar stream");
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (int64_t)done;
}

static int read_whole(int fd, void *buf, size_t len, struct err *e)
{
	int64_t n = read_some(fd, buf, len, e);

	if (n >= 0 && (size_t)n < len)
		return err_text(
			e, EINVAL, "the tar stream ends in the middle of a member: it is not complete");
	return n < 0 ? (int)n : 0;
}

static int read_member(void *arg, void *buf, size_t len, struct err *e)
{
	struct reader *t = arg;

	if ((int64_t)len > t->left)
		return err_text(e, EINVAL, "the tar stream has less data of a member than its header says");
	t->left -= (int64_t)len;
	return read_whole(t->fd, buf, len, e);
}

/* What the sink left, and the rest of the last block. */
static int skip_rest(struct reader *t, struct err *e)
{
	_cleanup_free_ char *buf = malloc(1 << 16);
	int64_t n = t->left + t->padding;

	if (!buf)
		return err_set(e, ENOMEM, "cp");
	while (n > 0) {
		size_t len = n < 1 << 16 ? (size_t)n : 1 << 16;
		int r = read_whole(t->fd, buf, len, e);

		if (r < 0)
			return r;
		n -= (int64_t)len;
	}
	t->left = t->padding = 0;
	return 0;
}

/* --- numbers ---------------------------------------------------------------------------------- */

/* Octal, or GNU's base 256 where the first bit is set. */
static int number(const char *field, size_t size, int64_t *out)
{
	const unsigned char *p = (const unsigned char *)field;
	uint64_t v = 0;
	size_t i = 0;

	if (p[0] & 0x80) {
		bool negative = p[0] & 0x40;

		v = negative ? UINT64_MAX : 0;
		v = (v << 6) | (p[0] & 0x3f);
		for (i = 1; i < size; i++) {
			if ((v >> 55) != (negative ? 0x1ffU : 0))
				return -ERANGE;
			v = (v << 8) | p[i];
		}
		*out = (int64_t)v;
		return 0;
	}
	while (i < size && field[i] == ' ')
		i++;
	for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
		v = (v << 3) | (uint64_t)(field[i] - '0');
	if (i < size && field[i] && field[i] != ' ')
		return -EINVAL;
	*out = (int64_t)v;
	return v > INT64_MAX ? -ERANGE : 0;
}

static int damaged(const char *what, struct err *e)
{
	return err_text(e, EINVAL, "the tar stream is damaged: %s", what);
}

static bool sum_is_right(const struct header *h)
{
	int64_t sum, u = 0, s = 0;

	for (size_t i = 0; i < sizeof(*h); i++) {
		bool in_sum = i >= offsetof(struct header, sum) && i < offsetof(struct header, type);

		u += in_sum ? ' ' : ((const unsigned char *)h)[i];
		s += in_sum ? ' ' : ((const signed char *)h)[i];
	}
	/* Some old programs summed signed characters. */
	return number(h->sum, sizeof(h->sum), &sum) == 0 && (sum == u || sum == s);
}

/* --- what is said ahead ----------------------------------------------------------------------- */

static void forget(struct said *x)
{
	free(x->path);
	free(x->link);
	for (size_t i = 0; i < x->n_xattrs; i++) {
		free(x->xattrs[i].name);
		free(x->xattrs[i].value);
	}
	free(x->xattrs);
	*x = (struct said){ 0 };
}

static int read_meta(struct reader *t, int64_t size, char **out, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	int r;

	if (size < 0 || size > META_MAX)
		return damaged("a header of more than 1 MiB", e);
	text = calloc(1, (size_t)size + 1);
	if (!text)
		return err_set(e, ENOMEM, "cp");
	t->left = size;
	t->padding = (BLOCK - size % BLOCK) % BLOCK;
	r = read_member(t, text, (size_t)size, e);
	if (r == 0)
		r = skip_rest(t, e);
	if (r == 0)
		*out = TAKE_PTR(text);
	return r;
}

static int put_text(char **to, const char *value, size_t len)
{
	char *copy = strndup(value, len);

	if (!copy || memchr(value, '\0', len)) {
		free(copy);
		return -EINVAL;
	}
	free(*to);
	*to = copy;
	return 0;
}

/* "123.45", "-1.5" */
static int parse_time(const char *text, struct timespec *out)
{
	bool negative = text[0] == '-';
	const char *dot = strchrnul(text, '.');
	char whole[24];
	int64_t sec;
	long ns = 0, unit = 100000000;

	if (dot - text >= (ptrdiff_t)sizeof(whole))
		return -EINVAL;
	snprintf(whole, sizeof(whole), "%.*s", (int)(dot - text), text);
	if (str_to_i64(whole, &sec) < 0)
		return -EINVAL;
	for (const char *p = *dot ? dot + 1 : dot; *p; p++, unit /= 10) {
		if (*p < '0' || *p > '9')
			return -EINVAL;
		ns += (*p - '0') * unit;
	}
	if (negative && ns) {
		sec--;
		ns = 1000000000 - ns;
	}
	*out = (struct timespec){ sec, ns };
	return 0;
}

static int add_xattr(struct said *x, const char *name, const char *value, size_t len)
{
	struct cp_xattr *more = realloc(x->xattrs, (x->n_xattrs + 1) * sizeof(*more));
	struct cp_xattr new = { strdup(name), malloc(len + 1), len };

	if (more)
		x->xattrs = more;
	if (!more || !new.name || !new.value) {
		free(new.name);
		free(new.value);
		return -ENOMEM;
	}
	memcpy(new.value, value, len);
	more[x->n_xattrs++] = new;
	return 0;
}

static int pax_number(const char *value, bool *has, int64_t *out)
{
	*has = str_to_i64(value, out) == 0 && *out >= 0;
	return *has ? 0 : -EINVAL;
}

static int pax_record(struct reader *t, const char *key, const char *value, size_t len)
{
	struct said *x = &t->said;

	/* The name proper of a sparse member, whose "path" is made up. */
	if (str_eq(key, "GNU.sparse.name")) {
		x->sparse_name = true;
		return put_text(&x->path, value, len);
	}
	if (str_eq(key, "path"))
		return x->sparse_name ? 0 : put_text(&x->path, value, len);
	if (str_eq(key, "linkpath"))
		return put_text(&x->link, value, len);
	if (str_eq(key, "size"))
		return pax_number(value, &x->has_size, &x->size);
	if (str_eq(key, "uid"))
		return pax_number(value, &x->has_uid, &x->uid);
	if (str_eq(key, "gid"))
		return pax_number(value, &x->has_gid, &x->gid);
	if (str_eq(key, "mtime")) {
		x->has_mtime = parse_time(value, &x->mtime) == 0;
		return x->has_mtime ? 0 : -EINVAL;
	}
	if (str_eq(key, "GNU.sparse.realsize"))
		return pax_number(value, &x->has_real, &x->real);
	if (str_eq(key, "GNU.sparse.major"))
		x->sparse1 = str_eq(value, "1");
	else if (str_eq(key, "GNU.sparse.map") || str_eq(key, "GNU.sparse.offset"))
		x->sparse_old = true;
	else if (str_starts(key, "SCHILY.xattr.user.") && !str_starts(key, "SCHILY.xattr.user.overlay."))
		return add_xattr(x, key + strlen("SCHILY.xattr."), value, len);
	else if (str_eq(key, "SCHILY.xattr.security.capability") && t->capabilities)
		return add_xattr(x, key + strlen("SCHILY.xattr."), value, len);
	return 0;
}

static int pax(struct reader *t, int64_t size, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	int r = read_meta(t, size, &text, e);
	char *end = r < 0 ? NULL : text + size;

	for (char *p = text; r == 0 && p < end && *p;) {
		char *blank = memchr(p, ' ', (size_t)(end - p)), *eq;
		int64_t len;

		if (!blank)
			return damaged("a pax record without a length", e);
		*blank = '\0';
		if (str_to_i64(p, &len) < 0 || len < blank + 3 - p || len > end - p || p[len - 1] != '\n')
			return damaged("the length of a pax record", e);
		p[len - 1] = '\0';
		eq = memchr(blank + 1, '=', (size_t)(p + len - 1 - (blank + 1)));
		if (!eq)
			return damaged("a pax record without a key", e);
		*eq = '\0';
		if (pax_record(t, blank + 1, eq + 1, (size_t)(p + len - 1 - (eq + 1))) < 0)
			return damaged("the value of a pax record", e);
		p += len;
	}
	return r;
}

/* --- sparse members --------------------------------------------------------------------------- */

static int add_piece(struct reader *t, int64_t offset, int64_t length, struct err *e)
{
	const struct cp_piece *last = t->n_pieces ? &t->pieces[t->n_pieces - 1] : NULL;

	if (offset < 0 || length < 0 || offset > INT64_MAX - length || t->n_pieces >= PIECES_MAX ||
		(last && offset < last->offset + last->length))
		return damaged("the map of a sparse member", e);
	if (t->n_pieces == t->room) {
		size_t room = t->room ? t->room * 2 : 64;
		struct cp_piece *more = realloc(t->pieces, room * sizeof(*more));

		if (!more)
			return err_set(e, ENOMEM, "cp");
		t->pieces = more;
		t->room = room;
	}
	t->pieces[t->n_pieces++] = (struct cp_piece){ offset, length };
	return 0;
}

static int old_pieces(struct reader *t, const char *at, int n, bool *ended, struct err *e)
{
	for (int i = 0; i < n && !*ended; i++, at += 24) {
		int64_t offset, length;
		int r;

		if (!at[0] || !at[12]) {
			*ended = true;
			break;
		}
		if (number(at, 12, &offset) < 0 || number(at + 12, 12, &length) < 0)
			return damaged("the map of a sparse member", e);
		r = add_piece(t, offset, length, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* GNU's type 'S': four pieces in the header from byte 386, then blocks of 21 while a flag says so. */
static int old_sparse(struct reader *t, const struct header *h, int64_t *real, struct err *e)
{
	const char *raw = (const char *)h;
	char block[BLOCK];
	bool more = raw[482] != 0, ended = false;
	int r = old_pieces(t, raw + 386, 4, &ended, e);

	if (r == 0 && number(raw + 483, 12, real) < 0)
		return damaged("the size of a sparse member", e);
	while (r == 0 && more) {
		r = read_whole(t->fd, block, sizeof(block), e);
		if (r == 0)
			r = old_pieces(t, block, 21, &ended, e);
		more = block[504] != 0;
	}
	return r;
}

static int map_number(struct reader *t, char block[static BLOCK], size_t *at, int64_t *out, struct err *e)
{
	char text[24];
	size_t n = 0;

	for (;;) {
		if (*at == BLOCK) {
			int r = read_member(t, block, BLOCK, e);

			if (r < 0)
				return r;
			*at = 0;
		}
		if (block[(*at)++] == '\n')
			break;
		if (n + 1 >= sizeof(text))
			return damaged("the map of a sparse member", e);
		text[n++] = block[*at - 1];
	}
	text[n] = '\0';
	return str_to_i64(text, out) < 0 ? damaged("the map of a sparse member", e) : 0;
}

/* GNU.sparse 1.0: the map is at the start of the data, decimal lines in whole blocks. */
static int new_sparse(struct reader *t, struct err *e)
{
	char block[BLOCK];
	size_t at = BLOCK;
	int64_t n, offset, length;
	int r = map_number(t, block, &at, &n, e);

	if (r == 0 && (n < 0 || n > PIECES_MAX))
		return damaged("the map of a sparse member", e);
	for (int64_t i = 0; r == 0 && i < n; i++) {
		r = map_number(t, block, &at, &offset, e);
		if (r == 0)
			r = map_number(t, block, &at, &length, e);
		if (r == 0)
			r = add_piece(t, offset, length, e);
	}
	return r;
}

static int check_pieces(const struct reader *t, int64_t size, struct err *e)
{
	int64_t sum = 0;

	for (size_t i = 0; i < t->n_pieces; i++) {
		sum += t->pieces[i].length;
		if (t->pieces[i].offset + t->pieces[i].length > size || sum > t->left)
			return damaged("the map of a sparse member", e);
	}
	return 0;
}

/* --- members ---------------------------------------------------------------------------------- */

/* Without "/" and "./" in front and "/" at the end; in place. NULL: it climbs. */
static char *clean(char *name)
{
	char *from = name, *to = name;

	while (*from) {
		size_t n;

		from += strspn(from, "/");
		n = strcspn(from, "/");
		if (n == 2 && from[0] == '.' && from[1] == '.')
			return NULL;
		if (n > 0 && !(n == 1 && from[0] == '.')) {
			if (to != name)
				*to++ = '/';
			memmove(to, from, n);
			to += n;
		}
		from += n;
	}
	*to = '\0';
	return name;
}

static int names(struct reader *t, const struct header *h, struct err *e)
{
	struct said *x = &t->said;
	char shown[CP_SHOWN], text[sizeof(h->prefix) + sizeof(h->name) + 2];

	if (!x->path) {
		/* GNU's old format has other things where ustar has the prefix. */
		bool prefix = memcmp(h->magic, "ustar\0", 6) == 0 && h->prefix[0];

		snprintf(text, sizeof(text), "%.*s%s%.*s", prefix ? (int)sizeof(h->prefix) : 0, h->prefix,
			prefix ? "/" : "", (int)sizeof(h->name), h->name);
		x->path = strdup(text);
	}
	if (!x->link)
		x->link = strndup(h->link, sizeof(h->link));
	if (!x->path || !x->link)
		return err_set(e, ENOMEM, "cp");
	if (strlen(x->path) >= PATH_MAX || strlen(x->link) >= PATH_MAX)
		return damaged("a name of more than 4095 bytes", e);
	cp_show(x->path, shown);
	if (!clean(x->path) || (h->type == '1' && !clean(x->link)))
		return err_text(e, EINVAL, "the tar stream has a name with \"..\": %s", shown);
	return 0;
}

static mode_t type_of(char type)
{
	switch (type) {
	case '1':
	case '0':
	case '\0':
	case '7':
	case 'S':
		return S_IFREG;
	case '2':
		return S_IFLNK;
	case '3':
		return S_IFCHR;
	case '4':
		return S_IFBLK;
	case '5':
		return S_IFDIR;
	case '6':
		return S_IFIFO;
	default:
		return 0;
	}
}

static int fill(struct reader *t, const struct header *h, struct cp_entry *x, struct err *e)
{
	const struct said *s = &t->said;
	int64_t mode, uid, gid, mtime;

	if (number(h->mode, 8, &mode) < 0 || number(h->uid, 8, &uid) < 0 || number(h->gid, 8, &gid) < 0 ||
		number(h->mtime, 12, &mtime) < 0)
		return damaged("a number in a header", e);
	uid = s->has_uid ? s->uid : uid;
	gid = s->has_gid ? s->gid : gid;
	if (uid < 0 || gid < 0 || uid >= UINT32_MAX || gid >= UINT32_MAX)
		return damaged("a user or group id", e);
	*x = (struct cp_entry){
		.path = s->path,
		.mode = type_of(h->type) | ((mode_t)mode & 07777),
		.uid = (uint32_t)uid,
		.gid = (uint32_t)gid,
		.size = t->left,
		.mtime = s->has_mtime ? s->mtime : (struct timespec){ .tv_sec = mtime },
		.hard = h->type == '1',
		.link = h->type == '1' || h->type == '2' ? s->link : NULL,
		.xattrs = s->xattrs,
		.n_xattrs = s->n_xattrs,
		.fd = -EBADF,
		.read = read_member,
		.arg = t,
	};
	return 0;
}

static int sparse(struct reader *t, const struct header *h, struct cp_entry *x, struct err *e)
{
	int64_t real = x->size;
	int r;

	if (t->said.sparse_old)
		return err_text(e, EOPNOTSUPP,
			"the tar stream has sparse members of format 0.x; make it with --sparse-version=1.0");
	t->n_pieces = 0;
	if (h->type == 'S') {
		r = old_sparse(t, h, &real, e);
	} else if (t->said.sparse1) {
		real = t->said.has_real ? t->said.real : -1;
		r = new_sparse(t, e);
	} else {
		return 0;
	}
	if (r == 0 && real < 0)
		return damaged("the size of a sparse member", e);
	if (r == 0)
		r = check_pieces(t, real, e);
	x->size = real;
	x->pieces = t->pieces;
	x->n_pieces = t->n_pieces;
	/* An empty map is not "all of it". */
	if (r == 0 && t->n_pieces == 0) {
		r = add_piece(t, 0, 0, e);
		x->pieces = t->pieces;
		x->n_pieces = t->n_pieces;
	}
	return r;
}

static int member(struct reader *t, const struct header *h, struct cp_sink *sink, struct err *e)
{
	struct cp_entry x;
	int64_t size;
	int r;

	if (number(h->size, 12, &size) < 0)
		return damaged("the size of a member", e);
	if (t->said.has_size)
		size = t->said.size;
	if (size < 0)
		return damaged("the size of a member", e);
	/* Links, directories and devices have no data, whatever their header says. */
	t->left = type_of(h->type) == S_IFREG && h->type != '1' ? size : 0;
	t->padding = (BLOCK - t->left % BLOCK) % BLOCK;
	r = names(t, h, e);
	if (r == 0)
		r = fill(t, h, &x, e);
	if (r < 0)
		return r;
	if (type_of(h->type) == 0) {
		t->left = size;
		t->padding = (BLOCK - size % BLOCK) % BLOCK;
		cp_skip(sink->report, x.path, "a member of unknown type");
		return skip_rest(t, e);
	}
	r = sparse(t, h, &x, e);
	if (r == 0)
		r = sink->ops->put(sink, &x, e);
	return r < 0 ? r : skip_rest(t, e);
}

static int name_of_next(struct reader *t, int64_t size, char **to, struct err *e)
{
	char *text = NULL;
	int r = read_meta(t, size, &text, e);

	if (r < 0)
		return r;
	free(*to);
	*to = text;
	return 0;
}

static int one(struct reader *t, const struct header *h, struct cp_sink *sink, struct err *e)
{
	int64_t size;
	int r;

	if (strchr("xgLK", h->type) && h->type && number(h->size, 12, &size) < 0)
		return damaged("the size of a header", e);
	switch (h->type) {
	case 'x':
		return pax(t, size, e);
	case 'g': {
		/* What it says of all members (a comment, mostly) is of none of the things that count here.
		 */
		char *text = NULL;

		r = read_meta(t, size, &text, e);
		free(text);
		return r;
	}
	case 'L':
		return name_of_next(t, size, &t->said.path, e);
	case 'K':
		return name_of_next(t, size, &t->said.link, e);
	default:
		r = member(t, h, sink, e);
		forget(&t->said);
		return r;
	}
}

static int no_tar(const unsigned char *p, struct err *e)
{
	static const struct {
		const char *magic;
		size_t len;
		const char *filter;
	} known[] = {
		{ "\x1f\x8b", 2, "gzip" },
		{ "\x28\xb5\x2f\xfd", 4, "zstd" },
		{ "\xfd"
		  "7zXZ",
			5, "xz" },
		{ "BZh", 3, "bzip2" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (memcmp(p, known[i].magic, known[i].len) == 0)
			return err_text(e, EINVAL,
				"stdin is compressed: put \"%s -dc |\" in front of this command",
				known[i].filter);
	return err_text(e, EINVAL, "stdin is no tar stream: a header's checksum is wrong");
}

static bool is_zero(const struct header *h)
{
	for (size_t i = 0; i < sizeof(*h); i++)
		if (((const char *)h)[i])
			return false;
	return true;
}

int cp_tar_read(int fd, bool capabilities, struct cp_sink *sink, struct err *e)
{
	struct reader t = { .fd = fd, .capabilities = capabilities };
	struct header h;
	int64_t n;
	int r = 0;

	while (r == 0) {
		n = read_some(fd, &h, sizeof(h), e);
		/* Without its two empty blocks it is all there all the same. */
		if (n == 0 || (n == (int64_t)sizeof(h) && is_zero(&h)))
			break;
		if (n < 0)
			r = (int)n;
		else if (n < (int64_t)sizeof(h) || !sum_is_right(&h))
			r = no_tar((const unsigned char *)&h, e);
		else
			r = one(&t, &h, sink, e);
	}
	/* So that whoever writes is not hit by a closed pipe for the padding at the end. */
	for (char rest[4096]; r == 0 && read_some(fd, rest, sizeof(rest), e) > 0;)
		;
	forget(&t.said);
	free(t.pieces);
	return r == 0 ? sink->ops->end(sink, e) : r;
}
