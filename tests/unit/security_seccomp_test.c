/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp.c and seccomp_install.c: what is refused, what it is compiled to, and what the kernel makes of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <linux/audit.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "security/seccomp.h"
#include "tests/unit/security_bpf.h"

#define NAMES(...) ((char *[]){ __VA_ARGS__, NULL })
#define RULES(...)                                            \
	.rules = (struct spec_seccomp_rule[]){ __VA_ARGS__ }, \
	.n_rules = sizeof((struct spec_seccomp_rule[]){ __VA_ARGS__ }) / sizeof(struct spec_seccomp_rule)
#define ARGS(...)                                           \
	.args = (struct spec_seccomp_arg[]){ __VA_ARGS__ }, \
	.n_args = sizeof((struct spec_seccomp_arg[]){ __VA_ARGS__ }) / sizeof(struct spec_seccomp_arg)

#define EPERM_VERDICT  (SECCOMP_RET_ERRNO | EPERM)
#define ENOSYS_VERDICT (SECCOMP_RET_ERRNO | ENOSYS)

static const struct seccomp_options no_cache = { .cache_dirfd = -1 };

static void prepare(const struct spec_seccomp *s, struct seccomp_prog *p)
{
	struct err e = ERR_INIT;

	if (seccomp_prepare(s, &no_cache, p, &e) < 0)
		fail_msg("%s", e.text);
}

static uint32_t ask2(const struct seccomp_prog *p, uint32_t arch, uint32_t nr, uint64_t arg0, uint64_t arg1)
{
	return bpf_ask(p->insns, p->n, arch, nr, arg0, arg1);
}

static uint32_t ask(const struct seccomp_prog *p, uint32_t arch, uint32_t nr)
{
	return ask2(p, arch, nr, 0, 0);
}

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#else
#error "name the architecture"
#endif

#define ACTIONS "; they are called SCMP_ACT_ALLOW, SCMP_ACT_ERRNO and so on"

/* --- refusals --------------------------------------------------------------------------------- */

static void refused(const struct spec_seccomp *s, const char *text)
{
	struct seccomp_prog p = { .n = 4711 };
	struct err e = ERR_INIT;

	assert_int_equal(seccomp_prepare(s, &no_cache, &p, &e), -EINVAL);
	assert_string_equal(e.text, text);
	assert_int_equal(p.n, 4711);
}

static void refusals_of_the_section(void **state)
{
	refused(&(struct spec_seccomp){ .present = true, .default_action = "SCMP_ACT_MAYBE" },
		"linux.seccomp.defaultAction: unknown action \"SCMP_ACT_MAYBE\"" ACTIONS);
	refused(&(struct spec_seccomp){ .present = true, .default_action = "scmp_act_allow" },
		"linux.seccomp.defaultAction: unknown action \"scmp_act_allow\"" ACTIONS);
	refused(
		&(struct spec_seccomp){
			.present = true, .default_action = "SCMP_ACT_ALLOW", .has_default_errno_ret = true },
		"linux.seccomp.defaultAction: SCMP_ACT_ALLOW does not take an errno: remove "
		"linux.seccomp.defaultErrnoRet");
	refused(&(struct spec_seccomp){ .present = true,
			.default_action = "SCMP_ACT_ERRNO",
			.has_default_errno_ret = true,
			.default_errno_ret = 4096 },
		"linux.seccomp.defaultErrnoRet: 4096 is more than the 4095 that SCMP_ACT_ERRNO can carry");
	refused(
		&(struct spec_seccomp){
			.present = true, .default_action = "SCMP_ACT_NOTIFY", .listener_path = "/x" },
		"linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be the default");
	refused(
		&(struct spec_seccomp){
			.present = true, .default_action = "SCMP_ACT_ALLOW", .listener_metadata = "x" },
		"linux.seccomp.listenerMetadata is set without listenerPath");
	refused(&(struct spec_seccomp){ .present = true,
			.default_action = "SCMP_ACT_ALLOW",
			.architectures = NAMES("SCMP_ARCH_X86_64", "SCMP_ARCH_VAX") },
		"linux.seccomp.architectures: unknown architecture \"SCMP_ARCH_VAX\"");
	refused(&(struct spec_seccomp){ .present = true,
			.default_action = "SCMP_ACT_ALLOW",
			.flags = NAMES("SECCOMP_FILTER_FLAG_NEW_LISTENER") },
		"linux.seccomp.flags: unknown flag \"SECCOMP_FILTER_FLAG_NEW_LISTENER\"");
}

static void rule_refused(struct spec_seccomp_rule rule, const char *listener, const char *text)
{
	struct spec_seccomp_rule rules[] = { { .names = NAMES("getpid"), .action = "SCMP_ACT_LOG" }, rule };

	refused(&(struct spec_seccomp){ .present = true,
			.default_action = "SCMP_ACT_ALLOW",
			.listener_path = listener,
			.rules = rules,
			.n_rules = 2 },
		text);
}

static void refusals_of_a_rule(void **state)
{
	rule_refused((struct spec_seccomp_rule){ .names = NAMES("read"), .action = "ALLOW" }, NULL,
		"linux.seccomp.syscalls[1].action: unknown action \"ALLOW\"" ACTIONS);
	rule_refused(
		(struct spec_seccomp_rule){
			.names = NAMES("read"), .action = "SCMP_ACT_KILL", .has_errno_ret = true },
		NULL,
		"linux.seccomp.syscalls[1].action: SCMP_ACT_KILL does not take an errno: remove "
		"linux.seccomp.syscalls[1].errnoRet");
	rule_refused((struct spec_seccomp_rule){ .names = NAMES("read"),
			     .action = "SCMP_ACT_TRACE",
			     .has_errno_ret = true,
			     .errno_ret = 65536 },
		NULL,
		"linux.seccomp.syscalls[1].errnoRet: 65536 is more than the 65535 that SCMP_ACT_TRACE can "
		"carry");
	rule_refused((struct spec_seccomp_rule){ .names = NAMES("read"),
			     .action = "SCMP_ACT_ERRNO",
			     ARGS({ .index = 6, .op = "SCMP_CMP_EQ" }) },
		NULL, "linux.seccomp.syscalls[1].args[0].index: 6, but a system call has arguments 0 to 5");
	rule_refused((struct spec_seccomp_rule){ .names = NAMES("read"),
			     .action = "SCMP_ACT_ERRNO",
			     ARGS({ .index = 0, .op = "SCMP_CMP_EQ" }, { .index = 1, .op = "==" }) },
		NULL, "linux.seccomp.syscalls[1].args[1].op: unknown operator \"==\"");
	rule_refused((struct spec_seccomp_rule){ .names = NAMES("mkdir"), .action = "SCMP_ACT_NOTIFY" }, NULL,
		"linux.seccomp.syscalls[1].action: SCMP_ACT_NOTIFY needs linux.seccomp.listenerPath");
	rule_refused(
		(struct spec_seccomp_rule){ .names = NAMES("mkdir", "write"), .action = "SCMP_ACT_NOTIFY" },
		"/run/a", "linux.seccomp.syscalls[1]: SCMP_ACT_NOTIFY cannot be used for write");
}

static void a_conflict_is_told(void **state)
{
	struct spec_seccomp s = { .present = true,
		.default_action = "SCMP_ACT_ALLOW",
		RULES({ .names = NAMES("personality"),
			      .action = "SCMP_ACT_KILL",
			      ARGS({ 0, 8, 0, "SCMP_CMP_EQ" }) },
			{ .names = NAMES("personality"),
				.action = "SCMP_ACT_ERRNO",
				ARGS({ 0, 8, 0, "SCMP_CMP_EQ" }) }) };
	struct seccomp_prog p = { 0 };
	struct err e = ERR_INIT;

	assert_int_equal(seccomp_prepare(&s, &no_cache, &p, &e), -EEXIST);
	assert_string_equal(e.text, "linux.seccomp.syscalls[1]: add SCMP_ACT_ERRNO for personality: File "
				    "exists; an earlier rule with "
				    "the same arguments has another action");
}

static void a_profile_may_be_too_large(void **state)
{
	enum { N = 1500 };
	static struct spec_seccomp_rule rules[N];
	static struct spec_seccomp_arg args[N];
	char *names[] = { "personality", NULL };
	struct spec_seccomp s = {
		.present = true, .default_action = "SCMP_ACT_ALLOW", .rules = rules, .n_rules = N
	};
	struct seccomp_prog p = { 0 };
	struct err e = ERR_INIT;

	for (uint32_t i = 0; i < N; i++) {
		args[i] = (struct spec_seccomp_arg){ 0, (uint64_t)i * 3 << 32 | i * 7, 0, "SCMP_CMP_EQ" };
		rules[i] = (struct spec_seccomp_rule){
			.names = names, .action = "SCMP_ACT_ERRNO", .args = &args[i], .n_args = 1
		};
	}
	assert_int_equal(seccomp_prepare(&s, &no_cache, &p, &e), -E2BIG);
	assert_non_null(strstr(e.text, "instructions, the kernel takes 4096: use fewer argument rules"));
}

/* --- translation ------------------------------------------------------------------------------ */

static void an_absent_section_is_nothing(void **state)
{
	struct seccomp_prog p = { .n = 1 };
	int listener = 5;

	prepare(&(struct spec_seccomp){ .default_action = "nonsense" }, &p);
	assert_int_equal(p.n, 0);
	assert_int_equal(seccomp_install(&p, &listener, NULL), 0);
	assert_int_equal(listener, -1);
}

static void every_action(void **state)
{
	static const struct {
		const char *name;
		uint32_t plain, with_errno;
	} all[] = {
		{ "SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD, 0 },
		{ "SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD, 0 },
		{ "SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS, 0 },
		{ "SCMP_ACT_TRAP", SECCOMP_RET_TRAP, 0 },
		{ "SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_ERRNO | 5 },
		{ "SCMP_ACT_TRACE", SECCOMP_RET_TRACE | EPERM, SECCOMP_RET_TRACE | 5 },
		{ "SCMP_ACT_LOG", SECCOMP_RET_LOG, 0 },
		{ "SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF, 0 },
		{ "SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		for (int with = 0; with <= (all[i].with_errno ? 1 : 0); with++) {
			_cleanup_(seccomp_prog_free) struct seccomp_prog p = { 0 };
			struct spec_seccomp s = { .present = true,
				.default_action = str_eq(all[i].name, "SCMP_ACT_ALLOW") ? "SCMP_ACT_LOG"
											: "SCMP_ACT_ALLOW",
				.listener_path = "/x",
				RULES({ .names = NAMES("mkdirat"),
					.action = all[i].name,
					.has_errno_ret = with,
					.errno_ret = 5 }) };

			prepare(&s, &p);
			assert_int_equal(
				ask(&p, NATIVE, SYS_mkdirat), with ? all[i].with_errno : all[i].plain);
			assert_int_equal(ask(&p, NATIVE, SYS_getpid),
				str_eq(all[i].name, "SCMP_ACT_ALLOW") ? SECCOMP_RET_LOG : SECCOMP_RET_ALLOW);
			assert_int_equal(p.has_notify, all[i].plain == SECCOMP_RET_USER_NOTIF);
		}
	}
}

static void every_operator(void **state)
{
	static const struct {
		const char *op;
		bool below, equal, above; /* does it match? */
	} all[] = {
		{ "SCMP_CMP_NE", true, false, true },
		{ "SCMP_CMP_LT", true, false, false },
		{ "SCMP_CMP_LE", true, true, false },
		{ "SCMP_CMP_EQ", false, true, false },
		{ "SCMP_CMP_GE", false, true, true },
		{ "SCMP_CMP_GT", false, false, true },
	};
	const uint64_t v = 0x500000005;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		_cleanup_(seccomp_prog_free) struct seccomp_prog p = { 0 };
		struct spec_seccomp s = { .present = true,
			.default_action = "SCMP_ACT_ALLOW",
			RULES({ .names = NAMES("lseek"),
				.action = "SCMP_ACT_ERRNO",
				ARGS({ 1, v, 0, all[i].op }) }) };

		prepare(&s, &p);
		for (int half = 0; half < 2; half++) {
			uint64_t step = half ? UINT64_C(1) << 32 : 1;

			assert_int_equal(
				ask2(&p, NATIVE, SYS_lseek, 0, v - step) == EPERM_VERDICT, all[i].below);
			assert_int_equal(
				ask2(&p, NATIVE, SYS_lseek, 0, v + step) == EPERM_VERDICT, all[i].above);
		}
		assert_int_equal(ask2(&p, NATIVE, SYS_lseek, 0, v) == EPERM_VERDICT, all[i].equal);
	}
}

static void masked_equality(void **state)
{
	_cleanup_(seccomp_prog_free) struct seccomp_prog p = { 0 };
	/* The namespace flags of Docker's clone rule: allowed without them. */
	struct spec_seccomp s = { .present = true,
		.default_action = "SCMP_ACT_ERRNO",
		RULES({ .names = NAMES("clone"),
			.action = "SCMP_ACT_ALLOW",
			ARGS({ 0, 0x7e020000, 0, "SCMP_CMP_MASKED_EQ" }) }) };

	prepare(&s, &p);
	assert_int_equal(ask2(&p, NATIVE, SYS_clone, 17, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask2(&p, NATIVE, SYS_clone, 0x10000000 | 17, 0), EPERM_VERDICT);
	assert_int_equal(ask2(&p, NATIVE, SYS_clone, UINT64_C(0x10000000) << 32, 0), SECCOMP_RET_ALLOW);
}

static void several_arguments_are_joined_by_and(void **state)
{
	_cleanup_(seccomp_prog_free) struct seccomp_prog p = { 0 };
	struct spec_seccomp s = { .present = true,
		.default_action = "SCMP_ACT_ALLOW",
		RULES({ .names = NAMES("socket"),
			.action = "SCMP_ACT_ERRNO",
			.has_errno_ret = true,
			.errno_ret = EINVAL,
			ARGS({ 0, 16, 0, "SCMP_CMP_EQ" }, { 1, 9, 0, "SCMP_CMP_EQ" }) }) };

	prepare(&s, &p);
	assert_int_equal(ask2(&p, NATIVE, SYS_socket, 16, 9), SECCOMP_RET_ERRNO | EINVAL);
	assert_int_equal(ask2(&p, NATIVE, SYS_socket, 16, 8), SECCOMP_RET_ALLOW);
	assert_int_equal(ask2(&p, NATIVE, SYS_socket, 15, 9), SECCOMP_RET_ALLOW);
}

static void the_same_argument_twice_is_or(void **state)
{
	_cleanup_(seccomp_prog_free) struct seccomp_prog p = { 0 };
	struct spec_seccomp s = { .present = true,
		.default_action = "SCMP_ACT_ERRNO",
		RULES({ .names = NAMES("personality"),
			.action = "SCMP_ACT_ALLOW",
			ARGS({ 0, 0, 0, "SCMP_CMP_EQ" }, { 0, 8, 0, "SCMP_CMP_EQ" },
				{ 1, 77, 0, "SCMP_CMP_EQ" }) }) };

	prepare(&s, &p);
	assert_int_equal(ask2(&p, NATIVE, SYS_personality, 0, 1), SECCOMP_RET_ALLOW);
	assert_int_equal(ask2(&p, NATIVE, SYS_personality, 8, 1), SECCOMP_RET_ALLOW);
	assert_int_equal(ask2(&p, NATIVE, SYS_personality, 5, 77), SECCOMP_RET_ALLOW);
	assert_int_equal(ask2(&p, NATIVE, SYS_personality, 5, 1), EPERM_VERDICT);
}

static void new_calls_get_enosys(void **state)
{
	/* The highest named is openat2, and that it is named with the default action does not matter. */
	struct spec_seccomp s = { .present = true,
		.default_action = "SCMP_ACT_ERRNO",
		RULES({ .names = NAMES("read", "getpid"), .action = "SCMP_ACT_ALLOW" },
			{ .names = NAMES("openat2"), .action = "SCMP_ACT_ERRNO" }) };
	static const char *const without[] = { "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP",
		"SCMP_ACT_TRACE", "SCMP_ACT_LOG" };
	_cleanup_(seccomp_prog_free) struct seccomp_prog p = { 0 };

	prepare(&s, &p);
	assert_int_equal(ask(&p, NATIVE, SYS_getpid), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, NATIVE, SYS_getppid), EPERM_VERDICT);
	assert_int_equal(ask(&p, NATIVE, SYS_openat2), EPERM_VERDICT);
	assert_int_equal(ask(&p, NATIVE, SYS_openat2 + 1), ENOSYS_VERDICT);
	assert_int_equal(ask(&p, NATIVE, 5000), ENOSYS_VERDICT);
	seccomp_prog_free(&p);

	s.has_default_errno_ret = true;
	s.default_errno_ret = EACCES;
	s.n_rules = 1;
	prepare(&s, &p);
	assert_int_equal(ask(&p, NATIVE, SYS_getpid + 1),
		SYS_getpid > SYS_read ? ENOSYS_VERDICT : SECCOMP_RET_ERRNO | EACCES);
	assert_int_equal(ask(&p, NATIVE, 5000), ENOSYS_VERDICT);

	s.has_default_errno_ret = false;
	for (size_t i = 0; i < ARRAY_SIZE(without); i++) {
		seccomp_prog_free(&p);
		s.default_action = without[i];
		prepare(&s, &p);
		assert_int_not_equal(ask(&p, NATIVE, 5000), ENOSYS_VERDICT);
		assert_int_equal(ask(&p, NATIVE, 5000), ask(&p, NATIVE, SYS_openat2));
	}
}

static void architectures(void **state)
{
#ifdef __x86_64__
	_cleanup_(seccomp_prog_free) struct seccomp_prog p = { 0 };
	struct spec_seccomp s = { .present = true,
		.default_action = "SCMP_ACT_ERRNO",
		/* The native one need not be named; those of the other byte order and the unborn do no harm.
		 */
		.architectures = NAMES("SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM",
			"SCMP_ARCH_S390X", "SCMP_ARCH_SHEB"),
		RULES({ .names = NAMES("read", "socketcall", "set_tls", "getrandom"),
			.action = "SCMP_ACT_ALLOW" }) };

	prepare(&s, &p);
	assert_int_equal(ask(&p, AUDIT_ARCH_X86_64, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(
		ask(&p, AUDIT_ARCH_X86_64, 102), EPERM_VERDICT); /* socketcall's number is getuid here */
	assert_int_equal(ask(&p, AUDIT_ARCH_X86_64, 318), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, AUDIT_ARCH_X86_64, 319), ENOSYS_VERDICT);
	assert_int_equal(ask(&p, AUDIT_ARCH_X86_64, 0x40000000), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, AUDIT_ARCH_X86_64, 0x40000000 | 1), EPERM_VERDICT);
	assert_int_equal(ask(&p, AUDIT_ARCH_X86_64, 0x40000000 | 319), ENOSYS_VERDICT);
	assert_int_equal(ask(&p, AUDIT_ARCH_I386, 3), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, AUDIT_ARCH_I386, 102), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, AUDIT_ARCH_I386, 0), EPERM_VERDICT);
	assert_int_equal(ask(&p, AUDIT_ARCH_I386, 356), ENOSYS_VERDICT);
	assert_int_equal(ask(&p, AUDIT_ARCH_AARCH64, 63), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, AUDIT_ARCH_AARCH64, 279), ENOSYS_VERDICT);
	assert_int_equal(ask(&p, AUDIT_ARCH_ARM, 0x0f0005), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(&p, AUDIT_ARCH_ARM, 385), ENOSYS_VERDICT);
	assert_int_equal(ask(&p, AUDIT_ARCH_RISCV64, 63), SECCOMP_RET_KILL_THREAD);
	seccomp_prog_free(&p);

	/* Without x32 its numbers are a foreign architecture's. */
	s.architectures = NULL;
	prepare(&s, &p);
	assert_int_equal(ask(&p, AUDIT_ARCH_X86_64, 0x40000000), SECCOMP_RET_KILL_THREAD);
	assert_int_equal(ask(&p, AUDIT_ARCH_I386, 3), SECCOMP_RET_KILL_THREAD);
#else
	skip();
#endif
}

static void unknown_names(void **state)
{
	struct spec_seccomp s = { .present = true,
		.default_action = "SCMP_ACT_ERRNO",
		RULES({ .names = NAMES("read", "fork_bomb"), .action = "SCMP_ACT_ALLOW" },
			{ .names = NAMES("time_travel", "fork_bomb"), .action = "SCMP_ACT_ERRNO" }) };
	struct seccomp_options strict = { .cache_dirfd = -1, .fail_unknown = true };
	_cleanup_(seccomp_prog_free) struct seccomp_prog p = { 0 };
	struct err e = ERR_INIT;
	char text[128];

	prepare(&s, &p);
	assert_string_equal(p.unknown[0], "fork_bomb");
	assert_string_equal(p.unknown[1], "time_travel");
	assert_null(p.unknown[2]);
	assert_int_equal(seccomp_prepare(&s, &strict, &p, &e), -EINVAL);
	snprintf(text, sizeof(text),
		"linux.seccomp.syscalls: libseccomp %s does not know: fork_bomb, time_travel",
		seccomp_library_version());
	assert_string_equal(e.text, text);
}

/* --- flags ------------------------------------------------------------------------------------ */

static unsigned int flags_of(char **flags, bool notify)
{
	_cleanup_(seccomp_prog_free) struct seccomp_prog p = { 0 };
	struct spec_seccomp s = { .present = true,
		.default_action = "SCMP_ACT_ALLOW",
		.listener_path = "/x",
		.flags = flags,
		RULES({ .names = NAMES("mkdirat"), .action = notify ? "SCMP_ACT_NOTIFY" : "SCMP_ACT_LOG" }) };

	prepare(&s, &p);
	return p.flags;
}

static void flags(void **state)
{
	const char *supported[8];
	int n = seccomp_supported_flags(supported);

	assert_true(n > 0 && n <= 4);
	assert_null(supported[n]);
	if (!strv_has((char **)supported, "SECCOMP_FILTER_FLAG_SPEC_ALLOW") ||
		!strv_has((char **)supported, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"))
		skip();
	assert_int_equal(flags_of(NULL, false), SECCOMP_FILTER_FLAG_SPEC_ALLOW);
	assert_int_equal(flags_of((char *[]){ NULL }, false), 0);
	assert_int_equal(flags_of(NAMES("SECCOMP_FILTER_FLAG_TSYNC"), false), 0);
	assert_int_equal(flags_of(NAMES("SECCOMP_FILTER_FLAG_TSYNC"), true), 0);
	assert_int_equal(
		flags_of(NAMES("SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"), false), 2 | 4);
	assert_int_equal(flags_of(NAMES("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"), false), 0);
	assert_int_equal(flags_of(NAMES("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"), true), 1 << 5);
}

static void lists_for_features(void **state)
{
	assert_int_equal(strv_len((char **)seccomp_actions), 9);
	assert_int_equal(strv_len((char **)seccomp_operators), 7);
	assert_int_equal(strv_len((char **)seccomp_archs), 23);
	assert_int_equal(strv_len((char **)seccomp_known_flags), 4);
	assert_int_equal(seccomp_library_version()[1], '.');
}

/* --- in force --------------------------------------------------------------------------------- */

static int install(const struct seccomp_prog *p)
{
	int listener = -1;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || seccomp_install(p, &listener, NULL) < 0)
		return -errno;
	return listener;
}

static int gets_errnos(void *arg)
{
	if (install(arg) != -1)
		return 1;
	if (syscall(SYS_getpid) <= 0)
		return 2;
	if (syscall(SYS_getppid) != -1 || errno != EPERM)
		return 3;
	if (syscall(SYS_mkdirat, AT_FDCWD, "/nonexistent/x", 0755) != -1 || errno != EXDEV)
		return 4;
	if (syscall(SYS_personality, 8) != 8 - 8 || syscall(SYS_personality, 4) != -1 || errno != EPERM)
		return 5;
	for (long nr = 470; nr < 600; nr++) {
		if (syscall(nr, 0, 0, 0, 0, 0, 0) != -1 || errno != ENOSYS)
			return 6;
	}
	return 0;
}

static void the_kernel_agrees(void **state)
{
	_cleanup_(seccomp_prog_free) struct seccomp_prog p = { 0 };
	struct spec_seccomp s = { .present = true,
		.default_action = "SCMP_ACT_ERRNO",
		.architectures = NAMES("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"),
		RULES({ .names = NAMES("getpid", "exit_group", "exit", "futex_waitv", "write"),
			      .action = "SCMP_ACT_ALLOW" },
			{ .names = NAMES("personality"),
				.action = "SCMP_ACT_ALLOW",
				ARGS({ 0, 8, 0, "SCMP_CMP_EQ" }) },
			{ .names = NAMES("mkdirat"),
				.action = "SCMP_ACT_ERRNO",
				.has_errno_ret = true,
				.errno_ret = EXDEV }) };

	prepare(&s, &p);
	assert_int_equal(in_child(gets_errnos, &p), 0);
}

static int calls_mkdirat(void *arg)
{
	if (install(arg) != -1)
		return 1;
	return syscall(SYS_mkdirat, AT_FDCWD, "/nonexistent/x", 0755) == -1 ? 10 + errno : 2;
}

static void verdicts_that_end_a_process(void **state)
{
	static const struct {
		const char *action;
		int status;
	} all[] = {
		{ "SCMP_ACT_KILL", 1000 + SIGSYS },
		{ "SCMP_ACT_KILL_PROCESS", 1000 + SIGSYS },
		{ "SCMP_ACT_TRAP", 1000 + SIGSYS },
		{ "SCMP_ACT_TRACE", 10 + ENOSYS }, /* no tracer */
		{ "SCMP_ACT_LOG", 10 + ENOENT },
		{ "SCMP_ACT_ALLOW", 10 + ENOENT },
		{ "SCMP_ACT_ERRNO", 10 + EPERM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		_cleanup_(seccomp_prog_free) struct seccomp_prog p = { 0 };
		struct spec_seccomp s = { .present = true,
			.default_action = "SCMP_ACT_ALLOW",
			RULES({ .names = NAMES("mkdirat"), .action = all[i].action }) };

		prepare(&s, &p);
		assert_int_equal(in_child(calls_mkdirat, &p), all[i].status);
	}
}

static int installs_without_privilege(void *arg)
{
	struct err e = ERR_INIT;
	int listener;

	if (getuid() == 0 && syscall(SYS_setresuid, 65534, 65534, 65534) < 0)
		return 1;
	if (seccomp_install(arg, &listener, &e) != -EACCES)
		return 2;
	return strstr(e.text, "it needs process.noNewPrivileges or CAP_SYS_ADMIN") ? 0 : 3;
}

static void installing_needs_a_right(void **state)
{
	_cleanup_(seccomp_prog_free) struct seccomp_prog p = { 0 };

	prepare(&(struct spec_seccomp){ .present = true, .default_action = "SCMP_ACT_ALLOW" }, &p);
	assert_int_equal(in_child(installs_without_privilege, &p), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals_of_the_section),
		cmocka_unit_test(refusals_of_a_rule),
		cmocka_unit_test(a_conflict_is_told),
		cmocka_unit_test(a_profile_may_be_too_large),
		cmocka_unit_test(an_absent_section_is_nothing),
		cmocka_unit_test(every_action),
		cmocka_unit_test(every_operator),
		cmocka_unit_test(masked_equality),
		cmocka_unit_test(several_arguments_are_joined_by_and),
		cmocka_unit_test(the_same_argument_twice_is_or),
		cmocka_unit_test(new_calls_get_enosys),
		cmocka_unit_test(architectures),
		cmocka_unit_test(unknown_names),
		cmocka_unit_test(flags),
		cmocka_unit_test(lists_for_features),
		cmocka_unit_test(the_kernel_agrees),
		cmocka_unit_test(verdicts_that_end_a_process),
		cmocka_unit_test(installing_needs_a_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
