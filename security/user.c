/* SPDX-License-Identifier: Apache-2.0 */
/* The change of user (see proc_attrs.h). */
#include "security/proc_attrs.h"

#include <errno.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Bare system calls: glibc's wrappers make every thread of the process change too, by a list of threads that
 * is not ours any more in a child of a bare clone3(2). Some 32-bit machines have two sets of calls, of which
 * the one with the plain names truncates ids to 16 bits.
 */
#ifdef SYS_setresuid32
#define RAW_SETGROUPS SYS_setgroups32
#define RAW_SETRESGID SYS_setresgid32
#define RAW_SETRESUID SYS_setresuid32
#else
#define RAW_SETGROUPS SYS_setgroups
#define RAW_SETRESGID SYS_setresgid
#define RAW_SETRESUID SYS_setresuid
#endif

/*
 * The groups are exactly process.user.additionalGids: an empty list drops what the caller had. The primary
 * group is not added on our own: it is in force as the effective gid, and engines that want it to survive a
 * setgid program too (CVE-2022-36109) list it.
 */
static int set_groups(const struct spec_user *u, struct err *e)
{
	int code;

	if (syscall(RAW_SETGROUPS, u->n_additional_gids, u->additional_gids) == 0)
		return 0;
	code = errno;
	/*
	 * Without CAP_SETGID, or in a user namespace whose setgroups file says "deny", nobody can drop
	 * groups, and a partition cannot get more by it than its creator has.
	 */
	if (code == EPERM && u->n_additional_gids == 0)
		return 0;
	err_set(e, code, "set the %zu groups of process.user.additionalGids", u->n_additional_gids);
	if (code == EPERM)
		err_hint(e, "the user namespace does not allow it (/proc/self/setgroups is \"deny\", or "
			    "CAP_SETGID is missing)");
	if (code == EINVAL)
		err_hint(e, "is each of them in linux.gidMappings, and are they at most 65536?");
	return -code;
}

int sec_set_user(const struct spec_user *u, bool keep_groups, struct err *e)
{
	int code, r;

	/* (uid_t)-1 means "leave as it is" to these calls: the process would go on as root. */
	if (u->uid == UINT32_MAX || u->gid == UINT32_MAX)
		return err_text(e, EINVAL, "process.user: 4294967295 is not a user or group id");
	if (!keep_groups) {
		r = set_groups(u, e);
		if (r < 0)
			return r;
	}
	if (syscall(RAW_SETRESGID, u->gid, u->gid, u->gid) < 0) {
		code = errno;
		err_set(e, code, "change to group %u", u->gid);
		if (code == EINVAL)
			err_hint(e, "it is not in linux.gidMappings of the user namespace");
		return -code;
	}
	if (syscall(RAW_SETRESUID, u->uid, u->uid, u->uid) < 0) {
		code = errno;
		err_set(e, code, "change to user %u", u->uid);
		if (code == EINVAL)
			err_hint(e, "it is not in linux.uidMappings of the user namespace");
		return -code;
	}
	if (u->has_umask)
		umask(u->umask);
	return 0;
}
