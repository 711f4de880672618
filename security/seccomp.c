/* SPDX-License-Identifier: Apache-2.0 */
/* Seccomp: a section of config.json to a program (see seccomp.h). The only file that uses libseccomp. */
#include "security/seccomp.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "security/seccomp_internal.h"

/* How messages call the section; in front of a property's name. */
#define SECTION "linux.seccomp"

/* --- words ------------------------------------------------------------------------------------ */

const char *const seccomp_actions[] = { "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
	"SCMP_ACT_TRAP", "SCMP_ACT_ERRNO", "SCMP_ACT_TRACE", "SCMP_ACT_ALLOW", "SCMP_ACT_LOG",
	"SCMP_ACT_NOTIFY", NULL };

static const uint32_t action_values[] = { SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD,
	SCMP_ACT_TRAP, SCMP_ACT_ERRNO(0), SCMP_ACT_TRACE(0), SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_NOTIFY };
_Static_assert(ARRAY_SIZE(seccomp_actions) == ARRAY_SIZE(action_values) + 1, "one value for each action");

const char *const seccomp_operators[] = { "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ",
	"SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ", NULL };

static const enum scmp_compare operator_values[] = { SCMP_CMP_NE, SCMP_CMP_LT, SCMP_CMP_LE, SCMP_CMP_EQ,
	SCMP_CMP_GE, SCMP_CMP_GT, SCMP_CMP_MASKED_EQ };
_Static_assert(
	ARRAY_SIZE(seccomp_operators) == ARRAY_SIZE(operator_values) + 1, "one value for each operator");

const char *const seccomp_archs[] = { "SCMP_ARCH_X86", "SCMP_ARCH_X86_64", "SCMP_ARCH_X32", "SCMP_ARCH_ARM",
	"SCMP_ARCH_AARCH64", "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL",
	"SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC", "SCMP_ARCH_PPC64",
	"SCMP_ARCH_PPC64LE", "SCMP_ARCH_S390", "SCMP_ARCH_S390X", "SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64",
	"SCMP_ARCH_RISCV64", "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K", "SCMP_ARCH_SH", "SCMP_ARCH_SHEB",
	NULL };
_Static_assert(ARRAY_SIZE(seccomp_archs) == 23 + 1, "all that the runtime-spec names");

/* The name's place in a list, or -1. */
static int find(const char *const *list, const char *name)
{
	for (int i = 0; list[i]; i++) {
		if (str_eq(list[i], name))
			return i;
	}
	return -1;
}

/*
 * `errno_ret` is NULL where the document has none: EPERM then. `where` and `errno_where` are the paths of the
 * two properties.
 */
static int read_action(const char *where, const char *errno_where, const char *name,
	const uint32_t *errno_ret, uint32_t *out, struct err *e)
{
	int i = find(seccomp_actions, name);
	uint32_t action, most;

	if (i < 0)
		return err_text(e, EINVAL,
			"%s: unknown action \"%s\"; they are called SCMP_ACT_ALLOW, SCMP_ACT_ERRNO and so on",
			where, name);
	action = action_values[i];
	if (action != SCMP_ACT_ERRNO(0) && action != SCMP_ACT_TRACE(0)) {
		if (errno_ret)
			return err_text(e, EINVAL, "%s: %s does not take an errno: remove %s", where, name,
				errno_where);
		*out = action;
		return 0;
	}
	/* An errno ends at MAX_ERRNO (the kernel would cut it silently); for a tracer it is 16 bits of data.
	 */
	most = action == SCMP_ACT_ERRNO(0) ? 4095 : 65535;
	if (errno_ret && *errno_ret > most)
		return err_text(e, EINVAL, "%s: %u is more than the %u that %s can carry", errno_where,
			*errno_ret, most, name);
	*out = action | (errno_ret ? *errno_ret : EPERM);
	return 0;
}

static int default_action(const struct spec_seccomp *s, uint32_t *out, struct err *e)
{
	return read_action(SECTION ".defaultAction", SECTION ".defaultErrnoRet",
		s->default_action ? s->default_action : "",
		s->has_default_errno_ret ? &s->default_errno_ret : NULL, out, e);
}

static int rule_action(const struct spec_seccomp *s, size_t i, uint32_t *out, struct err *e)
{
	const struct spec_seccomp_rule *rule = &s->rules[i];
	char where[64], errno_where[64];

	snprintf(where, sizeof(where), SECTION ".syscalls[%zu].action", i);
	snprintf(errno_where, sizeof(errno_where), SECTION ".syscalls[%zu].errnoRet", i);
	return read_action(where, errno_where, rule->action ? rule->action : "",
		rule->has_errno_ret ? &rule->errno_ret : NULL, out, e);
}

/* --- checks: what needs neither library nor kernel, and is done on a cache hit too ------------ */

static int check_args(const struct spec_seccomp *s, size_t i, struct err *e)
{
	const struct spec_seccomp_rule *rule = &s->rules[i];

	for (size_t j = 0; j < rule->n_args; j++) {
		const struct spec_seccomp_arg *arg = &rule->args[j];

		if (arg->index > 5)
			return err_text(e, EINVAL,
				SECTION
				".syscalls[%zu].args[%zu].index: %u, but a system call has arguments 0 to 5",
				i, j, arg->index);
		if (find(seccomp_operators, arg->op ? arg->op : "") < 0)
			return err_text(e, EINVAL,
				SECTION ".syscalls[%zu].args[%zu].op: unknown operator \"%s\"", i, j,
				arg->op ? arg->op : "");
	}
	return 0;
}

static int check_notify(const struct spec_seccomp *s, size_t i, struct err *e)
{
	if (!s->listener_path)
		return err_text(e, EINVAL,
			SECTION ".syscalls[%zu].action: SCMP_ACT_NOTIFY needs " SECTION ".listenerPath", i);
	/*
	 * The runtime writes to its parent when the filter is on and the agent does not have the listener
	 * yet: a deadlock.
	 */
	if (strv_has(s->rules[i].names, "write"))
		return err_text(
			e, EINVAL, SECTION ".syscalls[%zu]: SCMP_ACT_NOTIFY cannot be used for write", i);
	return 0;
}

/* As far as that can be told without looking at arguments: a condition gets the benefit of the doubt. */
static bool lets_through(const struct spec_seccomp *s, const char *call)
{
	const char *action = s->default_action;

	for (size_t i = 0; i < s->n_rules; i++) {
		const struct spec_seccomp_rule *rule = &s->rules[i];

		if (!strv_has(rule->names, call))
			continue;
		if (rule->n_args)
			return true;
		action = rule->action;
	}
	return str_eq(action, "SCMP_ACT_ALLOW") || str_eq(action, "SCMP_ACT_LOG") ||
	       str_eq(action, "SCMP_ACT_NOTIFY");
}

/*
 * What the process itself needs with the filter on, to have its listener handed over (sync_hand_over()).
 * Better refused than started without a word from it. That an agent is asked about read is no harm: by then
 * it has the listener.
 */
static int check_hand_over(const struct spec_seccomp *s, struct err *e)
{
	static const char *const needed[] = { "read", "write" };

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!lets_through(s, needed[i]))
			return err_text(e, EINVAL,
				SECTION ": a profile with SCMP_ACT_NOTIFY has to allow %s, which the process "
					"needs to have its listener handed over",
				needed[i]);
	return 0;
}

static int check(const struct spec_seccomp *s, struct err *e)
{
	bool notify = false;
	uint32_t action;
	const char *name;
	unsigned int flag;
	int r;

	r = default_action(s, &action, e);
	if (r < 0)
		return r;
	if (action == SCMP_ACT_NOTIFY)
		return err_text(e, EINVAL, SECTION ".defaultAction: SCMP_ACT_NOTIFY cannot be the default");
	if (s->listener_metadata && !s->listener_path)
		return err_text(e, EINVAL, SECTION ".listenerMetadata is set without listenerPath");
	strv_each (name, s->architectures) {
		if (find(seccomp_archs, name) < 0)
			return err_text(
				e, EINVAL, SECTION ".architectures: unknown architecture \"%s\"", name);
	}
	strv_each (name, s->flags) {
		if (sysf_flag_from_name(name, &flag) < 0)
			return err_text(e, EINVAL, SECTION ".flags: unknown flag \"%s\"", name);
	}
	for (size_t i = 0; i < s->n_rules; i++) {
		r = rule_action(s, i, &action, e);
		if (r == 0)
			r = check_args(s, i, e);
		if (r == 0 && action == SCMP_ACT_NOTIFY)
			r = check_notify(s, i, e);
		if (r < 0)
			return r;
		notify |= action == SCMP_ACT_NOTIFY;
	}
	return notify ? check_hand_over(s, e) : 0;
}

/* --- flags ------------------------------------------------------------------------------------ */

static int read_flags(const struct spec_seccomp *s, bool has_notify, unsigned int *out, struct err *e)
{
	unsigned int flags = 0, flag = 0;
	const char *name;

	if (!s->flags) {
		/*
		 * Absent is not empty: as with runc, an unmentioned flag list means that the speculation
		 * barriers, which cost more than the filter, stay off where the kernel has the choice.
		 */
		if (sysf_flag_supported(SECCOMP_FILTER_FLAG_SPEC_ALLOW))
			flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
		*out = flags;
		return 0;
	}
	strv_each (name, s->flags) {
		if (sysf_flag_from_name(name, &flag) < 0)
			return err_text(e, EINVAL, SECTION ".flags: unknown flag \"%s\"", name);
		if (!sysf_flag_supported(flag))
			return err_text(
				e, EOPNOTSUPP, SECTION ".flags: this kernel does not support %s", name);
		flags |= flag;
	}
	/* The process has one thread when the filter comes, and TSYNC would get in the way of a listener. */
	flags &= ~(unsigned int)SECCOMP_FILTER_FLAG_TSYNC;
	/* About waiting for a listener's answer: the kernel refuses it without one. */
	if (!has_notify)
		flags &= SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	*out = flags;
	return 0;
}

/* --- compiling -------------------------------------------------------------------------------- */

struct compile {
	const struct spec_seccomp *s;
	scmp_filter_ctx ctx;
	uint32_t default_action;
	uint32_t archs[32]; /* SCMP_ARCH_* in the filter, the native one first */
	size_t n_archs;
	bool has_notify;
	char **unknown;
	size_t n_unknown;
};

static void compile_free(struct compile *c)
{
	if (c->ctx)
		seccomp_release(c->ctx);
	for (size_t i = 0; i < c->n_unknown; i++)
		free(c->unknown[i]);
	free(c->unknown);
}

static int add_unknown(struct compile *c, const char *name, struct err *e)
{
	char **more;

	if (c->unknown && strv_has(c->unknown, name))
		return 0;
	more = realloc(c->unknown, (c->n_unknown + 2) * sizeof(*more));
	if (more) {
		c->unknown = more;
		more[c->n_unknown] = strdup(name);
		if (more[c->n_unknown]) {
			more[++c->n_unknown] = NULL;
			return 0;
		}
	}
	return err_set(e, ENOMEM, "compile the seccomp profile");
}

static int add_archs(struct compile *c, struct err *e)
{
	const char *name;

	c->archs[c->n_archs++] = seccomp_arch_native(); /* always in the filter, named or not */
	strv_each (name, c->s->architectures) {
		char lower[32];
		uint32_t arch;
		size_t i = 0;
		int r;

		/* libseccomp's own names are ours without the prefix, in small letters. */
		for (const char *p = name + strlen("SCMP_ARCH_"); *p && i + 1 < sizeof(lower); p++)
			lower[i++] = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
		lower[i] = '\0';
		arch = seccomp_arch_resolve_name(lower);
		/*
		 * Not known to this library, or (EDOM) of the other byte order: no process of this machine
		 * can make such a call, and if it could, it would be killed for a foreign architecture.
		 */
		if (arch == 0)
			continue;
		r = seccomp_arch_add(c->ctx, arch);
		if (r == -EEXIST || r == -EDOM)
			continue;
		if (r < 0)
			return err_set(e, -r, SECTION ".architectures: add %s", name);
		if (c->n_archs < ARRAY_SIZE(c->archs))
			c->archs[c->n_archs++] = arch;
	}
	return 0;
}

static int add_rule(struct compile *c, size_t i, const char *name, uint32_t action, int nr,
	const struct scmp_arg_cmp *args, unsigned int n, struct err *e)
{
	int r = seccomp_rule_add_array(c->ctx, action, nr, n, args);

	if (r >= 0)
		return 0;
	err_set(e, -r, SECTION ".syscalls[%zu]: add %s for %s", i, c->s->rules[i].action, name);
	if (r == -EEXIST)
		err_hint(e, "an earlier rule with the same arguments has another action");
	else if (r == -EINVAL || r == -EOPNOTSUPP)
		err_hint(e, "this kernel or libseccomp %s does not support it", seccomp_library_version());
	return r;
}

static int add_syscall(struct compile *c, size_t i, const char *name, uint32_t action, struct err *e)
{
	const struct spec_seccomp_rule *rule = &c->s->rules[i];
	struct scmp_arg_cmp args[6];
	unsigned int seen = 0;
	bool twice = rule->n_args > ARRAY_SIZE(args);
	int nr = seccomp_syscall_resolve_name(name), r;

	if (nr == __NR_SCMP_ERROR)
		return add_unknown(c, name, e);
	if (action == c->default_action)
		return 0; /* says nothing, and libseccomp refuses it */
	if (action == SCMP_ACT_NOTIFY)
		c->has_notify = true;
	for (size_t j = 0; j < rule->n_args; j++) {
		twice |= (seen >> rule->args[j].index & 1) != 0;
		seen |= 1U << rule->args[j].index;
	}
	/*
	 * All conditions must hold; but with two on one argument each is a rule of its own, so that any
	 * suffices: libseccomp cannot have it otherwise, and runc made it the rule that profiles are written
	 * for.
	 */
	for (size_t j = 0; j < rule->n_args; j++) {
		const struct spec_seccomp_arg *arg = &rule->args[j];
		struct scmp_arg_cmp cmp = {
			.arg = arg->index,
			.op = operator_values[find(seccomp_operators, arg->op)],
			.datum_a = arg->value,
			.datum_b = arg->value_two,
		};

		if (!twice) {
			args[j] = cmp;
			continue;
		}
		r = add_rule(c, i, name, action, nr, &cmp, 1, e);
		if (r < 0)
			return r;
	}
	return twice ? 0 : add_rule(c, i, name, action, nr, args, (unsigned int)rule->n_args, e);
}

static int add_rules(struct compile *c, struct err *e)
{
	for (size_t i = 0; i < c->s->n_rules; i++) {
		uint32_t action;
		const char *name;
		int r = rule_action(c->s, i, &action, e);

		if (r < 0)
			return r;
		strv_each (name, c->s->rules[i].names) {
			r = add_syscall(c, i, name, action, e);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* The program as libseccomp writes it, through a file in memory: there is no other way out of it. */
static int export(struct compile *c, struct sysf_code *out, struct err *e)
{
	_cleanup_close_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
	_cleanup_free_ char *bytes = NULL;
	size_t len;
	int r;

	if (fd < 0)
		return err_set(e, errno, "seccomp: memfd_create");
	r = seccomp_export_bpf(c->ctx, fd);
	if (r < 0)
		return err_set(e, -r, "seccomp: libseccomp could not write the filter");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_set(e, errno, "seccomp: read the filter back");
	r = fd_read_all(fd, 16U * 1024U * 1024U, &bytes, &len);
	if (r < 0)
		return err_set(e, -r, "seccomp: read the filter back");
	out->n = len / sizeof(struct sock_filter);
	out->insns = (struct sock_filter *)(void *)TAKE_PTR(bytes);
	return 0;
}

/*
 * Which number is the highest that the profile names, for each architecture in the filter; see
 * seccomp_enosys.c.
 */
static size_t last_numbers(const struct compile *c, struct sysf_arch *out)
{
	size_t n = 0;

	for (size_t a = 0; a < c->n_archs; a++) {
		int last = -1;

		for (size_t i = 0; i < c->s->n_rules; i++) {
			const char *name;

			strv_each (name, c->s->rules[i].names) {
				int nr = seccomp_syscall_resolve_name_arch(c->archs[a], name);

				/* ARM's private numbers, far above the table, tell nothing about its end. */
				if (c->archs[a] == SCMP_ARCH_ARM && nr >= 0x0f0000)
					continue;
				if (nr > last)
					last = nr;
			}
		}
		if (last < 0)
			continue; /* negative numbers mean that the architecture does not have the call */
		/* The tokens are the kernel's AUDIT_ARCH_*, but for x32, which the kernel calls x86-64. */
		out[n].x32 = c->archs[a] == SCMP_ARCH_X32;
		out[n].audit_arch = out[n].x32 ? SCMP_ARCH_X86_64 : c->archs[a];
		out[n++].last = (uint32_t)last;
	}
	return n;
}

static int finish(struct compile *c, struct sysf_code *code, struct err *e)
{
	struct sysf_arch archs[ARRAY_SIZE(c->archs)];
	int r = export(c, code, e);

	if (r < 0)
		return r;
	/*
	 * Only for ERRNO: who chose a default of killing or of asking somebody means new system calls too.
	 * And with ENOSYS as the default there is nothing to do.
	 */
	if ((c->default_action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO &&
		c->default_action != SCMP_ACT_ERRNO(ENOSYS)) {
		r = sysf_enosys_prepend(code, archs, last_numbers(c, archs), e);
		if (r < 0)
			return r;
	}
	sysf_shrink(code);
	if (code->n > BPF_MAXINSNS)
		return err_text(e, E2BIG,
			SECTION
			": the profile makes %zu instructions, the kernel takes %d: use fewer argument rules",
			code->n, BPF_MAXINSNS);
	return 0;
}

static int compile(struct compile *c, struct sysf_code *code, struct err *e)
{
	int r = default_action(c->s, &c->default_action, e);

	if (r < 0)
		return r;
	c->ctx = seccomp_init(c->default_action);
	if (!c->ctx)
		return err_text(e, ENOTSUP,
			SECTION ".defaultAction: libseccomp %s or this kernel does not support %s",
			seccomp_library_version(), c->s->default_action);
	r = add_archs(c, e);
	if (r == 0)
		r = add_rules(c, e);
	return r < 0 ? r : finish(c, code, e);
}

/* --- the public call -------------------------------------------------------------------------- */

const char *seccomp_library_version(void)
{
	static char text[32];
	const struct scmp_version *v = seccomp_version();

	if (!*text)
		snprintf(text, sizeof(text), "%u.%u.%u", v->major, v->minor, v->micro);
	return text;
}

static int refuse_unknown(const struct compile *c, struct err *e)
{
	_cleanup_strbuf_ struct strbuf names = { 0 };

	for (size_t i = 0; i < c->n_unknown; i++)
		strbuf_printf(&names, "%s%s", i ? ", " : "", c->unknown[i]);
	return err_text(e, EINVAL, SECTION ".syscalls: libseccomp %s does not know: %s",
		seccomp_library_version(), names.s ? names.s : "?");
}

int seccomp_prepare(const struct spec_seccomp *s, const struct seccomp_options *o, struct seccomp_prog *out,
	struct err *e)
{
	_cleanup_(compile_free) struct compile c = { .s = s };
	_cleanup_code_ struct sysf_code code = { 0 };
	struct seccomp_prog p = { 0 };
	struct sysf_key key;
	bool cached = false;
	uint32_t n_unknown;
	int r;

	if (!s->present) {
		*out = p;
		return 0;
	}
	r = check(s, e);
	if (r < 0)
		return r;
	cached = o->cache_dirfd >= 0 &&
		 sysf_key_make(&key, s->text, s->text_len, seccomp_library_version()) == 0;
	if (cached && sysf_cache_load(o->cache_dirfd, &key, &p, &n_unknown)) {
		/* Which names they were is not in the file. */
		if (n_unknown == 0 || !o->fail_unknown) {
			*out = p;
			return 0;
		}
		seccomp_prog_free(&p);
	}
	r = compile(&c, &code, e);
	if (r < 0)
		return r;
	if (o->fail_unknown && c.n_unknown > 0)
		return refuse_unknown(&c, e);
	p.has_notify = c.has_notify;
	r = read_flags(s, c.has_notify, &p.flags, e);
	if (r < 0)
		return r;
	p.n = code.n;
	p.map_len = code.n * sizeof(*code.insns);
	p.insns = p.map = TAKE_PTR(code.insns);
	if (cached)
		sysf_cache_store(o->cache_dirfd, &key, &p, (uint32_t)c.n_unknown, NULL);
	p.unknown = TAKE_PTR(c.unknown);
	c.n_unknown = 0;
	*out = p;
	return 0;
}
