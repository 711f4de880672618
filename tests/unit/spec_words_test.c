/* SPDX-License-Identifier: Apache-2.0 */
/* Vocabularies, and the default document, which must be made of nothing else. */
#include "tests/unit/spec_test.h"

#include <linux/capability.h>
#include <linux/sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include "spec/features.h"

static void test_capabilities(void **state)
{
	static const char *const bad[] = { "", "CAP_", "CAP", "CAP_FOO", "CHOWNX", "CHOW", "CAP_CAP_CHOWN",
		" CAP_CHOWN", "0" };

	for (int i = 0; i <= SPEC_CAP_LAST; i++) {
		const char *name = spec_cap_name(i);
		char lower[40];
		size_t n = 0;

		assert_true(str_starts(name, "CAP_"));
		for (const char *c = name + 4; *c; c++)
			lower[n++] = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
		lower[n] = '\0';
		assert_int_equal(spec_cap_from_name(name), i);
		assert_int_equal(spec_cap_from_name(name + 4), i);
		assert_int_equal(spec_cap_from_name(lower), i);
	}
	assert_null(spec_cap_name(-1));
	assert_null(spec_cap_name(SPEC_CAP_LAST + 1));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(spec_cap_from_name(bad[i]), -EINVAL);
	assert_int_equal(spec_cap_from_name("CAP_SYS_ADMIN"), CAP_SYS_ADMIN);
	assert_int_equal(spec_cap_from_name("Cap_Net_Admin"), CAP_NET_ADMIN);
	assert_int_equal(spec_cap_from_name("BPF"), CAP_BPF);
	assert_int_equal(spec_cap_from_name("CAP_MKNOD"), CAP_MKNOD);
	assert_int_equal(spec_cap_from_name("CAP_WAKE_ALARM"), CAP_WAKE_ALARM);
}

static void test_rlimits(void **state)
{
	int n = 0;

	for (const struct spec_word *w = spec_rlimit_words; w->name; w++)
		n++;
	assert_int_equal(n, RLIM_NLIMITS);
}

static void check_table(const struct spec_word *words, size_t n)
{
	size_t i = 0;

	for (; words[i].name; i++) {
		assert_ptr_equal(spec_word_find(words, words[i].name), &words[i]);
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(words[k].value, words[i].value);
	}
	assert_int_equal(i, n);
	assert_null(spec_word_find(words, ""));
	assert_null(spec_word_find(words, "no such word"));
}

static void test_tables(void **state)
{
	check_table(spec_rlimit_words, 16);
	check_table(spec_sched_policy_words, 7);
	check_table(spec_sched_flag_words, 7);
	check_table(spec_io_class_words, 3);
	check_table(spec_memory_mode_words, 7);
	check_table(spec_memory_flag_words, 3);
	check_table(spec_propagation_words, 8);
	check_table(spec_personality_words, 2);
	for (int i = 0; i < SPEC_NS_KINDS; i++) {
		char path[64];

		assert_non_null(spec_ns_names[i]);
		assert_int_not_equal(spec_ns_flags[i], 0);
		/* "time" needs Linux 5.6; the others are older than anything this runs on. */
		snprintf(path, sizeof(path), "/proc/self/ns/%s", spec_ns_proc_names[i]);
		if (i != SPEC_NS_TIME && access("/proc/self/ns", F_OK) == 0)
			assert_int_equal(access(path, F_OK), 0);
	}
	assert_true(spec_ns_flags[SPEC_NS_TIME] == CLONE_NEWTIME);
	assert_string_equal(spec_ns_names[SPEC_NS_NETWORK], "network");
	assert_string_equal(spec_hook_names[SPEC_HOOK_POSTSTOP], "poststop");
}

static struct spec *parse_default(bool rootless, char **text)
{
	struct err e = ERR_INIT;
	struct spec *s = NULL;

	*text = spec_default(rootless, &e);
	assert_non_null(*text);
	if (spec_parse(*text, strlen(*text), &s, &e) < 0)
		fail_msg("%s", e.text);
	assert_null(s->notes);
	assert_true(str_starts(*text, "{\n  \"ociVersion\": \""));
	assert_true(str_ends(*text, "\n}\n"));
	return s;
}

static void test_default(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct spec *s = parse_default(false, &text);
	uint64_t caps = UINT64_C(1) << CAP_AUDIT_WRITE | UINT64_C(1) << CAP_KILL |
			UINT64_C(1) << CAP_NET_BIND_SERVICE;

	assert_true(s->process.terminal && s->process.no_new_privileges && s->root_readonly);
	assert_string_equal(s->process.args[0], "sh");
	assert_null(s->process.args[1]);
	assert_string_equal(s->process.cwd, "/");
	assert_string_equal(strv_env(s->process.env, "TERM"), "xterm");
	assert_true(s->process.caps.bounding == caps && s->process.caps.effective == caps &&
		    s->process.caps.permitted == caps);
	assert_true(s->process.caps.inheritable == 0 && s->process.caps.ambient == 0);
	assert_int_equal(s->process.n_rlimits, 1);
	assert_int_equal(s->process.rlimits[0].hard, 1024);
	assert_string_equal(s->root_path, "rootfs");
	assert_string_equal(s->hostname, "ringfence");
	assert_int_equal(s->n_mounts, 7);
	assert_string_equal(s->mounts[2].destination, "/dev/pts");
	assert_true(strv_has(s->mounts[2].options, "gid=5"));
	assert_string_equal(s->mounts[5].type, "sysfs");
	assert_int_equal(s->resources.n_devices, 1);
	assert_false(s->resources.devices[0].allow);
	assert_true(s->ns[SPEC_NS_NETWORK].present && s->ns[SPEC_NS_MOUNT].present);
	assert_false(s->ns[SPEC_NS_USER].present);
	assert_true(strv_has(s->masked_paths, "/proc/kcore"));
	assert_true(strv_has(s->readonly_paths, "/proc/sys"));
	spec_free(s);
}

static void test_default_rootless(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct spec *s = parse_default(true, &text);

	assert_true(s->ns[SPEC_NS_USER].present);
	assert_false(s->ns[SPEC_NS_NETWORK].present);
	assert_int_equal(s->n_uid_map, 1);
	assert_int_equal(s->uid_map[0].host_id, geteuid());
	assert_int_equal(s->uid_map[0].container_id, 0);
	assert_int_equal(s->gid_map[0].host_id, getegid());
	assert_int_equal(s->gid_map[0].size, 1);
	assert_false(s->resources.present);
	assert_int_equal(s->n_mounts, 7);
	assert_false(strv_has(s->mounts[2].options, "gid=5"));
	assert_string_equal(s->mounts[5].source, "/sys");
	assert_true(strv_has(s->mounts[5].options, "rbind"));
	assert_true(strv_has(s->mounts[5].options, "ro"));
	spec_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_rlimits),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_default_rootless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
