/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp profile of launched partitions: every system call that libseccomp knows is decided, every name
 * in it is one, and what the kernel would be told is what the data file says.
 */
#include "tests/unit/launch_test.h"

#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/syscall.h>

#include "launch/seccomp_profile.h"
#include "security/seccomp.h"

#define CAP(n) (UINT64_C(1) << (n))
#define FEW    UINT64_C(0x800405fb)
#define ADMIN  CAP(21)

static const uint32_t archs[] = { SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32, SCMP_ARCH_ARM,
	SCMP_ARCH_AARCH64, SCMP_ARCH_MIPS, SCMP_ARCH_MIPS64, SCMP_ARCH_MIPS64N32, SCMP_ARCH_PPC,
	SCMP_ARCH_PPC64, SCMP_ARCH_PPC64LE, SCMP_ARCH_S390, SCMP_ARCH_S390X, SCMP_ARCH_PARISC,
	SCMP_ARCH_PARISC64, SCMP_ARCH_RISCV64 };

static const struct seccomp_profile_entry *find(const char *name)
{
	for (size_t k = 0; k < seccomp_profile_n; k++)
		if (str_eq(seccomp_profile[k].name, name))
			return &seccomp_profile[k];
	return NULL;
}

/* Numbers that some architecture has; and negative ones, by which libseccomp calls those that ours has not.
 */
static void test_every_call_is_decided(void **state)
{
	int undecided = 0, seen = 0;

	for (size_t k = 0; k < ARRAY_SIZE(archs); k++)
		for (int nr = -11000; nr < 7000; nr++) {
			char *name = seccomp_syscall_resolve_num_arch(archs[k], nr);

			seen += name != NULL;
			if (name && !find(name)) {
				print_error("launch/seccomp-profile.data does not decide %s\n", name);
				undecided++;
			}
			free(name);
		}
	assert_true(seen > 3000);
	assert_int_equal(undecided, 0);
}

static void test_every_name_is_one(void **state)
{
	int unknown = 0;

	for (size_t k = 0; k < seccomp_profile_n; k++)
		if (!seccomp_profile[k].newer &&
			seccomp_syscall_resolve_name(seccomp_profile[k].name) == __NR_SCMP_ERROR) {
			print_error("launch/seccomp-profile.data names %s, which libseccomp does not know\n",
				seccomp_profile[k].name);
			unknown++;
		}
	assert_int_equal(unknown, 0);
	assert_true(seccomp_profile_n > 450);
}

struct filter {
	struct spec *s;
	struct seccomp_prog p;
};

static struct filter compile(uint64_t caps)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	static const struct seccomp_options options = { .cache_dirfd = -1 };
	struct filter f = { 0 };
	struct err e = ERR_INIT;
	const char *text;
	size_t len;

	json_open_object(w, NULL);
	json_put_string(w, "ociVersion", "1.2.0");
	json_open_object(w, "linux");
	json_open_object(w, "seccomp");
	seccomp_profile_put(w, caps);
	json_close_object(w);
	json_close_object(w);
	json_close_object(w);
	text = json_writer_text(w, &len);
	assert_non_null(text);
	if (spec_parse(text, len, &f.s, &e) < 0)
		fail_msg("%s", e.text);
	if (seccomp_prepare(&f.s->seccomp, &options, &f.p, &e) < 0)
		fail_msg("%s", e.text);
	return f;
}

static void drop(struct filter *f)
{
	seccomp_prog_free(&f->p);
	spec_free(f->s);
}

static uint32_t ask(const struct filter *f, int nr, uint64_t a0)
{
	const uint64_t args[6] = { a0 };

	return seccomp_verdict(&f->p, nr, args);
}

#define ALLOW	 SECCOMP_RET_ALLOW
#define ERRNO(n) (SECCOMP_RET_ERRNO | (n))

static void test_plain_verdicts(void **state)
{
	struct filter f = compile(FEW);

	assert_int_equal(ask(&f, SYS_read, 0), ALLOW);
	assert_int_equal(ask(&f, SYS_openat, 0), ALLOW);
	assert_int_equal(ask(&f, SYS_chroot, 0), ALLOW); /* SYS_CHROOT is a default one */
	assert_int_equal(ask(&f, SYS_mount, 0), ERRNO(EPERM));
	assert_int_equal(ask(&f, SYS_unshare, 0), ERRNO(EPERM));
	assert_int_equal(ask(&f, SYS_setns, 0), ERRNO(EPERM));
	assert_int_equal(ask(&f, SYS_bpf, 0), ERRNO(EPERM));
	assert_int_equal(ask(&f, SYS_keyctl, 0), ERRNO(EPERM));
	assert_int_equal(ask(&f, SYS_ptrace, 0), ERRNO(EPERM));
	assert_int_equal(ask(&f, SYS_userfaultfd, 0), ERRNO(EPERM));
	assert_int_equal(ask(&f, 425 /* io_uring_setup */, 0), ERRNO(EPERM));
	assert_int_equal(ask(&f, SYS_open_by_handle_at, 0), ERRNO(EPERM));
	assert_int_equal(ask(&f, 435 /* clone3 */, 0), ERRNO(ENOSYS));
	/* What nobody has thought of yet. */
	assert_int_equal(ask(&f, 1000, 0), ERRNO(ENOSYS));
	drop(&f);
}

static void test_clone(void **state)
{
	static const uint64_t namespaces[] = { CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
		CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET };
	const uint64_t thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
				CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
	struct filter few = compile(FEW), admin = compile(FEW | ADMIN);

	assert_int_equal(ask(&few, SYS_clone, thread), ALLOW);
	assert_int_equal(ask(&few, SYS_clone, 17 | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID), ALLOW);
	for (size_t k = 0; k < ARRAY_SIZE(namespaces); k++) {
		assert_int_equal(ask(&few, SYS_clone, 17 | namespaces[k]), ERRNO(EPERM));
		assert_int_equal(ask(&admin, SYS_clone, 17 | namespaces[k]), ALLOW);
	}
	assert_int_equal(ask(&admin, 435, 0), ALLOW);
	assert_int_equal(ask(&admin, SYS_unshare, 0), ALLOW);
	assert_int_equal(ask(&admin, SYS_mount, 0), ALLOW);
	assert_int_equal(ask(&admin, SYS_keyctl, 0), ERRNO(EPERM));
	assert_int_equal(ask(&admin, SYS_init_module, 0), ERRNO(EPERM));
	drop(&few);
	drop(&admin);
}

static void test_arguments(void **state)
{
	static const int families[] = { 1, 2, 10, 16, 17 };
	static const uint64_t personalities[] = { 0, 8, 0x20000, 0x20008, 0xffffffff };
	struct filter f = compile(FEW), admin = compile(FEW | ADMIN);

	for (int family = 0; family < 64; family++) {
		bool want = false;

		for (size_t k = 0; k < ARRAY_SIZE(families); k++)
			want |= families[k] == family;
		assert_int_equal(ask(&f, SYS_socket, (uint64_t)family), want ? ALLOW : ERRNO(EPERM));
		assert_int_equal(ask(&admin, SYS_socket, (uint64_t)family), ALLOW);
	}
	for (size_t k = 0; k < ARRAY_SIZE(personalities); k++)
		assert_int_equal(ask(&f, SYS_personality, personalities[k]), ALLOW);
	assert_int_equal(ask(&f, SYS_personality, 0x0400000 /* READ_IMPLIES_EXEC */), ERRNO(EPERM));
	assert_int_equal(ask(&f, SYS_personality, 0x0040000 /* ADDR_NO_RANDOMIZE */), ERRNO(EPERM));
	drop(&f);
	drop(&admin);
}

static void test_capabilities(void **state)
{
	static const struct {
		int cap, nr;
	} list[] = { { 2, SYS_open_by_handle_at }, { 16, SYS_init_module }, { 17, -1 }, { 19, SYS_ptrace },
		{ 19, SYS_process_vm_readv }, { 20, SYS_acct }, { 22, SYS_reboot }, { 23, SYS_mbind },
		{ 25, SYS_clock_settime }, { 26, SYS_vhangup }, { 34, SYS_syslog },
		{ 38, SYS_perf_event_open }, { 39, SYS_bpf }, { 21, SYS_bpf }, { 21, SYS_perf_event_open } };
	struct filter none = compile(0);

	for (size_t k = 0; k < ARRAY_SIZE(list); k++) {
		struct filter f;

		if (list[k].nr < 0)
			continue;
		f = compile(CAP(list[k].cap));
		assert_int_equal(ask(&none, list[k].nr, 0), ERRNO(EPERM));
		assert_int_equal(ask(&f, list[k].nr, 0), ALLOW);
		drop(&f);
	}
	drop(&none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_call_is_decided),
		cmocka_unit_test(test_every_name_is_one),
		cmocka_unit_test(test_plain_verdicts),
		cmocka_unit_test(test_clone),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_capabilities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
