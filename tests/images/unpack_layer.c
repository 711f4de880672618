/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpack_layer [OPTION]... TAR DIRECTORY: img_unpack() for tests that are no C. Prints "diff_id entries bytes
 * left_out"; checks that the tree has what was counted. Options: --lower DIR (nearest first), --rootless,
 * --no-owners,
 * --diff-id D, --max-bytes N, --max-entries N, --max-ratio N.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/str.h"
#include "images/unpack.h"

#define LOWERS_MAX 16

static ssize_t read_fd(void *arg, void *buf, size_t size)
{
	ssize_t n = read(*(int *)arg, buf, size);

	return n < 0 ? -errno : n;
}

static int open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		perror(path);
	return fd;
}

static int options(int argc, char **argv, struct img_unpack *u, int *lowers)
{
	static const struct option table[] = { { "lower", 1, NULL, 'l' }, { "rootless", 0, NULL, 'r' },
		{ "no-owners", 0, NULL, 'o' }, { "diff-id", 1, NULL, 'd' }, { "max-bytes", 1, NULL, 'b' },
		{ "max-entries", 1, NULL, 'e' }, { "max-ratio", 1, NULL, 'x' }, { 0 } };
	struct err e = ERR_INIT;
	int c, r = 0;

	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1 && r == 0) {
		switch (c) {
		case 'l':
			if (u->n_lowers == LOWERS_MAX || (lowers[u->n_lowers] = open_dir(optarg)) < 0)
				return -1;
			u->n_lowers++;
			break;
		case 'r':
			u->rootless = true;
			break;
		case 'o':
			u->no_owners = true;
			break;
		case 'd':
			r = img_digest_parse(optarg, &u->diff_id, &e);
			break;
		case 'b':
			r = str_to_i64(optarg, &u->limits.max_bytes);
			break;
		case 'e':
			r = str_to_i64(optarg, &u->limits.max_entries);
			break;
		case 'x':
			r = str_to_i64(optarg, &u->limits.max_ratio);
			break;
		default:
			return -1;
		}
	}
	return r < 0 || argc - optind != 2 ? -1 : 0;
}

int main(int argc, char **argv)
{
	int lowers[LOWERS_MAX], fd;
	struct img_unpack u = { .read = read_fd, .arg = &fd, .lowers = lowers };
	struct img_unpacked out;
	struct img_tree tree;
	struct err e = ERR_INIT;

	if (options(argc, argv, &u, lowers) < 0) {
		fprintf(stderr, "usage: see the source\n");
		return 2;
	}
	fd = open(argv[optind], O_RDONLY | O_CLOEXEC);
	u.dir = open_dir(argv[optind + 1]);
	if (fd < 0 || u.dir < 0)
		return 2;
	if (img_unpack(&u, &out, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	if (img_tree_count(u.dir, &tree, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 3;
	}
	printf("%s %lld %lld %lld\n", out.diff_id.text, (long long)out.tree.entries,
		(long long)out.tree.bytes, (long long)out.left_out);
	if (tree.entries != out.tree.entries || tree.bytes != out.tree.bytes) {
		fprintf(stderr, "miscounted: there are %lld entries, %lld bytes\n", (long long)tree.entries,
			(long long)tree.bytes);
		return 3;
	}
	return 0;
}
