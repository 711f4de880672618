/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a partition's cgroup in one hierarchy, and the arithmetic between v1's and v2's units. */
#include "cgroups/internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>

#include "base/fd.h"
#include "base/str.h"

const char *cg_file(char *buf, const struct cg_node *n, const char *file)
{
	snprintf(buf, CG_FILE_MAX, "%s%s/%s", n->mount, n->path, file);
	return buf;
}

int cg_try_put(const struct cg_node *n, const char *file, const char *value)
{
	char path[CG_FILE_MAX];

	return fd_put_at(AT_FDCWD, cg_file(path, n, file), value);
}

int cg_put(const struct cg_node *n, const char *file, const char *value, struct err *e)
{
	char path[CG_FILE_MAX];
	int r = fd_put_at(AT_FDCWD, cg_file(path, n, file), value);

	if (r < 0)
		return err_set(e, -r, "write '%s' to %s", value, path);
	return 0;
}

int cg_put_i64(const struct cg_node *n, const char *file, int64_t value, struct err *e)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	return cg_put(n, file, text, e);
}

int cg_put_u64(const struct cg_node *n, const char *file, uint64_t value, struct err *e)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return cg_put(n, file, text, e);
}

ssize_t cg_get(const struct cg_node *n, const char *file, char *buf, size_t size)
{
	char path[CG_FILE_MAX];

	return fd_get_at(AT_FDCWD, cg_file(path, n, file), buf, size);
}

int cg_get_u64(const struct cg_node *n, const char *file, uint64_t *out)
{
	char text[64];
	ssize_t len = cg_get(n, file, text, sizeof(text));

	if (len < 0)
		return (int)len;
	if (str_eq(text, "max")) {
		*out = UINT64_MAX;
		return 0;
	}
	return str_to_u64(text, out);
}

int cg_find_key(char *text, const char *key, uint64_t *out)
{
	size_t k = strlen(key);
	char *line = text;

	while (line) {
		char *end = strchr(line, '\n');

		if (end)
			*end = '\0';
		if (strncmp(line, key, k) == 0 && line[k] == ' ')
			return str_to_u64(line + k + 1, out);
		line = end ? end + 1 : NULL;
	}
	return -ENODATA;
}

int cg_get_key(const struct cg_node *n, const char *file, const char *key, uint64_t *out)
{
	char text[2 * CG_VALUE_MAX];
	ssize_t len = cg_get(n, file, text, sizeof(text));

	return len < 0 ? (int)len : cg_find_key(text, key, out);
}

bool cg_list_has(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; *p;) {
		size_t len = strcspn(p, ", \n");

		if (len == n && memcmp(p, word, n) == 0)
			return true;
		p += len;
		p += strspn(p, ", \n");
	}
	return false;
}

bool cg_page_size_ok(const char *size)
{
	size_t digits = strspn(size, "0123456789");

	/* It becomes part of a file's name. */
	return digits > 0 && digits < 16 && strchr("KMG", size[digits]) && size[digits] &&
	       str_eq(size + digits + 1, "B");
}

const struct cg_node *cg_v1(const struct cgrp *c, const char *controller)
{
	for (size_t i = 0; i < c->n; i++)
		if (!c->node[i].v2 && cg_list_has(c->node[i].controllers, controller))
			return &c->node[i];
	return NULL;
}

const struct cg_node *cg_v2(const struct cgrp *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->node[i].v2)
			return &c->node[i];
	return NULL;
}

const struct cg_node *cg_main(const struct cgrp *c)
{
	const struct cg_node *n = cg_v1(c, "freezer");

	if (!n && c->n > 0)
		n = &c->node[0];
	return n;
}

/* --- arithmetic ------------------------------------------------------------------------------ */

uint64_t cgrp_shares_to_weight(uint64_t shares)
{
	double l;

	if (shares == 0)
		return 0; /* not set */
	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	/* A quadratic in log2 through (2, 1), (1024, 100) and (262144, 10000): v1's default becomes v2's
	 * default. */
	l = log2((double)shares);
	return (uint64_t)ceil(pow(10, (l * l + 125 * l) / 612.0 - 7.0 / 34.0));
}

uint64_t cgrp_blkio_to_io_weight(uint64_t weight)
{
	if (weight == 0)
		return 0; /* not set */
	if (weight < 10)
		weight = 10;
	if (weight > 1000)
		weight = 1000;
	return 1 + (weight - 10) * 9999 / 990;
}

int cgrp_swap_max(int64_t limit, int64_t swap, int64_t *out, struct err *e)
{
	if (swap == -1 || (swap == 0 && limit == -1)) {
		*out = -1;
		return 0;
	}
	if (swap < 0)
		return err_text(e, EINVAL,
			"linux.resources.memory.swap is %" PRId64 ": -1 or a number of bytes is wanted",
			swap);
	if (limit <= 0)
		return err_text(e, EINVAL,
			"linux.resources.memory.swap (memory and swap together) needs a limit in "
			"linux.resources.memory.limit");
	if (swap < limit)
		return err_text(e, EINVAL,
			"linux.resources.memory.swap (%" PRId64
			", memory and swap together) is less than memory.limit (%" PRId64 ")",
			swap, limit);
	*out = swap - limit;
	return 0;
}
