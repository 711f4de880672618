/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp profile of launched partitions: a table that is made of seccomp-profile.data when ringfence is
 * built, and linux.seccomp for a set of capabilities out of it. What is not named gets EPERM, and a system
 * call that is newer than all of it ENOSYS (security/seccomp.h).
 */
#ifndef LAUNCH_SECCOMP_PROFILE_H
#define LAUNCH_SECCOMP_PROFILE_H

#include "base/json.h"

enum seccomp_profile_verdict {
	SECCOMP_PROFILE_ALLOW,
	SECCOMP_PROFILE_CAP,	/* with one of `caps` */
	SECCOMP_PROFILE_WHEN,	/* for a value of an argument, or with one of `caps` */
	SECCOMP_PROFILE_ENOSYS, /* but with one of `caps` */
	SECCOMP_PROFILE_DENY,
};

struct seccomp_profile_entry {
	const char *name;
	enum seccomp_profile_verdict verdict;
	bool newer; /* the libseccomp that is there may not know it */
	uint64_t caps;
	unsigned int index;
	const char *op; /* SCMP_CMP_* */
	uint64_t value, value_two;
};

extern const struct seccomp_profile_entry seccomp_profile[];
extern const size_t seccomp_profile_n;

/* The members of linux.seccomp into an open object; `caps` is the bounding set, bit n being capability n. */
void seccomp_profile_put(struct json_writer *w, uint64_t caps);
/* The architectures of this machine, as config.json names them; NULL-terminated. */
extern const char *const seccomp_profile_archs[];

#endif
