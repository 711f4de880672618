/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: a layer's tar, into a directory. The first byte's bits: 1: above another layer; 2: without
 * root's powers; 4: small limits.
 *
 * Beside what the sanitizers see: a refusal has an errno and a text; what was counted is there, and is
 * removed again; the directory next to it stays as it is.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "images/unpack.h"

#define MUST(condition)                                           \
	do {                                                      \
		if (!(condition)) {                               \
			fprintf(stderr, "not: %s\n", #condition); \
			abort();                                  \
		}                                                 \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char base[64];
static int base_fd = -EBADF, lower_fd = -EBADF;
static struct stat secret, outside;

struct input {
	const uint8_t *data;
	size_t left;
};

static ssize_t read_input(void *arg, void *buf, size_t size)
{
	struct input *in = arg;
	size_t n = size < in->left ? size : in->left;

	memcpy(buf, in->data, n);
	in->data += n;
	in->left -= n;
	return (ssize_t)n;
}

static void fix_checksums(uint8_t *tar, size_t size)
{
	for (uint8_t *b = tar; size - (size_t)(b - tar) >= 512; b += 512) {
		unsigned int sum = 0;
		char text[8];

		if (memcmp(b + 257, "ustar", 5) != 0)
			continue;
		memset(b + 148, ' ', 8);
		for (int i = 0; i < 512; i++)
			sum += b[i];
		snprintf(text, sizeof(text), "%06o", sum);
		memcpy(b + 148, text, 7);
	}
}

static void remove_base(void)
{
	_cleanup_close_ int parent = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)img_tree_remove(parent, strrchr(base, '/') + 1, NULL);
}

static void put(int dir, const char *name)
{
	_cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	MUST(fd >= 0 && write(fd, "data", 4) == 4);
}

/* base/outside/secret, which no layer may touch; base/lower/{d/x,f,l}, a layer below. */
static void set_up(void)
{
	snprintf(base, sizeof(base), "/dev/shm/fuzz-layer-XXXXXX");
	MUST(mkdtemp(base));
	base_fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(base_fd >= 0 && mkdirat(base_fd, "outside", 0700) == 0 && mkdirat(base_fd, "lower", 0755) == 0);
	put(base_fd, "outside/secret");
	MUST(mkdirat(base_fd, "lower/d", 0750) == 0 && symlinkat("../outside", base_fd, "lower/l") == 0);
	put(base_fd, "lower/f");
	put(base_fd, "lower/d/x");
	lower_fd = openat(base_fd, "lower", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(lower_fd >= 0 && fstatat(base_fd, "outside/secret", &secret, 0) == 0 &&
		fstatat(base_fd, "outside", &outside, 0) == 0);
	atexit(remove_base);
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_mode == b->st_mode && a->st_nlink == b->st_nlink &&
	       a->st_uid == b->st_uid && a->st_size == b->st_size &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ uint8_t *tar = malloc(size + 1);
	struct input in = { .data = tar, .left = size - 1 };
	struct img_unpack u = { .read = read_input, .arg = &in };
	_cleanup_close_ int dir = -EBADF;
	struct img_unpacked out;
	struct img_tree tree;
	struct err e = ERR_INIT;
	struct stat now;
	int r;

	if (size == 0)
		return 0;
	MUST(tar);
	memcpy(tar, data + 1, size - 1);
	if (!(data[0] & 8))
		fix_checksums(tar, size - 1);
	if (base_fd < 0)
		set_up();
	MUST(mkdirat(base_fd, "layer", 0700) == 0);
	dir = openat(base_fd, "layer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	u.dir = dir;
	u.lowers = &lower_fd;
	u.n_lowers = data[0] & 1;
	u.rootless = u.no_owners = (data[0] & 2) || geteuid() != 0;
	u.limits = (struct img_unpack_limits){ .max_bytes = data[0] & 4 ? 100 : 1 << 20,
		.max_entries = data[0] & 4 ? 10 : 500 };
	r = img_unpack(&u, &out, &e);
	if (r == 0) {
		MUST(img_tree_count(dir, &tree, &e) == 0);
		MUST(tree.entries == out.tree.entries && tree.bytes == out.tree.bytes);
		MUST(out.diff_id.text[0]);
	} else {
		MUST(r < 0 && e.code == -r && e.text[0]);
	}
	MUST(img_tree_remove(base_fd, "layer", &e) == 0);
	MUST(fstatat(base_fd, "outside/secret", &now, AT_SYMLINK_NOFOLLOW) == 0 && same(&now, &secret));
	MUST(fstatat(base_fd, "outside", &now, AT_SYMLINK_NOFOLLOW) == 0 && same(&now, &outside));
	return 0;
}
