/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities of the process to be (see caps.h): the only file that knows libcap. */
#include "security/caps.h"

#include <errno.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>

/*
 * Of libcap, the calls that are one system call each. cap_get_proc() and cap_set_proc() ask the kernel for
 * the version of its interface every time (one more capget(2)), and cap_reset_ambient() asks for every
 * capability in turn; capget() and capset() are libcap's own declarations of the bare calls, and version 3 of
 * the interface is older (2.6.26) than anything else we need.
 */

static uint64_t cap_bit(int cap)
{
	return UINT64_C(1) << cap;
}

static uint64_t join(uint32_t low, uint32_t high)
{
	return low | (uint64_t)high << 32;
}

int caps_host(struct caps_host *out, struct err *e)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	int n = cap_max_bits(); /* libcap found it out when it was loaded: no system call */

	if (n < 1 || n > 64)
		return err_text(e, ENOTSUP, "this kernel has %d capabilities: 1 to 64 can be handled", n);
	if (capget(&head, data) < 0)
		return err_set(e, errno, "capget: read our own capabilities");
	out->last_cap = n - 1;
	out->known = n == 64 ? UINT64_MAX : cap_bit(n) - 1;
	out->grantable = join(data[0].permitted, data[1].permitted) & out->known;
	return 0;
}

void caps_clip(const struct spec_caps *wanted, const struct caps_host *host, struct spec_caps *out,
	uint64_t *dropped)
{
	uint64_t can = host->grantable & host->known;
	struct spec_caps c = { .present = wanted->present, .unknown = wanted->unknown };

	c.bounding = wanted->bounding & can;
	c.permitted = wanted->permitted & can;
	c.effective = wanted->effective & c.permitted;
	/*
	 * capset(2) refuses an inheritable capability that is outside of the bounding set. And nothing gets
	 * into this set that is not in the document: an inheritable set nobody asked for was CVE-2022-24769
	 * and its many siblings.
	 */
	c.inheritable = wanted->inheritable & c.bounding;
	c.ambient = wanted->ambient & c.permitted & c.inheritable;
	if (dropped)
		*dropped = (wanted->bounding & ~c.bounding) | (wanted->permitted & ~c.permitted) |
			   (wanted->effective & ~c.effective) | (wanted->inheritable & ~c.inheritable) |
			   (wanted->ambient & ~c.ambient);
	*out = c;
}

static const char *name_of(int cap)
{
	const char *name = spec_cap_name(cap);

	return name ? name : "a capability newer than this program";
}

/* 1: it is gone. 0: the kernel has no such capability. */
static int drop_bound(int cap, struct err *e)
{
	int code;

	if (cap_drop_bound((cap_value_t)cap) == 0)
		return 1;
	code = errno;
	/* Without CAP_SETPCAP the call is refused even where there is nothing to drop. */
	if (code == EPERM) {
		int had = cap_get_bound((cap_value_t)cap);

		if (had <= 0)
			return had < 0 ? 0 : 1;
	}
	if (code == EINVAL)
		return 0;
	err_set(e, code, "drop %s (%d) from the bounding set", name_of(cap), cap);
	return code == EPERM ? err_hint(e, "this needs CAP_SETPCAP in the user namespace") : -code;
}

int caps_bound(const struct spec_caps *caps, const struct caps_host *host, struct err *e)
{
	/*
	 * One call for each: the kernel has no other way, and dropping what is not there costs no more than
	 * asking. And one more, which says that there are no others: libcap found out their number by asking
	 * too, and what it missed would stay.
	 */
	for (int cap = 0; cap < 64; cap++) {
		int r;

		if (cap <= host->last_cap && (caps->bounding & cap_bit(cap)))
			continue;
		r = drop_bound(cap, e);
		if (r < 0)
			return r;
		if (r == 0 && cap > host->last_cap)
			break;
		if (r == 0)
			return err_set(e, EINVAL, "drop %s (%d) from the bounding set", name_of(cap), cap);
	}
	return 0;
}

int caps_keep(struct err *e)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_set(e, errno, "prctl(PR_SET_KEEPCAPS): keep capabilities over the change of user");
	return 0;
}

static int set_ambient(const struct spec_caps *caps, struct err *e)
{
	/*
	 * The ambient set is always within permitted and inheritable, and capset(2) clips it: without
	 * inheritable ones, which is the rule, it is empty by now.
	 */
	if (!caps->inheritable)
		return 0;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) {
		if (errno == EINVAL && !caps->ambient)
			return 0; /* a kernel before 4.3, which has no such set */
		return err_set(e, errno, "clear the ambient capabilities");
	}
	for (int cap = 0; cap < 64 && caps->ambient >> cap; cap++) {
		if (!(caps->ambient & cap_bit(cap)))
			continue;
		if (cap_set_ambient((cap_value_t)cap, CAP_SET) < 0)
			return err_set(e, errno, "raise ambient %s (%d)", name_of(cap), cap);
	}
	return 0;
}

static int set_all(uint64_t effective, uint64_t permitted, uint64_t inheritable, struct err *e)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{
			.effective = (uint32_t)effective,
			.permitted = (uint32_t)permitted,
			.inheritable = (uint32_t)inheritable,
		},
		{
			.effective = (uint32_t)(effective >> 32),
			.permitted = (uint32_t)(permitted >> 32),
			.inheritable = (uint32_t)(inheritable >> 32),
		},
	};

	if (capset(&head, data) < 0)
		return err_set(e, errno, "capset: effective %#llx, permitted %#llx, inheritable %#llx",
			(unsigned long long)effective, (unsigned long long)permitted,
			(unsigned long long)inheritable);
	return 0;
}

int caps_narrow(const struct spec_caps *caps, uint64_t keep, struct err *e)
{
	return set_all(caps->effective | keep, caps->permitted | keep, caps->inheritable, e);
}

int caps_apply(const struct spec_caps *caps, struct err *e)
{
	int r = set_all(caps->effective, caps->permitted, caps->inheritable, e);

	return r < 0 ? r : set_ambient(caps, e);
}
