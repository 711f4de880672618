/* SPDX-License-Identifier: Apache-2.0 */
/* The seccomp profile of launched partitions (see seccomp_profile.h). */
#include "launch/seccomp_profile.h"

#include <errno.h>
#include <linux/capability.h>

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#define CAP_BPF	    39
#endif
#define B(cap) (UINT64_C(1) << (cap))

const struct seccomp_profile_entry seccomp_profile[] = {
#include "launch/seccomp_profile_table.h"
};
const size_t seccomp_profile_n = ARRAY_SIZE(seccomp_profile);

/*
 * The machine's own and its 32-bit form. Not x32: the kernels of distributions have it off, and its numbers
 * would have to be looked after, too.
 */
const char *const seccomp_profile_archs[] = {
#if defined(__x86_64__)
	"SCMP_ARCH_X86_64",
	"SCMP_ARCH_X86",
#elif defined(__i386__)
	"SCMP_ARCH_X86",
#elif defined(__aarch64__)
	"SCMP_ARCH_AARCH64",
	"SCMP_ARCH_ARM",
#elif defined(__arm__)
	"SCMP_ARCH_ARM",
#elif defined(__riscv)
	"SCMP_ARCH_RISCV64",
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
	"SCMP_ARCH_PPC64LE",
#elif defined(__s390x__)
	"SCMP_ARCH_S390X",
	"SCMP_ARCH_S390",
#endif
	NULL,
};

static bool is_allowed(const struct seccomp_profile_entry *p, uint64_t caps)
{
	return p->verdict == SECCOMP_PROFILE_ALLOW ||
	       (p->verdict != SECCOMP_PROFILE_DENY && (p->caps & caps));
}

/* A name with more than one `when` is there once. */
static bool is_first(const struct seccomp_profile_entry *p)
{
	return p == seccomp_profile || strcmp(p[-1].name, p->name) != 0;
}

static void put_allowed(struct json_writer *w, uint64_t caps)
{
	json_open_object(w, NULL);
	json_open_array(w, "names");
	for (size_t k = 0; k < seccomp_profile_n; k++)
		if (is_allowed(&seccomp_profile[k], caps) && is_first(&seccomp_profile[k]))
			json_put_string(w, NULL, seccomp_profile[k].name);
	json_close_array(w);
	json_put_string(w, "action", "SCMP_ACT_ALLOW");
	json_close_object(w);
}

static void put_enosys(struct json_writer *w, uint64_t caps)
{
	json_open_object(w, NULL);
	json_open_array(w, "names");
	for (size_t k = 0; k < seccomp_profile_n; k++)
		if (seccomp_profile[k].verdict == SECCOMP_PROFILE_ENOSYS &&
			!is_allowed(&seccomp_profile[k], caps))
			json_put_string(w, NULL, seccomp_profile[k].name);
	json_close_array(w);
	json_put_string(w, "action", "SCMP_ACT_ERRNO");
	json_put_u64(w, "errnoRet", ENOSYS);
	json_close_object(w);
}

static void put_when(struct json_writer *w, const struct seccomp_profile_entry *p)
{
	unsigned int index = p->index;

#if defined(__s390x__)
	/* Its clone(2) has the stack first. */
	if (strcmp(p->name, "clone") == 0)
		index = 1;
#endif
	json_open_object(w, NULL);
	json_open_array(w, "names");
	json_put_string(w, NULL, p->name);
	json_close_array(w);
	json_put_string(w, "action", "SCMP_ACT_ALLOW");
	json_open_array(w, "args");
	json_open_object(w, NULL);
	json_put_u64(w, "index", index);
	json_put_u64(w, "value", p->value);
	if (p->value_two || strcmp(p->op, "SCMP_CMP_MASKED_EQ") == 0)
		json_put_u64(w, "valueTwo", p->value_two);
	json_put_string(w, "op", p->op);
	json_close_object(w);
	json_close_array(w);
	json_close_object(w);
}

void seccomp_profile_put(struct json_writer *w, uint64_t caps)
{
	bool enosys = false;

	json_put_string(w, "defaultAction", "SCMP_ACT_ERRNO");
	json_put_u64(w, "defaultErrnoRet", EPERM);
	if (seccomp_profile_archs[0])
		json_put_strv(w, "architectures", (char *const *)seccomp_profile_archs);
	json_open_array(w, "syscalls");
	put_allowed(w, caps);
	for (size_t k = 0; k < seccomp_profile_n; k++) {
		const struct seccomp_profile_entry *p = &seccomp_profile[k];

		enosys |= p->verdict == SECCOMP_PROFILE_ENOSYS && !is_allowed(p, caps);
		if (p->verdict == SECCOMP_PROFILE_WHEN && !is_allowed(p, caps))
			put_when(w, p);
	}
	if (enosys)
		put_enosys(w, caps);
	json_close_array(w);
}
