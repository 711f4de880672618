/* SPDX-License-Identifier: Apache-2.0 */
/* mounts[].options: every word, who wins, what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>

#include <cmocka.h>

#include "namespaces/mount_options.h"

#define WORDS(...) ((char *[]){ __VA_ARGS__, NULL })

static struct arena *arena;
static struct err err;

static int parse_as(const char *type, char **words, struct mnt_options *o)
{
	struct spec_mount m = { .destination = "/x", .type = type, .source = "/s", .options = words };

	memset(o, 0, sizeof(*o));
	err_clear(&err);
	return mnt_options_parse(arena, &m, o, &err);
}

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

static void test_flags(void **state)
{
	struct mnt_options o;

	assert_int_equal(parse_as("tmpfs",
				 WORDS("nosuid", "nodev", "noexec", "ro", "sync", "dirsync", "lazytime"), &o),
		0);
	assert_int_equal(o.set,
		MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY | MS_SYNCHRONOUS | MS_DIRSYNC | MS_LAZYTIME);
	assert_int_equal(o.clear, 0);
	assert_null(o.data);
	assert_false(o.bind);
	assert_int_equal(parse_as("tmpfs", NULL, &o), 0);
	assert_int_equal(o.set, 0);
	assert_int_equal(parse_as("tmpfs", WORDS("defaults"), &o), 0);
	assert_int_equal(o.set, 0);
	assert_null(o.data);
}

static void test_last_word_wins(void **state)
{
	struct mnt_options o;

	assert_int_equal(parse_as("tmpfs", WORDS("ro", "rw", "nosuid", "suid", "nosuid"), &o), 0);
	assert_int_equal(o.set, MS_NOSUID);
	assert_int_equal(o.clear, MS_RDONLY);
	assert_int_equal(parse_as("tmpfs", WORDS("noatime", "strictatime"), &o), 0);
	assert_int_equal(o.set, MS_STRICTATIME);
	assert_int_equal(parse_as("tmpfs", WORDS("strictatime", "relatime", "nodiratime"), &o), 0);
	assert_int_equal(o.set, MS_RELATIME | MS_NODIRATIME);
	assert_int_equal(parse_as("tmpfs", WORDS("nosymfollow", "symfollow"), &o), 0);
	assert_int_equal(o.set, 0);
	assert_true(o.symfollow);
	assert_false(o.nosymfollow);
}

static void test_bind(void **state)
{
	struct mnt_options o;

	assert_int_equal(parse_as(NULL, WORDS("bind"), &o), 0);
	assert_true(o.bind);
	assert_false(o.recursive_bind);
	assert_int_equal(parse_as("none", WORDS("rbind", "rprivate", "ro"), &o), 0);
	assert_true(o.bind && o.recursive_bind);
	assert_int_equal(o.n_propagation, 1);
	assert_int_equal(o.propagation[0], MS_PRIVATE | MS_REC);
	assert_int_equal(parse_as("bind", NULL, &o), 0);
	assert_true(o.bind);
	assert_int_equal(parse_as("rbind", NULL, &o), 0);
	assert_true(o.recursive_bind);
}

static void test_propagation(void **state)
{
	struct mnt_options o;

	assert_int_equal(parse_as("bind", WORDS("slave", "rshared", "unbindable", "private"), &o), 0);
	assert_int_equal(o.n_propagation, 4);
	assert_int_equal(o.propagation[0], MS_SLAVE);
	assert_int_equal(o.propagation[1], MS_SHARED | MS_REC);
	assert_int_equal(o.propagation[2], MS_UNBINDABLE);
	assert_int_equal(o.propagation[3], MS_PRIVATE);
	assert_int_equal(parse_as("bind", WORDS("slave", "shared", "slave", "shared", "slave"), &o), -EINVAL);
}

static void test_recursive(void **state)
{
	struct mnt_options o;

	assert_int_equal(parse_as("bind", WORDS("rbind", "rro", "rnosuid"), &o), 0);
	assert_int_equal(o.rec_set, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
	assert_int_equal(o.rec_clear, 0);
	assert_int_equal(parse_as("bind", WORDS("rro", "rrw", "rnoexec"), &o), 0);
	assert_int_equal(o.rec_set, MOUNT_ATTR_NOEXEC);
	assert_int_equal(o.rec_clear, MOUNT_ATTR_RDONLY);
	/* A field of three values: the kernel refuses a change that does not clear it first. */
	assert_int_equal(parse_as("bind", WORDS("rnoatime"), &o), 0);
	assert_int_equal(o.rec_set, MOUNT_ATTR_NOATIME);
	assert_int_equal(o.rec_clear, MOUNT_ATTR__ATIME);
	assert_int_equal(parse_as("bind", WORDS("rnoatime", "rstrictatime"), &o), 0);
	assert_int_equal(o.rec_set, MOUNT_ATTR_STRICTATIME);
	assert_int_equal(parse_as("bind", WORDS("rstrictatime", "rrelatime"), &o), 0);
	assert_int_equal(o.rec_set, 0);
	assert_int_equal(o.rec_clear, MOUNT_ATTR__ATIME);
}

static void test_data(void **state)
{
	struct mnt_options o;

	assert_int_equal(parse_as("tmpfs", WORDS("mode=755", "nosuid", "size=64k", "", "huge=never"), &o), 0);
	assert_string_equal(o.data, "mode=755,size=64k,huge=never");
	assert_int_equal(parse_as("overlay", WORDS("lowerdir=/a:/b", "upperdir=/u", "workdir=/w"), &o), 0);
	assert_string_equal(o.data, "lowerdir=/a:/b,upperdir=/u,workdir=/w");
}

static void test_data_on_bind(void **state)
{
	struct mnt_options o;

	assert_int_equal(parse_as("bind", WORDS("size=64k"), &o), -EINVAL);
	assert_non_null(strstr(err.text, "\"size=64k\""));
	assert_non_null(strstr(err.text, "/x"));
	assert_int_equal(parse_as("bind", WORDS("nosuid", "foo", "bar"), &o), -EINVAL);
	assert_non_null(strstr(err.text, "\"foo\""));
	assert_int_equal(parse_as("bind", WORDS("Z"), &o), -EINVAL);
	assert_non_null(strstr(err.text, "engine"));
	/* Leftovers of engines that mean nothing here. */
	assert_int_equal(parse_as("bind", WORDS("rbind", "cached", "nocopy"), &o), 0);
	assert_null(o.data);
}

static void test_idmap_words(void **state)
{
	struct mnt_options o;

	assert_int_equal(parse_as("bind", WORDS("idmap"), &o), 0);
	assert_int_equal(o.idmap, SPEC_IDMAP);
	assert_null(o.uid_map);
	assert_int_equal(parse_as("bind", WORDS("rbind", "ridmap"), &o), 0);
	assert_int_equal(o.idmap, SPEC_RIDMAP);
	assert_int_equal(parse_as("bind", WORDS("idmap=uids=0-1-10#10-11-10;gids=0-100-10"), &o), 0);
	assert_int_equal(o.n_uid_map, 2);
	assert_int_equal(o.uid_map[1].container_id, 10);
	assert_int_equal(o.uid_map[1].host_id, 11);
	assert_int_equal(o.uid_map[1].size, 10);
	assert_int_equal(o.n_gid_map, 1);
	assert_int_equal(o.gid_map[0].host_id, 100);
	assert_false(o.uid_map_relative);
	assert_int_equal(parse_as("bind", WORDS("idmap=uids=@0-1-10#@20-30-1;gids=0-100-10"), &o), 0);
	assert_true(o.uid_map_relative);
	assert_false(o.gid_map_relative);
}

static void test_idmap_refused(void **state)
{
	static const char *const bad[] = { "idmap=", "idmap=uids=0-1-10", "idmap=gids=0-1-1",
		"idmap=uids=0-1-0;gids=0-1-1", "idmap=uids=0-1;gids=0-1-1", "idmap=uids=0-1-1x;gids=0-1-1",
		"idmap=uids=0-1-99999999999;gids=0-1-1", "idmap=uids=0-1-4294967296;gids=0-1-1",
		"idmap=uids=0-1-1#;gids=0-1-1", "idmap=uids=@0-1-1#0-2-1;gids=0-1-1",
		"idmap=users=0-1-1;gids=0-1-1", "idmap=uids=-1-1-1;gids=0-1-1", NULL };
	struct mnt_options o;

	for (size_t i = 0; bad[i]; i++) {
		if (parse_as("bind", WORDS((char *)bad[i]), &o) != -EINVAL)
			fail_msg("%s was accepted", bad[i]);
		assert_non_null(strstr(err.text, bad[i]));
	}
	assert_int_equal(parse_as("tmpfs", WORDS("idmap"), &o), -EINVAL);
}

static void test_idmap_of_mount(void **state)
{
	struct spec_id_map map[] = { { 0, 1000, 10 } };
	struct spec_mount m = {
		.destination = "/x", .type = "bind", .source = "/s", .uid_map = map, .n_uid_map = 1
	};
	struct mnt_options o;

	assert_int_equal(mnt_options_parse(arena, &m, &o, &err), -EINVAL);
	m.gid_map = map;
	m.n_gid_map = 1;
	assert_int_equal(mnt_options_parse(arena, &m, &o, &err), 0);
	assert_int_equal(o.idmap, SPEC_IDMAP);
	assert_ptr_equal(o.uid_map, map);
	m.options = WORDS("ridmap");
	assert_int_equal(mnt_options_parse(arena, &m, &o, &err), 0);
	assert_int_equal(o.idmap, SPEC_RIDMAP);
}

static void test_crun_words(void **state)
{
	struct mnt_options o;

	assert_int_equal(parse_as("tmpfs", WORDS("tmpcopyup", "mode=1777"), &o), 0);
	assert_true(o.tmpcopyup);
	assert_string_equal(o.data, "mode=1777");
	assert_int_equal(parse_as("bind", WORDS("tmpcopyup"), &o), -EINVAL);
	assert_int_equal(parse_as("bind", WORDS("copy-symlink", "src-nofollow", "dest-nofollow"), &o), 0);
	assert_true(o.copy_symlink && o.src_nofollow && o.dest_nofollow);
	assert_int_equal(parse_as("tmpfs", WORDS("copy-symlink"), &o), -EINVAL);
}

/* Every name in the list for `features` acts: none of them comes back as data. */
static void test_names_are_known(void **state)
{
	size_t n = 0;

	for (; mnt_option_names[n]; n++) {
		char *words[] = { (char *)mnt_option_names[n], NULL };
		struct mnt_options o;

		parse_as(strcmp(words[0], "tmpcopyup") == 0 ? "tmpfs" : "bind", words, &o);
		if (o.data || strstr(err.text, "unknown"))
			fail_msg("%s is announced but not understood", words[0]);
	}
	assert_true(n >= 60);
}

static void test_attr(void **state)
{
	uint64_t set, clr;

	mnt_flags_to_attr(MS_RDONLY | MS_NOSUID | MS_SYNCHRONOUS, &set, &clr);
	assert_int_equal(set, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
	assert_int_equal(clr, 0);
	mnt_flags_to_attr(MS_RELATIME, &set, &clr);
	assert_int_equal(set, 0);
	assert_int_equal(clr, MOUNT_ATTR__ATIME);
	mnt_flags_to_attr(MS_NOATIME | MS_STRICTATIME, &set, &clr);
	assert_int_equal(set, MOUNT_ATTR_STRICTATIME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_last_word_wins),
		cmocka_unit_test(test_bind),
		cmocka_unit_test(test_propagation),
		cmocka_unit_test(test_recursive),
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_data_on_bind),
		cmocka_unit_test(test_idmap_words),
		cmocka_unit_test(test_idmap_refused),
		cmocka_unit_test(test_idmap_of_mount),
		cmocka_unit_test(test_crun_words),
		cmocka_unit_test(test_names_are_known),
		cmocka_unit_test(test_attr),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
