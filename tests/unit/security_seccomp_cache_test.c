/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp_cache.c: what hits, what misses, what is put right, and that the directory does not grow for ever.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "security/seccomp_internal.h"

#define TEXT "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}"

struct fixture {
	char dir[32];
	int fd;
	struct sysf_key key;
};

static const struct sock_filter insns[3] = { { 1, 2, 3, 4 }, { 5, 6, 7, 8 }, { 9, 10, 11, 12 } };

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	memcpy(f->dir, "/tmp/rf-cache-XXXXXX", 21);
	assert_non_null(mkdtemp(f->dir));
	f->fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(sysf_key_make(&f->key, TEXT, strlen(TEXT), "2.5.4"), 0);
	*state = f;
	return 0;
}

static size_t entries(int dirfd, bool remove)
{
	DIR *d = fdopendir(openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *e;
	size_t n = 0;

	while ((e = readdir(d))) {
		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		n++;
		if (remove && unlinkat(dirfd, e->d_name, 0) < 0)
			unlinkat(dirfd, e->d_name, AT_REMOVEDIR);
	}
	closedir(d);
	return n;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	entries(f->fd, true);
	close(f->fd);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void store(struct fixture *f)
{
	struct seccomp_prog p = { .insns = (void *)insns, .n = 3, .flags = 4, .has_notify = true };

	assert_int_equal(sysf_cache_store(f->fd, &f->key, &p, 7, NULL), 0);
}

static bool hits(struct fixture *f, const struct sysf_key *key)
{
	struct seccomp_prog p = { .n = 4711 };
	uint32_t unknown = 99;
	bool hit = sysf_cache_load(f->fd, key, &p, &unknown);

	if (hit) {
		assert_int_equal(p.n, 3);
		assert_memory_equal(p.insns, insns, sizeof(insns));
		assert_int_equal(p.flags, 4);
		assert_true(p.has_notify);
		assert_int_equal(unknown, 7);
		seccomp_prog_free(&p);
	} else {
		assert_int_equal(p.n, 4711);
		assert_int_equal(unknown, 99);
	}
	return hit;
}

static void what_is_stored_is_found(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_false(hits(f, &f->key));
	store(f);
	assert_true(hits(f, &f->key));
	assert_int_equal(fstatat(f->fd, f->key.name, &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(entries(f->fd, false), 1);
}

static void other_keys_miss(void **state)
{
	struct fixture *f = *state;
	struct sysf_key k;

	store(f);
	assert_int_equal(sysf_key_make(&k, TEXT " ", strlen(TEXT) + 1, "2.5.4"), 0);
	assert_false(hits(f, &k));
	assert_string_not_equal(k.name, f->key.name);
	/* Were two hashes equal, the whole key would still be compared. */
	memcpy(k.name, f->key.name, sizeof(k.name));
	assert_false(hits(f, &k));
	assert_int_equal(
		sysf_key_make(&k, "{\"defaultAction\":\"SCMP_ACT_TRACE\"}", strlen(TEXT), "2.5.4"), 0);
	memcpy(k.name, f->key.name, sizeof(k.name));
	assert_false(hits(f, &k));
	assert_int_equal(sysf_key_make(&k, TEXT, strlen(TEXT), "2.5.5"), 0);
	assert_string_not_equal(k.name, f->key.name);
	memcpy(k.name, f->key.name, sizeof(k.name));
	assert_false(hits(f, &k));
	assert_true(hits(f, &f->key));
}

static void some_sections_have_no_key(void **state)
{
	struct sysf_key k;

	assert_int_equal(sysf_key_make(&k, NULL, 0, "2.5.4"), -EINVAL);
	assert_int_equal(sysf_key_make(&k, TEXT, 0, "2.5.4"), -EINVAL);
	assert_int_equal(sysf_key_make(&k, TEXT, 2 * 1024 * 1024, "2.5.4"), -EINVAL);
}

static void every_changed_byte_misses(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *good = NULL;
	size_t len;

	store(f);
	assert_int_equal(fd_read_at(f->fd, f->key.name, 65536, &good, &len), 0);
	for (size_t i = 0; i < len; i++) {
		_cleanup_close_ int fd = openat(f->fd, f->key.name, O_WRONLY);
		char bad = (char)(good[i] ^ 1);
		/* The padding before the instructions has no meaning. */
		bool padding = i >= len - sizeof(insns) - 8 && i < len - sizeof(insns) && good[i] == 0;

		assert_int_equal(pwrite(fd, &bad, 1, (off_t)i), 1);
		if (!padding)
			assert_false(hits(f, &f->key));
		assert_int_equal(pwrite(fd, &good[i], 1, (off_t)i), 1);
	}
	assert_true(hits(f, &f->key));
}

static void every_other_length_misses(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	store(f);
	assert_int_equal(fstatat(f->fd, f->key.name, &st, 0), 0);
	for (off_t len = st.st_size + 9; len >= 0; len--) {
		_cleanup_close_ int fd = openat(f->fd, f->key.name, O_WRONLY);

		if (len == st.st_size)
			continue;
		assert_int_equal(ftruncate(fd, len), 0);
		assert_false(hits(f, &f->key));
		if (len > st.st_size)
			continue;
		if (len % 16 == 0)
			continue;
		store(f);
		assert_true(hits(f, &f->key));
	}
}

static void odd_files_miss_and_are_replaced(void **state)
{
	struct fixture *f = *state;
	char to[64];

	store(f);
	assert_int_equal(fchmodat(f->fd, f->key.name, 0620, 0), 0);
	assert_false(hits(f, &f->key));
	store(f);
	assert_int_equal(fchmodat(f->fd, f->key.name, 0602, 0), 0);
	assert_false(hits(f, &f->key));
	store(f);
	if (geteuid() == 0 && fchownat(f->fd, f->key.name, 65534, 65534, 0) == 0) {
		assert_false(hits(f, &f->key));
		store(f);
	}
	/* A symlink to a good one, a fifo (which must not block), a directory. */
	assert_int_equal(renameat(f->fd, f->key.name, f->fd, "good"), 0);
	assert_int_equal(symlinkat("good", f->fd, f->key.name), 0);
	assert_false(hits(f, &f->key));
	store(f);
	assert_true(hits(f, &f->key));
	assert_int_equal(unlinkat(f->fd, f->key.name, 0), 0);
	assert_int_equal(mkfifoat(f->fd, f->key.name, 0600), 0);
	assert_false(hits(f, &f->key));
	store(f);
	assert_true(hits(f, &f->key));
	assert_int_equal(unlinkat(f->fd, f->key.name, 0), 0);
	assert_int_equal(mkdirat(f->fd, f->key.name, 0700), 0);
	assert_false(hits(f, &f->key));
	snprintf(to, sizeof(to), "%s/%s", f->dir, f->key.name);
	assert_int_equal(rmdir(to), 0);
}

static void make_aged(struct fixture *f, const char *name, time_t age)
{
	struct timespec t[2] = { { .tv_sec = time(NULL) - age }, { .tv_sec = time(NULL) - age } };

	close(openat(f->fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(utimensat(f->fd, name, t, 0), 0);
}

static bool exists(struct fixture *f, const char *name)
{
	return faccessat(f->fd, name, F_OK, 0) == 0;
}

static void the_oldest_go(void **state)
{
	struct fixture *f = *state;
	char name[64];

	for (int i = 0; i < SYSF_CACHE_MAX - 1; i++) {
		snprintf(name, sizeof(name), "%016x.bpf", i);
		make_aged(f, name, 100000 - i * 10);
	}
	make_aged(f, "somebody-elses", 200000);
	make_aged(f, ".0000000000000001.bpf.77", 4000);
	make_aged(f, ".0000000000000001.bpf.78", 100);
	store(f);
	/* Just full: nothing went but the dead writer's file. */
	assert_true(exists(f, "0000000000000000.bpf"));
	assert_false(exists(f, ".0000000000000001.bpf.77"));
	assert_true(exists(f, ".0000000000000001.bpf.78"));
	make_aged(f, "ffffffffffffffff.bpf", 5);
	store(f);
	assert_false(exists(f, "0000000000000000.bpf"));
	assert_false(exists(f, "0000000000000020.bpf"));
	assert_true(exists(f, "0000000000000021.bpf"));
	assert_true(exists(f, "ffffffffffffffff.bpf"));
	assert_true(exists(f, "somebody-elses"));
	assert_true(hits(f, &f->key));
	assert_int_equal(entries(f->fd, false), SYSF_CACHE_MAX * 3 / 4 + 2);
}

/* --- through seccomp_prepare() ---------------------------------------------------------------- */

static void prepare_uses_it(void **state)
{
	struct fixture *f = *state;
	static const char text[] = "any text: only the structs are read";
	struct spec_seccomp_rule rule = { .names = (char *[]){ "mkdirat", "no_such_call", NULL },
		.action = "SCMP_ACT_NOTIFY" };
	struct spec_seccomp s = { .present = true,
		.default_action = "SCMP_ACT_ALLOW",
		.listener_path = "/x",
		.rules = &rule,
		.n_rules = 1,
		.text = text,
		.text_len = sizeof(text) - 1 };
	struct seccomp_options o = { .cache_dirfd = f->fd };
	struct seccomp_prog first = { 0 }, second = { 0 };
	struct err e = ERR_INIT;

	assert_int_equal(seccomp_prepare(&s, &o, &first, &e), 0);
	assert_string_equal(first.unknown[0], "no_such_call");
	assert_int_equal(entries(f->fd, false), 1);
	assert_int_equal(seccomp_prepare(&s, &o, &second, &e), 0);
	assert_null(second.unknown);
	assert_true(second.has_notify);
	assert_int_equal(second.flags, first.flags);
	assert_int_equal(second.n, first.n);
	assert_memory_equal(second.insns, first.insns, first.n * sizeof(struct sock_filter));
	seccomp_prog_free(&second);

	/* What is refused is refused on a hit as well. */
	o.fail_unknown = true;
	assert_int_equal(seccomp_prepare(&s, &o, &second, &e), -EINVAL);
	assert_non_null(strstr(e.text, "does not know: no_such_call"));
	o.fail_unknown = false;
	s.listener_path = NULL;
	assert_int_equal(seccomp_prepare(&s, &o, &second, &e), -EINVAL);
	s.listener_path = "/x";

	/* A cache that cannot be written is no error. */
	o.cache_dirfd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(seccomp_prepare(&s, &o, &second, &e), 0);
	assert_int_equal(second.n, first.n);
	close(o.cache_dirfd);
	seccomp_prog_free(&first);
	seccomp_prog_free(&second);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_stored_is_found),
		TEST(other_keys_miss),
		cmocka_unit_test(some_sections_have_no_key),
		TEST(every_changed_byte_misses),
		TEST(every_other_length_misses),
		TEST(odd_files_miss_and_are_replaced),
		TEST(the_oldest_go),
		TEST(prepare_uses_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
