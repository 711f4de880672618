/* SPDX-License-Identifier: Apache-2.0 */
/* A few lines of tar, for tests of the store that need layers to unpack. Include after images_fixture.h. */
#ifndef TESTS_UNIT_IMAGES_TAR_H
#define TESTS_UNIT_IMAGES_TAR_H

#include "base/str.h"

static inline void tar_entry(
	struct strbuf *b, const char *name, char type, const char *link, const char *data)
{
	char block[512] = { 0 };
	size_t len = data ? strlen(data) : 0;
	unsigned int sum = 0;

	snprintf(block, 100, "%s", name);
	snprintf(block + 100, 8, "%07o", type == '5' ? 0755 : 0644);
	snprintf(block + 108, 8, "%07o", 0);
	snprintf(block + 116, 8, "%07o", 0);
	snprintf(block + 124, 12, "%011o", (unsigned int)len);
	snprintf(block + 136, 12, "%011o", 1000000000);
	memset(block + 148, ' ', 8);
	block[156] = type;
	snprintf(block + 157, 100, "%s", link ? link : "");
	memcpy(block + 257, "ustar\00000", 8);
	for (size_t i = 0; i < sizeof(block); i++)
		sum += (unsigned char)block[i];
	snprintf(block + 148, 8, "%06o", sum);
	strbuf_add(b, block, sizeof(block));
	if (len) {
		strbuf_add(b, data, len);
		memset(block, 0, sizeof(block));
		strbuf_add(b, block, (512 - len % 512) % 512);
	}
}

static inline void tar_end(struct strbuf *b)
{
	static const char zeros[1024];

	strbuf_add(b, zeros, sizeof(zeros));
	assert_false(b->failed);
}

/* Many files, as many bytes: what takes a while. */
static inline void tar_files(struct strbuf *b, const char *dir, int n, size_t size)
{
	_cleanup_free_ char *data = malloc(size + 1);
	char name[100];

	assert_non_null(data);
	for (int i = 0; i < n; i++) {
		memset(data, 'a' + i % 26, size);
		data[size] = '\0';
		snprintf(name, sizeof(name), "%s/%d/file-%d", dir, i % 17, i);
		tar_entry(b, name, '0', NULL, data);
	}
}

/* Layers (tars) as an image; what is unpacked is `layers`. */
static inline struct img_descriptor put_layers(struct img_store *s, const struct strbuf *tars, size_t n)
{
	const char *layers = "", *diff_ids = "";
	struct img_descriptor c;

	for (size_t i = 0; i < n; i++) {
		struct img_digest d;

		assert_int_equal(img_blob_put(s, tars[i].s, tars[i].len, &d, &fixture_err), 0);
		layers = arena_printf(arena,
			"%s%s{\"mediaType\":\"" LAYER_TYPE "\",\"digest\":\"%s\",\"size\":%zu}", layers,
			i ? "," : "", d.text, tars[i].len);
		diff_ids = arena_printf(arena, "%s%s\"%s\"", diff_ids, i ? "," : "", d.text);
	}
	c = put(s, CONFIG_TYPE,
		arena_printf(arena,
			"{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_"
			"ids\":[%s]}}",
			diff_ids));
	return put(s, MANIFEST_TYPE,
		arena_printf(arena,
			"{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST_TYPE
			"\",\"config\":{\"mediaType\":\"" CONFIG_TYPE
			"\",\"digest\":\"%s\",\"size\":%lld},\"layers\":[%s]}",
			c.digest.text, (long long)c.size, layers));
}

#endif
