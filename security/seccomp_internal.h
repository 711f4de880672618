/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of seccomp: programs in the making, the cache. Inside of security/ and its tests. */
#ifndef SECURITY_SECCOMP_INTERNAL_H
#define SECURITY_SECCOMP_INTERNAL_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "security/seccomp.h"

/* A classic BPF program; insns is malloc()ed. */
struct sysf_code {
	struct sock_filter *insns;
	size_t n;
};

static inline void sysf_code_free(struct sysf_code *c)
{
	free(c->insns);
	c->insns = NULL;
	c->n = 0;
}
#define _cleanup_code_ _cleanup_(sysf_code_free)

/* --- seccomp_enosys.c: ENOSYS for system calls newer than a profile --------------------------- */

/* x86-64 and x32 have one audit architecture; this bit of the number tells them apart. */
#define SYSF_X32_BIT 0x40000000U

struct sysf_arch {
	uint32_t audit_arch; /* AUDIT_ARCH_* */
	bool x32;	     /* of AUDIT_ARCH_X86_64, the x32 numbers */
	uint32_t last;	     /* the highest number that the profile names */
};

/* Puts the test in front of *code. 0 or -ENOMEM; *code is untouched on failure. */
int sysf_enosys_prepend(struct sysf_code *code, const struct sysf_arch *archs, size_t n, struct err *e);

/* --- seccomp_shrink.c: the same decisions in fewer instructions ------------------------------- */

/*
 * Replaces *code by an equivalent, shorter program. Leaves it alone where it has something that is not
 * understood, where nothing is gained, or where memory is short: this is never an error. True if it was
 * replaced.
 */
bool sysf_shrink(struct sysf_code *code);

/* --- seccomp_cache.c -------------------------------------------------------------------------- */

/* What a compiled program depends on. */
struct sysf_key {
	char env[512]; /* release, machine, library, this program: NUL-separated */
	size_t env_len;
	const char *text; /* the section, not ours */
	size_t text_len;
	char name[24]; /* of the file */
};

/* Calls uname(2). -EINVAL: the section cannot be a key (no text, or too long to be kept). */
int sysf_key_make(struct sysf_key *k, const char *text, size_t text_len, const char *library);

/*
 * On a hit fills insns, n, flags, has_notify, map, map_len of *out and *n_unknown (how many names of the
 * profile the library did not know) and returns true. Whatever is wrong with the file is a miss.
 */
bool sysf_cache_load(int dirfd, const struct sysf_key *k, struct seccomp_prog *out, uint32_t *n_unknown);

/* Keeps a program, and removes the oldest files when there are too many. */
#define SYSF_CACHE_MAX 128
int sysf_cache_store(
	int dirfd, const struct sysf_key *k, const struct seccomp_prog *p, uint32_t n_unknown, struct err *e);

/* --- seccomp_install.c ------------------------------------------------------------------------ */

/* A SECCOMP_FILTER_FLAG_* name: its value, or -EINVAL. */
int sysf_flag_from_name(const char *name, unsigned int *flag);

/* Asks the kernel. */
bool sysf_flag_supported(unsigned int flag);

#endif
