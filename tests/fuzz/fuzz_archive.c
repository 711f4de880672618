/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: an archive, loaded into a store. The first byte's bits: 1: the sums of tar headers stay as
 * they are, else they are made right; 2: a name is asked for.
 *
 * Digests are what a fuzzer cannot guess: "@3" and 62 more '@' stand for the sha256 of the fourth member, in
 * contents and in names. Beside what the sanitizers see: a refusal has an errno and a text, and leaves
 * nothing in the store; what was loaded can be found, and all of it is there.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "images/store.h"
#include "images/transfer.h"
#include "images/unpack.h"

#define MUST(condition)                                           \
	do {                                                      \
		if (!(condition)) {                               \
			fprintf(stderr, "not: %s\n", #condition); \
			abort();                                  \
		}                                                 \
	} while (0)

#define BLOCK 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char base[64];

static void remove_base(void)
{
	_cleanup_close_ int parent = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)img_tree_remove(parent, strrchr(base, '/') + 1, NULL);
}

static void set_up(void)
{
	snprintf(base, sizeof(base), "/dev/shm/fuzz-archive-XXXXXX");
	MUST(mkdtemp(base));
	atexit(remove_base);
}

/* --- making inputs that get further ------------------------------------------------------------- */

static size_t octal(const uint8_t *s, size_t len)
{
	size_t n = 0;

	for (; len && *s >= '0' && *s <= '7'; s++, len--)
		n = n * 8 + (size_t)(*s - '0');
	return n;
}

/* The content of the n-th member, counted from 0; as long as it is one after the other. */
static bool find_member(const uint8_t *tar, size_t size, unsigned int n, const uint8_t **at, size_t *len)
{
	for (size_t pos = 0; pos + BLOCK <= size;) {
		size_t room = size - pos - BLOCK, length = octal(tar + pos + 124, 11);

		if (length > room)
			return false;
		if (n-- == 0) {
			*at = tar + pos + BLOCK;
			*len = length;
			return true;
		}
		pos += BLOCK + (length + BLOCK - 1) / BLOCK * BLOCK;
	}
	return false;
}

static void fill_range(uint8_t *tar, size_t size, size_t from, size_t to)
{
	for (size_t i = from; i + 64 <= to; i++) {
		const uint8_t *content;
		struct img_digest d;
		size_t len;

		if (tar[i] != '@' || tar[i + 1] < '0' || tar[i + 1] > '9' || tar[i + 2] != '@' ||
			tar[i + 63] != '@' ||
			!find_member(tar, size, (unsigned int)(tar[i + 1] - '0'), &content, &len))
			continue;
		img_digest_of(content, len, &d);
		memcpy(tar + i, img_digest_hex(&d), 64);
	}
}

/* Contents first, each after those that it refers to; then the names. */
static void fill_digests(uint8_t *tar, size_t size)
{
	const uint8_t *content;
	size_t len;

	for (unsigned int n = 0; n < 16 && find_member(tar, size, n, &content, &len); n++)
		fill_range(tar, size, (size_t)(content - tar), (size_t)(content - tar) + len);
	fill_range(tar, size, 0, size);
}

static void fix_checksums(uint8_t *tar, size_t size)
{
	for (uint8_t *b = tar; size - (size_t)(b - tar) >= BLOCK; b += BLOCK) {
		unsigned int sum = 0;
		char text[8];

		if (memcmp(b + 257, "ustar", 5) != 0)
			continue;
		memset(b + 148, ' ', 8);
		for (int i = 0; i < BLOCK; i++)
			sum += b[i];
		snprintf(text, sizeof(text), "%06o", sum & 0777777);
		memcpy(b + 148, text, 7);
	}
}

/* --- what must be true -------------------------------------------------------------------------- */

static int64_t count(const char *name)
{
	char path[128];
	struct img_tree tree;
	struct err e = ERR_INIT;

	snprintf(path, sizeof(path), "%s/store/%s", base, name);
	{
		_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		MUST(fd >= 0 && img_tree_count(fd, &tree, &e) == 0);
	}
	return tree.entries;
}

static void check_loaded(struct img_store *s, struct arena *a, const struct img_name *names, size_t n)
{
	struct err e = ERR_INIT;
	struct img_name *all;
	size_t n_all;

	MUST(n > 0 && img_names(s, a, &all, &n_all, &e) == 0 && n_all > 0);
	for (size_t i = 0; i < n; i++) {
		struct img_image image;

		MUST(img_blob_has(s, &names[i].target.digest, names[i].target.size));
		/* An index may be of other platforms, or of no images at all. */
		if (img_image_load(s, a, &names[i], NULL, &image, &e) < 0)
			continue;
		for (size_t k = 0; k < image.manifest.n_layers; k++)
			MUST(img_blob_has(
				s, &image.manifest.layers[k].digest, image.manifest.layers[k].size));
	}
}

static void check_refused(struct img_store *s, struct arena *a, int r, const struct err *e)
{
	struct img_name *all;
	size_t n;

	MUST(r < 0 && e->code == -r && e->text[0]);
	MUST(img_names(s, a, &all, &n, NULL) == 0 && n == 0);
	/* The directories of the two algorithms. */
	MUST(count("blobs") == 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_free_ uint8_t *tar = malloc(size + 1);
	_cleanup_close_ int fd = memfd_create("archive", MFD_CLOEXEC), dir = -EBADF;
	struct img_store *s = NULL;
	struct img_name *names;
	struct err e = ERR_INIT;
	char path[128];
	size_t n;
	int r;

	if (size == 0)
		return 0;
	MUST(a && tar && fd >= 0);
	if (!*base)
		set_up();
	memcpy(tar, data + 1, size - 1);
	if (!(data[0] & 1)) {
		fill_digests(tar, size - 1);
		fix_checksums(tar, size - 1);
	}
	MUST(write(fd, tar, size - 1) == (ssize_t)size - 1 && lseek(fd, 0, SEEK_SET) == 0);
	snprintf(path, sizeof(path), "%s/store", base);
	MUST(img_store_open(path, true, IMG_SHARED, 0, &s, &e) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = img_load(s, path, data[0] & 2 ? "localhost/asked:for" : NULL, NULL, a, &names, &n, &e);
	/* For who makes a corpus. */
	if (getenv("FUZZ_TELL"))
		fprintf(stderr, "%s\n", r < 0 ? e.text : "loaded");
	if (r == 0)
		check_loaded(s, a, names, n);
	else
		check_refused(s, a, r, &e);
	MUST(count("tmp") == 0);
	img_store_close(s);
	dir = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(img_tree_remove(dir, "store", &e) == 0);
	return 0;
}
