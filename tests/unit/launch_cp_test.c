/* SPDX-License-Identifier: Apache-2.0 */
/* launch/cp_rules.c: which place a text names, and where a source goes. cp_tar_read.c: numbers and lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "launch/cp_internal.h"

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	return arena ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static void test_places(void **state)
{
	static const struct {
		const char *text;
		enum cp_kind kind;
		const char *name, *path;
		bool slash, contents;
	} t[] = {
		{ "-", CP_STREAM, NULL, "-", false, false },
		{ "web:/etc", CP_INSIDE, "web", "/etc", false, false },
		{ "web:etc/", CP_INSIDE, "web", "/etc/", true, false },
		{ "web:/", CP_INSIDE, "web", "/", true, true },
		{ "web:/etc/.", CP_INSIDE, "web", "/etc/.", false, true },
		{ "web:a:b", CP_INSIDE, "web", "/a:b", false, false },
		{ "/a:b", CP_HOST, NULL, "/a:b", false, false },
		{ "./a:b", CP_HOST, NULL, "./a:b", false, false },
		{ "../a:b", CP_HOST, NULL, "../a:b", false, false },
		{ "file", CP_HOST, NULL, "file", false, false },
		{ ".", CP_HOST, NULL, ".", false, true },
		{ "a/..", CP_HOST, NULL, "a/..", false, true },
		{ "a/...", CP_HOST, NULL, "a/...", false, false },
	};
	static const char *const bad[] = { "", ":x", "web:" };
	struct cp_place p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		assert_int_equal(cp_parse_place(t[i].text, arena, &p, NULL), 0);
		assert_int_equal(p.kind, t[i].kind);
		assert_string_equal(p.path, t[i].path);
		assert_int_equal(p.slash, t[i].slash);
		assert_int_equal(p.contents, t[i].contents);
		if (t[i].name)
			assert_string_equal(p.name, t[i].name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(cp_parse_place(bad[i], arena, &p, NULL), -EINVAL);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(cp_base(arena, "/a/b"), "b");
	assert_string_equal(cp_base(arena, "/a/b//"), "b");
	assert_string_equal(cp_base(arena, "b"), "b");
	assert_string_equal(cp_base(arena, "/"), "");
	assert_string_equal(cp_base(arena, "/a/.."), "");
	assert_string_equal(cp_base(arena, "/a/..."), "...");
	assert_string_equal(cp_join_link(arena, "/a/b", "/x"), "/x");
	assert_string_equal(cp_join_link(arena, "/a/b", "x"), "/a/x");
	assert_string_equal(cp_join_link(arena, "/a/b/", "x"), "/a/x");
	assert_string_equal(cp_join_link(arena, "b", "../x"), "../x");
}

static void test_decide(void **state)
{
	static const struct {
		const char *to;
		enum cp_found found;
		bool dir, contents, overwrite;
		int r; /* -errno, or the enum cp_target */
	} t[] = {
		{ "/x", CP_MISSING, false, false, false, CP_AS_NAMED },
		{ "/x/", CP_MISSING, false, false, false, -ENOENT },
		{ "/x/", CP_MISSING, true, false, false, CP_AS_NAMED },
		{ "/x", CP_FILE, false, false, false, CP_AS_NAMED },
		{ "/x/", CP_FILE, false, false, false, -ENOTDIR },
		{ "/x", CP_FILE, true, false, false, -ENOTDIR },
		{ "/x", CP_FILE, true, false, true, CP_AS_NAMED },
		{ "/x", CP_DIR, false, false, false, CP_BELOW },
		{ "/x", CP_DIR, true, false, false, CP_BELOW },
		{ "/x", CP_DIR, true, true, false, CP_INTO },
		{ "/x/.", CP_DIR, true, true, false, CP_INTO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		enum cp_target target = CP_AS_NAMED;
		struct cp_place p;
		int r;

		assert_int_equal(cp_parse_place(t[i].to, arena, &p, NULL), 0);
		r = cp_decide(&p, t[i].found, t[i].dir, t[i].contents, t[i].overwrite, &target, NULL);
		assert_int_equal(r < 0 ? r : (int)target, t[i].r);
	}
}

static void test_show(void **state)
{
	char buf[CP_SHOWN], text[4096];

	(void)state;
	assert_string_equal(
		cp_show("a\x1b[1m\n\xc3\xa4\xc2\x9b\xff", buf), "a\\x1b[1m\\x0a\xc3\xa4\\xc2\\x9b\\xff");
	memset(text, '\n', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_true(strlen(cp_show(text, buf)) < CP_SHOWN);
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	text[sizeof(text) - 2] = '\0';
	assert_true(strlen(cp_show(text, buf)) < CP_SHOWN);
}

static void test_ids(void **state)
{
	const struct spec_id_map map[] = { { 0, 100000, 10 }, { 10, 5, 1 } };

	(void)state;
	assert_int_equal(cp_id_inside(map, 2, 100009), 9);
	assert_int_equal(cp_id_inside(map, 2, 100010), -1);
	assert_int_equal(cp_id_inside(map, 2, 5), 10);
	assert_int_equal(cp_id_inside(NULL, 0, 7), 7);
	assert_int_equal(cp_id_host(map, 2, 10), 5);
	assert_int_equal(cp_id_host(map, 2, 11), -1);
}

/* --- streams ---------------------------------------------------------------------------------- */

struct list {
	struct cp_sink sink;
	struct strbuf text;
};

static int put(struct cp_sink *sink, const struct cp_entry *x, struct err *e)
{
	struct list *l = (struct list *)sink;

	(void)e;
	strbuf_printf(&l->text, "%s %o %u %lld %lld;", x->path, x->mode, x->uid, (long long)x->size,
		(long long)x->mtime.tv_sec);
	return 0;
}

static int end(struct cp_sink *sink, struct err *e)
{
	(void)sink, (void)e;
	return 0;
}

struct block {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, rest[355];
};

static struct block header(const char *name, char type, const char *size)
{
	struct block b = {
		.mode = "0000644", .uid = "0000001", .gid = "0000001", .mtime = "00000000012", .type = type
	};

	memcpy(b.name, name, strlen(name));
	memcpy(b.size, size, strlen(size));
	return b;
}

static void add(struct strbuf *b, struct block h, const void *data, size_t len)
{
	static const char zeros[512];
	unsigned int sum = 0;

	memset(h.sum, ' ', sizeof(h.sum));
	for (size_t i = 0; i < sizeof(h); i++)
		sum += ((const unsigned char *)&h)[i];
	snprintf(h.sum, sizeof(h.sum), "%06o", sum);
	strbuf_add(b, (const char *)&h, sizeof(h));
	strbuf_add(b, data, len);
	strbuf_add(b, zeros, (512 - len % 512) % 512);
}

/* What the reader tells of a stream, or its error. */
static const char *listed(const struct strbuf *b)
{
	static const struct cp_sink_ops ops = { put, end };
	struct launch_cp_report report = { 0 };
	struct list l = { .sink = { &ops, &report } };
	_cleanup_close_ int fd = memfd_create("tar", MFD_CLOEXEC);
	struct err e = ERR_INIT;
	const char *text;

	assert_int_equal(fd_write_all(fd, b->s, b->len), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	if (cp_tar_read(fd, true, &l.sink, &e) < 0)
		text = arena_strdup(arena, e.text);
	else
		text = arena_strdup(arena, l.text.s ? l.text.s : "");
	strbuf_reset(&l.text);
	return text;
}

static const char *one(struct block h, const void *data, size_t len)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };

	add(&b, h, data, len);
	return listed(&b);
}

/* A pax header with this record, and a file behind it. */
static const char *with_pax(const char *record)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	char size[24];

	snprintf(size, sizeof(size), "%011zo", strlen(record));
	add(&b, header("pax", 'x', size), record, strlen(record));
	add(&b, header("f", '0', "0"), "", 0);
	return listed(&b);
}

static void test_streams(void **state)
{
	struct block h = header("f", '0', "3");

	(void)state;
	assert_string_equal(one(h, "abc", 3), "f 100644 1 3 10;");
	assert_string_equal(one(header("/./a//b/.", '5', "0"), "", 0), "a/b 40644 1 0 10;");
	assert_non_null(strstr(one(header("a/../b", '0', "0"), "", 0), "\"..\""));
	assert_non_null(strstr(one(header("..", '5', "0"), "", 0), "\"..\""));
	assert_non_null(strstr(one(header("f", '0', "77777777777"), "x", 1), "middle"));
	assert_non_null(strstr(one(header("f", '0', "9"), "x", 1), "damaged"));
	assert_non_null(strstr(one(header("f", '0', "-1"), "x", 1), "damaged"));
	memcpy(h.size, "\x80\0\0\0\0\0\0\0\0\0\0\x03", 12);
	assert_string_equal(one(h, "abc", 3), "f 100644 1 3 10;");
	memcpy(h.size, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
	assert_non_null(strstr(one(h, "abc", 3), "damaged"));
	memcpy(h.size, "\x80\x01\0\0\0\0\0\0\0\0\0\x03", 12);
	assert_non_null(strstr(one(h, "abc", 3), "damaged"));
}

static void test_pax(void **state)
{
	static const char *const bad[] = { "5\n", "99 path=x\n", "0 path=x\n", "9 pathxx\n", "11 path=x\n",
		"-9 path=x\n", "9 path=x ", "11 size=x1\n", "11 size=-1\n", "18446744073709551616 path=x\n",
		" path=x\n", "14 uid=-00001\n" };

	(void)state;
	assert_string_equal(with_pax("9 path=x\n"), "x 100644 1 0 10;");
	assert_string_equal(with_pax("18 uid=3000000000\n"), "f 100644 3000000000 0 10;");
	assert_string_equal(with_pax("16 mtime=-1.500\n"), "f 100644 1 0 -2;");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_non_null(strstr(with_pax(bad[i]), "damaged"));
	assert_non_null(strstr(with_pax("18 uid=4294967295\n"), "damaged"));
	assert_non_null(strstr(with_pax("14 path=../xx\n"), "\"..\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_decide),
		cmocka_unit_test(test_show),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_pax),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
