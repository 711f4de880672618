/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp_shrink.c against what libseccomp writes: real profiles and random ones are compiled, and the long
 * program and the short one are asked about every system call number that there is, of every architecture,
 * with arguments near those that the profile compares with. A short program that says anything else is a
 * hole, or a payload that dies.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <cmocka.h>

/* The real one, under another name: the linker takes ours, below, for seccomp.c, and we see what comes in and
 * what goes out. */
#define sysf_shrink real_shrink
#include "security/seccomp_shrink.c"
#undef sysf_shrink

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "spec/spec.h"
#include "tests/unit/security_bpf.h"

#ifdef __SANITIZE_ADDRESS__
/* What libseccomp 2.5.4 itself loses of some random profiles; its contexts are all released. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libseccomp";
}
#endif

static struct sysf_code before; /* the last long program */
static bool spoil;		/* for the test of the test */

bool sysf_shrink(struct sysf_code *code);
bool sysf_shrink(struct sysf_code *code)
{
	sysf_code_free(&before);
	before.n = code->n;
	before.insns = malloc(code->n * sizeof(*code->insns));
	assert_non_null(before.insns);
	memcpy(before.insns, code->insns, code->n * sizeof(*code->insns));
	if (!real_shrink(code))
		return false;
	for (size_t i = code->n; spoil && i-- > 0;) {
		if (code->insns[i].code == JEQ || code->insns[i].code == JGE) {
			code->insns[i].k++;
			break;
		}
	}
	return true;
}

/* --- asking both ------------------------------------------------------------------------------ */

static uint64_t seed = 88172645463325252ULL;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static uint32_t below(uint32_t n)
{
	return (uint32_t)((rnd() >> 16) % n);
}

/* Every constant that the long program has, and its neighbours: what decisions turn on. */
static uint32_t *words;
static size_t n_words;

static void collect_words(void)
{
	static const uint32_t odd[] = { 0, 1, 0x7fffffff, 0x80000000, UINT32_MAX };

	free(words);
	words = malloc((before.n + ARRAY_SIZE(odd)) * sizeof(*words));
	assert_non_null(words);
	memcpy(words, odd, sizeof(odd));
	n_words = ARRAY_SIZE(odd);
	for (size_t i = 0; i < before.n; i++) {
		uint16_t code = before.insns[i].code;

		if (BPF_CLASS(code) == BPF_JMP || code == AND_K)
			words[n_words++] = before.insns[i].k;
	}
}

static uint32_t word(void)
{
	uint32_t w = words[below((uint32_t)n_words)];

	switch (below(8)) {
	case 0:
		return (uint32_t)rnd();
	case 1:
		return w + 1;
	case 2:
		return w - 1;
	case 3:
		return w ^ 1U << below(32);
	case 4:
		return ~w;
	default:
		return w;
	}
}

static const uint32_t archs[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM,
	AUDIT_ARCH_S390X, AUDIT_ARCH_RISCV64, 0, UINT32_MAX };

static size_t differences;

static void ask_once(const struct seccomp_prog *p, struct seccomp_data *d, bool with_args)
{
	uint32_t was, is;

	d->instruction_pointer = rnd();
	for (int a = 0; a < 6; a++)
		d->args[a] = with_args ? (uint64_t)(below(3) ? 0 : word()) << 32 | word() : 0;
	was = bpf_run(before.insns, before.n, d);
	is = bpf_run(p->insns, p->n, d);
	if (was == is)
		return;
	if (differences++ == 0 && !spoil)
		print_error("arch %#x nr %d args %#llx %#llx %#llx %#llx %#llx %#llx: %#x, shrunk %#x\n",
			d->arch, d->nr, d->args[0], d->args[1], d->args[2], d->args[3], d->args[4],
			d->args[5], was, is);
}

static void ask_number(const struct seccomp_prog *p, uint32_t arch, uint32_t nr, int rounds)
{
	struct seccomp_data d = { .arch = arch, .nr = (int)nr };

	ask_once(p, &d, false);
	for (int i = 0; i < rounds; i++)
		ask_once(p, &d, true);
	/* What runs with a filter without a listener relies on this one. */
	if (arch == AUDIT_ARCH_X86_64 && sizeof(long) == 8) {
#ifdef __x86_64__
		if (seccomp_verdict(p, d.nr, (const uint64_t *)d.args) != bpf_run(p->insns, p->n, &d))
			differences++;
#endif
	}
}

static void ask_named(const struct seccomp_prog *p, const struct spec_seccomp *s)
{
	static const uint32_t tokens[] = { SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32, SCMP_ARCH_AARCH64,
		SCMP_ARCH_ARM, SCMP_ARCH_S390X, SCMP_ARCH_RISCV64 };

	for (size_t i = 0; i < s->n_rules; i++) {
		const char *name;

		for (size_t a = 0; s->rules[i].n_args && a < ARRAY_SIZE(tokens); a++) {
			uint32_t arch = tokens[a] == SCMP_ARCH_X32 ? AUDIT_ARCH_X86_64 : tokens[a];

			strv_each (name, s->rules[i].names) {
				int nr = seccomp_syscall_resolve_name_arch(tokens[a], name);

				if (nr >= 0)
					ask_number(p, arch, (uint32_t)nr, 150);
			}
		}
	}
}

static void ask_all(const struct seccomp_prog *p, const struct spec_seccomp *s, uint32_t most, int rounds)
{
	static const uint32_t bases[] = { 0, SYSF_X32_BIT, 0x0f0000 /* ARM's own */ };

	collect_words();
	for (size_t a = 0; a < ARRAY_SIZE(archs); a++) {
		for (size_t b = 0; b < ARRAY_SIZE(bases); b++) {
			for (uint32_t nr = 0; nr < (b == 2 ? 16 : most); nr++)
				ask_number(p, archs[a], bases[b] + nr, rounds);
		}
		for (size_t i = 0; i < n_words; i++) {
			ask_number(p, archs[a], words[i] - 1, 0);
			ask_number(p, archs[a], words[i], 0);
			ask_number(p, archs[a], words[i] + 1, 0);
		}
	}
	ask_named(p, s);
}

/* 1 if it was compiled to something shorter, which was then asked about; 0 if there was nothing to gain. */
static int check_section(const struct spec_seccomp *s, uint32_t most, int rounds, struct err *e)
{
	static const struct seccomp_options no_cache = { .cache_dirfd = -1 };
	_cleanup_(seccomp_prog_free) struct seccomp_prog p = { 0 };
	int r = seccomp_prepare(s, &no_cache, &p, e);

	if (r < 0)
		return r;
	ask_all(&p, s, most, rounds);
	return p.n < before.n;
}

/* --- real profiles ---------------------------------------------------------------------------- */

static void check_config(const char *path)
{
	_cleanup_(spec_freep) struct spec *spec = NULL;
	_cleanup_free_ char *text = NULL;
	struct err e = ERR_INIT;
	size_t len;

	if (fd_read_at(AT_FDCWD, path, 1 << 22, &text, &len) < 0 || spec_parse(text, len, &spec, &e) < 0)
		fail_msg("%s: %s", path, e.text);
	if (check_section(&spec->seccomp, 1024, 8, &e) < 0)
		fail_msg("%s: %s", path, e.text);
}

/* Those of the engines' configs that are kept here; and whatever else one wants to see checked. */
static void configs_of_engines(void **state)
{
	static const char *const names[] = { "docker.json", "podman.json" };
	const char *src = getenv("srcdir"), *more = getenv("RF_TEST_CONFIGS");
	char path[512];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/tests/unit/data/%s", src ? src : ".", names[i]);
		check_config(path);
	}
	for (const char *p = more; p && *p; p += strcspn(p, ":"), p += *p == ':') {
		snprintf(path, sizeof(path), "%.*s", (int)strcspn(p, ":"), p);
		check_config(path);
	}
	assert_int_equal(differences, 0);
}

static char **strings(struct arena *a, const struct json *j)
{
	char **list = arena_calloc(a, (j ? j->count : 0) + 1, sizeof(char *));
	const struct json *m;
	size_t n = 0;

	json_each (m, j)
		list[n++] = (char *)m->text;
	return list;
}

static bool any_of(const struct json *list, const char *const *have)
{
	const struct json *m;

	json_each (m, list)
		if (strv_has((char *const *)have, m->text))
			return true;
	return false;
}

/* An engine's rule: for these capabilities and architectures, or only without them. */
static bool applies(const struct json *rule, const char *const *arch, const char *const *caps)
{
	const struct json *in = json_get(rule, "includes"), *out = json_get(rule, "excludes");

	if (json_get(in, "arches") && json_get(in, "arches")->count && !any_of(json_get(in, "arches"), arch))
		return false;
	if (json_get(in, "caps") && json_get(in, "caps")->count && !any_of(json_get(in, "caps"), caps))
		return false;
	return !any_of(json_get(out, "arches"), arch) && !any_of(json_get(out, "caps"), caps);
}

static void read_rule(struct arena *a, const struct json *rule, struct spec_seccomp_rule *out)
{
	const struct json *args = json_get(rule, "args"), *m;
	int64_t number;

	out->names = strings(a, json_get(rule, "names"));
	json_as_string(json_get(rule, "action"), "action", &out->action, NULL);
	if (json_get(rule, "errnoRet") &&
		json_as_i64(json_get(rule, "errnoRet"), "errno", &number, NULL) == 0) {
		out->has_errno_ret = true;
		out->errno_ret = (uint32_t)number;
	}
	out->args = arena_calloc(a, (args ? args->count : 0) + 1, sizeof(*out->args));
	json_each (m, args) {
		struct spec_seccomp_arg *arg = &out->args[out->n_args++];
		uint64_t index = 0;

		json_as_u64(json_get(m, "index"), "index", &index, NULL);
		arg->index = (uint32_t)index;
		json_as_u64(json_get(m, "value"), "value", &arg->value, NULL);
		if (json_get(m, "valueTwo"))
			json_as_u64(json_get(m, "valueTwo"), "valueTwo", &arg->value_two, NULL);
		json_as_string(json_get(m, "op"), "op", &arg->op, NULL);
	}
}

/*
 * The profile that podman, buildah and CRI-O have, which is Docker's with a few calls more: as they would
 * hand it to a runtime on this machine, for a container with and without capabilities, with the errors of
 * both.
 */
static void the_profile_of_the_engines(void **state)
{
	static const char *const arch[] = { "amd64", "x86", "x32", NULL };
	static const char *const none[] = { NULL }, *const some[] = { "CAP_SYS_ADMIN", "CAP_SYS_PTRACE",
		"CAP_BPF", "CAP_SYS_CHROOT", "CAP_AUDIT_WRITE", NULL };
	static char *sub[] = { "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", NULL };
	const char *path =
		getenv("RF_TEST_PROFILE") ? getenv("RF_TEST_PROFILE") : "/usr/share/containers/seccomp.json";
	struct arena *a = arena_new();
	_cleanup_free_ char *text = NULL;
	const struct json *j, *m;
	size_t len;

	if (fd_read_at(AT_FDCWD, path, 1 << 22, &text, &len) < 0) {
		arena_free(a);
		skip();
	}
	assert_int_equal(json_parse(a, text, len, path, &j, NULL), 0);
	for (int variant = 0; variant < 4; variant++) {
		struct spec_seccomp s = { .present = true,
			.default_action = "SCMP_ACT_ERRNO",
			.has_default_errno_ret = true,
			.default_errno_ret = variant & 1 ? ENOSYS : EPERM,
			.architectures = sub };

		s.rules = arena_calloc(a, json_get(j, "syscalls")->count, sizeof(*s.rules));
		json_each (m, json_get(j, "syscalls"))
			if (applies(m, arch, variant & 2 ? some : none))
				read_rule(a, m, &s.rules[s.n_rules++]);
		assert_true(s.n_rules > 5);
		assert_int_equal(check_section(&s, 1024, 8, NULL), 1);
	}
	assert_int_equal(differences, 0);
	arena_free(a);
}

/* --- random profiles -------------------------------------------------------------------------- */

#define RULES_MAX 40
#define NAMES_MAX 30

struct random_profile {
	struct spec_seccomp s;
	struct spec_seccomp_rule rules[RULES_MAX];
	struct spec_seccomp_arg args[RULES_MAX][3];
	char *names[RULES_MAX][NAMES_MAX + 1];
	char text[RULES_MAX][NAMES_MAX][40];
	char *archs[8];
};

static void random_arg(struct spec_seccomp_arg *arg)
{
	static const uint64_t values[] = { 0, 1, 8, 16, 0x7e020000, UINT32_MAX, 1ULL << 32, UINT64_MAX,
		0x100000001ULL, 0x80000000ULL };

	arg->index = below(6);
	arg->value = below(3) ? values[below(10)] : rnd();
	arg->value_two = below(3) ? values[below(10)] : rnd();
	arg->op = seccomp_operators[below(7)];
}

static void random_rule(struct random_profile *r, size_t i)
{
	struct spec_seccomp_rule *rule = &r->rules[i];
	uint32_t wanted = 1 + below(NAMES_MAX), first = below(440);
	size_t n = 0;

	for (uint32_t k = 0; k < wanted; k++) {
		/* Runs of neighbours and single ones. */
		char *name = seccomp_syscall_resolve_num_arch(
			SCMP_ARCH_NATIVE, (int)(below(2) ? first + k : below(450)));

		if (name && strlen(name) < sizeof(r->text[0][0])) {
			memcpy(r->text[i][n], name, strlen(name) + 1);
			r->names[i][n] = r->text[i][n];
			n++;
		}
		free(name);
	}
	r->names[i][n] = NULL;
	rule->names = r->names[i];
	/* No NOTIFY: it may not be for write(2). */
	rule->action = seccomp_actions[below(8)];
	rule->has_errno_ret = str_eq(rule->action, "SCMP_ACT_ERRNO") && below(2);
	rule->errno_ret = below(4096);
	rule->args = r->args[i];
	rule->n_args = below(3) ? 0 : 1 + below(3);
	for (size_t k = 0; k < rule->n_args; k++)
		random_arg(&rule->args[k]);
}

static void random_profile(struct random_profile *r)
{
	static char *const all[] = { "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32",
		"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_RISCV64" };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (below(2))
			r->archs[n++] = all[i];
	r->archs[n] = NULL;
	r->s = (struct spec_seccomp){ .present = true,
		.default_action = seccomp_actions[below(8)],
		.architectures = r->archs,
		.rules = r->rules,
		.n_rules = 1 + below(RULES_MAX) };
	for (size_t i = 0; i < r->s.n_rules; i++)
		random_rule(r, i);
}

static void random_profiles(void **state)
{
	static struct random_profile r;
	int checked = 0;

	for (int i = 0; i < 150; i++) {
		random_profile(&r);
		checked += check_section(&r.s, 520, 2, NULL) > 0;
		if (differences)
			fail_msg("profile %d: %zu differences", i, differences);
	}
	/* Rules that contradict each other are refused; but enough must be left to mean something. */
	if (checked < 40)
		fail_msg("only %d profiles were compiled to something shorter", checked);
}

/* If one constant of the short program is off by one, that is seen. */
static void a_difference_is_seen(void **state)
{
	struct spec_seccomp_rule rules[] = {
		{ .names = (char *[]){ "read", "write", "close", "getpid", "execve", NULL },
			.action = "SCMP_ACT_ALLOW" },
		{ .names = (char *[]){ "personality", NULL },
			.action = "SCMP_ACT_ALLOW",
			.args = (struct spec_seccomp_arg[]){ { 0, 8, 0, "SCMP_CMP_EQ" } },
			.n_args = 1 },
	};
	struct spec_seccomp s = {
		.present = true, .default_action = "SCMP_ACT_ERRNO", .rules = rules, .n_rules = 2
	};

	spoil = true;
	assert_int_equal(check_section(&s, 1024, 2, NULL), 1);
	spoil = false;
	assert_true(differences > 0);
	differences = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_difference_is_seen),
		cmocka_unit_test(configs_of_engines),
		cmocka_unit_test(the_profile_of_the_engines),
		cmocka_unit_test(random_profiles),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	sysf_code_free(&before);
	free(words);
	return r;
}
