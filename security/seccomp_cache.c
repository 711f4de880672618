/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiled filters on disk (theory in seccomp.h).
 *
 * A file is: struct head, the key (environment, then the section's text), zeroes up to a multiple of 8, the
 * instructions. It is read whole into memory of our own and only then looked at, so nobody can change it
 * between the check and the use.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/fd.h"
#include "base/str.h"
#include "security/seccomp_internal.h"

/*
 * To be raised whenever a section would be compiled to another program than before, or the file looks
 * different.
 */
#define CACHE_VERSION 1U

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif
#ifndef GIT_COMMIT
#define GIT_COMMIT "unknown"
#endif

#define TEXT_MAX (1024U * 1024U) /* a longer section is compiled every time */
#define SUFFIX	 ".bpf"

/* When there are too many files, down to this many, so that not every store has to. */
#define KEEP (SYSF_CACHE_MAX * 3 / 4)

/* A temporary file of a writer that died is removed after this many seconds. */
#define STALE_SECONDS 3600

struct head {
	char magic[8];
	uint32_t env_len, text_len, n_insns, flags, has_notify, n_unknown;
	uint64_t sum; /* of the instructions and the fields above */
};

static const char magic[8] = "RFSECBPF";

static size_t align8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

static size_t code_offset(size_t env_len, size_t text_len)
{
	return align8(sizeof(struct head) + env_len + text_len);
}

/* The head's fields, without `sum`, seed the sum of the instructions. */
static uint64_t checksum(const struct head *h, const void *insns)
{
	return XXH3_64bits_withSeed(
		insns, h->n_insns * sizeof(struct sock_filter), XXH3_64bits(h, offsetof(struct head, sum)));
}

int sysf_key_make(struct sysf_key *k, const char *text, size_t text_len, const char *library)
{
	struct utsname u;
	int n;

	if (!text || text_len == 0 || text_len > TEXT_MAX || uname(&u) < 0)
		return -EINVAL;
	n = snprintf(k->env, sizeof(k->env), "%u%c%s%c%s%c%s%c%s%c%s", CACHE_VERSION, 0, u.release, 0,
		u.machine, 0, library, 0, PACKAGE_VERSION, 0, GIT_COMMIT);
	if (n < 0 || (size_t)n >= sizeof(k->env))
		return -EINVAL;
	k->env_len = (size_t)n;
	k->text = text;
	k->text_len = text_len;
	snprintf(k->name, sizeof(k->name), "%016llx" SUFFIX,
		(unsigned long long)XXH3_64bits_withSeed(text, text_len, XXH3_64bits(k->env, k->env_len)));
	return 0;
}

/* --- load ------------------------------------------------------------------------------------- */

/* Is this, byte by byte, the file that we would have written for the key? */
static bool is_ours(const char *file, size_t size, const struct sysf_key *k, struct head *h)
{
	size_t at;

	if (size < sizeof(*h))
		return false;
	memcpy(h, file, sizeof(*h));
	if (memcmp(h->magic, magic, sizeof(magic)) != 0)
		return false;
	if (h->env_len != k->env_len || h->text_len != k->text_len)
		return false;
	if (h->n_insns == 0 || h->n_insns > BPF_MAXINSNS || h->has_notify > 1)
		return false;
	at = code_offset(h->env_len, h->text_len);
	if (size != at + h->n_insns * sizeof(struct sock_filter))
		return false;
	return memcmp(file + sizeof(*h), k->env, k->env_len) == 0 &&
	       memcmp(file + sizeof(*h) + k->env_len, k->text, k->text_len) == 0 &&
	       h->sum == checksum(h, file + at);
}

bool sysf_cache_load(int dirfd, const struct sysf_key *k, struct seccomp_prog *out, uint32_t *n_unknown)
{
	_cleanup_close_ int fd =
		openat(dirfd, k->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	size_t most = code_offset(k->env_len, k->text_len) + BPF_MAXINSNS * sizeof(struct sock_filter);
	_cleanup_free_ char *file = NULL;
	struct stat st;
	struct head h;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	/* A filter that others could have written is no filter. */
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return false;
	if (st.st_size <= 0 || (uint64_t)st.st_size > most)
		return false;
	file = malloc((size_t)st.st_size);
	if (!file)
		return false;
	/* A regular file is read whole or has become shorter; then it is not the file we want. */
	do {
		n = read(fd, file, (size_t)st.st_size);
	} while (n < 0 && errno == EINTR);
	if (n != st.st_size || !is_ours(file, (size_t)n, k, &h))
		return false;
	out->insns = file + code_offset(h.env_len, h.text_len);
	out->n = h.n_insns;
	out->flags = h.flags;
	out->has_notify = h.has_notify;
	out->map_len = (size_t)n;
	out->map = TAKE_PTR(file);
	*n_unknown = h.n_unknown;
	return true;
}

/* --- store ------------------------------------------------------------------------------------ */

struct entry {
	char name[32];
	struct timespec mtime;
};

static int compare_age(const void *a, const void *b)
{
	const struct timespec *x = &((const struct entry *)a)->mtime, *y = &((const struct entry *)b)->mtime;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

/* ".0123456789abcdef.bpf.1234", as fd_replace_at() names it: removed if its writer must be long gone. */
static void drop_stale(int dirfd, const char *name)
{
	struct stat st;

	if (name[0] == '.' && strstr(name, SUFFIX ".") &&
		fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		st.st_mtime < time(NULL) - STALE_SECONDS)
		unlinkat(dirfd, name, 0);
}

/*
 * The oldest written go first. Which ones are in use nobody knows, but whatever is missed is compiled once
 * more.
 */
static void prune(int dirfd)
{
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_free_ struct entry *list = NULL;
	size_t n = 0, room = 0;
	struct dirent *d;
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		fd_close(fd);
		return;
	}
	while ((d = readdir(dir))) {
		struct stat st;

		drop_stale(dirfd, d->d_name);
		if (d->d_name[0] == '.' || !str_ends(d->d_name, SUFFIX) ||
			strlen(d->d_name) >= sizeof(list->name))
			continue;
		if (fstatat(dirfd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (n == room) {
			struct entry *more = realloc(list, (room += SYSF_CACHE_MAX + 8) * sizeof(*list));

			if (!more)
				return;
			list = more;
		}
		memcpy(list[n].name, d->d_name, strlen(d->d_name) + 1);
		list[n++].mtime = st.st_mtim;
	}
	if (n <= SYSF_CACHE_MAX)
		return;
	qsort(list, n, sizeof(*list), compare_age);
	for (size_t i = 0; i < n - KEEP; i++)
		unlinkat(dirfd, list[i].name, 0);
}

int sysf_cache_store(
	int dirfd, const struct sysf_key *k, const struct seccomp_prog *p, uint32_t n_unknown, struct err *e)
{
	size_t at = code_offset(k->env_len, k->text_len), code_len = p->n * sizeof(struct sock_filter);
	_cleanup_free_ char *file = calloc(1, at + code_len);
	struct head h = {
		.env_len = (uint32_t)k->env_len,
		.text_len = (uint32_t)k->text_len,
		.n_insns = (uint32_t)p->n,
		.flags = p->flags,
		.has_notify = p->has_notify,
		.n_unknown = n_unknown,
	};
	int r;

	if (!file)
		return err_set(e, ENOMEM, "keep the seccomp filter");
	memcpy(h.magic, magic, sizeof(magic));
	h.sum = checksum(&h, p->insns);
	memcpy(file, &h, sizeof(h));
	memcpy(file + sizeof(h), k->env, k->env_len);
	memcpy(file + sizeof(h) + k->env_len, k->text, k->text_len);
	memcpy(file + at, p->insns, code_len);
	r = fd_replace_at(dirfd, k->name, 0600, file, at + code_len, e);
	if (r == 0)
		prune(dirfd);
	return r;
}
