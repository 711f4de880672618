/* SPDX-License-Identifier: Apache-2.0 */
/* The store: opening, blobs, names, uses, finding images. */
#include "tests/unit/images_fixture.h"

#include <sys/wait.h>

/* --- opening ------------------------------------------------------------------------------------ */

static void is_a_layout_that_nobody_else_may_enter(void **state)
{
	static const char *const names[] = { "oci-layout", "index.json", "blobs/sha256", "blobs/sha512",
		"layers", "uses", "tmp", "lock" };
	_cleanup_(img_store_closep) struct img_store *s = open_store("new", IMG_SHARED);
	struct stat st;

	assert_string_equal(img_store_path(s), in_scratch("new"));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(stat(arena_printf(arena, "%s/new/%s", scratch, names[i]), &st), 0);
	assert_int_equal(stat(in_scratch("new"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_string_equal(names_of(s), "");
	assert_int_equal(count_dir(in_scratch("new/tmp")), 0);
}

static void is_closed_if_it_was_open(void **state)
{
	struct img_store *s = open_store("open", IMG_SHARED);
	struct stat st;

	img_store_close(s);
	assert_int_equal(chmod(in_scratch("open"), 0755), 0);
	img_store_close(open_store("open", IMG_SHARED));
	assert_int_equal(stat(in_scratch("open"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void leaves_other_directories_alone(void **state)
{
	struct img_store *s = NULL;
	struct err e = ERR_INIT;
	struct stat st;

	assert_int_equal(mkdir(in_scratch("other"), 0755), 0);
	assert_int_equal(chmod(in_scratch("other"), 0755), 0);
	write_file(in_scratch("other/file"), "x");
	assert_int_equal(img_store_open(in_scratch("other"), true, IMG_SHARED, 0, &s, &e), -ENOTEMPTY);
	assert_non_null(strstr(e.text, "no image store"));
	assert_int_equal(stat(in_scratch("other"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(count_dir(in_scratch("other")), 1);

	assert_int_equal(img_store_open(in_scratch("none"), false, IMG_SHARED, 0, &s, &e), -ENOENT);
	assert_int_equal(access(in_scratch("none"), F_OK), -1);
	/* An empty one is not made a store by looking at it. */
	assert_int_equal(mkdir(in_scratch("empty"), 0755), 0);
	assert_int_equal(img_store_open(in_scratch("empty"), false, IMG_SHARED, 0, &s, &e), -ENOENT);
	assert_int_equal(count_dir(in_scratch("empty")), 0);
	img_store_close(open_store("empty", IMG_SHARED));
	assert_null(s);
}

static void is_refused_if_it_is_somebody_elses(void **state)
{
	struct img_store *s = NULL;
	struct err e = ERR_INIT;

	img_store_close(open_store("theirs", IMG_SHARED));
	if (chown(in_scratch("theirs"), 65534, 65534) < 0)
		skip(); /* not root, or of a user namespace that has no such id */
	assert_int_equal(img_store_open(in_scratch("theirs"), true, IMG_SHARED, 0, &s, &e), -EPERM);
	assert_non_null(strstr(e.text, "belongs to user 65534"));
}

static void of_an_unknown_version_is_refused(void **state)
{
	struct img_store *s = NULL;
	struct err e = ERR_INIT;

	img_store_close(open_store("v2", IMG_SHARED));
	write_file(in_scratch("v2/oci-layout"), "{\"imageLayoutVersion\":\"2.0.0\"}");
	assert_int_equal(img_store_open(in_scratch("v2"), true, IMG_SHARED, 0, &s, &e), -ENOTSUP);
	write_file(in_scratch("v2/oci-layout"), "{");
	assert_int_equal(img_store_open(in_scratch("v2"), true, IMG_SHARED, 0, &s, &e), -EINVAL);
	write_file(in_scratch("v2/oci-layout"), "{\"imageLayoutVersion\":\"1.1.0\",\"x\":1}");
	assert_int_equal(img_store_open(in_scratch("v2"), true, IMG_SHARED, 0, &s, &e), 0);
	img_store_close(s);
}

/* A process that is killed while it makes a store leaves something that the next one completes. */
static void half_made_is_completed(void **state)
{
	assert_int_equal(mkdir(in_scratch("half"), 0700), 0);
	assert_int_equal(mkdir(in_scratch("half/tmp"), 0700), 0);
	assert_int_equal(mkdir(in_scratch("half/blobs"), 0700), 0);
	write_file(in_scratch("half/lock"), "");
	img_store_close(open_store("half", IMG_SHARED));
	assert_int_equal(check_store("half", false, NULL), 0);
}

static void locks(void **state)
{
	struct img_store *a = open_store("locks", IMG_SHARED), *b = open_store("locks", IMG_SHARED),
			 *c = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(img_store_open(in_scratch("locks"), false, IMG_EXCLUSIVE, 0, &c, &e), -EBUSY);
	assert_non_null(strstr(e.text, "in use"));
	img_store_close(a);
	assert_int_equal(img_store_open(in_scratch("locks"), false, IMG_EXCLUSIVE, 0, &c, &e), -EBUSY);
	img_store_close(b);
	assert_int_equal(img_store_open(in_scratch("locks"), false, IMG_EXCLUSIVE, 0, &c, &e), 0);
	assert_int_equal(img_store_open(in_scratch("locks"), true, IMG_SHARED, 0, &a, &e), -EBUSY);
	/* Upkeep is refused to those who do not hold it. */
	img_store_close(c);
	a = open_store("locks", IMG_SHARED);
	assert_int_equal(img_store_check(a, false, NULL, NULL, &e), -EINVAL);
	assert_int_equal(img_store_collect(a, 0, &(struct img_collected){ 0 }, &e), -EINVAL);
	img_store_close(a);
}

/* Waits for one who lets go of it after a moment, and not for ever for one who does not. */
static void locks_are_waited_for(void **state)
{
	struct img_store *s = open_store("wait", IMG_SHARED), *c = NULL;
	struct err e = ERR_INIT;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		usleep(300000);
		_exit(0); /* with it goes a share of the lock, since that is the open file's, which parent and
			     child share */
	}
	assert_int_equal(img_store_open(in_scratch("wait"), false, IMG_EXCLUSIVE, 1, &c, &e), -EBUSY);
	img_store_close(s);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(img_store_open(in_scratch("wait"), false, IMG_EXCLUSIVE, 10, &c, &e), 0);
	img_store_close(c);
}

/* --- blobs -------------------------------------------------------------------------------------- */

/* printf 'hello world' | sha256sum, sha512sum */
#define HELLO_256 "sha256:b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
#define HELLO_512                                                                 \
	"sha512:309ecc489c12d6eb4cc40f50c902f2b4d0ed77ee511a7c7a9bcd3ca86d4cd86f" \
	"989dd35bc5ff499670da34255b45b0cfd830e81f605dcf7dc5542e93ae9cd76f"

static struct img_digest digest(const char *text)
{
	struct img_digest d;

	assert_int_equal(img_digest_parse(text, &d, NULL), 0);
	return d;
}

static void blobs(void **state)
{
	static const char *const digests[] = { HELLO_256, HELLO_512 };
	_cleanup_(img_store_closep) struct img_store *s = open_store("blobs", IMG_SHARED);

	for (size_t i = 0; i < 2; i++) {
		struct img_digest want = digest(digests[i]), got;
		struct img_descriptor d = { .digest = want, .size = 11, .media_type = "" };
		struct img_writer *w;
		const char *text;
		int64_t have, size;
		size_t len;
		int fd;

		assert_false(img_blob_has(s, &want, -1));
		assert_int_equal(img_blob_open(s, &want, NULL), -ENOENT);
		assert_int_equal(img_writer_open(s, &want, 11, &w, &have, NULL), 0);
		assert_int_equal(have, 0);
		assert_int_equal(img_writer_add(w, "hello ", 6, NULL), 0);
		assert_false(img_blob_has(s, &want, -1));
		assert_int_equal(img_writer_add(w, "world", 5, NULL), 0);
		assert_int_equal(img_writer_commit(w, &got, &size, NULL), 0);
		assert_string_equal(got.text, want.text);
		assert_int_equal(size, 11);
		assert_true(img_blob_has(s, &want, -1));
		assert_true(img_blob_has(s, &want, 11));
		assert_false(img_blob_has(s, &want, 12));
		fd = img_blob_open(s, &want, NULL);
		assert_true(fd >= 0);
		close(fd);
		assert_int_equal(img_blob_read(s, &d, "doc", arena, &text, &len, NULL), 0);
		assert_string_equal(text, "hello world");
		d.size = 10;
		assert_int_equal(img_blob_read(s, &d, "doc", arena, &text, &len, NULL), -EBADMSG);
	}
	assert_int_equal(count_dir(in_scratch("blobs/tmp")), 0);
}

static void what_is_not_as_promised_is_refused(void **state)
{
	_cleanup_(img_store_closep) struct img_store *s = open_store("wrong", IMG_SHARED);
	struct img_digest want = digest(HELLO_256);
	struct err e = ERR_INIT;
	struct img_writer *w;
	int64_t have;

	/* The size is right, the content is not. */
	assert_int_equal(img_writer_open(s, &want, 11, &w, &have, NULL), 0);
	assert_int_equal(img_writer_add(w, "hello_world", 11, NULL), 0);
	assert_int_equal(img_writer_commit(w, NULL, NULL, &e), -EBADMSG);
	assert_non_null(strstr(e.text, HELLO_256));
	assert_int_equal(count_dir(in_scratch("wrong/tmp")), 0);
	/* More than promised: at once. */
	assert_int_equal(img_writer_open(s, &want, 11, &w, &have, NULL), 0);
	assert_int_equal(have, 0);
	assert_int_equal(img_writer_add(w, "hello world", 11, NULL), 0);
	assert_int_equal(img_writer_add(w, "!", 1, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "longer than the 11 bytes"));
	img_writer_abort(w, false);
	/* Less: the size is looked at before the digest, and what there is may be gone on with. */
	assert_int_equal(img_writer_open(s, &want, 11, &w, &have, NULL), 0);
	assert_int_equal(img_writer_add(w, "hello", 5, NULL), 0);
	assert_int_equal(img_writer_commit(w, NULL, NULL, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "5 bytes came instead of the 11"));
	assert_false(img_blob_has(s, &want, -1));
	assert_int_equal(img_writer_open(s, &want, 11, &w, &have, NULL), 0);
	assert_int_equal(have, 5);
	img_writer_abort(w, false);
	assert_int_equal(count_dir(in_scratch("wrong/tmp")), 0);
}

static void downloads_are_resumed(void **state)
{
	_cleanup_(img_store_closep) struct img_store *s = open_store("resume", IMG_SHARED);
	struct img_digest want = digest(HELLO_256);
	struct img_writer *w, *second;
	int64_t have;

	assert_int_equal(img_writer_open(s, &want, 11, &w, &have, NULL), 0);
	assert_int_equal(img_writer_add(w, "hello ", 6, NULL), 0);
	/* Another one meanwhile begins at the beginning, in a file of its own. */
	assert_int_equal(img_writer_open(s, &want, 11, &second, &have, NULL), 0);
	assert_int_equal(have, 0);
	assert_int_equal(count_dir(in_scratch("resume/tmp")), 2);
	img_writer_abort(second, true);
	assert_int_equal(count_dir(in_scratch("resume/tmp")), 1);
	img_writer_abort(w, true);

	assert_int_equal(img_writer_open(s, &want, 11, &w, &have, NULL), 0);
	assert_int_equal(have, 6);
	/* The server begins anew. */
	assert_int_equal(img_writer_restart(w, NULL), 0);
	assert_int_equal(img_writer_add(w, "hello", 5, NULL), 0);
	img_writer_abort(w, true);
	assert_int_equal(img_writer_open(s, &want, 11, &w, &have, NULL), 0);
	assert_int_equal(have, 5);
	assert_int_equal(img_writer_add(w, " world", 6, NULL), 0);
	img_writer_abort(w, true);
	/* All of it was there, but for its name. */
	assert_int_equal(img_writer_open(s, &want, 11, &w, &have, NULL), 0);
	assert_int_equal(have, 11);
	assert_int_equal(img_writer_commit(w, NULL, NULL, NULL), 0);
	assert_true(img_blob_has(s, &want, 11));
	assert_int_equal(count_dir(in_scratch("resume/tmp")), 0);
}

static void a_wreck_that_is_too_long_is_begun_anew(void **state)
{
	_cleanup_(img_store_closep) struct img_store *s = open_store("long", IMG_SHARED);
	struct img_digest want = digest(HELLO_256);
	struct img_writer *w;
	int64_t have;

	write_file(arena_printf(arena, "%s/long/tmp/partial-sha256-%s", scratch, img_digest_hex(&want)),
		"hello world, and more");
	assert_int_equal(img_writer_open(s, &want, 11, &w, &have, NULL), 0);
	assert_int_equal(have, 0);
	assert_int_equal(img_writer_add(w, "hello world", 11, NULL), 0);
	assert_int_equal(img_writer_commit(w, NULL, NULL, NULL), 0);
	/* One with wrong bytes is found out, and does not stand in the way of the next try. */
	assert_int_equal(
		unlink(arena_printf(arena, "%s/long/blobs/sha256/%s", scratch, img_digest_hex(&want))), 0);
	write_file(arena_printf(arena, "%s/long/tmp/partial-sha256-%s", scratch, img_digest_hex(&want)),
		"HELLO");
	assert_int_equal(img_writer_open(s, &want, 11, &w, &have, NULL), 0);
	assert_int_equal(have, 5);
	assert_int_equal(img_writer_add(w, " world", 6, NULL), 0);
	assert_int_equal(img_writer_commit(w, NULL, NULL, NULL), -EBADMSG);
	assert_int_equal(img_writer_open(s, &want, 11, &w, &have, NULL), 0);
	assert_int_equal(have, 0);
	img_writer_abort(w, false);
}

/* A link in the place of a partial file, or of a blob, leads nowhere. */
static void links_are_not_followed(void **state)
{
	_cleanup_(img_store_closep) struct img_store *s = open_store("links", IMG_SHARED);
	struct img_digest want = digest(HELLO_256);
	struct img_writer *w;
	int64_t have;

	write_file(in_scratch("secret"), "secret");
	assert_int_equal(symlink(in_scratch("secret"), arena_printf(arena, "%s/links/tmp/partial-sha256-%s",
							       scratch, img_digest_hex(&want))),
		0);
	assert_true(img_writer_open(s, &want, 11, &w, &have, NULL) < 0);
	assert_int_equal(symlink(in_scratch("secret"), arena_printf(arena, "%s/links/blobs/sha256/%s",
							       scratch, img_digest_hex(&want))),
		0);
	assert_false(img_blob_has(s, &want, -1));
	assert_true(img_blob_open(s, &want, NULL) < 0);
}

static void embedded_content_is_read(void **state)
{
	_cleanup_(img_store_closep) struct img_store *s = open_store("data", IMG_SHARED);
	struct img_descriptor d = {
		.digest = digest(HELLO_256), .size = 11, .media_type = "", .data = "aGVsbG8gd29ybGQ="
	};
	const char *text;
	size_t len;

	assert_int_equal(img_blob_read(s, &d, "doc", arena, &text, &len, NULL), 0);
	assert_string_equal(text, "hello world");
	d.data = "aGVsbG8gd29ybGR=";
	assert_int_equal(img_blob_read(s, &d, "doc", arena, &text, &len, NULL), 0); /* the same bytes */
	d.data = "aGVsbG8gd29ybGU=";
	assert_int_equal(img_blob_read(s, &d, "doc", arena, &text, &len, NULL), -EBADMSG);
}

/* --- names -------------------------------------------------------------------------------------- */

static void names(void **state)
{
	_cleanup_(img_store_closep) struct img_store *s = open_store("names", IMG_SHARED);
	struct img_descriptor a = put_image(s, "la", "a"), b = put_image(s, "lb", "b");
	const char *x = arena_strndup(arena, img_digest_hex(&a.digest), 8),
		   *y = arena_strndup(arena, img_digest_hex(&b.digest), 8);
	struct err e = ERR_INIT;

	set_name(s, "docker.io/library/a:1", &a);
	set_name(s, "docker.io/library/b:1", &b);
	set_name(s, "localhost/a:2", &a);
	assert_string_equal(names_of(s),
		arena_printf(arena, "docker.io/library/a:1=%s docker.io/library/b:1=%s localhost/a:2=%s", x,
			y, x));
	/* Moved: in its place, and nothing is left nameless that another name leads to. */
	set_name(s, "docker.io/library/a:1", &b);
	assert_string_equal(names_of(s),
		arena_printf(arena, "docker.io/library/a:1=%s docker.io/library/b:1=%s localhost/a:2=%s", y,
			y, x));
	/* The last name of it. */
	set_name(s, "localhost/a:2", &b);
	assert_string_equal(names_of(s),
		arena_printf(arena, "docker.io/library/a:1=%s docker.io/library/b:1=%s localhost/a:2=%s -=%s",
			y, y, y, x));
	set_name(s, "localhost/a:2", &b);
	assert_string_equal(names_of(s),
		arena_printf(arena, "docker.io/library/a:1=%s docker.io/library/b:1=%s localhost/a:2=%s -=%s",
			y, y, y, x));
	/* Named again. */
	set_name(s, "localhost/back:1", &a);
	assert_string_equal(names_of(s), arena_printf(arena,
						 "docker.io/library/a:1=%s docker.io/library/b:1=%s "
						 "localhost/a:2=%s localhost/back:1=%s",
						 y, y, y, x));
	/* Listed already. */
	set_name(s, NULL, &a);
	assert_int_equal(img_name_remove(s, "docker.io/library/a:1", &e), 0);
	assert_int_equal(img_name_remove(s, "localhost/back:1", &e), 0);
	assert_string_equal(
		names_of(s), arena_printf(arena, "docker.io/library/b:1=%s localhost/a:2=%s", y, y));
	assert_int_equal(img_name_remove(s, "localhost/back:1", &e), -ENOENT);
	set_name(s, NULL, &a);
	set_name(s, NULL, &a);
	assert_string_equal(
		names_of(s), arena_printf(arena, "docker.io/library/b:1=%s localhost/a:2=%s -=%s", y, y, x));
	assert_int_equal(img_name_remove(s, b.digest.text, &e), 0);
	assert_string_equal(names_of(s), arena_printf(arena, "-=%s", x));
}

static void names_that_are_not_set(void **state)
{
	static const char *const bad[] = { "", "debian", "debian:12", "docker.io/library/debian",
		"docker.io/a:b c", "../x/y:z" };
	_cleanup_(img_store_closep) struct img_store *s = open_store("unset", IMG_SHARED);
	struct img_descriptor a = put_image(s, "la", "a");

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(img_name_set(s, bad[i], &a, NULL), -EINVAL);
	img_digest_of("nothing", 7, &a.digest);
	assert_int_equal(img_name_set(s, "localhost/a:1", &a, NULL), -ENOENT);
	assert_string_equal(names_of(s), "");
}

/* What other tools wrote stays. */
static void foreign_entries_stay(void **state)
{
	_cleanup_(img_store_closep) struct img_store *s = open_store("foreign", IMG_SHARED);
	struct img_descriptor a = put_image(s, "la", "a");
	_cleanup_fclose_ FILE *f = NULL;
	char text[4096];
	size_t len;

	write_file(in_scratch("foreign/index.json"),
		"{\"schemaVersion\":2,\"annotations\":{\"k\":\"v\"},\"manifests\":[{\"mediaType\":"
		"\"application/x\",\"digest\":"
		"\"blake3:00\",\"size\":3,\"future\":[1]},{\"mediaType\":\"" MANIFEST_TYPE
		"\",\"digest\":\"sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb\","
		"\"size\":1,"
		"\"annotations\":{\"org.opencontainers.image.ref.name\":\"short\",\"other\":\"x\"}}]}");
	set_name(s, "localhost/a:1", &a);
	assert_int_equal(img_name_remove(s, "localhost/a:1", NULL), 0);
	set_name(s, "localhost/a:2", &a);
	f = fopen(in_scratch("foreign/index.json"), "re");
	assert_non_null(f);
	len = fread(text, 1, sizeof(text) - 1, f);
	text[len] = '\0';
	assert_non_null(strstr(text, "blake3:00"));
	assert_non_null(strstr(text, "future"));
	assert_non_null(strstr(text, "\"other\": \"x\""));
	assert_non_null(strstr(text, "\"k\": \"v\""));
	assert_string_equal(names_of(s),
		arena_printf(arena, "short=ca978112 localhost/a:2=%.8s", img_digest_hex(&a.digest)));
}

static void damaged_index(void **state)
{
	static const char *const texts[] = { "", "{",
		"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"appl", "[]",
		"{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:../../x\",\"size\":1}]}" };
	char *faults;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct img_store *s = open_store("truncated", IMG_SHARED);
		struct img_descriptor a = put_image(s, "la", "a");
		struct img_name *list;
		struct err e = ERR_INIT;
		size_t n;

		write_file(in_scratch("truncated/index.json"), texts[i]);
		assert_int_equal(img_names(s, arena, &list, &n, &e), -EBADMSG);
		assert_non_null(strstr(e.text, "store check"));
		/* It is not overwritten by who comes along with a name. */
		assert_int_equal(img_name_set(s, "localhost/a:1", &a, NULL), -EBADMSG);
		img_store_close(s);
		s = open_store("truncated", IMG_EXCLUSIVE);
		assert_true(img_store_collect(s, 0, &(struct img_collected){ 0 }, NULL) < 0);
		img_store_close(s);
		assert_int_equal(check_store("truncated", false, &faults), 1);
		assert_non_null(strstr(faults, "index.json"));
		assert_int_equal(check_store("truncated", true, NULL), 1);
		assert_int_equal(check_store("truncated", false, NULL), 0);
		s = open_store("truncated", IMG_SHARED);
		assert_string_equal(names_of(s), arena_printf(arena, "-=%.8s", img_digest_hex(&a.digest)));
		img_store_close(s);
	}
}

/* Ten processes at once, each with ten names: none is lost. */
static void names_from_many_sides(void **state)
{
	struct img_store *s = open_store("sides", IMG_SHARED);
	struct img_name *list;
	size_t n;
	int status;

	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid)
			continue;
		for (int k = 0; k < 10; k++) {
			struct img_store *mine = NULL;
			struct img_descriptor a;

			if (img_store_open(in_scratch("sides"), true, IMG_SHARED, 0, &mine, NULL) < 0)
				_exit(1);
			a = put_image(mine, arena_printf(arena, "layer %d", i % 3),
				arena_printf(arena, "%d-%d", i, k));
			if (img_name_set(mine, arena_printf(arena, "localhost/n%d:%d", i, k), &a, NULL) < 0)
				_exit(2);
			img_store_close(mine);
		}
		_exit(0);
	}
	for (int i = 0; i < 10; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(img_names(s, arena, &list, &n, NULL), 0);
	assert_int_equal(n, 100);
	img_store_close(s);
	assert_int_equal(check_store("sides", false, NULL), 0);
	assert_int_equal(count_dir(in_scratch("sides/tmp")), 0);
}

/* --- uses --------------------------------------------------------------------------------------- */

static void uses(void **state)
{
	static const char *const bad[] = { "", ".", "..", ".x", "a/b", "../x", "a b", "a\n" };
	_cleanup_(img_store_closep) struct img_store *s = open_store("uses", IMG_SHARED);
	struct img_descriptor a = put_image(s, "la", "a");
	struct img_use *list;
	struct img_digest nothing;
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(img_use_set(s, bad[i], &a.digest, NULL), -EINVAL);
		assert_int_equal(img_use_remove(s, bad[i], NULL), -EINVAL);
	}
	img_digest_of("nothing", 7, &nothing);
	assert_int_equal(img_use_set(s, "web", &nothing, NULL), -ENOENT);
	assert_int_equal(img_use_set(s, "web", &a.digest, NULL), 0);
	assert_int_equal(img_use_set(s, "web", &a.digest, NULL), 0);
	assert_int_equal(img_uses(s, arena, &list, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_string_equal(list[0].user, "web");
	assert_string_equal(list[0].target.text, a.digest.text);
	assert_int_equal(img_use_remove(s, "web", NULL), 0);
	assert_int_equal(img_use_remove(s, "web", NULL), 0);
	assert_int_equal(img_uses(s, arena, &list, &n, NULL), 0);
	assert_int_equal(n, 0);
}

/* --- finding ------------------------------------------------------------------------------------ */

static const struct {
	const char *what, *want; /* the label of the image; NULL: -ENOENT; "?": -EEXIST; "!": -EINVAL */
} looks[] = {
	{ "docker.io/library/debian:12", "deb12" },
	{ "debian:12", "deb12" },
	{ "library/debian:12", "deb12" },
	{ "docker.io/debian:12", "deb12" },
	{ "debian", "latest" }, /* :latest */
	{ "debian:11", NULL },
	{ "localhost/debian:13", "local" },
	{ "debian:13", "local" }, /* localhost comes before docker.io, which has one too */
	{ "docker.io/library/debian:13", "deb12" },
	{ "hello:1", "hello" },	       /* the end of quay.io/podman/hello:1 */
	{ "podman/hello:1", "hello" }, /* two components of it */
	{ "man/hello:1", NULL },       /* no part of one */
	{ "twice:1", "?" },	       /* quay.io/a/twice and quay.io/b/twice, two images */
	{ "same:1", "hello" },	       /* two names of one image */
	{ "quay.io/a/twice:1", "deb12" },
	{ "example.com/a:1", NULL },
	{ "cafe:1", "local" },
	{ "../x", "!" },
	{ "Debian", "!" },
	{ "debian:12@sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb", NULL },
};

static const char *label_of(const struct img_image *i)
{
	return i->config.labels[1];
}

static void found_by_name(void **state)
{
	_cleanup_(img_store_closep) struct img_store *s = open_store("find", IMG_SHARED);
	struct img_descriptor deb = put_image(s, "d12", "deb12"), latest = put_image(s, "dl", "latest"),
			      local = put_image(s, "l", "local"), hello = put_image(s, "h", "hello");
	struct img_image image;
	struct err e;

	set_name(s, "docker.io/library/debian:12", &deb);
	set_name(s, "docker.io/library/debian:13", &deb);
	set_name(s, "docker.io/library/debian:latest", &latest);
	set_name(s, "localhost/debian:13", &local);
	set_name(s, "quay.io/podman/hello:1", &hello);
	set_name(s, "quay.io/a/twice:1", &deb);
	set_name(s, "quay.io/b/twice:1", &hello);
	set_name(s, "quay.io/a/same:1", &hello);
	set_name(s, "quay.io/b/same:1", &hello);
	set_name(s, "localhost/cafe:1", &local);
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++) {
		const char *want = looks[i].want;
		int r;

		err_clear(&e);
		r = img_image_find(s, arena, looks[i].what, NULL, &image, &e);
		if (r != (!want ? -ENOENT : *want == '?' ? -EEXIST : *want == '!' ? -EINVAL : 0))
			fail_msg("%s: %d %s", looks[i].what, r, e.text);
		if (r == 0 && !str_eq(label_of(&image), want))
			fail_msg("%s: %s", looks[i].what, label_of(&image));
		if (r == -EEXIST)
			assert_non_null(strstr(e.text, "quay.io/a/twice:1, quay.io/b/twice:1"));
	}
}

static void found_by_digits(void **state)
{
	_cleanup_(img_store_closep) struct img_store *s = open_store("digits", IMG_SHARED);
	struct img_descriptor a = put_image(s, "a", "a"), b = put_image(s, "b", "b");
	struct img_image image;
	struct err e = ERR_INIT;
	const char *text;

	set_name(s, "localhost/a:1", &a);
	set_name(s, NULL, &b);
	/* The manifest's digest: whole, with its algorithm, and a part. */
	assert_int_equal(img_image_find(s, arena, a.digest.text, NULL, &image, &e), 0);
	assert_string_equal(label_of(&image), "a");
	assert_string_equal(image.name, "localhost/a:1");
	assert_int_equal(img_image_find(s, arena, img_digest_hex(&b.digest), NULL, &image, &e), 0);
	assert_string_equal(label_of(&image), "b");
	assert_null(image.name);
	text = arena_strndup(arena, img_digest_hex(&b.digest), 12);
	assert_int_equal(img_image_find(s, arena, text, NULL, &image, &e), 0);
	assert_string_equal(label_of(&image), "b");
	/* The id. */
	text = arena_strndup(arena, image.id.text, strlen("sha256:") + 12);
	assert_int_equal(img_image_find(s, arena, text, NULL, &image, &e), 0);
	assert_string_equal(label_of(&image), "b");
	assert_int_equal(img_image_find(s, arena, image.id.text, NULL, &image, &e), 0);
	assert_int_equal(image.manifest_len, b.size);
	/* A name with a digest. */
	text = arena_printf(arena, "localhost/a@%s", a.digest.text);
	assert_int_equal(img_image_find(s, arena, text, NULL, &image, &e), 0);
	text = arena_printf(arena, "localhost/a@%s", b.digest.text);
	assert_int_equal(img_image_find(s, arena, text, NULL, &image, &e), -ENOENT);
	/* Too short, none. */
	text = arena_strndup(arena, img_digest_hex(&a.digest), 3);
	assert_int_equal(img_image_find(s, arena, text, NULL, &image, &e), -ENOENT);
	assert_int_equal(img_image_find(s, arena, "0000000000000000", NULL, &image, &e), -ENOENT);
}

static struct img_descriptor put_index(struct img_store *s, const char *entries)
{
	return put(s, INDEX_TYPE, arena_printf(arena, "{\"schemaVersion\":2,\"manifests\":[%s]}", entries));
}

static char *entry(const struct img_descriptor *d, const char *architecture)
{
	return arena_printf(arena,
		"{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%lld,\"platform\":{\"os\":\"linux\","
		"\"architecture\":\"%s\"}}",
		d->media_type, d->digest.text, (long long)d->size, architecture);
}

static void platforms(void **state)
{
	_cleanup_(img_store_closep) struct img_store *s = open_store("platforms", IMG_SHARED);
	struct img_descriptor x86 = put_image(s, "x", "x86"), power = put_image(s, "p", "power"), index,
			      nested, missing = power;
	struct img_platform host, p;
	struct img_image image;
	struct err e = ERR_INIT;

	img_platform_host(&host);
	index = put_index(
		s, arena_printf(arena, "%s,%s", entry(&power, "ppc64le"), entry(&x86, host.architecture)));
	set_name(s, "localhost/multi:1", &index);
	assert_int_equal(img_image_find(s, arena, "multi:1", NULL, &image, &e), 0);
	assert_string_equal(label_of(&image), "x86");
	assert_string_equal(image.target.digest.text, index.digest.text);
	assert_string_equal(image.manifest_desc.digest.text, x86.digest.text);
	assert_int_equal(img_platform_parse(arena, "linux/ppc64le", &p, NULL), 0);
	assert_int_equal(img_image_find(s, arena, "multi:1", &p, &image, &e), 0);
	assert_string_equal(label_of(&image), "power");
	assert_int_equal(img_platform_parse(arena, "linux/s390x", &p, NULL), 0);
	assert_int_equal(img_image_find(s, arena, "multi:1", &p, &image, &e), -ENOENT);
	assert_non_null(strstr(e.text, "linux/s390x"));
	/* By the id of the one for another platform. */
	assert_int_equal(img_image_find(s, arena, img_digest_hex(&x86.digest), NULL, &image, &e), 0);

	nested = put_index(
		s, arena_printf(arena, "{\"mediaType\":\"" INDEX_TYPE "\",\"digest\":\"%s\",\"size\":%lld}",
			   index.digest.text, (long long)index.size));
	set_name(s, "localhost/nested:1", &nested);
	assert_int_equal(img_image_find(s, arena, "nested:1", NULL, &image, &e), 0);
	assert_string_equal(label_of(&image), "x86");

	/* Only another platform's image was pulled: that one is meant, if nobody asks for one. */
	img_digest_of("missing", 7, &missing.digest);
	index = put_index(s,
		arena_printf(arena, "%s,%s", entry(&missing, host.architecture), entry(&power, "ppc64le")));
	set_name(s, "localhost/part:1", &index);
	assert_int_equal(img_image_find(s, arena, "part:1", NULL, &image, &e), 0);
	assert_string_equal(label_of(&image), "power");
	assert_int_equal(img_image_find(s, arena, "part:1", &host, &image, &e), -ENOENT);
}

static void what_is_no_image(void **state)
{
	_cleanup_(img_store_closep) struct img_store *s = open_store("artifacts", IMG_SHARED);
	struct img_descriptor empty = put(s, "application/vnd.oci.empty.v1+json", "{}"), d;
	struct img_image image;
	struct err e = ERR_INIT;

	d = put(s, MANIFEST_TYPE,
		arena_printf(arena,
			"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":2},"
			"\"layers\":[]}",
			empty.media_type, empty.digest.text));
	set_name(s, "localhost/artifact:1", &d);
	assert_int_equal(img_image_find(s, arena, "artifact:1", NULL, &image, &e), -EINVAL);
	assert_non_null(strstr(e.text, "no image that can be run"));
	d = put(s, MANIFEST_TYPE,
		arena_printf(arena,
			"{\"schemaVersion\":2,\"manifests\":[],\"config\":{\"mediaType\":\"" CONFIG_TYPE
			"\",\"digest\":\"%s\",\"size\":2},"
			"\"layers\":[]}",
			empty.digest.text));
	set_name(s, "localhost/both:1", &d);
	assert_int_equal(img_image_find(s, arena, "both:1", NULL, &image, &e), -EINVAL);
	assert_non_null(strstr(e.text, "both a manifest and an index"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_a_layout_that_nobody_else_may_enter),
		cmocka_unit_test(is_closed_if_it_was_open),
		cmocka_unit_test(leaves_other_directories_alone),
		cmocka_unit_test(is_refused_if_it_is_somebody_elses),
		cmocka_unit_test(of_an_unknown_version_is_refused),
		cmocka_unit_test(half_made_is_completed),
		cmocka_unit_test(locks),
		cmocka_unit_test(locks_are_waited_for),
		cmocka_unit_test(blobs),
		cmocka_unit_test(what_is_not_as_promised_is_refused),
		cmocka_unit_test(downloads_are_resumed),
		cmocka_unit_test(a_wreck_that_is_too_long_is_begun_anew),
		cmocka_unit_test(links_are_not_followed),
		cmocka_unit_test(embedded_content_is_read),
		cmocka_unit_test(names),
		cmocka_unit_test(names_that_are_not_set),
		cmocka_unit_test(foreign_entries_stay),
		cmocka_unit_test(damaged_index),
		cmocka_unit_test(names_from_many_sides),
		cmocka_unit_test(uses),
		cmocka_unit_test(found_by_name),
		cmocka_unit_test(found_by_digits),
		cmocka_unit_test(platforms),
		cmocka_unit_test(what_is_no_image),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
