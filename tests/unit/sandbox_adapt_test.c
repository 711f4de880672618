/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox/guest/adapt.c: config.json as it is run in a guest. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox/guest/guest.h"

static struct guest guest = { .cgroup = "/partition" };
static struct arena *arena;
static uint32_t number; /* of the partition */

/* What guest_adapt() makes of `config` with the members `plan` of CREATE. */
static int adapt(const char *plan, const char *config, struct spec **s, struct err *e)
{
	static char text[1024];
	static struct guest_plan p;
	int r;

	*e = (struct err)ERR_INIT;
	snprintf(text, sizeof(text), "{\"id\":\"x\"%s%s}", *plan ? "," : "", plan);
	assert_int_equal(guest_plan_parse(&guest, text, strlen(text), arena, &p, e), 0);
	p.number = number;
	p.first = number ? 42 : 0;
	r = spec_parse(config, strlen(config), s, e);
	if (r < 0)
		fail_msg("%s", e->text);
	return guest_adapt(*s, &p, e);
}

#define CONFIG(members) "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"/of/host\"}" members "}"
#define PROC		"{\"destination\":\"/proc\",\"type\":\"proc\"}"
#define BIND \
	"{\"destination\":\"/etc/hosts\",\"type\":\"bind\",\"source\":\"/of/host\",\"options\":[\"bind\"]}"
#define LAYERS "{\"destination\":\"/\",\"type\":\"overlay\",\"options\":[\"lowerdir=/of/host\"]}"

static void test_root_and_sources(void **state)
{
	_cleanup_(spec_freep) struct spec *s = NULL;
	struct err e;

	(void)state;
	assert_int_equal(adapt("\"root\":\"/s0\",\"sources\":[{\"index\":2,\"source\":\"/s1/hosts\"}]",
				 CONFIG(",\"mounts\":[" LAYERS "," PROC "," BIND "]"), &s, &e),
		0);
	assert_string_equal(s->root_path, "/s0");
	/* The host has made it: it is not made again. */
	assert_int_equal(s->n_mounts, 2);
	assert_string_equal(s->mounts[0].destination, "/proc");
	assert_string_equal(s->mounts[1].source, "/s1/hosts");
	assert_string_equal(s->cgroups_path, "/partition");
}

/* What the guest has of its own instead of the host's. */
static void test_own(void **state)
{
	static const char config[] =
		CONFIG(",\"mounts\":[{\"destination\":\"/sys/fs/"
		       "cgroup\",\"type\":\"cgroup\",\"options\":[\"nosuid\",\"ro\"]},"
		       "{\"destination\":\"/sys/fs/cgroup/systemd\",\"type\":\"bind\",\"source\":\"/"
		       "s\",\"options\":[\"bind\"]},"
		       "{\"destination\":\"/dev/shm\",\"type\":\"bind\",\"source\":\"/"
		       "s\",\"options\":[\"bind\",\"rprivate\"]},"
		       "{\"destination\":\"/shm\",\"type\":\"bind\",\"source\":\"/"
		       "s\",\"options\":[\"rbind\",\"ro\"]}]");
	static const char *const options[] = { "rprivate", "nosuid", "nodev", "noexec", "mode=1777",
		"size=65536" };
	static const char *const bad[] = { "\"sources\":[{\"index\":4,\"tmpfs\":1}]",
		"\"sources\":[{\"index\":2,\"tmpfs\":-1}]", "\"sources\":[{\"index\":2,\"tmpfs\":\"1\"}]",
		"\"sources\":[{\"index\":1,\"cgroup\":1}]", "\"sources\":[{\"index\":4,\"cgroup\":true}]" };
	_cleanup_(spec_freep) struct spec *s = NULL;
	struct err e;

	(void)state;
	assert_int_equal(adapt("\"root\":\"/s0\",\"sources\":[{\"index\":1,\"cgroup\":true},"
			       "{\"index\":2,\"tmpfs\":65536},{\"index\":3,\"tmpfs\":0}]",
				 config, &s, &e),
		0);
	assert_int_equal(s->n_mounts, 3);
	assert_string_equal(s->mounts[0].options[0], "nosuid");
	assert_null(s->mounts[0].options[1]);
	assert_string_equal(s->mounts[1].destination, "/dev/shm");
	assert_string_equal(s->mounts[1].type, "tmpfs");
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		assert_string_equal(s->mounts[1].options[i], options[i]);
	assert_null(s->mounts[1].options[ARRAY_SIZE(options)]);
	assert_string_equal(s->mounts[2].options[0], "ro");
	assert_string_equal(s->mounts[2].options[4], "mode=1777");
	assert_null(s->mounts[2].options[5]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(spec_freep) struct spec *none = NULL;

		assert_true(adapt(bad[i], config, &none, &e) < 0);
	}
}

static void test_overlay(void **state)
{
	static const char *const configs[] = { CONFIG(",\"mounts\":[" LAYERS "," BIND "]"),
		CONFIG(",\"mounts\":[" BIND "]") };
	static const char *const plans[] = { "\"sources\":[{\"index\":1,\"source\":\"/s\"}],"
					     "\"overlay\":{\"lower\":[\"/a:b\",\"/c\"]}",
		"\"sources\":[{\"index\":0,\"source\":\"/s\"}],\"overlay\":{\"lower\":[\"/a:b\",\"/c\"]}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
		_cleanup_(spec_freep) struct spec *s = NULL;
		struct err e;

		assert_int_equal(adapt(plans[i], configs[i], &s, &e), 0);
		assert_string_equal(s->root_path, GUEST_ROOT);
		assert_int_equal(s->n_mounts, 2);
		assert_string_equal(s->mounts[0].destination, "/");
		assert_string_equal(s->mounts[0].options[0], "lowerdir=/a\\:b:/c");
		assert_string_equal(s->mounts[1].source, "/s");
	}
}

static void test_bad_plans(void **state)
{
	static const char *const plans[] = { "\"sources\":[{\"index\":7,\"source\":\"/s\"}]",
		"\"sources\":[{\"index\":0}]", "\"sources\":[{\"source\":\"/s\"}]",
		"\"sources\":[{\"index\":\"0\",\"source\":\"/s\"}]",
		"\"sources\":[{\"index\":-1,\"source\":\"/s\"}]", "\"overlay\":{\"lower\":[7]}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(plans); i++) {
		_cleanup_(spec_freep) struct spec *s = NULL;
		struct err e;

		assert_true(adapt(plans[i], CONFIG(",\"mounts\":[" BIND "]"), &s, &e) < 0);
		assert_true(e.code != 0 && *e.text);
	}
}

static void test_namespaces(void **state)
{
	_cleanup_(spec_freep) struct spec *s = NULL;
	struct err e;

	(void)state;
	assert_int_equal(adapt("",
				 CONFIG(",\"linux\":{\"namespaces\":[{\"type\":\"network\",\"path\":\"/n\"},"
					"{\"type\":\"pid\",\"path\":\"/n\"},{\"type\":\"ipc\"}],"
					"\"sysctl\":{\"net.ipv4.ip_forward\":\"1\",\"kernel.msgmax\":\"9\","
					"\"net/ipv4/tcp_sack\":\"1\"}}"),
				 &s, &e),
		0);
	assert_false(s->ns[SPEC_NS_NETWORK].present);
	assert_true(s->ns[SPEC_NS_PID].present && !s->ns[SPEC_NS_PID].path);
	assert_true(s->ns[SPEC_NS_IPC].present && s->ns[SPEC_NS_MOUNT].present);
	assert_false(s->ns[SPEC_NS_UTS].present);
	assert_int_equal(s->n_sysctl, 1);
	assert_string_equal(s->sysctl[0].key, "kernel.msgmax");
}

/* A further partition of a pod: what it shares with the first one, and what is its own. */
static void test_member(void **state)
{
	static const char config[] =
		CONFIG(",\"mounts\":[" BIND "," PROC
		       "],\"linux\":{\"namespaces\":[{\"type\":\"ipc\",\"path\":\"/proc/9/ns/ipc\"},"
		       "{\"type\":\"uts\",\"path\":\"/proc/9/ns/uts\"},{\"type\":\"pid\"}]}");
	_cleanup_(spec_freep) struct spec *s = NULL, *other = NULL, *alone = NULL;
	struct err e;

	(void)state;
	number = 7;
	assert_int_equal(adapt("\"root\":\"/r\",\"join\":[\"ipc\"],\"sources\":[{\"index\":0,\"shm\":4096}]",
				 config, &s, &e),
		0);
	assert_string_equal(s->ns[SPEC_NS_IPC].path, "/proc/42/ns/ipc");
	assert_null(s->ns[SPEC_NS_UTS].path);
	assert_true(s->ns[SPEC_NS_UTS].present);
	assert_false(s->ns[SPEC_NS_NETWORK].present);
	assert_string_equal(s->cgroups_path, "/partition-7");
	assert_string_equal(s->mounts[0].source, GUEST_SHM);
	assert_int_equal(adapt("\"root\":\"/r\",\"join\":[\"nonsense\"]", config, &other, &e), -EINVAL);
	/* The first one has nobody to join. */
	number = 0;
	assert_int_equal(adapt("\"root\":\"/r\",\"join\":[\"ipc\"]", config, &alone, &e), -EINVAL);
}

static void test_refused(void **state)
{
	static const char *const configs[] = {
		CONFIG(",\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/"
		       "s\","
		       "\"syscalls\":[{\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}}"),
		CONFIG(",\"linux\":{\"namespaces\":[{\"type\":\"user\",\"path\":\"/u\"}]}"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
		_cleanup_(spec_freep) struct spec *s = NULL;
		struct err e;

		assert_int_equal(adapt("", configs[i], &s, &e), -EOPNOTSUPP);
	}
}

static void test_hosts_business(void **state)
{
	_cleanup_(spec_freep) struct spec *s = NULL;
	struct err e;

	(void)state;
	assert_int_equal(
		adapt("",
			CONFIG(",\"hooks\":{\"prestart\":[{\"path\":\"/"
			       "h\"}],\"createContainer\":[{\"path\":\"/h\"}],"
			       "\"startContainer\":[{\"path\":\"/h\"}],\"poststop\":[{\"path\":\"/h\"}]},"
			       "\"annotations\":{\"run.oci.pidfd_receiver\":\"/s\",\"mine\":\"yes\"},"
			       "\"process\":{\"cwd\":\"/\",\"args\":[\"a\"],\"apparmorProfile\":\"p\","
			       "\"selinuxLabel\":\"l\"},"
			       "\"linux\":{\"cgroupsPath\":\"/of/host\",\"mountLabel\":\"m\","
			       "\"intelRdt\":{\"closID\":\"c\"},\"resources\":{"
			       "\"memory\":{\"limit\":1000000,\"swap\":2000000,\"swappiness\":5},"
			       "\"cpu\":{\"quota\":5000,\"period\":10000,\"cpus\":\"4\",\"mems\":\"1\"},"
			       "\"pids\":{\"limit\":9},\"blockIO\":{\"weight\":100},"
			       "\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":0}]}}"),
			&s, &e),
		0);
	assert_int_equal(s->hooks.n[SPEC_HOOK_PRESTART] + s->hooks.n[SPEC_HOOK_CREATE_CONTAINER] +
				 s->hooks.n[SPEC_HOOK_POSTSTOP],
		0);
	assert_int_equal(s->hooks.n[SPEC_HOOK_START_CONTAINER], 1);
	assert_int_equal(s->n_annotations, 1);
	assert_string_equal(s->annotations[0].key, "mine");
	assert_null(s->process.apparmor_profile);
	assert_null(s->process.selinux_label);
	assert_null(s->mount_label);
	assert_false(s->intel_rdt.present);
	assert_string_equal(s->cgroups_path, "/partition");
	assert_int_equal(s->resources.mem_limit.v, 1000000);
	assert_false(s->resources.mem_swap.has || s->resources.mem_swappiness.has);
	assert_int_equal(s->resources.cpu_quota.v, 5000);
	assert_null(s->resources.cpus);
	assert_null(s->resources.mems);
	assert_int_equal(s->resources.pids_limit.v, 9);
	assert_false(s->resources.block_weight.has);
	assert_int_equal(s->resources.n_hugepages, 0);
}

static void test_process(void **state)
{
	const char *text =
		"{\"cwd\":\"/\",\"apparmorProfile\":\"p\",\"args\":[\"a\"],\"selinuxLabel\":\"l\"}";
	const struct json *j;
	char *out;

	(void)state;
	assert_int_equal(json_parse(arena, text, strlen(text), "test", &j, NULL), 0);
	out = guest_adapt_process(j);
	assert_string_equal(out, "{\"cwd\":\"/\",\"args\":[\"a\"]}");
	free(out);
}

/* Words of the mount that are not about its layers stay; no layers of the host's, and what is read-only is
 * so. */
static void test_overlay_options(void **state)
{
	static const char config[] =
		CONFIG(",\"mounts\":[{\"destination\":\"/"
		       "\",\"type\":\"overlay\",\"options\":[\"noatime\",\"lowerdir=/of/host\","
		       "\"upperdir=/u\",\"workdir=/w\",\"nosuid\"]}]");
	_cleanup_(spec_freep) struct spec *s = NULL, *other = NULL;
	struct err e;

	(void)state;
	assert_int_equal(adapt("\"overlay\":{\"lower\":[\"/d0\"],\"upper\":\"/d1\",\"readonly\":true}",
				 config, &s, &e),
		0);
	assert_int_equal(strv_len(s->mounts[0].options), 6);
	assert_string_equal(s->mounts[0].options[0], "lowerdir=/d0");
	assert_string_equal(s->mounts[0].options[1], "upperdir=" GUEST_UPPER "/data");
	assert_string_equal(s->mounts[0].options[4], "noatime");
	assert_string_equal(s->mounts[0].options[5], "nosuid");
	assert_true(s->root_readonly);
	assert_int_equal(
		adapt("\"overlay\":{\"lower\":[\"/d0\"],\"readonly\":false}", config, &other, &e), 0);
	assert_false(other->root_readonly);
}

static void put(const char *dir, const char *name, const char *text)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", guest_disks_sys, dir);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%s/%s", guest_disks_sys, dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%s\n", text);
	fclose(f);
}

#define DISK(destination, type, source, options)                                          \
	"{\"destination\":\"" destination "\",\"type\":\"" type "\",\"source\":\"" source \
	"\",\"options\":[" options "]}"

/* By their serial numbers, whatever their order; rules by the numbers that they have here. */
static void test_disks(void **state)
{
	static const char config[] = CONFIG(",\"mounts\":[" PROC "," DISK("/v", "ext4", "/of/host",
		"\"nosuid\",\"data=ordered\",\"ro\"") "," DISK("/b", "bind", "/of/host",
		"\"bind\"") "],"
			    "\"linux\":{\"devices\":[{\"path\":\"/dev/"
			    "x\",\"type\":\"b\",\"major\":7,\"minor\":1}],"
			    "\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"},"
			    "{\"allow\":true,\"type\":\"b\",\"major\":7,\"minor\":1,\"access\":\"rw\"},"
			    "{\"allow\":true,\"type\":\"b\",\"major\":7,\"access\":\"r\"},"
			    "{\"allow\":true,\"type\":\"b\",\"major\":254,\"minor\":16,\"access\":\"m\"},"
			    "{\"allow\":true,\"type\":\"c\",\"major\":7,\"minor\":1,\"access\":\"r\"}]}}");
	static const char plan[] =
		"\"root\":\"/"
		"s0\",\"disks\":[{\"disk\":0,\"mount\":1,\"volume\":true},{\"disk\":1,\"mount\":2,"
		"\"major\":254,\"minor\":16},{\"disk\":2,\"device\":0,\"major\":7,\"minor\":1}]";
	static const char *const bad[] = { "\"root\":\"/s0\",\"disks\":[{\"disk\":7,\"mount\":1}]",
		"\"root\":\"/s0\",\"disks\":[{\"disk\":0,\"mount\":3}]",
		"\"root\":\"/s0\",\"disks\":[{\"disk\":0,\"device\":1}]",
		"\"root\":\"/s0\",\"disks\":[{\"mount\":1}]", "\"root\":\"/s0\",\"disks\":[{\"disk\":-1}]" };
	/* Of c 7:1 the guest's is another device, and nobody's business. */
	static const struct spec_dev_rule want[] = { { .type = 'a' },
		{ .type = 'b', .major = 254, .minor = 0 }, { .type = 'b', .major = 7, .minor = -1 },
		{ .type = 'b', .major = 254, .minor = 0 }, { .type = 'b', .major = 254, .minor = 32 },
		{ .type = 'c', .major = 7, .minor = 1 } };
	char dir[] = "/tmp/adapt-disks.XXXXXX", path[100];
	_cleanup_(spec_freep) struct spec *s = NULL;
	struct err e;

	(void)state;
	guest_disks_sys = mkdtemp(dir);
	assert_non_null(guest_disks_sys);
	put("vda", "serial", "d2");
	put("vda", "dev", "254:0");
	put("vdb", "serial", "d0");
	put("vdb", "dev", "254:16");
	put("vdc", "serial", "d1");
	put("vdc", "dev", "254:32");
	put("loop0", "serial", "d7");
	put("loop0", "dev", "7:7");
	assert_int_equal(adapt(plan, config, &s, &e), 0);
	/* Mounted outside of the partition, and bound. */
	assert_string_equal(s->mounts[1].type, "bind");
	assert_string_equal(s->mounts[1].source, PLAN_DIR "/v0");
	assert_string_equal(s->mounts[1].options[0], "nosuid");
	assert_string_equal(s->mounts[1].options[1], "ro");
	assert_string_equal(s->mounts[1].options[2], "bind");
	assert_null(s->mounts[1].options[3]);
	assert_string_equal(s->mounts[2].source, "/dev/vdc");
	assert_string_equal(s->mounts[2].options[0], "bind");
	assert_int_equal(s->devices[0].major, 254);
	assert_int_equal(s->devices[0].minor, 0);
	assert_int_equal(s->resources.n_devices, ARRAY_SIZE(want));
	for (size_t i = 1; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(s->resources.devices[i].type, want[i].type);
		assert_int_equal(s->resources.devices[i].major, want[i].major);
		assert_int_equal(s->resources.devices[i].minor, want[i].minor);
	}
	assert_int_equal(s->resources.devices[3].access, SPEC_DEV_READ);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(spec_freep) struct spec *other = NULL;

		assert_true(adapt(bad[i], config, &other, &e) < 0);
		assert_true(*e.text);
	}
	for (const char *const *d = (const char *const[]){ "vda", "vdb", "vdc", "loop0", NULL }; *d; d++) {
		snprintf(path, sizeof(path), "%s/%s/serial", dir, *d);
		unlink(path);
		snprintf(path, sizeof(path), "%s/%s/dev", dir, *d);
		unlink(path);
		snprintf(path, sizeof(path), "%s/%s", dir, *d);
		rmdir(path);
	}
	rmdir(dir);
	guest_disks_sys = "/sys/block";
}

static int set_up(void **state)
{
	(void)state;
	arena = arena_new();
	return arena ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root_and_sources),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_overlay),
		cmocka_unit_test(test_overlay_options),
		cmocka_unit_test(test_bad_plans),
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_member),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_hosts_business),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_disks),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
