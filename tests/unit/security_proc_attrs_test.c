/* SPDX-License-Identifier: Apache-2.0 */
/* proc_attrs.c, sched.c, user.c: lists, and what a process has after each call. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "security/caps.h"
#include "security/proc_attrs.h"
#include "tests/unit/security_bpf.h"

/* --- lists ------------------------------------------------------------------------------------ */

/* The mask as text: the bits in it, joined by blanks. */
static void list_gives(const char *list, const char *bits, size_t bytes)
{
	_cleanup_free_ unsigned char *mask = NULL;
	_cleanup_strbuf_ struct strbuf b = { 0 };
	struct err e = ERR_INIT;
	size_t n = 0;

	if (sec_parse_list(list, &mask, &n, &e) < 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < n * 8; i++) {
		unsigned long word;

		memcpy(&word, mask + i / (8 * sizeof(long)) * sizeof(long), sizeof(word));
		if (word >> i % (8 * sizeof(long)) & 1)
			strbuf_printf(&b, "%s%zu", b.len ? " " : "", i);
	}
	assert_string_equal(b.s ? b.s : "", bits);
	assert_int_equal(n, bytes);
}

static void lists(void **state)
{
	list_gives("0", "0", sizeof(long));
	list_gives("0-3,7", "0 1 2 3 7", sizeof(long));
	list_gives("7,0-1,1", "0 1 7", sizeof(long));
	list_gives(" 1 , 3-4\t,\n6 ", "1 3 4 6", sizeof(long));
	list_gives("", "", sizeof(long));
	list_gives(",,2,,", "2", sizeof(long));
	list_gives("62-65", "62 63 64 65", 16);
	list_gives("1023-1025", "1023 1024 1025", 136);
	list_gives("8191", "8191", 1024);
	list_gives("65535", "65535", 8192);
	list_gives("5-5", "5", sizeof(long));
}

static void bad_lists(void **state)
{
	static const struct {
		const char *list, *text;
	} all[] = {
		{ "a", "\"a\": not a list of numbers and ranges (a list looks like \"0-3,7\")" },
		{ "1-", "\"1-\": not a list of numbers and ranges (a list looks like \"0-3,7\")" },
		{ "-1", "\"-1\": not a list of numbers and ranges (a list looks like \"0-3,7\")" },
		{ "1-2-3", "\"1-2-3\": not a list of numbers and ranges (a list looks like \"0-3,7\")" },
		{ "1 2", "\"1 2\": not a list of numbers and ranges (a list looks like \"0-3,7\")" },
		{ "1 - 2", "\"1 - 2\": not a list of numbers and ranges (a list looks like \"0-3,7\")" },
		{ "0x1", "\"0x1\": not a list of numbers and ranges (a list looks like \"0-3,7\")" },
		{ "0-6:2/3", "\"0-6:2/3\": not a list of numbers and ranges (a list looks like \"0-3,7\")" },
		{ "99999999999",
			"\"99999999999\": not a list of numbers and ranges (a list looks like \"0-3,7\")" },
		{ "3-1", "\"3-1\": a range runs backwards (a list looks like \"0-3,7\")" },
		{ "0-65536", "\"0-65536\": a number is above 65535 (a list looks like \"0-3,7\")" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		unsigned char *mask = (unsigned char *)state;
		struct err e = ERR_INIT;
		size_t n = 4711;

		assert_int_equal(sec_parse_list(all[i].list, &mask, &n, &e), -EINVAL);
		assert_string_equal(e.text, all[i].text);
		assert_ptr_equal(mask, state);
		assert_int_equal(n, 4711);
	}
}

/* --- limits ----------------------------------------------------------------------------------- */

static int sets_limits(void *arg)
{
	const struct spec_rlimit list[] = { { RLIMIT_CORE, 0, 0 }, { RLIMIT_NOFILE, 100, 200 },
		{ RLIMIT_STACK, 1 << 20, RLIM64_INFINITY } };
	struct rlimit l;

	if (sec_set_rlimits(0, list, arg ? 3 : 2, NULL) < 0)
		return 1;
	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur != 100 || l.rlim_max != 200)
		return 2;
	if (arg && (getrlimit(RLIMIT_STACK, &l) < 0 || l.rlim_cur != 1 << 20 || l.rlim_max != RLIM_INFINITY))
		return 3;
	return getrlimit(RLIMIT_CORE, &l) < 0 || l.rlim_max != 0 ? 4 : 0;
}

static void limits(void **state)
{
	struct rlimit l;

	assert_int_equal(getrlimit(RLIMIT_STACK, &l), 0);
	assert_int_equal(in_child(sets_limits, l.rlim_max == RLIM_INFINITY ? state : NULL), 0);
}

static int raises_a_limit(void *arg)
{
	const struct spec_caps none = { .present = true };
	const struct spec_rlimit low = { RLIMIT_NOFILE, 100, 200 }, high = { RLIMIT_NOFILE, 100, 300 };
	const struct spec_rlimit odd = { RLIMIT_NPROC, 20, 10 };
	struct err e = ERR_INIT;

	if (caps_apply(&none, NULL) < 0 || sec_set_rlimits(0, &low, 1, NULL) < 0)
		return 1;
	if (sec_set_rlimits(0, &high, 1, &e) != -EPERM)
		return 2;
	if (!str_eq(e.text, "set RLIMIT_NOFILE to soft 100, hard 300: Operation not permitted; the present "
			    "hard limit is 200 and raising "
			    "it needs CAP_SYS_RESOURCE; at most /proc/sys/fs/nr_open"))
		return 3;
	if (sec_set_rlimits(0, &odd, 1, &e) != -EINVAL)
		return 4;
	return str_eq(e.text, "set RLIMIT_NPROC to soft 20, hard 10: Invalid argument; the soft limit must "
			      "not be above the hard one")
		       ? 0
		       : 5;
}

static void a_refused_limit_is_told(void **state)
{
	assert_int_equal(in_child(raises_a_limit, NULL), 0);
}

/* --- scheduling ------------------------------------------------------------------------------- */

static int is_batch(void *arg)
{
	/* SCHED_FLAG_RESET_ON_FORK and the clamps, whose values the spec does not have. */
	const struct spec_scheduler s = {
		.present = true, .policy = SCHED_BATCH, .has_nice = true, .nice = 7, .flags = 1 | 0x20 | 0x40
	};

	if (sec_set_scheduler(&(struct spec_scheduler){ .policy = SCHED_IDLE }, NULL) < 0 ||
		sched_getscheduler(0) != SCHED_OTHER)
		return 1;
	if (sec_set_scheduler(&s, NULL) < 0)
		return 2;
	if (sched_getscheduler(0) != (SCHED_BATCH | SCHED_RESET_ON_FORK))
		return 3;
	return getpriority(PRIO_PROCESS, 0) == 7 ? 0 : 4;
}

static int is_not_realtime(void *arg)
{
	const struct spec_caps none = { .present = true };
	const struct spec_scheduler s = { .present = true, .policy = SCHED_FIFO, .priority = 10 };
	const struct spec_scheduler iso = { .present = true, .policy = 4 };
	const struct rlimit no = { 0, 0 };
	struct err e = ERR_INIT;

	if (caps_apply(&none, NULL) < 0 || setrlimit(RLIMIT_RTPRIO, &no) < 0)
		return 1;
	if (sec_set_scheduler(&s, &e) != -EPERM ||
		!str_starts(e.text, "process.scheduler: set SCHED_FIFO (priority 10, nice 0"))
		return 2;
	if (!strstr(e.text, "CAP_SYS_NICE"))
		return 3;
	return sec_set_scheduler(&iso, &e) == -EINVAL && strstr(e.text, "SCHED_ISO") ? 0 : 4;
}

static void scheduler(void **state)
{
	assert_int_equal(in_child(is_batch, NULL), 0);
	assert_int_equal(in_child(is_not_realtime, NULL), 0);
}

static int has_affinity(void *arg)
{
	cpu_set_t before, now;
	char list[32];
	int cpu = 0;

	if (sched_getaffinity(0, sizeof(before), &before) < 0)
		return 1;
	while (!CPU_ISSET(cpu, &before))
		cpu++;
	/* CPUs that do not exist are let pass as long as there is one that does. */
	snprintf(list, sizeof(list), "%d, 4000-4100", cpu);
	if (sec_set_affinity(0, list, NULL) < 0)
		return 2;
	if (sched_getaffinity(0, sizeof(now), &now) < 0 || CPU_COUNT(&now) != 1 || !CPU_ISSET(cpu, &now))
		return 3;
	if (sec_set_affinity(getpid(), NULL, NULL) < 0)
		return 4;
	return sched_getaffinity(0, sizeof(now), &now) == 0 && CPU_COUNT(&now) >= CPU_COUNT(&before) ? 0 : 5;
}

static void affinity(void **state)
{
	struct err e = ERR_INIT;

	assert_int_equal(in_child(has_affinity, NULL), 0);
	assert_int_equal(sec_set_affinity(0, "4000-4100", &e), -EINVAL);
	assert_string_equal(e.text, "set CPU affinity \"4000-4100\": Invalid argument; none of these CPUs is "
				    "online and in the cpuset");
	assert_int_equal(sec_set_affinity(0, " , ", &e), -EINVAL);
	assert_string_equal(e.text, "CPU affinity: \" , \" names no CPU");
	assert_int_equal(sec_set_affinity(0, "x", &e), -EINVAL);
	assert_string_equal(e.text,
		"CPU affinity: \"x\": not a list of numbers and ranges (a list looks like \"0-3,7\")");
}

static int has_io_priority(void *arg)
{
	const struct spec_io_priority p = { true, 2, 6 };

	if (sec_set_io_priority(&(struct spec_io_priority){ .class = 3 }, NULL) < 0)
		return 1;
	if (sec_set_io_priority(&p, NULL) < 0)
		return 2;
	return syscall(SYS_ioprio_get, 1, 0) == (2 << 13 | 6) ? 0 : 3;
}

static void io_priority(void **state)
{
	const struct spec_io_priority p = { true, 2, 8 };
	struct err e = ERR_INIT;

	assert_int_equal(in_child(has_io_priority, NULL), 0);
	assert_int_equal(sec_set_io_priority(&p, &e), -EINVAL);
	assert_string_equal(
		e.text, "process.ioPriority: class 2 with priority 8: the priority must be 0 to 7");
}

/* --- memory policy ---------------------------------------------------------------------------- */

static int has_policy(void *arg)
{
	unsigned long mask[128] = { 0 };
	const struct spec_memory_policy *p = arg;
	int mode = -1;

	if (sec_set_memory_policy(p, NULL) < 0) /* 63: unless the kernel is built for fewer nodes */
		return p->nodes && strchr(p->nodes, '3') ? 0 : 1;
	if (syscall(SYS_get_mempolicy, &mode, mask, sizeof(mask) * 8, NULL, 0) < 0)
		return 2;
	if (mode != (p->mode | p->flags))
		return 3;
	/* With the flag the kernel gives back what was asked for, node or no node. */
	if (p->nodes && strchr(p->nodes, '3'))
		return mask[0] == (1UL << 63 | 1) ? 0 : 4;
	return mask[0] == (p->nodes && *p->nodes ? 1UL : 0UL) ? 0 : 4;
}

static void memory_policy(void **state)
{
	enum { DEFAULT, PREFERRED, BIND, INTERLEAVE, LOCAL, STATIC_NODES = 1 << 15 };
	struct spec_memory_policy good[] = { { true, BIND, 0, "0" }, { true, BIND, STATIC_NODES, "0" },
		{ true, INTERLEAVE, 0, "0,0" }, { true, BIND, STATIC_NODES, "0,63" },
		{ true, DEFAULT, 0, "" }, { true, DEFAULT, 0, NULL }, { true, LOCAL, 0, "" } };
	struct spec_memory_policy p;
	struct err e = ERR_INIT;
	int mode;

	if (syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) < 0)
		skip(); /* no NUMA */
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(in_child(has_policy, &good[i]), 0);
	p = (struct spec_memory_policy){ false, 99, 99, "nonsense" };
	assert_int_equal(sec_set_memory_policy(&p, &e), 0);
	p = (struct spec_memory_policy){ true, BIND, 0, "" };
	assert_int_equal(sec_set_memory_policy(&p, &e), -EINVAL);
	assert_string_equal(e.text, "linux.memoryPolicy: set MPOL_BIND, flags 0, nodes \"\": Invalid "
				    "argument; MPOL_BIND needs nodes");
	p = (struct spec_memory_policy){ true, LOCAL, 0, "0" };
	assert_int_equal(sec_set_memory_policy(&p, &e), -EINVAL);
	assert_non_null(strstr(e.text, "MPOL_LOCAL takes neither nodes nor"));
	p = (struct spec_memory_policy){ true, BIND, 0, "1000" };
	assert_int_equal(sec_set_memory_policy(&p, &e), -EINVAL);
	assert_non_null(strstr(e.text, "nodes \"1000\": Invalid argument; is none of the nodes online"));
	p = (struct spec_memory_policy){ true, BIND, 0, "0-x" };
	assert_int_equal(sec_set_memory_policy(&p, &e), -EINVAL);
	assert_true(str_starts(e.text, "linux.memoryPolicy.nodes: \"0-x\": not a list"));
}

/* --- personality, OOM score ------------------------------------------------------------------- */

static int is_32(void *arg)
{
	if (sec_set_personality(PER_LINUX32, NULL) < 0)
		return 1;
	return personality(0xffffffff) == PER_LINUX32 ? 0 : 2;
}

static void persona(void **state)
{
	assert_int_equal(in_child(is_32, NULL), 0);
}

static int score_is(const char *want)
{
	char buf[16];

	return fd_get_at(AT_FDCWD, "/proc/self/oom_score_adj", buf, sizeof(buf)) > 0 && str_eq(buf, want);
}

static int has_score(void *arg)
{
	const struct spec_caps none = { .present = true };
	_cleanup_close_ int procfd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err e = ERR_INIT;

	if (caps_apply(&none, NULL) < 0)
		return 1;
	if (sec_set_oom_score_adj(procfd, 500, false, NULL) < 0 || !score_is("500"))
		return 2;
	if (sec_set_oom_score_adj(procfd, -1000, false, &e) != -EACCES)
		return 3;
	if (!str_eq(e.text,
		    "process.oomScoreAdj: set -1000: Permission denied; lowering it needs CAP_SYS_RESOURCE"))
		return 4;
	if (sec_set_oom_score_adj(procfd, -1000, true, &e) < 0 || !score_is("500"))
		return 5;
	return sec_set_oom_score_adj(procfd, 2000, true, &e) == -EINVAL ? 0 : 6;
}

static void oom_score(void **state)
{
	assert_int_equal(in_child(has_score, NULL), 0);
}

/* --- user ------------------------------------------------------------------------------------- */

static int becomes_nobody(void *arg)
{
	uint32_t gids[] = { 7, 70000, 9 };
	const struct spec_user u = { .uid = 65534,
		.gid = 1234,
		.has_umask = true,
		.umask = 027,
		.additional_gids = gids,
		.n_additional_gids = 3 };
	gid_t got[16];
	uid_t r, e, s;
	int n;

	if (sec_set_user(&u, false, NULL) < 0)
		return 1;
	if (getresuid(&r, &e, &s) < 0 || r != 65534 || e != 65534 || s != 65534)
		return 2;
	if (getresgid(&r, &e, &s) < 0 || r != 1234 || e != 1234 || s != 1234)
		return 3;
	n = getgroups(16, got);
	if (n != 3 || got[0] + got[1] + got[2] != 7 + 70000 + 9)
		return 4;
	return umask(0) == 027 ? 0 : 5;
}

static int drops_groups(void *keep)
{
	const gid_t had[] = { 5, 6 };
	const struct spec_user u = { .uid = 65534, .gid = 65534, .umask = 077 };
	mode_t before = umask(022);

	if (setgroups(2, had) < 0)
		return 1;
	if (sec_set_user(&u, keep != NULL, NULL) < 0)
		return 2;
	if (getgroups(0, NULL) != (keep ? 2 : 0))
		return 3;
	/* Without has_umask nothing changes. */
	return umask(before) == 022 ? 0 : 4;
}

static int may_not(void *arg)
{
	const struct spec_caps none = { .present = true };
	uint32_t gid = 3;
	struct spec_user same = { .uid = getuid(), .gid = getgid() }, groups = same, other = same;
	struct err e = ERR_INIT;

	groups.additional_gids = &gid;
	groups.n_additional_gids = 1;
	other.uid = 4242;
	if (caps_apply(&none, NULL) < 0)
		return 1;
	if (sec_set_user(&same, false, NULL) < 0)
		return 2;
	if (sec_set_user(&groups, false, &e) != -EPERM ||
		!strstr(e.text, "set the 1 groups of process.user.additionalGids"))
		return 3;
	if (sec_set_user(&groups, true, NULL) < 0)
		return 4;
	return sec_set_user(&other, false, &e) == -EPERM &&
			       str_eq(e.text, "change to user 4242: Operation not permitted")
		       ? 0
		       : 5;
}

static int is_unmapped(void *arg)
{
	const struct spec_user u = { .uid = 4242, .gid = 0 }, g = { .uid = 0, .gid = 4242 };
	struct err e = ERR_INIT;

	if (unshare(CLONE_NEWUSER) < 0)
		return 77;
	if (fd_put_at(AT_FDCWD, "/proc/self/setgroups", "deny") < 0 ||
		fd_put_at(AT_FDCWD, "/proc/self/uid_map", "0 0 1") < 0 ||
		fd_put_at(AT_FDCWD, "/proc/self/gid_map", "0 0 1") < 0)
		return 1;
	/* setgroups is denied here, which matters to nobody who wants none. */
	if (sec_set_user(&u, false, &e) != -EINVAL ||
		!str_eq(e.text, "change to user 4242: Invalid argument; it is not in linux.uidMappings of "
				"the user namespace"))
		return 2;
	return sec_set_user(&g, false, &e) == -EINVAL &&
			       strstr(e.text, "change to group 4242: Invalid argument")
		       ? 0
		       : 3;
}

static void user(void **state)
{
	const struct spec_user minus_one = { .uid = UINT32_MAX, .gid = 0 },
			       minus_two = { .uid = 1, .gid = UINT32_MAX };
	struct err e = ERR_INIT;
	int r;

	/* These would silently stay what they are: root. */
	assert_int_equal(sec_set_user(&minus_one, false, &e), -EINVAL);
	assert_string_equal(e.text, "process.user: 4294967295 is not a user or group id");
	assert_int_equal(sec_set_user(&minus_two, false, &e), -EINVAL);
	assert_int_equal(in_child(may_not, NULL), 0);
	if (geteuid() != 0)
		skip();
	assert_int_equal(in_child(becomes_nobody, NULL), 0);
	assert_int_equal(in_child(drops_groups, NULL), 0);
	assert_int_equal(in_child(drops_groups, state), 0);
	r = in_child(is_unmapped, NULL);
	assert_true(r == 0 || r == 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(bad_lists),
		cmocka_unit_test(limits),
		cmocka_unit_test(a_refused_limit_is_told),
		cmocka_unit_test(scheduler),
		cmocka_unit_test(affinity),
		cmocka_unit_test(io_priority),
		cmocka_unit_test(memory_policy),
		cmocka_unit_test(persona),
		cmocka_unit_test(oom_score),
		cmocka_unit_test(user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
