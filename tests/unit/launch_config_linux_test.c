/* SPDX-License-Identifier: Apache-2.0 */
/* config.json out of an image and options: mounts, volumes, namespaces, resources, security. */
#include "tests/unit/launch_test.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "cgroups/cgroup.h"
#include "namespaces/mount_options.h"

static bool can_map(void)
{
	return geteuid() == 0;
}

/* --- mounts ------------------------------------------------------------------------------------- */

static void test_root(void **state)
{
	struct setting s = usual();
	struct made m = made(&s);
	const struct spec_mount *root = &m.s->mounts[0];

	assert_string_equal(root->destination, "/");
	assert_string_equal(root->type, "overlay");
	assert_true(has_option(root, "lowerdir=/store/l2:/store/l1"));
	assert_true(has_option(root, "upperdir=/data/partitions/web-1/upper"));
	assert_true(has_option(root, "workdir=/data/partitions/web-1/work"));
	assert_int_equal(strv_len(root->options), 3);
	unmake(&m);
	s.i.lower = STRV("/a:b", "/c,d", "/e\\f");
	s.i.userxattr = true;
	s.o.rm = s.o.read_only = true;
	s.r.ids = 524288;
	s.r.n_ids = 65536;
	m = made(&s);
	root = &m.s->mounts[0];
	assert_true(has_option(root, "lowerdir=/a\\:b:/c\\,d:/e\\\\f"));
	assert_true(has_option(root, "userxattr"));
	assert_true(has_option(root, "volatile"));
	assert_true(has_option(root, "idmap"));
	assert_true(m.s->root_readonly);
	unmake(&m);
	s.i.lower = NULL;
	refused(&s, "has no layers");
}

static void test_defaults(void **state)
{
	static const char *const want[] = { "/proc", "/dev", "/dev/pts", "/dev/shm", "/sys", "/sys/fs/cgroup",
		"/etc/hosts", "/etc/hostname", "/etc/resolv.conf" };
	struct setting s = usual();
	struct made m = made(&s);
	struct statfs fs;

	/* On v1 there is nothing to look at without a limit. */
	if (statfs("/sys/fs/cgroup", &fs) < 0 || (unsigned long)fs.f_type != CGROUP2_SUPER_MAGIC) {
		assert_null(mount_on(&m, "/sys/fs/cgroup"));
		assert_string_equal(spec_annotation(m.s, CGRP_ANNOTATION), "lean");
		unmake(&m);
		s.o.memory = (struct spec_i64){ .has = true, .v = 1 << 30 };
		m = made(&s);
	} else {
		assert_null(spec_annotation(m.s, CGRP_ANNOTATION));
	}
	for (size_t k = 0; k < ARRAY_SIZE(want); k++)
		assert_non_null(mount_on(&m, want[k]));
	assert_int_equal(m.s->n_mounts, ARRAY_SIZE(want) + 1);
	assert_true(has_option(mount_on(&m, "/sys"), "ro"));
	assert_true(has_option(mount_on(&m, "/sys/fs/cgroup"), "ro"));
	assert_true(has_option(mount_on(&m, "/dev/shm"), "size=67108864"));
	assert_string_equal(mount_on(&m, "/etc/hosts")->source, "/data/partitions/web-1/etc/hosts");
	/* Every option means something to the runtime. */
	for (size_t k = 1; k < m.s->n_mounts; k++) {
		struct mnt_options o;
		struct err e = ERR_INIT;

		if (mnt_options_parse(m.a, &m.s->mounts[k], &o, &e) < 0)
			fail_msg("%s", e.text);
	}
	unmake(&m);
	s.o.shm_size = "1m";
	m = made(&s);
	assert_true(has_option(mount_on(&m, "/dev/shm"), "size=1048576"));
	unmake(&m);
	s.o.shm_size = "x";
	refused(&s, "--shm-size x");
}

static void test_order(void **state)
{
	struct setting s = usual();
	struct made m;
	size_t at[2] = { 0, 0 };

	s.o.tmpfs = STRV("/a/b/c", "/a", "/etc");
	m = made(&s);
	for (size_t k = 0; k < m.s->n_mounts; k++) {
		if (str_eq(m.s->mounts[k].destination, "/etc"))
			at[0] = k;
		if (str_eq(m.s->mounts[k].destination, "/etc/hosts"))
			at[1] = k;
	}
	assert_true(at[0] && at[0] < at[1]);
	for (size_t k = 0; k < m.s->n_mounts; k++)
		for (size_t n = k + 1; n < m.s->n_mounts; n++) {
			const char *early = m.s->mounts[k].destination, *late = m.s->mounts[n].destination;

			assert_false(str_starts(early, late) && early[strlen(late)] == '/');
		}
	unmake(&m);
}

static void test_tmpfs(void **state)
{
	struct setting s = usual();
	struct made m;

	s.o.tmpfs = STRV("/scratch:size=10m,mode=700,exec", "/dev/shm");
	m = made(&s);
	assert_true(has_option(mount_on(&m, "/scratch"), "size=10m"));
	assert_true(has_option(mount_on(&m, "/scratch"), "mode=700"));
	assert_false(has_option(mount_on(&m, "/scratch"), "mode=1777"));
	assert_true(has_option(mount_on(&m, "/scratch"), "exec"));
	assert_true(has_option(mount_on(&m, "/dev/shm"), "mode=1777"));
	unmake(&m);
	s.o.tmpfs = STRV("/a:lowerdir=/x");
	refused(&s, "\"lowerdir=/x\" is no option of a tmpfs");
	s.o.tmpfs = STRV("a");
	refused(&s, "--tmpfs a: the destination must be an absolute path");
	s.o.tmpfs = STRV("/a", "/a/");
	refused(&s, "something else is to be mounted on /a already");
	s.o.tmpfs = STRV("/b/..");
	refused(&s, "nothing can be mounted over the root");
}

static void test_binds(void **state)
{
	struct setting s = usual();
	struct made m;

	s.o.volumes = STRV("/usr:/host/usr:ro", "/etc/passwd:/p", "/usr:/x:bind,exec,rslave");
	m = made(&s);
	assert_string_equal(mount_on(&m, "/host/usr")->source, "/usr");
	assert_true(has_option(mount_on(&m, "/host/usr"), "rbind"));
	assert_true(has_option(mount_on(&m, "/host/usr"), "rro"));
	assert_true(has_option(mount_on(&m, "/p"), "bind"));
	assert_true(has_option(mount_on(&m, "/x"), "bind"));
	assert_true(has_option(mount_on(&m, "/x"), "exec"));
	assert_true(has_option(mount_on(&m, "/x"), "rslave"));
	assert_false(has_option(mount_on(&m, "/x"), "idmap"));
	assert_int_equal(strv_len(m.r.volumes), 0);
	unmake(&m);
	s.o.volumes = STRV("/etc/passwd:/etc/hosts");
	m = made(&s);
	assert_string_equal(mount_on(&m, "/etc/hosts")->source, "/etc/passwd");
	unmake(&m);
	s.o.volumes = STRV("/nonexistent/x:/x");
	refused(&s, "--volume /nonexistent/x:/x: mount source missing: /nonexistent/x; make it first");
	s.o.volumes = STRV("/usr:/x:z");
	refused(&s, "option z: ringfence does not relabel");
	s.o.volumes = STRV("/usr:/x:U");
	refused(&s, "option U would change the owner");
	s.o.volumes = STRV("/usr:/x:frob");
	refused(&s, "unknown option \"frob\"");
	s.o.volumes = STRV("/a:/b:ro:/c");
	refused(&s, "must be [SOURCE:]DESTINATION[:OPTIONS]");
	s.o.volumes = STRV("a/b:/x");
	refused(&s, "the source must be an absolute path");
	s.o.volumes = STRV("/usr:/");
	refused(&s, "nothing can be mounted over the root");
	s.o.volumes = STRV("/usr:/x", "/etc:/x");
	refused(&s, "something else is to be mounted on /x already");
}

static void test_idmapped_binds(void **state)
{
	struct setting s = usual();
	struct made m;

	if (!can_map())
		skip();
	s.r.ids = 524288;
	s.r.n_ids = 65536;
	/* procfs cannot have its ids mapped. */
	s.o.volumes = STRV("/proc/sys:/x");
	refused(&s, "cannot be mounted with its ids mapped");
	s.o.volumes = STRV("/proc/sys:/x:noidmap");
	m = made(&s);
	assert_false(has_option(mount_on(&m, "/x"), "idmap"));
	assert_true(m.s->ns[SPEC_NS_USER].present);
	assert_int_equal(m.s->uid_map[0].host_id, 524288);
	assert_int_equal(m.s->gid_map[0].size, 65536);
	assert_true(has_option(mount_on(&m, "/etc/hosts"), "idmap"));
	unmake(&m);
}

static void test_volumes(void **state)
{
	struct setting s = usual();
	struct made m;

	s.o.volumes = STRV("data:/data:ro", "/anonymous", "data:/again");
	s.i.volumes = STRV("/var/lib/db", "/data");
	m = made(&s);
	assert_string_equal(mount_on(&m, "/data")->source, "/data/volumes/data/_data");
	assert_true(has_option(mount_on(&m, "/data"), "ro"));
	assert_int_equal(strv_len(m.r.volumes), 3);
	assert_string_equal(m.r.volumes[0], "data");
	assert_int_equal(strv_len(m.r.anonymous_volumes), 2);
	assert_int_equal(strlen(m.r.anonymous_volumes[0]), 64);
	assert_string_not_equal(m.r.anonymous_volumes[0], m.r.anonymous_volumes[1]);
	assert_non_null(mount_on(&m, "/var/lib/db"));
	unmake(&m);
	s.i.volumes = NULL;
	s.o.volumes = STRV("_x\x1b:/data");
	refused(&s, "invalid volume name");
}

/* CVE-2019-16884. */
static void test_hostile_volumes(void **state)
{
	static const char *const bad[] = { "/proc", "/proc/self/attr", "/sys/fs/cgroup", "/x/../proc",
		"/dev/shm", "/", "rel", "" };
	struct setting s = usual();

	for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
		s.i.volumes = STRV((char *)bad[k]);
		refused(&s, "Volume ");
	}
}

static void test_mount_option(void **state)
{
	struct setting s = usual();
	struct made m;

	s.o.mounts = STRV("type=bind,src=/usr,dst=/b,readonly,bind-propagation=rshared",
		"type=volume,source=v,target=/v", "destination=/anon",
		"type=tmpfs,destination=/t,tmpfs-size=1m,tmpfs-mode=755",
		"type=bind,source=/usr,destination=/c,ro=false");
	m = made(&s);
	assert_true(has_option(mount_on(&m, "/b"), "rro"));
	assert_true(has_option(mount_on(&m, "/b"), "rshared"));
	assert_false(has_option(mount_on(&m, "/c"), "rro"));
	assert_string_equal(mount_on(&m, "/v")->source, "/data/volumes/v/_data");
	assert_string_equal(mount_on(&m, "/t")->type, "tmpfs");
	assert_true(has_option(mount_on(&m, "/t"), "size=1m"));
	assert_true(has_option(mount_on(&m, "/t"), "mode=755"));
	assert_int_equal(strv_len(m.r.anonymous_volumes), 1);
	unmake(&m);
	s.o.mounts = STRV("type=bind,dst=/b");
	refused(&s, "source= is missing");
	s.o.mounts = STRV("type=bind,src=/usr");
	refused(&s, "destination= is missing");
	s.o.mounts = STRV("type=nfs,src=/usr,dst=/b");
	refused(&s, "type must be bind, volume or tmpfs");
	s.o.mounts = STRV("type=bind,src=/usr,dst=/b,foo=1");
	refused(&s, "unknown key \"foo\"");
	s.o.mounts = STRV("type=bind,src=/usr,dst=/b,ro=maybe");
	refused(&s, "ro must be true or false");
	s.o.mounts = STRV("type=tmpfs,src=/usr,dst=/b");
	refused(&s, "a tmpfs has no source");
	s.o.mounts = STRV("type=bind,src=/usr,dst=/b,tmpfs-size=1");
	refused(&s, "are for type=tmpfs");
}

static void test_zone(void **state)
{
	struct setting s = usual();
	struct made m;

	s.i = (struct launch_image){ .host = true, .name = "host" };
	m = made(&s);
	assert_true(has_option(&m.s->mounts[0], "lowerdir=/data/host/0123456789abcdef"));
	assert_true(has_option(mount_on(&m, "/usr"), "rro"));
	assert_string_equal(m.s->process.args[0], "/bin/bash");
	assert_string_equal(m.s->process.cwd, "/root");
	assert_string_equal(strv_env(m.s->process.env, "HOME"), "/root");
	assert_non_null(mount_on(&m, "/tmp"));
	unmake(&m);
}

/* --- namespaces, sysctl ------------------------------------------------------------------------- */

static void test_network(void **state)
{
	struct setting s = usual();
	struct made m = made(&s);

	assert_true(m.s->ns[SPEC_NS_NETWORK].present);
	assert_null(m.s->ns[SPEC_NS_NETWORK].path);
	assert_int_equal(m.s->n_sysctl, 0);
	unmake(&m);
	s.net.hooks = true;
	m = made(&s);
	assert_int_equal(m.s->n_sysctl, 2);
	unmake(&m);
	s.net = (struct launch_network_plan){ .join = "/proc/self/fd/900" };
	m = made(&s);
	assert_string_equal(m.s->ns[SPEC_NS_NETWORK].path, "/proc/self/fd/900");
	unmake(&m);
	s.net = (struct launch_network_plan){ 0 };
	m = made(&s);
	assert_false(m.s->ns[SPEC_NS_NETWORK].present);
	assert_true(m.s->ns[SPEC_NS_PID].present && m.s->ns[SPEC_NS_IPC].present &&
		    m.s->ns[SPEC_NS_UTS].present && m.s->ns[SPEC_NS_MOUNT].present);
	unmake(&m);
}

static void test_sysctl(void **state)
{
	static const char *const bad[] = { "kernel.core_pattern=|x", "vm.swappiness=1", "kernel.hostname=x",
		"=1", "net.core.somaxconn", "net.core.somaxconn=1\n2", "kernel/../x=1" };
	struct setting s = usual();
	struct made m;

	s.o.sysctls = STRV("net.core.somaxconn=1024", "kernel.shmmax=1");
	m = made(&s);
	assert_int_equal(m.s->n_sysctl, 2);
	unmake(&m);
	for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
		struct err e = ERR_INIT;

		s.o.sysctls = STRV((char *)bad[k]);
		m = make(&s);
		assert_int_equal(m.result, -EINVAL);
		assert_true(str_starts(m.e.text, "--sysctl"));
		unmake(&m);
		err_clear(&e);
	}
	s.net.own = false;
	s.o.sysctls = STRV("net.core.somaxconn=1024");
	refused(&s, "--sysctl net.core.somaxconn=1024");
}

/* --- resources ---------------------------------------------------------------------------------- */

static void test_resources(void **state)
{
	static const char *const bad_cpus[] = { "", "0", "-1", "1.5x", ".", "0.001", "1e3", "99999999" };
	static const char *const bad_sets[] = { "", "0-", "3-1", "a", "1,,2", "1,", "0-1-2" };
	struct setting s = usual();
	struct made m = made(&s);

	assert_true(m.s->resources.pids_limit.has);
	assert_int_equal(m.s->resources.pids_limit.v, 2048);
	assert_false(m.s->resources.mem_limit.has);
	assert_int_equal(m.s->resources.n_devices, 1);
	assert_false(m.s->resources.devices[0].allow);
	unmake(&m);
	s.o.memory = (struct spec_i64){ true, 64 << 20 };
	s.o.memory_swap = (struct spec_i64){ true, 128 << 20 };
	s.o.pids = (struct spec_i64){ true, 0 };
	s.o.cpus = "1.5";
	s.o.cpuset = "0-1,3";
	m = made(&s);
	assert_int_equal(m.s->resources.mem_limit.v, 64 << 20);
	assert_int_equal(m.s->resources.mem_swap.v, 128 << 20);
	assert_int_equal(m.s->resources.pids_limit.v, -1);
	assert_int_equal(m.s->resources.cpu_quota.v, 150000);
	assert_int_equal(m.s->resources.cpu_period.v, 100000);
	assert_string_equal(m.s->resources.cpus, "0-1,3");
	unmake(&m);
	s.o.cpus = ".25";
	m = made(&s);
	assert_int_equal(m.s->resources.cpu_quota.v, 25000);
	unmake(&m);
	for (size_t k = 0; k < ARRAY_SIZE(bad_cpus); k++) {
		s.o.cpus = bad_cpus[k];
		refused(&s, "--cpus");
	}
	s.o.cpus = NULL;
	for (size_t k = 0; k < ARRAY_SIZE(bad_sets); k++) {
		s.o.cpuset = bad_sets[k];
		refused(&s, "--cpuset");
	}
	s = usual();
	s.o.memory_swap = (struct spec_i64){ true, 1 << 20 };
	refused(&s, "it needs --memory");
	s.o.memory = (struct spec_i64){ true, 2 << 20 };
	refused(&s, "must not be below --memory");
	s = usual();
	s.o.memory = (struct spec_i64){ true, 64 };
	refused(&s, "--memory 64");
	s = usual();
	s.o.pids = (struct spec_i64){ true, -2 };
	refused(&s, "--pids-limit");
	s = usual();
	s.rootless = true;
	m = made(&s);
	assert_false(m.s->resources.pids_limit.has);
	assert_int_equal(m.s->resources.n_devices, 0);
	assert_false(has_option(mount_on(&m, "/dev/pts"), "gid=5"));
	unmake(&m);
}

static void test_devices(void **state)
{
	struct setting s = usual();
	struct made m;

	s.o.devices = STRV("/dev/null:/dev/nil:r", "/dev/zero");
	m = made(&s);
	assert_int_equal(m.s->n_devices, 2);
	assert_string_equal(m.s->devices[0].path, "/dev/nil");
	assert_int_equal(m.s->devices[0].major, 1);
	assert_int_equal(m.s->devices[0].minor, 3);
	assert_int_equal(m.s->resources.n_devices, 3);
	assert_int_equal(m.s->resources.devices[1].access, SPEC_DEV_READ);
	assert_int_equal(m.s->resources.devices[2].access, SPEC_DEV_READ | SPEC_DEV_WRITE | SPEC_DEV_MKNOD);
	unmake(&m);
	s.o.devices = STRV("/dev/nonexistent");
	refused(&s, "this host has no /dev/nonexistent");
	s.o.devices = STRV("/etc/passwd");
	refused(&s, "/etc/passwd is no device");
	s.o.devices = STRV("/dev/null:rwx");
	refused(&s, "must be HOST[:INSIDE][:rwm]");
	s.o.devices = STRV("null");
	refused(&s, "must be HOST[:INSIDE][:rwm]");
	s.o.devices = STRV("/dev/null", "/dev/zero:/dev/null");
	refused(&s, "is there twice");
	s.o.devices = STRV("/etc");
	refused(&s, "there is no device in it");
}

/* --- security ----------------------------------------------------------------------------------- */

static uint64_t bounding(struct setting *s)
{
	struct made m = made(s);
	uint64_t caps = m.s->process.caps.bounding;

	unmake(&m);
	return caps;
}

static void test_capabilities(void **state)
{
	const uint64_t few = 0x800405fb; /* podman's eleven: 0 1 3 4 5 6 7 8 10 18 31 */
	const uint64_t all = (UINT64_C(1) << 41) - 1, chown = 1, net_raw = 1 << 13;
	struct setting s = usual();

	assert_true(bounding(&s) == few);
	s.o.cap_add = STRV("CAP_NET_RAW");
	assert_true(bounding(&s) == (few | net_raw));
	s.o.cap_drop = STRV("chown,kill");
	assert_true(bounding(&s) == ((few | net_raw) & ~(chown | 1 << 5)));
	s.o.cap_drop = STRV("all");
	assert_true(bounding(&s) == net_raw);
	s.o.cap_add = NULL;
	assert_true(bounding(&s) == 0);
	s.o.cap_add = STRV("ALL");
	s.o.cap_drop = STRV("CHOWN");
	assert_true(bounding(&s) == (all & ~chown));
	s.o.cap_drop = STRV("ALL");
	refused(&s, "--cap-add ALL and --cap-drop ALL contradict");
	s.o.cap_add = STRV("CHOWN");
	s.o.cap_drop = STRV("CAP_CHOWN");
	refused(&s, "CAP_CHOWN is both added and dropped");
	s.o.cap_add = STRV("CAP_FROB");
	refused(&s, "--cap-add CAP_FROB: no such capability");
}

static void test_security_opt(void **state)
{
	struct setting s = usual();
	struct made m = made(&s);

	assert_true(strv_has(m.s->masked_paths, "/proc/kcore"));
	assert_true(strv_has(m.s->readonly_paths, "/proc/sys"));
	assert_true(m.s->seccomp.present);
	assert_null(m.s->process.apparmor_profile);
	unmake(&m);
	s.o.security_opt = STRV("unmask=/proc/kcore:/proc/sys", "mask=/srv/x", "no-new-privileges=false",
		"seccomp=unconfined", "apparmor=my-profile", "label=a:b:c:s0");
	m = made(&s);
	assert_false(strv_has(m.s->masked_paths, "/proc/kcore"));
	assert_true(strv_has(m.s->masked_paths, "/srv/x"));
	assert_false(strv_has(m.s->readonly_paths, "/proc/sys"));
	assert_true(strv_has(m.s->readonly_paths, "/proc/bus"));
	assert_false(m.s->process.no_new_privileges);
	assert_false(m.s->seccomp.present);
	assert_string_equal(m.s->process.apparmor_profile, "my-profile");
	assert_string_equal(m.s->process.selinux_label, "a:b:c:s0");
	unmake(&m);
	s.o.security_opt = STRV(
		"unmask=ALL", "no-new-privileges", "apparmor=unconfined", "label=disable", "seccomp=default");
	m = made(&s);
	assert_null(m.s->masked_paths);
	assert_null(m.s->readonly_paths);
	assert_true(m.s->process.no_new_privileges);
	assert_true(m.s->seccomp.present);
	unmake(&m);
	s.o.security_opt = STRV("frob=1");
	refused(&s, "--security-opt frob=1: unknown");
	s.o.security_opt = STRV("no-new-privileges=maybe");
	refused(&s, "must be true or false");
	s.o.security_opt = STRV("label=type:x");
	refused(&s, "a whole context");
	s.o.security_opt = STRV("mask=x");
	refused(&s, "must be absolute paths");
	s.o.security_opt = STRV("seccomp=/nonexistent");
	refused(&s, "open --security-opt seccomp=/nonexistent");
}

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	for (; *text; text++)
		fputc(*text == '\'' ? '"' : *text, f);
	fclose(f);
}

static void test_seccomp_file(void **state)
{
	static const char docker[] =
		"{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':1,'archMap':["
		"{'architecture':'SCMP_ARCH_X86_64','subArchitectures':['SCMP_ARCH_X86']},"
		"{'architecture':'SCMP_ARCH_AARCH64','subArchitectures':['SCMP_ARCH_ARM']}],'syscalls':["
		"{'names':['read'],'action':'SCMP_ACT_ALLOW'},"
		"{'names':['mount'],'action':'SCMP_ACT_ALLOW','includes':{'caps':['CAP_SYS_ADMIN']}},"
		"{'names':['write'],'action':'SCMP_ACT_ALLOW','includes':{'minKernel':'4.8'}},"
		"{'names':['open'],'action':'SCMP_ACT_ALLOW','includes':{'minKernel':'400.1'}},"
		"{'names':['sync'],'action':'SCMP_ACT_ALLOW','includes':{'arches':['sparc']}},"
		"{'names':['clone'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':1,'valueTwo':0,"
		"'op':'SCMP_CMP_MASKED_EQ'}],'excludes':{'caps':['CAP_SYS_ADMIN']}}]}";
	char path[] = "/tmp/launch-seccomp-XXXXXX";
	int fd = mkstemp(path);
	char option[64];
	struct setting s = usual();
	struct made m;

	assert_true(fd >= 0);
	close(fd);
	snprintf(option, sizeof(option), "seccomp=%s", path);
	s.o.security_opt = STRV(option);
	put_file(path, docker);
	m = made(&s);
	assert_int_equal(m.s->seccomp.n_rules, 3);
	assert_string_equal(m.s->seccomp.rules[0].names[0], "read");
	assert_string_equal(m.s->seccomp.rules[1].names[0], "write");
	assert_string_equal(m.s->seccomp.rules[2].names[0], "clone");
	assert_int_equal(m.s->seccomp.rules[2].n_args, 1);
	unmake(&m);
	s.o.cap_add = STRV("SYS_ADMIN");
	m = made(&s);
	assert_int_equal(m.s->seccomp.n_rules, 3);
	assert_string_equal(m.s->seccomp.rules[1].names[0], "mount");
	unmake(&m);
	put_file(path, "{'defaultAction':'SCMP_ACT_ALLOW','architectures':['SCMP_ARCH_X86_64'],"
		       "'syscalls':[{'names':['reboot'],'action':'SCMP_ACT_KILL'}]}");
	m = made(&s);
	assert_int_equal(m.s->seccomp.n_rules, 1);
	assert_string_equal(m.s->seccomp.architectures[0], "SCMP_ARCH_X86_64");
	unmake(&m);
	put_file(path, "[]");
	refused(&s, "it has no defaultAction");
	put_file(path, "{");
	refused(&s, "--security-opt seccomp=/tmp/launch-seccomp-");
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_tmpfs),
		cmocka_unit_test(test_binds),
		cmocka_unit_test(test_idmapped_binds),
		cmocka_unit_test(test_volumes),
		cmocka_unit_test(test_hostile_volumes),
		cmocka_unit_test(test_mount_option),
		cmocka_unit_test(test_zone),
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_sysctl),
		cmocka_unit_test(test_resources),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_security_opt),
		cmocka_unit_test(test_seccomp_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
