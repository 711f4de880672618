/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing 9P messages within bounds (see p9_internal.h). Little endian, whatever the machine. */
#include "sandbox/p9_internal.h"

#include <errno.h>
#include <string.h>

const uint8_t *p9_get_bytes(struct p9_in *in, size_t len)
{
	const uint8_t *at = in->at;

	if (in->bad || len > in->left) {
		in->bad = true;
		in->left = 0;
		return NULL;
	}
	in->at += len;
	in->left -= len;
	return at;
}

static uint64_t get(struct p9_in *in, size_t len)
{
	const uint8_t *at = p9_get_bytes(in, len);
	uint64_t v = 0;

	for (size_t i = 0; at && i < len; i++)
		v |= (uint64_t)at[i] << (8 * i);
	return v;
}

uint8_t p9_get8(struct p9_in *in)
{
	return (uint8_t)get(in, 1);
}

uint16_t p9_get16(struct p9_in *in)
{
	return (uint16_t)get(in, 2);
}

uint32_t p9_get32(struct p9_in *in)
{
	return (uint32_t)get(in, 4);
}

uint64_t p9_get64(struct p9_in *in)
{
	return get(in, 8);
}

int p9_get_str(struct p9_in *in, char *buf, size_t size)
{
	size_t len = p9_get16(in);
	const uint8_t *at = p9_get_bytes(in, len);

	if (!at)
		return -EINVAL;
	if (len >= size)
		return -ENAMETOOLONG;
	if (memchr(at, '\0', len))
		return -EINVAL;
	memcpy(buf, at, len);
	buf[len] = '\0';
	return 0;
}

int p9_get_name(struct p9_in *in, char name[NAME_MAX + 1])
{
	int r = p9_get_str(in, name, NAME_MAX + 1);

	if (r < 0)
		return r;
	if (!name[0])
		return -ENOENT;
	if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL;
	return 0;
}

bool p9_complete(const struct p9_in *in)
{
	return !in->bad && in->left == 0;
}

void p9_put_bytes(struct p9_out *out, const void *data, size_t len)
{
	if (out->full || len > out->cap - out->len) {
		out->full = true;
		return;
	}
	if (len > 0)
		memcpy(out->buf + out->len, data, len);
	out->len += len;
}

static void put(struct p9_out *out, uint64_t v, size_t len)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(v >> (8 * i));
	p9_put_bytes(out, bytes, len);
}

void p9_put8(struct p9_out *out, uint8_t v)
{
	put(out, v, 1);
}

void p9_put16(struct p9_out *out, uint16_t v)
{
	put(out, v, 2);
}

void p9_put32(struct p9_out *out, uint32_t v)
{
	put(out, v, 4);
}

void p9_put64(struct p9_out *out, uint64_t v)
{
	put(out, v, 8);
}

void p9_put_str(struct p9_out *out, const char *s, size_t len)
{
	if (len > UINT16_MAX) {
		out->full = true;
		return;
	}
	p9_put16(out, (uint16_t)len);
	p9_put_bytes(out, s, len);
}
