/* SPDX-License-Identifier: Apache-2.0 */
/* Roots: ready records, what a start finds, pins, files of an image that is not mounted. */
#include "tests/unit/images_fixture.h"

#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>

#include "base/fd.h"
#include "images/ref.h"
#include "images/roots.h"
#include "tests/unit/images_tar.h"

#define NAME "docker.io/library/roots:latest"

/* n layers: /etc/passwd of the lowest, a file that the last but one has and the last hides, and more. */
static struct img_descriptor make_image(struct img_store *s, const char *name, size_t n)
{
	struct strbuf tars[16] = { 0 };
	struct img_descriptor d;

	for (size_t i = 0; i < n; i++) {
		tar_entry(&tars[i], arena_printf(arena, "layer-%zu", i), '0', NULL, name);
		if (i == 0) {
			tar_entry(&tars[i], "etc/passwd", '0', NULL, "base\n");
			tar_entry(&tars[i], "etc/old", '0', NULL, "old\n");
			tar_entry(&tars[i], "opaque/below", '0', NULL, "below\n");
			tar_entry(&tars[i], "dir/file", '0', NULL, "below\n");
			tar_entry(&tars[i], "usr/share/group", '0', NULL, "group\n");
			tar_entry(&tars[i], "fifo", '6', NULL, NULL);
		}
		if (i == 1) {
			tar_entry(&tars[i], "etc/.wh.old", '0', NULL, NULL);
			tar_entry(&tars[i], "opaque/.wh..wh..opq", '0', NULL, NULL);
			tar_entry(&tars[i], "opaque/above", '0', NULL, "above\n");
			tar_entry(&tars[i], ".wh.dir", '0', NULL, NULL);
			tar_entry(&tars[i], "etc/group", '2', "../usr/./share/../share/group", NULL);
			tar_entry(&tars[i], "absolute", '2', "/etc/passwd", NULL);
			tar_entry(&tars[i], "out", '2', "../../../../../../../etc/passwd", NULL);
			tar_entry(&tars[i], "loop", '2', "loop", NULL);
			tar_entry(&tars[i], "host", '2', "/proc/self/exe", NULL);
			tar_entry(&tars[i], "link-dir", '2', "etc", NULL);
		}
		if (i == 2)
			tar_entry(&tars[i], "etc/passwd", '0', NULL, "top\n");
		tar_end(&tars[i]);
	}
	d = put_layers(s, tars, n);
	for (size_t i = 0; i < n; i++)
		strbuf_reset(&tars[i]);
	set_name(s, name, &d);
	return d;
}

static void prepare(struct img_store *s, const char *name)
{
	struct img_image image;
	struct err e = ERR_INIT;

	if (img_image_find(s, arena, name, NULL, &image, &e) < 0 ||
		img_layers_unpack(s, &image, NULL, &e) < 0 || img_ready_set(s, &image, NULL, false, &e) < 0)
		fail_msg("%s", e.text);
}

static struct img_root found(const char *store, const char *what, const char *user)
{
	struct img_root root;
	struct err e = ERR_INIT;

	if (img_root_find(in_scratch(store), what, user, arena, &root, &e) < 0)
		fail_msg("%s", e.text);
	return root;
}

static void not_found(const char *store, const char *what, int want)
{
	struct img_root root;
	struct err e = ERR_INIT;

	assert_int_equal(img_root_find(in_scratch(store), what, NULL, arena, &root, &e), want);
	assert_string_not_equal(e.text, "");
}

static void by_names(void **state)
{
	static const char *const right[] = { NAME, "roots", "roots:latest", "library/roots",
		"docker.io/library/roots", "docker.io/roots", "index.docker.io/library/roots:latest" };
	static const char *const unknown[] = { "root", "roots:12", "quay.io/roots", "localhost/roots",
		"other/roots", "abcdef", "sha256:abcd" };
	struct img_store *s = open_store("names", IMG_SHARED);
	struct img_descriptor d = make_image(s, NAME, 3), second;
	struct img_root root;

	not_found("names", "roots", -ENOENT);
	prepare(s, "roots");
	for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
		root = found("names", right[i], NULL);
		assert_string_equal(root.name, NAME);
		assert_string_equal(root.target, d.digest.text);
		assert_int_equal(root.n_layers, 3);
		img_root_close(&root);
	}
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		not_found("names", unknown[i], -ENOENT);
	not_found("names", "Roots", -EINVAL);
	not_found("nowhere", "roots", -ENOENT);
	root = found("names", d.digest.text, NULL);
	assert_null(root.name);
	img_root_close(&root);
	root = found("names", arena_printf(arena, "roots@%s", d.digest.text), NULL);
	assert_string_equal(root.name, NAME);
	img_root_close(&root);
	/* localhost comes before docker.io. */
	second = make_image(s, "localhost/roots:latest", 1);
	prepare(s, "localhost/roots");
	root = found("names", "roots", NULL);
	assert_string_equal(root.target, second.digest.text);
	img_root_close(&root);
	img_store_close(s);
}

#define RICH                                                                                         \
	"{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"2026-01-02T03:04:05Z\","         \
	"\"author\":\"A\",\"config\":{\"User\":\"1000:100\",\"Env\":[\"A=b\",\"C=\"],"               \
	"\"Entrypoint\":[\"/e\",\"\"],\"Cmd\":[],\"WorkingDir\":\"/w\",\"StopSignal\":\"SIGUSR1\","  \
	"\"ExposedPorts\":{\"80/tcp\":{}},\"Volumes\":{\"/v\":{}},\"Labels\":{\"k\":\"v\\u00e9\"}}," \
	"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}"

static void all_fields(void **state)
{
	struct img_store *s = open_store("fields", IMG_SHARED);
	struct strbuf tar = { 0 };
	struct img_descriptor l, c, m;
	struct img_root root;

	tar_entry(&tar, "a", '0', NULL, "a");
	tar_end(&tar);
	assert_int_equal(img_blob_put(s, tar.s, tar.len, &l.digest, NULL), 0);
	c = put(s, CONFIG_TYPE, arena_printf(arena, RICH, l.digest.text));
	m = put(s, MANIFEST_TYPE,
		arena_printf(arena,
			"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" CONFIG_TYPE
			"\",\"digest\":\"%s\",\"size\":%lld},\"layers\":[{\"mediaType\":\"" LAYER_TYPE
			"\",\"digest\":\"%s\",\"size\":%zu}]}",
			c.digest.text, (long long)c.size, l.digest.text, tar.len));
	strbuf_reset(&tar);
	set_name(s, "localhost/rich:1", &m);
	prepare(s, "rich:1");
	img_store_close(s);
	root = found("fields", "rich:1", NULL);
	assert_string_equal(root.config, c.digest.text);
	assert_string_equal(root.manifest, m.digest.text);
	assert_string_equal(root.platform.architecture, "amd64");
	assert_string_equal(root.user, "1000:100");
	assert_string_equal(root.env[1], "C=");
	assert_int_equal(strv_len(root.entrypoint), 2);
	assert_string_equal(root.entrypoint[1], "");
	assert_int_equal(strv_len(root.cmd), 0);
	assert_non_null(root.cmd);
	assert_string_equal(root.working_dir, "/w");
	assert_string_equal(root.stop_signal, "SIGUSR1");
	assert_string_equal(root.exposed_ports[0], "80/tcp");
	assert_string_equal(root.volumes[0], "/v");
	assert_string_equal(root.labels[0], "k");
	assert_string_equal(root.labels[1], "v\u00e9");
	assert_string_equal(root.created, "2026-01-02T03:04:05Z");
	assert_string_equal(root.author, "A");
	img_root_close(&root);
}

static void expect_file(const struct img_root *root, const char *path, const char *want)
{
	struct err e = ERR_INIT;
	_cleanup_close_ int fd = img_root_open_file(root, path, &e);
	_cleanup_free_ char *text = NULL;

	if (fd < 0)
		fail_msg("%s", e.text);
	assert_int_equal(fd_read_all(fd, 4096, &text, NULL), 0);
	assert_string_equal(text, want);
}

static void expect_no_file(const struct img_root *root, const char *path, int want)
{
	struct err e = ERR_INIT;

	assert_int_equal(img_root_open_file(root, path, &e), want);
	assert_non_null(strstr(e.text, path));
}

static void files(void **state)
{
	struct img_store *s = open_store("files", IMG_SHARED);
	struct img_root root;

	make_image(s, NAME, 4);
	prepare(s, "roots");
	img_store_close(s);
	root = found("files", "roots", NULL);
	expect_file(&root, "/etc/passwd", "top\n");
	expect_file(&root, "etc//./passwd", "top\n");
	expect_file(&root, "/etc/../etc/passwd", "top\n");
	expect_file(&root, "/../../etc/passwd", "top\n");
	expect_file(&root, "/etc/group", "group\n");
	expect_file(&root, "/absolute", "top\n");
	expect_file(&root, "/out", "top\n");
	expect_file(&root, "/link-dir/group", "group\n");
	expect_file(&root, "/opaque/above", "above\n");
	expect_no_file(&root, "/opaque/below", -ENOENT);
	expect_no_file(&root, "/etc/old", -ENOENT);
	expect_no_file(&root, "/dir/file", -ENOENT);
	expect_no_file(&root, "/loop", -ELOOP);
	expect_no_file(&root, "/host", -ENOENT);
	expect_no_file(&root, "/fifo", -EINVAL);
	expect_no_file(&root, "/etc", -EINVAL);
	expect_no_file(&root, "/", -EINVAL);
	expect_no_file(&root, "/etc/passwd/x", -ENOTDIR);
	img_root_close(&root);
}

/* Whiteouts by attribute, as they are where no device node may be made. */
static void attribute_whiteouts(void **state)
{
	struct img_store *s = open_store("xattr", IMG_SHARED);
	const char *prefix;
	struct img_root root;
	_cleanup_close_ int etc = -EBADF, file = -EBADF;

	make_image(s, NAME, 4);
	prepare(s, "roots");
	img_store_close(s);
	root = found("xattr", "roots", NULL);
	prefix = root.rootless ? "user.overlay." : "trusted.overlay.";
	assert_true(mkdirat(root.layers[3].fd, "etc", 0755) == 0 || errno == EEXIST);
	etc = openat(root.layers[3].fd, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	file = openat(etc, "passwd", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(etc >= 0 && file >= 0);
	assert_int_equal(fsetxattr(file, arena_printf(arena, "%swhiteout", prefix), "", 0, 0), 0);
	/* Without the mark on the directory it is an empty file. */
	expect_file(&root, "/etc/passwd", "");
	assert_int_equal(fsetxattr(etc, arena_printf(arena, "%sopaque", prefix), "x", 1, 0), 0);
	expect_no_file(&root, "/etc/passwd", -ENOENT);
	expect_file(&root, "/etc/group", "group\n");
	img_root_close(&root);
}

static void pins(void **state)
{
	struct img_store *s = open_store("pins", IMG_SHARED);
	struct img_descriptor d = make_image(s, NAME, 2), other = make_image(s, "localhost/other:1", 1);
	struct img_collected c;
	struct img_root root;
	struct img_use *uses;
	struct err e = ERR_INIT;
	size_t n;

	prepare(s, "roots");
	prepare(s, "other:1");
	root = found("pins", "other:1", "web-1");
	img_root_close(&root);
	/* Over another one, and over itself. */
	for (int i = 0; i < 2; i++) {
		root = found("pins", "roots", "web-1");
		img_root_close(&root);
	}
	assert_int_equal(img_uses(s, arena, &uses, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_string_equal(uses[0].user, "web-1");
	assert_true(img_digest_eq(&uses[0].target, &d.digest));
	assert_int_equal(count_dir(in_scratch("pins/tmp")), 0);
	assert_int_equal(img_root_find(in_scratch("pins"), "roots", "../x", arena, &root, &e), -EINVAL);
	/* A user that img_use_set() wrote is no matter either. */
	assert_int_equal(img_use_set(s, "old", &other.digest, &e), 0);
	root = found("pins", "roots", "old");
	img_root_close(&root);
	assert_int_equal(img_root_unpin(in_scratch("pins"), "old", &e), 0);
	assert_int_equal(img_name_remove(s, NAME, &e), 0);
	assert_int_equal(img_name_remove(s, "localhost/other:1", &e), 0);
	img_store_close(s);

	s = open_store("pins", IMG_EXCLUSIVE);
	assert_int_equal(img_store_collect(s, false, &c, &e), 0);
	assert_int_equal(c.layers, 1);
	img_store_close(s);
	assert_int_equal(count_dir(in_scratch("pins/ready")), 2);
	not_found("pins", "roots", -ENOENT);
	not_found("pins", other.digest.text, -ENOENT);
	root = found("pins", d.digest.text, NULL);
	img_root_close(&root);

	assert_int_equal(img_root_unpin(in_scratch("pins"), "web-1", &e), 0);
	assert_int_equal(img_root_unpin(in_scratch("pins"), "web-1", &e), 0);
	assert_int_equal(img_root_unpin(in_scratch("nowhere"), "web-1", &e), 0);
	s = open_store("pins", IMG_EXCLUSIVE);
	assert_int_equal(img_store_collect(s, false, &c, &e), 0);
	assert_int_equal(c.layers, 2);
	img_store_close(s);
	assert_int_equal(count_dir(in_scratch("pins/ready")), 0);
	assert_int_equal(count_dir(in_scratch("pins/uses")), 0);
}

static void incomplete(void **state)
{
	struct img_store *s = open_store("wrecks", IMG_SHARED);
	struct img_descriptor d = make_image(s, NAME, 2);
	struct img_root root;
	struct img_digest name;
	char file[IMG_READY_NAME_MAX];
	char *faults;

	prepare(s, "roots");
	img_store_close(s);
	root = found("wrecks", "roots", NULL);
	img_ready_name(&d.digest, NULL, file);
	assert_true(img_ready_target(file, &name));
	assert_true(img_digest_eq(&name, &d.digest));
	assert_false(img_ready_target("sha256-abc.json", &name));
	assert_int_equal(check_store("wrecks", false, NULL), 0);

	/* A layer is gone. */
	s = open_store("wrecks", IMG_SHARED);
	assert_int_equal(rename(in_scratch(arena_printf(
					arena, "wrecks/layers/%s", strchr(root.layers[1].chain_id, ':') + 1)),
				 in_scratch("wrecks/tmp/away")),
		0);
	img_root_close(&root);
	not_found("wrecks", "roots", -ENOENT);
	prepare(s, "roots");
	root = found("wrecks", "roots", NULL);
	img_root_close(&root);

	/* The record is a wreck, or of a version to come. */
	write_file(in_scratch(arena_printf(arena, "wrecks/ready/%s", file)), "{\"version\":2}");
	not_found("wrecks", "roots", -ENOENT);
	write_file(in_scratch(arena_printf(arena, "wrecks/ready/%s", file)), "{\"version\":");
	not_found("wrecks", "roots", -ENOENT);
	img_store_close(s);
	assert_int_equal(check_store("wrecks", true, &faults), 1);
	assert_non_null(strstr(faults, file));
	assert_int_equal(check_store("wrecks", false, NULL), 0);
	s = open_store("wrecks", IMG_SHARED);
	prepare(s, "roots");
	img_store_close(s);
	root = found("wrecks", "roots", NULL);
	img_root_close(&root);
}

static void platforms(void **state)
{
	struct img_platform arm = { .os = "linux", .architecture = "arm64", .variant = "../v8" };
	struct img_digest d;
	char file[IMG_READY_NAME_MAX];

	img_digest_of("", 0, &d);
	img_ready_name(&d, &arm, file);
	assert_null(strchr(file, '/'));
	assert_true(str_ends(file, "@linux-arm64-.._v8.json"));
	img_platform_host(&arm);
	img_ready_name(&d, &arm, file);
	assert_null(strchr(file, '@'));
}

static void as_erofs(void **state)
{
	struct img_store *s = open_store("erofs", IMG_SHARED);
	struct img_image image;
	struct img_collected c;
	struct img_usage usage;
	struct img_root root;
	struct err e = ERR_INIT;
	char *faults;
	struct stat st;
	const char *path = getenv("PATH");
	int r, damage;

	make_image(s, NAME, 3);
	prepare(s, "roots");
	root = found("erofs", "roots", NULL);
	assert_true(str_ends(img_root_layer_path(arena, &root, 0), "/diff"));
	img_root_close(&root);
	assert_int_equal(img_image_find(s, arena, "roots", NULL, &image, &e), 0);
	/* Without the program; and with it. */
	path = path ? arena_strdup(arena, path) : "/usr/sbin:/usr/bin:/sbin:/bin";
	setenv("PATH", "/nowhere", 1);
	r = img_layers_erofs(s, &image, NULL, &e);
	setenv("PATH", path, 1);
	if (geteuid() == 0) {
		assert_int_equal(r, -ENOENT);
		assert_non_null(strstr(e.text, "erofs-utils"));
		r = img_layers_erofs(s, &image, NULL, &e);
	}
	if (r < 0) {
		print_message("%s\n", e.text);
		img_store_close(s);
		skip();
	}
	assert_int_equal(count_dir(in_scratch("erofs/tmp")), 0);
	assert_int_equal(img_ready_set(s, &image, NULL, true, &e), 0);
	root = found("erofs", "roots", NULL);
	assert_true(root.erofs);
	path = img_root_layer_path(arena, &root, 2);
	assert_true(str_ends(path, "/layer.erofs"));
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode) && st.st_size > 0);
	/* Files are still found without a mount. */
	expect_file(&root, "/etc/passwd", "top\n");
	img_root_close(&root);
	/* An image that is gone. */
	assert_int_equal(unlink(path), 0);
	not_found("erofs", "roots", -ENOENT);
	assert_int_equal(img_layers_erofs(s, &image, NULL, &e), 0);
	root = found("erofs", "roots", NULL);
	img_root_close(&root);
	img_store_close(s);
	assert_int_equal(check_store("erofs", false, NULL), 0);
	/* A bit that has changed is found, and another image made. */
	damage = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(damage, "x", 1, 100), 1);
	close(damage);
	assert_int_equal(check_store("erofs", true, &faults), 1);
	assert_non_null(strstr(faults, "EROFS image of layer"));
	assert_int_equal(check_store("erofs", false, NULL), 0);
	not_found("erofs", "roots", -ENOENT);
	s = open_store("erofs", IMG_SHARED);
	assert_int_equal(img_layers_erofs(s, &image, NULL, &e), 0);
	assert_int_equal(img_store_usage(s, &usage, &e), 0);
	img_store_close(s);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 0 && usage.layer_bytes > st.st_size);
	root = found("erofs", "roots", NULL);
	img_root_close(&root);
	s = open_store("erofs", IMG_EXCLUSIVE);
	assert_int_equal(img_name_remove(s, NAME, &e), 0);
	assert_int_equal(img_store_collect(s, false, &c, &e), 0);
	assert_int_equal(c.layers, 3);
	img_store_close(s);
	assert_int_equal(count_dir(in_scratch("erofs/layers")), 0);
}

/* Not an assertion on time, which is the machine's; but the number is told. */
static void quick(void **state)
{
	struct img_store *s = open_store("quick", IMG_SHARED);
	struct timespec a, b;
	double best = 1e9;

	make_image(s, NAME, 10);
	prepare(s, "roots");
	img_store_close(s);
	for (int i = 0; i < 50; i++) {
		_cleanup_(arena_freep) struct arena *own = arena_new();
		struct img_root root;
		double us;

		clock_gettime(CLOCK_MONOTONIC, &a);
		assert_int_equal(img_root_find(in_scratch("quick"), "roots", "me", own, &root, NULL), 0);
		clock_gettime(CLOCK_MONOTONIC, &b);
		img_root_close(&root);
		img_root_unpin(in_scratch("quick"), "me", NULL);
		us = (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
		best = us < best ? us : best;
	}
	print_message("img_root_find, 10 layers: %.0f us\n", best);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_names),
		cmocka_unit_test(all_fields),
		cmocka_unit_test(files),
		cmocka_unit_test(attribute_whiteouts),
		cmocka_unit_test(pins),
		cmocka_unit_test(incomplete),
		cmocka_unit_test(platforms),
		cmocka_unit_test(as_erofs),
		cmocka_unit_test(quick),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
