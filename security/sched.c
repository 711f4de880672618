/* SPDX-License-Identifier: Apache-2.0 */
/* Scheduling, CPU affinity, memory policy (see proc_attrs.h). */
#include "security/proc_attrs.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

/* --- scheduler -------------------------------------------------------------------------------- */

/*
 * The first version of the structure (linux/sched/types.h); what came later are the utilisation clamps, see
 * below.
 */
struct sched_attr_v0 {
	uint32_t size;
	uint32_t sched_policy;
	uint64_t sched_flags;
	int32_t sched_nice;
	uint32_t sched_priority;
	uint64_t sched_runtime, sched_deadline, sched_period;
};
_Static_assert(sizeof(struct sched_attr_v0) == 48, "SCHED_ATTR_SIZE_VER0");

#define FLAG_UTIL_CLAMP (0x20 | 0x40) /* SCHED_FLAG_UTIL_CLAMP_MIN, _MAX */

int sec_set_scheduler(const struct spec_scheduler *s, struct err *e)
{
	static const char *const policies[] = { "SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH",
		"SCHED_ISO", "SCHED_IDLE", "SCHED_DEADLINE" };
	const char *name;
	int code;
	struct sched_attr_v0 attr = {
		.size = sizeof(attr),
		.sched_policy = s->policy,
		/*
		 * The runtime-spec has the names of the clamp flags but no property for the values they
		 * announce, so there is nothing to set, and the kernel would refuse the flags without the
		 * values.
		 */
		.sched_flags = s->flags & ~(uint64_t)FLAG_UTIL_CLAMP,
		.sched_nice = s->has_nice ? s->nice : 0,
		.sched_priority = (uint32_t)s->priority,
		.sched_runtime = s->runtime,
		.sched_deadline = s->deadline,
		.sched_period = s->period,
	};

	if (!s->present)
		return 0;
	if (syscall(SYS_sched_setattr, 0, &attr, 0) == 0)
		return 0;
	code = errno;
	name = s->policy < ARRAY_SIZE(policies) ? policies[s->policy] : "unknown";
	err_set(e, code,
		"process.scheduler: set %s (priority %d, nice %d, deadline %llu of %llu ns every %llu)", name,
		s->priority, attr.sched_nice, (unsigned long long)s->runtime, (unsigned long long)s->deadline,
		(unsigned long long)s->period);
	if (code == EPERM)
		err_hint(e,
			"real-time policies and a lower nice value need CAP_SYS_NICE, and in a cgroup v1 cpu "
			"hierarchy a cpu.rt_runtime_us above 0");
	if (code == EBUSY)
		err_hint(e, "not enough bandwidth is left for this deadline");
	return -code;
}

/* --- lists of CPUs and nodes ------------------------------------------------------------------ */

/* NR_CPUS can be configured up to 8192 today; a bound, so that "4294967295" does not cost half a gigabyte. */
#define LIST_MAX 65535U

static int bad_list(const char *list, const char *why, struct err *e)
{
	return err_text(e, EINVAL, "\"%s\": %s (a list looks like \"0-3,7\")", list, why);
}

/* One element, without blanks around it: a number or a range. */
static int parse_element(const char *s, size_t len, uint32_t *first, uint32_t *last)
{
	char buf[32], *dash;
	int r;

	if (len >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, s, len);
	buf[len] = '\0';
	dash = strchr(buf, '-');
	if (dash)
		*dash++ = '\0';
	r = str_to_u32(buf, first);
	if (r < 0)
		return r;
	if (!dash) {
		*last = *first;
		return 0;
	}
	return str_to_u32(dash, last);
}

static int grow(unsigned char **mask, size_t *bytes, size_t bits)
{
	/* The kernel reads whole longs. */
	size_t need = (bits / (8 * sizeof(long)) + 1) * sizeof(long);
	unsigned char *more;

	if (need <= *bytes)
		return 0;
	more = realloc(*mask, need);
	if (!more)
		return -ENOMEM;
	memset(more + *bytes, 0, need - *bytes);
	*mask = more;
	*bytes = need;
	return 0;
}

static void set_bit(unsigned char *mask, uint32_t n)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	mask[n / 8] |= (unsigned char)(1U << n % 8);
#else
	/* A mask is an array of longs: on big-endian machines bit 0 is in the last byte of the first one. */
	mask[(n / 8) ^ (sizeof(long) - 1)] |= (unsigned char)(1U << n % 8);
#endif
}

int sec_parse_list(const char *list, unsigned char **mask, size_t *bytes, struct err *e)
{
	static const char blanks[] = " \t\n";
	_cleanup_free_ unsigned char *m = NULL;
	size_t size = 0;

	if (grow(&m, &size, 0) < 0)
		return err_set(e, ENOMEM, "read a list of CPUs or nodes");
	for (const char *p = list;;) {
		size_t len;
		const char *start;
		uint32_t first, last;

		p += strspn(p, blanks);
		start = p;
		p += strcspn(p, ",");
		len = (size_t)(p - start);
		while (len > 0 && strchr(blanks, start[len - 1]))
			len--;
		/* Empty elements are let pass, as runc does: tools build lists by joining. */
		if (len > 0) {
			if (parse_element(start, len, &first, &last) < 0)
				return bad_list(list, "not a list of numbers and ranges", e);
			if (first > last)
				return bad_list(list, "a range runs backwards", e);
			if (last > LIST_MAX)
				return bad_list(list, "a number is above 65535", e);
			if (grow(&m, &size, last) < 0)
				return err_set(e, ENOMEM, "read a list of CPUs or nodes");
			for (uint32_t n = first; n <= last; n++)
				set_bit(m, n);
		}
		if (!*p)
			break;
		p++;
	}
	*mask = TAKE_PTR(m);
	*bytes = size;
	return 0;
}

static bool is_empty(const unsigned char *mask, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		if (mask[i])
			return false;
	}
	return true;
}

/* --- affinity --------------------------------------------------------------------------------- */

int sec_set_affinity(pid_t pid, const char *list, struct err *e)
{
	/* All of 8192, the most that the kernel can be built for: it ignores bits beyond its own. */
	static const unsigned long all[8192 / (8 * sizeof(long))] = { [0 ... 8192 / (8 * sizeof(long)) - 1] =
									      ~0UL };
	_cleanup_free_ unsigned char *mask = NULL;
	size_t bytes;
	int r;

	if (!list) {
		if (syscall(SYS_sched_setaffinity, pid, sizeof(all), all) < 0)
			return err_set(e, errno, "reset the CPU affinity");
		return 0;
	}
	r = sec_parse_list(list, &mask, &bytes, e);
	if (r < 0) {
		err_wrap(e, "CPU affinity");
		return r;
	}
	if (is_empty(mask, bytes))
		return err_text(e, EINVAL, "CPU affinity: \"%s\" names no CPU", list);
	if (syscall(SYS_sched_setaffinity, pid, bytes, mask) < 0) {
		int code = errno;

		err_set(e, code, "set CPU affinity \"%s\"", list);
		if (code == EINVAL)
			err_hint(e, "none of these CPUs is online and in the cpuset");
		return -code;
	}
	return 0;
}

/* --- memory policy ---------------------------------------------------------------------------- */

int sec_set_memory_policy(const struct spec_memory_policy *p, struct err *e)
{
	static const char *const modes[] = { "MPOL_DEFAULT", "MPOL_PREFERRED", "MPOL_BIND", "MPOL_INTERLEAVE",
		"MPOL_LOCAL", "MPOL_PREFERRED_MANY", "MPOL_WEIGHTED_INTERLEAVE" };
	_cleanup_free_ unsigned char *mask = NULL;
	const char *nodes = p->nodes ? p->nodes : "";
	const char *mode;
	size_t bytes;
	bool empty;
	int r;

	if (!p->present)
		return 0;
	r = sec_parse_list(nodes, &mask, &bytes, e);
	if (r < 0) {
		err_wrap(e, "linux.memoryPolicy.nodes");
		return r;
	}
	empty = is_empty(mask, bytes);
	/*
	 * The kernel takes "maxnode" as one more than the bits it reads. No nodes: no mask, which every mode
	 * can be asked with.
	 */
	if (syscall(SYS_set_mempolicy, p->mode | p->flags, empty ? NULL : mask, empty ? 0 : bytes * 8 + 1) ==
		0)
		return 0;
	r = errno;
	mode = p->mode >= 0 && (size_t)p->mode < ARRAY_SIZE(modes) ? modes[p->mode] : "unknown";
	err_set(e, r, "linux.memoryPolicy: set %s, flags %#x, nodes \"%s\"", mode, (unsigned int)p->flags,
		nodes);
	if (r != EINVAL)
		return -r;
	if (p->mode == 0 || p->mode == 4)
		err_hint(e, "%s takes neither nodes nor MPOL_F_STATIC_NODES or MPOL_F_RELATIVE_NODES", mode);
	else if (empty)
		err_hint(e, "%s needs nodes", mode);
	else
		err_hint(
			e, "is none of the nodes online and allowed, or is the mode newer than this kernel?");
	return -r;
}
