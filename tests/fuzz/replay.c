/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feeds every file of the given directories to a fuzz target once: what fuzzing has found stays found, with
 * any compiler. Without arguments: the corpus whose name is REPLAY_CORPUS, below the source directory
 * (SRCDIR, or srcdir of automake).
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The number of files, or -1. */
static int replay(const char *path)
{
	_cleanup_closedir_ DIR *d = opendir(path);
	const struct dirent *entry;
	int n = 0;

	if (!d) {
		perror(path);
		return -1;
	}
	while ((entry = readdir(d))) {
		_cleanup_free_ char *text = NULL;
		_cleanup_free_ uint8_t *exact = NULL;
		size_t len;
		int r;

		if (entry->d_name[0] == '.')
			continue;
		r = fd_read_at(dirfd(d), entry->d_name, SIZE_MAX / 4, &text, &len);
		if (r < 0) {
			fprintf(stderr, "%s/%s: %s\n", path, entry->d_name, strerror(-r));
			return -1;
		}
		/* Without the NUL that fd_read_at() adds, so that a sanitizer sees a read past the end. */
		exact = malloc(len ? len : 1);
		if (!exact)
			return -1;
		memcpy(exact, text, len);
		fprintf(stderr, "%s/%s\n", path, entry->d_name);
		LLVMFuzzerTestOneInput(exact, len);
		n++;
	}
	return n;
}

int main(int argc, char **argv)
{
	const char *src = getenv("SRCDIR");
	char path[4096];
	int total = 0;

	if (!src)
		src = getenv("srcdir");
	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", src ? src : ".", REPLAY_CORPUS);
	for (int i = 1; i < argc || i == 1; i++) {
		int n = replay(argc > 1 ? argv[i] : path);

		if (n < 0)
			return 1;
		total += n;
	}
	fprintf(stderr, "%d files\n", total);
	/* An empty corpus is a broken set-up, not a success. */
	return total > 0 ? 0 : 1;
}
