/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What keeps a launched partition in its place: capabilities, --security-opt, masked and read-only paths.
 *
 * The default capabilities are podman's eleven: what a server that begins as root needs to look after its own
 * files, change its user and bind its port. Docker's three more are left out: AUDIT_WRITE (the host's audit
 * log), MKNOD (devices are the cgroup's and --device's business), NET_RAW (forged packets on a network that
 * is shared). Echoes need none of them (config_linux.c), but Debian's ping(8) has NET_RAW as a file
 * capability and is not executed without: --cap-add NET_RAW.
 */
#include "launch/config_internal.h"

#include <stdio.h>
#include <strings.h>

#include "base/path.h"
#include "launch/seccomp_profile.h"
#include "spec/features.h"

#define ALL_CAPS ((UINT64_C(1) << (SPEC_CAP_LAST + 1)) - 1)

static const char *const default_caps[] = { "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL",
	"NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT" };

/* What of /proc and /sys tells about, or reaches, the host's hardware, keys and other partitions. */
static const char *const masked[] = { "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore",
	"/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
	"/proc/timer_stats", "/sys/dev/block", "/sys/devices/virtual/powercap", "/sys/firmware", NULL };
static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
	"/proc/sysrq-trigger", NULL };

/* --- capabilities ------------------------------------------------------------------------------- */

/* A name, a list "a,b" as podman takes it, or ALL. */
static int cap_set(
	struct cfg *c, const char *option, char *const *list, uint64_t *out, bool *all, struct err *e)
{
	const char *s;

	*out = 0;
	*all = false;
	strv_each (s, list) {
		size_t n;
		char **names = cfg_split(c->a, s, ',', &n);

		if (!names)
			return cfg_no_memory(e);
		for (size_t k = 0; k < n; k++) {
			int cap = spec_cap_from_name(names[k]);

			if (strcasecmp(names[k], "ALL") == 0)
				*all = true;
			else if (cap < 0)
				return err_text(e, EINVAL,
					"%s %.100s: no such capability; capabilities(7) lists them "
					"(NET_ADMIN or "
					"CAP_NET_ADMIN), or say ALL",
					option, names[k]);
			else
				*out |= UINT64_C(1) << cap;
		}
	}
	return 0;
}

/* --cap-drop ALL comes before what --cap-add names, --cap-add ALL before what --cap-drop names. */
static int capabilities(struct cfg *c, struct err *e)
{
	bool all_added, all_dropped;
	uint64_t added, dropped;
	int r = cap_set(c, "--cap-add", c->o->cap_add, &added, &all_added, e);

	if (r == 0)
		r = cap_set(c, "--cap-drop", c->o->cap_drop, &dropped, &all_dropped, e);
	if (r < 0)
		return r;
	if (all_added && all_dropped)
		return err_text(e, EINVAL, "--cap-add ALL and --cap-drop ALL contradict each other");
	if (added & dropped) {
		int k = __builtin_ctzll(added & dropped);

		return err_text(e, EINVAL, "%s is both added and dropped", spec_cap_name(k));
	}
	if (all_added)
		c->caps = ALL_CAPS;
	else if (!all_dropped)
		for (size_t k = 0; k < ARRAY_SIZE(default_caps); k++)
			c->caps |= UINT64_C(1) << spec_cap_from_name(default_caps[k]);
	c->added = all_added ? ALL_CAPS & ~dropped : added;
	c->caps = (c->caps | added) & ~dropped;
	return 0;
}

/* --- paths -------------------------------------------------------------------------------------- */

static void remove_within(struct cfg_vec *v, const char *path)
{
	size_t kept = 0;

	for (size_t k = 0; k < v->n; k++)
		if (!path_within(v->v[k], path))
			v->v[kept++] = v->v[k];
	v->n = kept;
	if (v->v)
		v->v[kept] = NULL;
}

/* mask=/a:/b, unmask=/a:/b, unmask=ALL. A path stands for all that lies in it. */
static int paths(struct cfg *c, const char *option, const char *value, bool mask, struct err *e)
{
	size_t n;
	char **list = cfg_split(c->a, value, ':', &n);

	if (!list)
		return cfg_no_memory(e);
	for (size_t k = 0; k < n; k++) {
		char clean[4096];

		if (!mask && strcasecmp(list[k], "all") == 0) {
			remove_within(&c->masked, "/");
			remove_within(&c->readonly, "/");
			continue;
		}
		if (*list[k] != '/' || path_clean(list[k], clean, sizeof(clean)) < 0 || !clean[1])
			return err_text(e, EINVAL,
				"--security-opt %.200s: must be absolute paths with \":\" between "
				"them%s",
				option, mask ? "" : ", or ALL");
		if (mask) {
			if (!strv_has(c->masked.v, clean))
				cfg_add(&c->masked, c->a, arena_strdup(c->a, clean));
		} else {
			remove_within(&c->masked, clean);
			remove_within(&c->readonly, clean);
		}
	}
	return 0;
}

/* --- --security-opt ----------------------------------------------------------------------------- */

static int label(struct cfg *c, const char *option, const char *value, struct err *e)
{
	int colons = 0;

	if (str_eq(value, "disable"))
		return 0;
	for (const char *p = value; *p; p++)
		colons += *p == ':';
	if (colons < 3)
		return err_text(e, EINVAL,
			"--security-opt %.200s: must be label=disable or a whole context, such as "
			"label=system_u:system_r:container_t:s0:c1,c2",
			option);
	c->label = value;
	return 0;
}

static int security_opt(struct cfg *c, const char *s, struct err *e)
{
	size_t n = strcspn(s, "=:"); /* docker once took a colon */
	const char *key = arena_strndup(c->a, s, n), *value = s[n] ? s + n + 1 : "";

	if (!key)
		return cfg_no_memory(e);
	if (str_eq(key, "no-new-privileges")) {
		if (s[n] && !str_eq(value, "true") && !str_eq(value, "false"))
			return err_text(e, EINVAL, "--security-opt %.200s: must be true or false", s);
		c->no_new_privileges = !str_eq(value, "false");
		return 0;
	}
	if (!*value)
		return err_text(e, EINVAL,
			"--security-opt %.200s: must be one of seccomp=, no-new-privileges[=false], "
			"apparmor=, label=, "
			"mask=, unmask= with a value",
			s);
	if (str_eq(key, "seccomp")) {
		c->seccomp_off = str_eq(value, "unconfined");
		c->seccomp_file = c->seccomp_off || str_eq(value, "default") ? NULL : value;
	} else if (str_eq(key, "apparmor")) {
		c->apparmor = str_eq(value, "unconfined") ? NULL : value;
	} else if (str_eq(key, "label")) {
		return label(c, s, value, e);
	} else if (str_eq(key, "mask") || str_eq(key, "unmask")) {
		return paths(c, s, value, str_eq(key, "mask"), e);
	} else {
		return err_text(e, EINVAL,
			"--security-opt %.200s: unknown; there are seccomp=, no-new-privileges[=false], "
			"apparmor=, label=, mask= and unmask=",
			s);
	}
	return 0;
}

int cfg_security(struct cfg *c, struct err *e)
{
	const char *s;
	int r;

	c->no_new_privileges = true;
	cfg_add_all(&c->masked, c->a, (char *const *)masked);
	cfg_add_all(&c->readonly, c->a, (char *const *)readonly);
	r = capabilities(c, e);
	strv_each (s, c->o->security_opt) {
		if (r == 0)
			r = security_opt(c, s, e);
	}
	if (r == 0 && (c->masked.failed || c->readonly.failed))
		r = cfg_no_memory(e);
	return r;
}

int cfg_put_seccomp(struct cfg *c, struct err *e)
{
	if (c->seccomp_off)
		return 0;
	if (c->seccomp_file)
		return cfg_put_seccomp_file(c, c->seccomp_file, e);
	json_open_object(c->w, "seccomp");
	seccomp_profile_put(c->w, c->caps);
	json_close_object(c->w);
	return 0;
}
