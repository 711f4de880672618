/* SPDX-License-Identifier: Apache-2.0 */
/* rft bundle, rft links: what a case's set-up would otherwise start a process a file for. */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rft.h"

static const char *source, *target;

static int copy_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	char to[4096];

	(void)where;
	snprintf(to, sizeof to, "%s%s", target, path + strlen(source));
	if (kind == FTW_D) {
		if ((mkdir(to, 0700) && errno != EEXIST) || chmod(to, st->st_mode & 07777))
			die("mkdir %s", to);
	} else if (linkat(AT_FDCWD, path, AT_FDCWD, to, 0) && errno != EEXIST) {
		die("link %s", to);
	}
	return 0;
}

/* rft bundle TEMPLATE TARGET: TEMPLATE/bundle with all its files as hard links, and TEMPLATE/config.json as a
 * copy. In a bundle that is there, what is there stays, but for config.json. */
int cmd_bundle(int argc, char **argv)
{
	char from[4096], to[4096];
	struct stat st;
	int in, out;

	if (argc != 3)
		return 2;
	snprintf(from, sizeof from, "%s/bundle", argv[1]);
	source = from;
	target = argv[2];
	if (nftw(from, copy_one, 16, FTW_PHYS))
		die("walk %s", from);
	snprintf(to, sizeof to, "%s/config.json", target);
	snprintf(from, sizeof from, "%s/config.json", argv[1]);
	in = open(from, O_RDONLY | O_CLOEXEC);
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (in < 0 || out < 0 || fstat(in, &st) || sendfile(out, in, NULL, (size_t)st.st_size) != st.st_size)
		die("copy %s", to);
	return 0;
}

/* rft links TARGET DIRECTORY NAME…: symbolic links. */
int cmd_links(int argc, char **argv)
{
	char path[4096];

	for (int i = 3; i < argc; i++) {
		snprintf(path, sizeof path, "%s/%s", argv[2], argv[i]);
		if (symlink(argv[1], path))
			die("symlink %s", path);
	}
	return argc > 3 ? 0 : 2;
}
