/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the store share: a scratch directory, a store in it, small images. */
#ifndef TESTS_UNIT_IMAGES_FIXTURE_H
#define TESTS_UNIT_IMAGES_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "base/str.h"
#include "images/store.h"
#include "images/unpack.h"

static char scratch[64]; /* a directory */
static struct arena *arena;
static struct err fixture_err;

/* In a directory for what outlives a reboot, since stores need xattrs, which not every tmpfs has. */
static int make_scratch(void **state)
{
	snprintf(scratch, sizeof(scratch), "/var/tmp/images-test-XXXXXX");
	arena = arena_new();
	return arena && mkdtemp(scratch) ? 0 : -1;
}

static int remove_scratch(void **state)
{
	_cleanup_close_ int parent = open("/var/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	arena_free(arena);
	return img_tree_remove(parent, strrchr(scratch, '/') + 1, NULL);
}

static inline const char *in_scratch(const char *name)
{
	return arena_printf(arena, "%s/%s", scratch, name);
}

static inline struct img_store *open_store(const char *name, enum img_lock lock)
{
	struct img_store *s = NULL;
	struct err e = ERR_INIT;

	if (img_store_open(in_scratch(name), true, lock, 0, &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

/* A blob, as a descriptor. */
static inline struct img_descriptor put(struct img_store *s, const char *media_type, const char *text)
{
	struct img_descriptor d = {
		.media_type = media_type, .media = img_media_of(media_type), .size = (int64_t)strlen(text)
	};

	if (img_blob_put(s, text, strlen(text), &d.digest, &fixture_err) < 0)
		fail_msg("%s", fixture_err.text);
	return d;
}

#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define INDEX_TYPE    "application/vnd.oci.image.index.v1+json"
#define CONFIG_TYPE   "application/vnd.oci.image.config.v1+json"
#define LAYER_TYPE    "application/vnd.oci.image.layer.v1.tar"

/* An image of one layer with this content (for tests that do not unpack it: any text), and a label that makes
 * its config its own. */
static inline struct img_descriptor put_image(struct img_store *s, const char *layer, const char *label)
{
	struct img_descriptor l = put(s, LAYER_TYPE, layer), c;

	c = put(s, CONFIG_TYPE,
		arena_printf(arena,
			"{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Labels\":{\"l\":\"%s\"}},"
			"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
			label, l.digest.text));
	return put(s, MANIFEST_TYPE,
		arena_printf(arena,
			"{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST_TYPE
			"\",\"config\":{\"mediaType\":\"" CONFIG_TYPE
			"\",\"digest\":\"%s\",\"size\":%lld},\"layers\":[{\"mediaType\":\"" LAYER_TYPE
			"\",\"digest\":\"%s\",\"size\":%lld}]}",
			c.digest.text, (long long)c.size, l.digest.text, (long long)l.size));
}

static inline void set_name(struct img_store *s, const char *name, const struct img_descriptor *d)
{
	struct err e = ERR_INIT;

	if (img_name_set(s, name, d, &e) < 0)
		fail_msg("%s", e.text);
}

/* "name=digest's first 8 digits," for each, "-" for none. */
static inline const char *names_of(struct img_store *s)
{
	struct img_name *names;
	const char *out = "";
	struct err e = ERR_INIT;
	size_t n;

	if (img_names(s, arena, &names, &n, &e) < 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < n; i++)
		out = arena_printf(arena, "%s%s%s=%.8s", out, i ? " " : "",
			names[i].name ? names[i].name : "-", img_digest_hex(&names[i].target.digest));
	return out;
}

static inline size_t count_dir(const char *path)
{
	_cleanup_closedir_ DIR *d = opendir(path);
	const struct dirent *entry;
	size_t n = 0;

	if (!d)
		fail_msg("%s", path);
	while ((entry = readdir(d)))
		n += entry->d_name[0] != '.';
	return n;
}

static inline void write_file(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static inline void count_fault(const char *text, void *arg)
{
	char **list = arg;

	if (list)
		*list = arena_printf(arena, "%s%s\n", *list ? *list : "", text);
}

/* Faults that a check finds in a store that nobody holds. */
static inline int check_store(const char *name, bool repair, char **faults)
{
	_cleanup_(img_store_closep) struct img_store *s = open_store(name, IMG_EXCLUSIVE);
	struct err e = ERR_INIT;
	int r;

	if (faults)
		*faults = NULL;
	r = img_store_check(s, repair, count_fault, faults, &e);
	if (r < 0)
		fail_msg("%s", e.text);
	return r;
}

#endif
