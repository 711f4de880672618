/* SPDX-License-Identifier: Apache-2.0 */
/* The root's overlay mount: its words, lists of paths, what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>

#include <cmocka.h>

#include "base/str.h"
#include "namespaces/overlay.h"

#define WORDS(...) ((char *[]){ __VA_ARGS__, NULL })

static struct arena *arena;
static struct err err;

static int setup(void **state)
{
	arena = arena_new();
	return arena ? 0 : -1;
}

static int teardown(void **state)
{
	arena_free(arena);
	return 0;
}

static int parse(char **words, struct mnt_overlay **o)
{
	struct spec_mount m = { .destination = "/", .type = "overlay", .options = words };

	err_clear(&err);
	*o = NULL;
	return mnt_overlay_parse(arena, &m, "/bundle", o, &err);
}

static void refused(char **words, int code, const char *text)
{
	struct mnt_overlay *o;

	assert_int_equal(parse(words, &o), -code);
	assert_null(o);
	if (!strstr(err.text, text))
		fail_msg("\"%s\" is not in: %s", text, err.text);
}

static void all_words(void **state)
{
	struct mnt_overlay *o;

	assert_int_equal(parse(WORDS("ro", "lowerdir=/a:/b", "upperdir=/u", "workdir=/w", "userxattr",
				       "volatile", "idmap", "nosuid", "noatime"),
				 &o),
		0);
	assert_int_equal(o->n_lower, 2);
	assert_string_equal(o->lower[0], "/a");
	assert_string_equal(o->lower[1], "/b");
	assert_string_equal(o->upper, "/u");
	assert_string_equal(o->work, "/w");
	assert_true(o->userxattr && o->is_volatile && o->idmap && o->readonly);
	assert_int_equal(o->attr, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOATIME);
	assert_int_equal(parse(WORDS("lowerdir=/a", "ro", "rw"), &o), 0);
	assert_false(o->readonly || o->userxattr || o->is_volatile || o->idmap);
	assert_null(o->upper);
	assert_int_equal(o->attr, 0);
}

static void paths(void **state)
{
	struct mnt_overlay *o;

	assert_int_equal(
		parse(WORDS("lowerdir=a:/b\\:c:/d\\\\:/e\\,f:/g,h:/i\\", "upperdir=u:v\\,w", "workdir=/\\:w"),
			&o),
		0);
	assert_int_equal(o->n_lower, 6);
	assert_string_equal(o->lower[0], "/bundle/a");
	assert_string_equal(o->lower[1], "/b:c");
	assert_string_equal(o->lower[2], "/d\\");
	assert_string_equal(o->lower[3], "/e,f");
	assert_string_equal(o->lower[4], "/g,h");
	assert_string_equal(o->lower[5], "/i\\");
	assert_string_equal(o->upper, "/bundle/u:v,w");
	assert_string_equal(o->work, "/:w");
}

static void many(void **state)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	struct mnt_overlay *o;

	strbuf_puts(&b, "lowerdir=/0");
	for (int i = 1; i < MNT_LAYERS_MAX; i++)
		strbuf_printf(&b, ":/a/rather/long/path/to/a/layer/%d/diff", i);
	assert_int_equal(parse(WORDS(b.s), &o), 0);
	assert_int_equal(o->n_lower, MNT_LAYERS_MAX);
	assert_string_equal(o->lower[499], "/a/rather/long/path/to/a/layer/499/diff");
	strbuf_puts(&b, ":/one-more");
	refused(WORDS(b.s), E2BIG, "501");
}

static void faults(void **state)
{
	static const char *const words[] = { "redirect_dir=on", "metacopy=on", "index=on", "nfs_export=on",
		"xino=on", "lowerdir", "lowerdir+=/a", "datadir+=/a", "bind", "rbind", "remount", "private",
		"rro", "tmpcopyup", "idmap=uids=0-0-1;gids=0-0-1", "ridmap", "sync", "", "z",
		"context=system_u:object_r:x:s0" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		refused(WORDS("lowerdir=/a", (char *)words[i]), EINVAL, words[i]);
	refused(WORDS("ro"), EINVAL, "no lowerdir");
	refused(WORDS("lowerdir="), EINVAL, "empty");
	refused(WORDS("lowerdir=/a:"), EINVAL, "layer 1");
	refused(WORDS("lowerdir=:/a"), EINVAL, "layer 0");
	refused(WORDS("lowerdir=/a", "lowerdir=/b"), EINVAL, "twice");
	refused(WORDS("lowerdir=/a", "upperdir=/b"), EINVAL, "workdir");
	refused(WORDS("lowerdir=/a", "workdir=/b"), EINVAL, "upperdir");
	refused(WORDS("lowerdir=/a", "workdir=/b", "upperdir="), EINVAL, "upperdir");
	refused(WORDS("lowerdir=/a", "volatile"), EINVAL, "volatile");
}

static void is_one(void **state)
{
	struct spec_mount m = { .destination = "/", .type = "overlay" };

	assert_true(mnt_is_root_overlay(&m));
	m.destination = "/a";
	assert_false(mnt_is_root_overlay(&m));
	m = (struct spec_mount){ .destination = "/", .type = "tmpfs" };
	assert_false(mnt_is_root_overlay(&m));
	m.type = NULL;
	assert_false(mnt_is_root_overlay(&m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_words),
		cmocka_unit_test(paths),
		cmocka_unit_test(many),
		cmocka_unit_test(faults),
		cmocka_unit_test(is_one),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
