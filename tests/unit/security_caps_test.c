/* SPDX-License-Identifier: Apache-2.0 */
/* caps.c: what can be granted, and what a process has in the end. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <cmocka.h>

#include "base/fd.h"
#include "security/caps.h"
#include "security/proc_attrs.h"
#include "tests/unit/security_bpf.h"

#define BIT(n)	(UINT64_C(1) << (n))
#define CHOWN	BIT(CAP_CHOWN)
#define KILL	BIT(CAP_KILL)
#define NET_RAW BIT(CAP_NET_RAW)
#define SYSLOG	BIT(CAP_SYSLOG) /* above 32 */

static void clip_to_the_host(void **state)
{
	const struct caps_host host = {
		.last_cap = 40, .known = BIT(41) - 1, .grantable = CHOWN | KILL | SYSLOG
	};
	const struct spec_caps all = { true, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
		NULL };
	const uint64_t can = CHOWN | KILL | SYSLOG;
	struct spec_caps out = { 0 };
	uint64_t dropped = 0;

	caps_clip(&all, &host, &out, &dropped);
	assert_true(out.present);
	assert_int_equal(out.bounding, can);
	assert_int_equal(out.permitted, can);
	assert_int_equal(out.effective, can);
	assert_int_equal(out.inheritable, can);
	assert_int_equal(out.ambient, can);
	assert_int_equal(dropped, ~can);
}

static void clip_to_the_kernels_rules(void **state)
{
	const struct caps_host host = { .last_cap = 40, .known = BIT(41) - 1, .grantable = BIT(41) - 1 };
	struct spec_caps in = { .present = true,
		.bounding = CHOWN | KILL,
		.permitted = CHOWN | NET_RAW,
		.effective = CHOWN | KILL,
		.inheritable = KILL | CHOWN | SYSLOG,
		.ambient = CHOWN | KILL | NET_RAW };
	uint64_t dropped = 0;

	/* In place, as a caller may. */
	caps_clip(&in, &host, &in, &dropped);
	assert_int_equal(in.bounding, CHOWN | KILL);
	assert_int_equal(in.permitted, CHOWN | NET_RAW);
	assert_int_equal(in.effective, CHOWN);
	assert_int_equal(in.inheritable, KILL | CHOWN);
	assert_int_equal(in.ambient, CHOWN);
	assert_int_equal(dropped, KILL | SYSLOG | NET_RAW);
}

static void nothing_is_inherited_unasked(void **state)
{
	const struct caps_host host = { .last_cap = 40, .known = BIT(41) - 1, .grantable = BIT(41) - 1 };
	const struct spec_caps in = {
		.present = true, .bounding = CHOWN, .permitted = CHOWN, .effective = CHOWN
	};
	struct spec_caps out;

	caps_clip(&in, &host, &out, NULL);
	assert_int_equal(out.inheritable, 0);
	assert_int_equal(out.ambient, 0);
}

/* --- for real --------------------------------------------------------------------------------- */

static uint64_t status(const char *field)
{
	_cleanup_free_ char *text = NULL;
	char *at;

	if (fd_read_at(AT_FDCWD, "/proc/self/status", 65536, &text, NULL) < 0)
		return 0;
	at = strstr(text, field);
	return at ? strtoull(at + strlen(field) + 1, NULL, 16) : 0;
}

static void the_host_is_known(void **state)
{
	struct caps_host host;
	char buf[16];

	assert_int_equal(caps_host(&host, NULL), 0);
	assert_true(fd_get_at(AT_FDCWD, "/proc/sys/kernel/cap_last_cap", buf, sizeof(buf)) > 0);
	assert_int_equal(host.last_cap, (int)strtol(buf, NULL, 10));
	assert_int_equal(host.known, BIT(host.last_cap + 1) - 1);
	assert_int_equal(host.grantable, status("CapPrm:"));
}

struct wish {
	struct spec_caps caps;
	uint32_t uid;
};

/* 100 + the step that failed; 0: all sets are as wished. */
static int becomes(void *arg)
{
	const struct wish *w = arg;
	struct spec_user user = { .uid = w->uid, .gid = w->uid };
	struct caps_host host;

	if (caps_host(&host, NULL) < 0 || caps_bound(&w->caps, &host, NULL) < 0 || caps_keep(NULL) < 0)
		return 101;
	if (sec_set_user(&user, false, NULL) < 0)
		return 102;
	if (caps_apply(&w->caps, NULL) < 0)
		return 103;
	if (status("CapBnd:") != w->caps.bounding)
		return 1;
	if (status("CapPrm:") != w->caps.permitted)
		return 2;
	if (status("CapEff:") != w->caps.effective)
		return 3;
	if (status("CapInh:") != w->caps.inheritable)
		return 4;
	if (status("CapAmb:") != w->caps.ambient)
		return 5;
	return 0;
}

static bool may_grant(uint64_t caps)
{
	struct caps_host host;

	return caps_host(&host, NULL) == 0 &&
	       (host.grantable & (caps | BIT(CAP_SETPCAP))) == (caps | BIT(CAP_SETPCAP));
}

static void sets_become_real(void **state)
{
	const uint64_t some = CHOWN | KILL | NET_RAW | BIT(CAP_AUDIT_WRITE);
	struct wish all[] = {
		{ { true, some, some, 0, some, 0, NULL }, 0 },
		{ { true, some, some, 0, some, 0, NULL }, 1000 },
		{ { true, some, KILL, KILL | CHOWN, KILL | CHOWN, KILL, NULL }, 1000 },
		{ { true, some, 0, CHOWN, 0, 0, NULL }, 1000 },
		{ { true, SYSLOG, SYSLOG, SYSLOG, SYSLOG, SYSLOG, NULL }, 0 },
		{ { true, 0, 0, 0, 0, 0, NULL }, 1000 },
	};

	if (!may_grant(some | SYSLOG | BIT(CAP_SETUID) | BIT(CAP_SETGID)))
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		assert_int_equal(in_child(becomes, &all[i]), 0);
}

/* What an ambient set of the caller's would become if nobody cleared it. */
static int had_ambient(void *arg)
{
	const struct spec_caps before = { true, UINT64_MAX, KILL | BIT(CAP_SETPCAP), KILL | CHOWN,
		KILL | CHOWN | BIT(CAP_SETPCAP), KILL, NULL };
	const struct spec_caps none = { .present = true },
			       other = { true, UINT64_MAX, CHOWN, CHOWN | KILL, CHOWN | KILL, CHOWN, NULL };

	if (caps_apply(&before, NULL) < 0 || status("CapAmb:") != KILL)
		return 1;
	if (caps_apply(arg ? &other : &none, NULL) < 0)
		return 2;
	return status("CapAmb:") == (arg ? CHOWN : 0) ? 0 : 3;
}

static void old_ambient_ones_go(void **state)
{
	int yes = 1;

	if (!may_grant(KILL | CHOWN))
		skip();
	assert_int_equal(in_child(had_ambient, NULL), 0);
	assert_int_equal(in_child(had_ambient, &yes), 0);
}

/* What a seccomp filter without no_new_privs needs between the change of user and caps_apply(), and nothing
 * else. */
static int narrows(void *arg)
{
	const struct spec_caps caps = { true, KILL | CHOWN, CHOWN, 0, KILL | CHOWN, 0, NULL };
	const uint64_t admin = BIT(CAP_SYS_ADMIN);
	struct spec_user user = { .uid = 1000, .gid = 1000 };
	struct caps_host host;

	if (caps_host(&host, NULL) < 0 || caps_bound(&caps, &host, NULL) < 0 || caps_keep(NULL) < 0 ||
		sec_set_user(&user, false, NULL) < 0)
		return 1;
	if (status("CapEff:") != 0 || caps_narrow(&caps, admin, NULL) < 0)
		return 2;
	if (status("CapEff:") != (CHOWN | admin) || status("CapPrm:") != (CHOWN | KILL | admin) ||
		status("CapInh:") != 0)
		return 3;
	return caps_apply(&caps, NULL) == 0 && status("CapEff:") == CHOWN &&
			       status("CapPrm:") == (CHOWN | KILL)
		       ? 0
		       : 4;
}

static void what_is_kept_for_a_while(void **state)
{
	if (!may_grant(KILL | CHOWN | BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_SYS_ADMIN)))
		skip();
	assert_int_equal(in_child(narrows, NULL), 0);
}

/* libcap counts capabilities by asking for each; what it was not told of must not stay. */
static int miscounted(void *arg)
{
	const struct spec_caps kill = { true, KILL, KILL, 0, KILL, 0, NULL };
	struct caps_host host;

	if (caps_host(&host, NULL) < 0)
		return 1;
	host.last_cap = 20;
	if (caps_bound(&kill, &host, NULL) < 0)
		return 2;
	return status("CapBnd:") == KILL ? 0 : 3;
}

static void more_capabilities_than_counted(void **state)
{
	if (!may_grant(KILL))
		skip();
	assert_int_equal(in_child(miscounted, NULL), 0);
}

static int asks_too_much(void *arg)
{
	const struct spec_caps none = { .present = true }, kill = { true, 0, KILL, 0, KILL, 0, NULL };
	struct caps_host host;
	struct err e = ERR_INIT;

	if (caps_host(&host, NULL) < 0 || caps_apply(&none, NULL) < 0)
		return 1;
	if (caps_apply(&kill, &e) != -EPERM ||
		!strstr(e.text, "capset: effective 0x20, permitted 0x20, inheritable 0"))
		return 2;
	err_clear(&e);
	if (caps_bound(&none, &host, &e) != -EPERM)
		return 3;
	return strstr(e.text, "drop CAP_CHOWN (0) from the bounding set") && strstr(e.text, "CAP_SETPCAP")
		       ? 0
		       : 4;
}

static void a_refusal_is_told(void **state)
{
	if (!may_grant(CHOWN))
		skip();
	assert_int_equal(in_child(asks_too_much, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clip_to_the_host),
		cmocka_unit_test(clip_to_the_kernels_rules),
		cmocka_unit_test(nothing_is_inherited_unasked),
		cmocka_unit_test(the_host_is_known),
		cmocka_unit_test(sets_become_real),
		cmocka_unit_test(old_ambient_ones_go),
		cmocka_unit_test(what_is_kept_for_a_while),
		cmocka_unit_test(more_capabilities_than_counted),
		cmocka_unit_test(a_refusal_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
