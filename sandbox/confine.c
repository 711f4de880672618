/* SPDX-License-Identifier: Apache-2.0 */
/* Giving up rights (see confine.h). */
#include "sandbox/confine.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/share.h"
#include "security/caps.h"

int confine_namespaces(int flags, struct err *e)
{
	if (unshare(flags) < 0)
		return err_set(e, errno, "make namespaces for the sandbox");
	if (flags & CLONE_NEWNS && mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_set(e, errno, "cut the sandbox off from the host's mounts");
	return 0;
}

int confine_root(struct err *e)
{
	return vm_share_enter(NULL, 0, false, e);
}

static int set_caps(uint64_t keep, struct err *e)
{
	const struct spec_caps wanted = {
		.present = true, .bounding = keep, .permitted = keep, .effective = keep
	};
	struct spec_caps caps;
	struct caps_host host;
	int r = caps_host(&host, e);

	if (r < 0)
		return r;
	caps_clip(&wanted, &host, &caps, NULL);
	r = caps_bound(&caps, &host, e);
	return r < 0 ? r : caps_apply(&caps, e);
}

static int no_way_back(struct err *e)
{
	const struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(e, errno, "give up new privileges");
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &none);
	return 0;
}

/* The user is all sandboxes', and whoever else's on the host: how many threads there are of his must not keep
 * one of us from its own. It is the cgroup that limits them. */
static void as_many(int resource)
{
	struct rlimit l = { RLIM_INFINITY, RLIM_INFINITY };

	if (setrlimit(resource, &l) == 0 || getrlimit(resource, &l) < 0)
		return;
	/* Without CAP_SYS_RESOURCE: what there is. */
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(resource, &l);
}

int confine_identity(struct err *e)
{
	const struct spec_caps none = { .present = true };
	struct caps_host host;
	int r = caps_host(&host, e);

	if (r == 0)
		r = caps_bound(&none, &host, e);
	if (r < 0)
		return r;
	as_many(RLIMIT_NPROC);
	as_many(RLIMIT_SIGPENDING);
	if (setgroups(0, NULL) < 0 || setresgid(CONFINE_ID, CONFINE_ID, CONFINE_ID) < 0 ||
		setresuid(CONFINE_ID, CONFINE_ID, CONFINE_ID) < 0)
		return err_set(e, errno, "become nobody for the sandbox");
	r = caps_apply(&none, e);
	return r < 0 ? r : no_way_back(e);
}

int confine_server(struct err *e)
{
	static const int kept[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID,
		CAP_SETUID, CAP_SETGID, CAP_SETFCAP };
	uint64_t set = 0;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		set |= 1ULL << kept[i];
	if (setgroups(0, NULL) < 0)
		return err_set(e, errno, "drop supplementary groups");
	r = set_caps(set, e);
	return r < 0 ? r : no_way_back(e);
}

int confine_monitor(struct err *e)
{
	int r = confine_namespaces(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS, e);

	if (r == 0)
		r = confine_root(e);
	return r < 0 ? r : confine_identity(e);
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void confine_keep(const int *keep, size_t n, const struct vm_share *shares, size_t n_shares)
{
	_cleanup_free_ int *all = calloc(n + n_shares + 1, sizeof(*all));
	unsigned int from = 3;
	size_t count = 0;

	if (!all)
		_exit(1);
	for (size_t i = 0; i < n; i++)
		all[count++] = keep[i];
	for (size_t i = 0; i < n_shares; i++)
		all[count++] = shares[i].fd;
	qsort(all, count, sizeof(*all), by_number);
	for (size_t i = 0; i < count; i++) {
		if (all[i] < (int)from)
			continue;
		if (all[i] > (int)from)
			fd_close_range(from, (unsigned int)all[i] - 1);
		from = (unsigned int)all[i] + 1;
	}
	fd_close_range(from, ~0U);
}
