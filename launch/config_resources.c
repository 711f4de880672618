/* SPDX-License-Identifier: Apache-2.0 */
/* Resources of a launched partition: memory, cpu, number of processes, devices. */
#include "launch/config_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/path.h"

#define PIDS_DEFAULT 2048
/* Of a directory that --device names: nobody means a thousand. */
#define DEVICES_MAX 256

/* --- numbers ------------------------------------------------------------------------------------ */

/* "1.5" processors as microseconds of each period: at least 1 ms, which is the kernel's least. */
static int cpus(struct cfg *c, struct err *e)
{
	const char *s = c->o->cpus, *p = s;
	int64_t quota = 0, unit = CFG_CPU_PERIOD / 10;
	int digits = 0;

	if (!s)
		return 0;
	for (; *p >= '0' && *p <= '9' && digits < 6; p++, digits++)
		quota = quota * 10 + (*p - '0');
	quota *= CFG_CPU_PERIOD;
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++, digits++, unit /= 10)
			quota += (*p - '0') * unit;
	if (!digits || *p || quota < 1000)
		return err_text(e, EINVAL,
			"--cpus %.100s: must be a number of processors, such as 1.5 (at least 0.01)", s);
	c->cpu_quota = quota;
	return 0;
}

/* cpuset(7) "list format". */
static int cpuset(const struct cfg *c, struct err *e)
{
	const char *p = c->o->cpuset;

	if (!p)
		return 0;
	for (;;) {
		unsigned long n[2] = { 0, 0 };
		int k = 0;

		for (; k < 2; k++) {
			size_t len = strspn(p, "0123456789");

			if (len == 0 || len > 6)
				goto bad;
			n[k] = strtoul(p, NULL, 10);
			p += len;
			if (k || *p != '-')
				break;
			p++;
		}
		if (k && n[1] < n[0])
			goto bad;
		if (!*p)
			return 0;
		if (*p++ != ',')
			goto bad;
	}
bad:
	return err_text(
		e, EINVAL, "--cpuset-cpus %.100s: must be a list of processors, such as 0-3,7", c->o->cpuset);
}

static int memory(const struct cfg *c, struct err *e)
{
	const struct launch_opts *o = c->o;

	if (o->memory.has && o->memory.v < -1)
		return err_text(e, EINVAL, "--memory must not be negative");
	if (o->memory.has && o->memory.v >= 0 && o->memory.v < (int64_t)512 << 10)
		return err_text(e, EINVAL,
			"--memory %lld: no program starts in less than 512 KiB; a number without a "
			"suffix is bytes",
			(long long)o->memory.v);
	if (!o->memory_swap.has)
		return 0;
	if (!o->memory.has)
		return err_text(e, EINVAL, "--memory-swap is memory and swap together: it needs --memory");
	if (o->memory_swap.v != -1 && (o->memory.v == -1 || o->memory_swap.v < o->memory.v))
		return err_text(e, EINVAL,
			"--memory-swap is memory and swap together: it must not be below --memory");
	return 0;
}

/* --- devices ------------------------------------------------------------------------------------ */

static struct cfg_device *new_device(struct cfg *c)
{
	if (c->n_devices == c->room_devices) {
		size_t room = c->room_devices ? c->room_devices * 2 : 8;
		struct cfg_device *bigger = arena_calloc(c->a, room, sizeof(*bigger));

		if (!bigger)
			return NULL;
		if (c->n_devices)
			memcpy(bigger, c->devices, c->n_devices * sizeof(*bigger));
		c->devices = bigger;
		c->room_devices = room;
	}
	return &c->devices[c->n_devices++];
}

/*
 * In a user namespace a host's node is bound, and its owner has no id there: what others may do is all that
 * anybody may. mknod(2) is not to be had at all.
 */
static int usable_inside(
	const struct cfg *c, const char *option, const struct stat *st, const char *access, struct err *e)
{
	unsigned int needs = (strchr(access, 'r') ? 04U : 0) | (strchr(access, 'w') ? 02U : 0);

	if (!c->userns || (st->st_mode & needs) == needs)
		return 0;
	return err_text(e, EPERM,
		"--device %.200s: with a user namespace of its own the partition may do to it what others "
		"may (mode "
		"%03o), and that is not \"%s\"; use --userns host, or chmod the device",
		option, st->st_mode & 0777U, access);
}

static int one_device(struct cfg *c, const char *option, const struct stat *st, const char *inside,
	const char *access, struct err *e)
{
	struct cfg_device *d;
	int r = usable_inside(c, option, st, access, e);

	if (r < 0)
		return r;
	if (c->n_devices == DEVICES_MAX)
		return err_text(e, EINVAL, "--device %.200s: more than %d devices", option, DEVICES_MAX);
	for (size_t k = 0; k < c->n_devices; k++)
		if (str_eq(c->devices[k].path, inside))
			return err_text(e, EINVAL, "--device %.200s: %s is there twice", option, inside);
	d = new_device(c);
	if (!d)
		return cfg_no_memory(e);
	*d = (struct cfg_device){ .path = inside,
		.access = access,
		.type = S_ISBLK(st->st_mode) ? 'b' : 'c',
		.major = major(st->st_rdev),
		.minor = minor(st->st_rdev),
		.mode = st->st_mode & 07777U,
		.uid = c->userns ? 0 : st->st_uid,
		.gid = c->userns ? 0 : st->st_gid };
	return 0;
}

/* As docker: all devices in it (/dev/snd, /dev/dri); not those of directories below. */
static int device_directory(struct cfg *c, const char *option, const char *host, const char *inside,
	const char *access, struct err *e)
{
	_cleanup_closedir_ DIR *dir = opendir(host);
	const struct dirent *d;
	size_t before = c->n_devices;

	if (!dir)
		return err_set(e, errno, "--device %.200s: read the directory", option);
	while ((d = readdir(dir))) {
		struct stat st;
		const char *path;
		int r;

		if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
			(!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)))
			continue;
		path = arena_printf(c->a, "%s/%s", inside, d->d_name);
		if (!path)
			return cfg_no_memory(e);
		r = one_device(c, option, &st, path, access, e);
		if (r < 0)
			return r;
	}
	return c->n_devices > before
		       ? 0
		       : err_text(e, ENODEV, "--device %.200s: there is no device in it", option);
}

static bool is_access(const char *s)
{
	return *s && strlen(s) <= 3 && s[strspn(s, "rwm")] == '\0';
}

/* HOST[:INSIDE][:rwm] */
static int device(struct cfg *c, const char *s, struct err *e)
{
	const char *host, *inside, *access = "rwm";
	char clean[PATH_MAX], **parts;
	struct stat st;
	size_t n;

	parts = cfg_split(c->a, s, ':', &n);
	if (!parts)
		return cfg_no_memory(e);
	if (n > 1 && *parts[n - 1] != '/')
		access = parts[--n];
	host = parts[0];
	inside = n > 1 ? parts[1] : host;
	if (n > 2 || *host != '/' || *inside != '/' || !is_access(access))
		return err_text(
			e, EINVAL, "--device %.200s: must be HOST[:INSIDE][:rwm], with absolute paths", s);
	if (path_clean(inside, clean, sizeof(clean)) < 0 || !clean[1])
		return err_text(e, EINVAL, "--device %.200s: must name a device inside", s);
	inside = arena_strdup(c->a, clean);
	if (!inside)
		return cfg_no_memory(e);
	if (stat(host, &st) < 0)
		return errno == ENOENT
			       ? err_text(e, ENOENT, "--device %.200s: this host has no %.200s", s, host)
			       : err_set(e, errno, "--device %.200s: look at it", s);
	if (S_ISDIR(st.st_mode))
		return device_directory(c, s, host, inside, access, e);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_text(e, EINVAL, "--device %.200s: %.200s is no device", s, host);
	return one_device(c, s, &st, inside, access, e);
}

int cfg_resources(struct cfg *c, struct err *e)
{
	const char *s;
	int r = memory(c, e);

	if (r == 0)
		r = cpus(c, e);
	if (r == 0)
		r = cpuset(c, e);
	if (r == 0 && c->o->pids.has && c->o->pids.v < -1)
		r = err_text(e, EINVAL, "--pids-limit must be a number, or -1 for no limit");
	if (r == 0 && c->at->rootless && c->o->devices && *c->o->devices)
		r = err_text(e, EPERM, "--device %.200s needs root", *c->o->devices);
	strv_each (s, c->o->devices) {
		if (r == 0)
			r = device(c, s, e);
	}
	return r;
}

/* --- writing ------------------------------------------------------------------------------------ */

void cfg_put_devices(struct cfg *c)
{
	if (!c->n_devices)
		return;
	json_open_array(c->w, "devices");
	for (size_t k = 0; k < c->n_devices; k++) {
		const struct cfg_device *d = &c->devices[k];

		json_open_object(c->w, NULL);
		json_put_string(c->w, "path", d->path);
		json_put_string(c->w, "type", d->type == 'b' ? "b" : "c");
		json_put_u64(c->w, "major", d->major);
		json_put_u64(c->w, "minor", d->minor);
		json_put_u64(c->w, "fileMode", d->mode);
		json_put_u64(c->w, "uid", d->uid);
		json_put_u64(c->w, "gid", d->gid);
		json_close_object(c->w);
	}
	json_close_array(c->w);
}

/* All is denied but the usual ones, which the runtime adds, and what --device names. */
static void put_device_rules(struct cfg *c)
{
	json_open_array(c->w, "devices");
	json_open_object(c->w, NULL);
	json_put_bool(c->w, "allow", false);
	json_put_string(c->w, "access", "rwm");
	json_close_object(c->w);
	for (size_t k = 0; k < c->n_devices; k++) {
		const struct cfg_device *d = &c->devices[k];

		json_open_object(c->w, NULL);
		json_put_bool(c->w, "allow", true);
		json_put_string(c->w, "type", d->type == 'b' ? "b" : "c");
		json_put_u64(c->w, "major", d->major);
		json_put_u64(c->w, "minor", d->minor);
		json_put_string(c->w, "access", d->access);
		json_close_object(c->w);
	}
	json_close_array(c->w);
}

void cfg_put_resources(struct cfg *c)
{
	const struct launch_opts *o = c->o;
	struct json_writer *w = c->w;
	/* A user may have no cgroup to write to: a limit that nobody asked for must not be why it fails. */
	bool pids = o->pids.has || !c->at->rootless;
	int64_t limit = o->pids.has ? o->pids.v : PIDS_DEFAULT;

	json_open_object(w, "resources");
	if (!c->at->rootless)
		put_device_rules(c);
	if (o->memory.has) {
		json_open_object(w, "memory");
		json_put_i64(w, "limit", o->memory.v);
		if (o->memory_swap.has)
			json_put_i64(w, "swap", o->memory_swap.v);
		json_close_object(w);
	}
	if (c->cpu_quota || o->cpuset) {
		json_open_object(w, "cpu");
		if (c->cpu_quota) {
			json_put_i64(w, "quota", c->cpu_quota);
			json_put_u64(w, "period", CFG_CPU_PERIOD);
		}
		if (o->cpuset)
			json_put_string(w, "cpus", o->cpuset);
		json_close_object(w);
	}
	if (pids) {
		json_open_object(w, "pids");
		/* As docker and podman have it, 0 is no limit; to the runtime it is one. */
		json_put_i64(w, "limit", limit == 0 ? -1 : limit);
		json_close_object(w);
	}
	json_close_object(w);
}
