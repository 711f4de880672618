/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: a tar stream as `cp -` reads it. Checksums of headers are put right, or nothing would pass
 * them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "launch/cp_internal.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BLOCK = 512, MAGIC_AT = 257, SUM_AT = 148, SUM_LEN = 8 };

static int read_piece(const struct cp_entry *x, int64_t left, struct err *e)
{
	static char buf[1 << 16];

	while (left > 0) {
		size_t len = left < (int64_t)sizeof(buf) ? (size_t)left : sizeof(buf);
		int r = x->read(x->arg, buf, len, e);

		if (r < 0)
			return r;
		left -= (int64_t)len;
	}
	return 0;
}

/* What a sink relies on. */
static int put(struct cp_sink *sink, const struct cp_entry *x, struct err *e)
{
	const struct cp_piece all = { 0, x->size };
	const struct cp_piece *pieces = x->pieces ? x->pieces : &all;
	size_t n = x->pieces ? x->n_pieces : 1;
	int r = 0;

	(void)sink;
	MUST(x->path[0] != '/' && strcmp(x->path, "..") != 0 && strncmp(x->path, "../", 3) != 0);
	MUST(!strstr(x->path, "/../") && !str_ends(x->path, "/..") && strlen(x->path) < PATH_MAX);
	MUST(x->size >= 0 && (!x->hard || x->link));
	for (size_t i = 0; i < x->n_xattrs; i++)
		MUST(str_starts(x->xattrs[i].name, "user.") ||
			str_eq(x->xattrs[i].name, "security.capability"));
	for (size_t i = 0; r == 0 && S_ISREG(x->mode) && !x->hard && i < n; i++) {
		MUST(pieces[i].offset >= 0 && pieces[i].length >= 0 &&
			pieces[i].offset <= x->size - pieces[i].length);
		r = read_piece(x, pieces[i].length, e);
	}
	return r;
}

static int end(struct cp_sink *sink, struct err *e)
{
	(void)sink, (void)e;
	return 0;
}

static void put_sums_right(uint8_t *text, size_t size)
{
	for (size_t at = 0; at + BLOCK <= size; at += BLOCK) {
		unsigned int sum = 0;
		char field[16];

		if (memcmp(text + at + MAGIC_AT, "ustar", 5) != 0)
			continue;
		memset(text + at + SUM_AT, ' ', SUM_LEN);
		for (size_t i = 0; i < BLOCK; i++)
			sum += text[at + i];
		snprintf(field, sizeof(field), "%06o", sum & 0777777);
		memcpy(text + at + SUM_AT, field, 7);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cp_sink_ops ops = { put, end };
	_cleanup_close_ int fd = memfd_create("tar", MFD_CLOEXEC);
	_cleanup_free_ uint8_t *text = malloc(size + 1);
	struct launch_cp_report report = { 0 };
	struct cp_sink sink = { &ops, &report };
	struct err e = ERR_INIT;

	MUST(fd >= 0 && text);
	if (size)
		memcpy(text, data, size);
	put_sums_right(text, size);
	MUST(fd_write_all(fd, text, size) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	MUST(cp_tar_read(fd, true, &sink, &e) == 0 || e.code);
	return 0;
}
