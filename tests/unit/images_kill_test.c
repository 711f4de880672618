/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store when processes die, or many work at once: a child that adds, unpacks, renames and collects is
 * killed at random moments, and what it leaves is a valid store each time.
 */
#include "tests/unit/images_fixture.h"
#include "tests/unit/images_tar.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define ROUNDS 40

static void make_tars(struct strbuf tars[3], int seed)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", seed);
	tar_files(&tars[0], "usr", 200, 3000);
	tar_entry(&tars[0], "etc/hostname", '0', NULL, "base");
	tar_end(&tars[0]);
	tar_entry(&tars[1], "etc/hostname", '0', NULL, text);
	tar_entry(&tars[1], "usr/3/.wh.file-3", '0', NULL, NULL);
	tar_entry(&tars[1], "copy", '1', "usr/4/file-4", NULL);
	tar_end(&tars[1]);
	tar_files(&tars[2], "opt", 100, 2000);
	tar_entry(&tars[2], "seed", '0', NULL, text);
	tar_end(&tars[2]);
}

/* One life of an image: in, named, unpacked, named anew. 0 or where it failed. */
static int live(const char *store, int seed)
{
	struct strbuf tars[3] = { { 0 } };
	struct img_store *s = NULL;
	struct img_descriptor d;
	struct img_image image;
	const char *name = arena_printf(arena, "localhost/i%d:1", seed % 5);

	if (img_store_open(store, true, IMG_SHARED, -1, &s, &fixture_err) < 0)
		return 1;
	make_tars(tars, seed);
	d = put_layers(s, tars, 3);
	for (int i = 0; i < 3; i++)
		strbuf_reset(&tars[i]);
	if (img_name_set(s, name, &d, &fixture_err) < 0)
		return 2;
	if (img_image_find(s, arena, name, NULL, &image, &fixture_err) < 0)
		return 3;
	if (img_layers_unpack(s, &image, NULL, &fixture_err) < 0)
		return 4;
	img_store_close(s);
	return 0;
}

static int collect(const char *store, int wait)
{
	struct img_store *s = NULL;
	struct img_collected c;
	int r = img_store_open(store, true, IMG_EXCLUSIVE, wait, &s, &fixture_err);

	if (r == -EBUSY)
		return 0;
	if (r < 0 || img_store_collect(s, 0, &c, &fixture_err) < 0)
		return 5;
	img_store_close(s);
	return 0;
}

static void pause_ms(unsigned int us)
{
	struct timespec t = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000L };

	nanosleep(&t, NULL);
}

static long elapsed_us(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - since->tv_sec) * 1000000L + (now.tv_nsec - since->tv_nsec) / 1000;
}

/* Killed at a moment of a whole life's length, which is measured first. */
static void killed_at_any_moment(void **state)
{
	const char *store = in_scratch("kill");
	struct timespec start;
	long whole;
	unsigned int seed = (unsigned int)time(NULL), killed = 0;

	clock_gettime(CLOCK_MONOTONIC, &start);
	assert_int_equal(live(store, 0), 0);
	whole = elapsed_us(&start);
	print_message("seed %u, a life takes %ld us\n", seed, whole);
	srandom(seed);
	for (int i = 1; i <= ROUNDS; i++) {
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (pid == 0) {
			int r = live(store, i);

			/* Every third one also collects what the killed ones before it left. */
			if (r == 0 && i % 3 == 0)
				r = collect(store, 0);
			if (r)
				fprintf(stderr, "%s\n", fixture_err.text);
			_exit(r);
		}
		pause_ms((unsigned int)(random() % (whole * 5 / 4 + 1)));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
		killed += WIFSIGNALED(status);
		/* Nothing of it is wrong, and nothing needs to be repaired. */
		assert_int_equal(check_store("kill", false, NULL), 0);
	}
	print_message("%u of %d were killed before they were done\n", killed, ROUNDS);
	assert_true(killed > 2); /* else the rounds have shown nothing */
	assert_int_equal(collect(store, 0), 0);
	assert_int_equal(check_store("kill", false, NULL), 0);
	assert_int_equal(count_dir(in_scratch("kill/tmp")), 0);
	/* And it goes on working. */
	assert_int_equal(live(store, 1000), 0);
	assert_int_equal(check_store("kill", false, NULL), 0);
}

/* Adders and a collector at once: what has a name is whole in the end, whoever was in between. */
static void many_at_once(void **state)
{
	const char *store = in_scratch("many");
	struct img_store *s;
	struct img_name *names;
	size_t n;
	int status;

	for (int i = 0; i < 8; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid)
			continue;
		for (int k = 0; k < 3; k++) {
			/* Two of each seed: the same layers from two sides. */
			int r = live(store, i / 2 + 4 * k);

			if (r == 0 && i == 7)
				r = collect(store, 1);
			if (r) {
				fprintf(stderr, "%s\n", fixture_err.text);
				_exit(r);
			}
		}
		_exit(0);
	}
	for (int i = 0; i < 8; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(check_store("many", false, NULL), 0);
	s = open_store("many", IMG_SHARED);
	assert_int_equal(img_names(s, arena, &names, &n, NULL), 0);
	assert_true(n >= 5);
	img_store_close(s);
	assert_int_equal(collect(store, 0), 0);
	assert_int_equal(check_store("many", false, NULL), 0);
	assert_int_equal(count_dir(in_scratch("many/tmp")), 0);
}

/* A download that is killed is gone on with, byte for byte. */
static void a_killed_download_is_resumed(void **state)
{
	static const size_t size = 3 * 1000 * 1000;
	_cleanup_free_ char *data = malloc(size);
	struct img_digest want, got;
	struct img_store *s = open_store("download", IMG_SHARED);
	struct img_writer *w;
	int64_t have = 0, most = 0;

	assert_non_null(data);
	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i * 2654435761U >> 13);
	img_digest_of(data, size, &want);
	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			if (img_writer_open(s, &want, (int64_t)size, &w, &have, NULL) < 0)
				_exit(1);
			while ((size_t)have < size - 10000) {
				if (img_writer_add(w, data + have, 1000, NULL) < 0)
					_exit(2);
				have += 1000;
				pause_ms(50);
			}
			for (;;)
				pause();
		}
		pause_ms(30000);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_int_equal(img_writer_open(s, &want, (int64_t)size, &w, &have, NULL), 0);
		assert_true(have >= most);
		most = have;
		img_writer_abort(w, true);
	}
	assert_true(most > 0);
	assert_int_equal(img_writer_open(s, &want, (int64_t)size, &w, &have, NULL), 0);
	assert_int_equal(have, most);
	assert_int_equal(img_writer_add(w, data + have, size - (size_t)have, NULL), 0);
	assert_int_equal(img_writer_commit(w, &got, NULL, NULL), 0);
	assert_string_equal(got.text, want.text);
	img_store_close(s);
}

/* Writing fails in the middle: as on a full disk, but with a limit that every user can set. */
static void no_room(void **state)
{
	static const size_t size = 3 * 1000 * 1000;
	struct strbuf tar = { 0 };
	struct img_store *s = open_store("room", IMG_SHARED);
	struct img_descriptor d;
	int status;
	pid_t pid;

	tar_entry(&tar, "small", '0', NULL, "x");
	tar_files(&tar, "large", 1, size);
	tar_end(&tar);
	d = put_layers(s, &tar, 1);
	set_name(s, "localhost/large:1", &d);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit lim = { .rlim_cur = 1000 * 1000, .rlim_max = 1000 * 1000 };
		struct img_digest want;
		struct img_image image;
		struct img_writer *w;
		int64_t have;

		signal(SIGXFSZ, SIG_IGN);
		img_digest_of(tar.s, tar.len - 1, &want);
		if (setrlimit(RLIMIT_FSIZE, &lim) < 0)
			_exit(1);
		if (img_blob_put(s, tar.s, tar.len, NULL, &fixture_err) != -EFBIG)
			_exit(2);
		if (img_writer_open(s, &want, (int64_t)tar.len - 1, &w, &have, NULL) < 0 ||
			img_writer_add(w, tar.s, 900 * 1000, NULL) < 0 ||
			img_writer_add(w, tar.s + 900 * 1000, 200 * 1000, &fixture_err) != -EFBIG)
			_exit(3);
		img_writer_abort(w, true);
		if (img_image_find(s, arena, "large:1", NULL, &image, NULL) < 0 ||
			img_layers_unpack(s, &image, NULL, &fixture_err) != -EFBIG)
			_exit(4);
		_exit(strstr(fixture_err.text, "large/0/file-0") ? 0 : 5);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* Of the layer nothing is left; of the download what came before, to the byte. */
	assert_int_equal(count_dir(in_scratch("room/layers")), 0);
	assert_int_equal(count_dir(in_scratch("room/tmp")), 1);
	{
		struct img_digest want;
		struct img_writer *w;
		int64_t have;

		img_digest_of(tar.s, tar.len - 1, &want);
		assert_int_equal(img_writer_open(s, &want, (int64_t)tar.len - 1, &w, &have, NULL), 0);
		assert_int_equal(have, 900 * 1000);
		assert_int_equal(img_writer_add(w, tar.s + have, tar.len - 1 - (size_t)have, NULL), 0);
		assert_int_equal(img_writer_commit(w, NULL, NULL, NULL), 0);
	}
	img_store_close(s);
	strbuf_reset(&tar);
	assert_int_equal(check_store("room", false, NULL), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_at_any_moment),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(a_killed_download_is_resumed),
		cmocka_unit_test(no_room),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
