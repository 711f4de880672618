/* SPDX-License-Identifier: Apache-2.0 */
/* linux.intelRdt by way of resctrl (see rdt.h). */
#include "runtime/rdt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define RESCTRL	      "/sys/fs/resctrl"
#define RESCTRL_MAGIC 0x7655821 /* linux/magic.h: RDTGROUP_SUPER_MAGIC */
#define SCHEMATA_MAX  (256U * 1024U)

static bool mounted(void)
{
	struct statfs fs;

	return statfs(RESCTRL, &fs) == 0 && fs.f_type == RESCTRL_MAGIC;
}

int rdt_check(const struct spec *s, struct err *e)
{
	const char *id = s->intel_rdt.clos_id;

	if (!s->intel_rdt.present)
		return 0;
	if (id && !str_eq(id, "/") && (!*id || strchr(id, '/') || str_eq(id, ".") || str_eq(id, "..")))
		return err_text(e, EINVAL,
			"linux.intelRdt.closID \"%s\" must be a single name, or \"/\" for the root group",
			id);
	if (!mounted())
		return err_text(e, EOPNOTSUPP,
			"linux.intelRdt: resctrl is not mounted on " RESCTRL
			"; mount it (mount -t resctrl resctrl " RESCTRL
			"), if this processor has resource control");
	return 0;
}

static int open_group(
	const struct spec *s, const char *name, struct rt_partition *p, bool *existed, struct err *e)
{
	bool write = s->intel_rdt.l3_cache_schema || s->intel_rdt.mem_bw_schema || s->intel_rdt.schemata;
	_cleanup_close_ int top = open(RESCTRL, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (top < 0)
		return err_set(e, errno, "open " RESCTRL);
	*existed = true;
	if (str_eq(name, "/"))
		return TAKE_FD(top);
	if (mkdirat(top, name, 0755) == 0) {
		*existed = false;
		/* Only a group named by nobody is the partition's own to remove (config-linux.md). */
		if (!s->intel_rdt.clos_id)
			p->intel_rdt = arena_strdup(p->arena, name);
	} else if (errno != EEXIST) {
		if (errno == ENOSPC)
			return err_text(e, ENOSPC,
				"linux.intelRdt: make group %s: all classes of service of the processor are "
				"in use",
				name);
		return err_set(e, errno, "linux.intelRdt: make group %s", name);
	}
	if (!*existed && s->intel_rdt.clos_id && !write) {
		unlinkat(top, name, AT_REMOVEDIR);
		return err_text(e, ENOENT,
			"linux.intelRdt.closID \"%s\": there is no such group, and no schema to make it with",
			name);
	}
	fd = openat(top, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? err_set(e, errno, "linux.intelRdt: open group %s", name) : fd;
}

static int put_line(int dir, const char *name, const char *line, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	int r;

	if (asprintf(&text, "%s\n", line) < 0)
		return err_set(e, ENOMEM, "write schemata");
	r = fd_put_at(dir, "schemata", text);
	return r < 0 ? err_set(e, -r,
			       "linux.intelRdt: write \"%s\" to the schemata of group %s (see " RESCTRL
			       "/info/last_cmd_status)",
			       line, name)
		     : 0;
}

/* An existing group must already be what is asked for: it is shared with whoever made it. */
static int compare(const char *now, const char *wanted, const char *name, struct err *e)
{
	_cleanup_free_ char *copy = strdup(wanted);
	char *rest = copy, *line;

	if (!copy)
		return err_set(e, ENOMEM, "compare schemata");
	while ((line = strsep(&rest, "\n"))) {
		line += strspn(line, " \t");
		if (*line && !strstr(now, line))
			return err_text(e, EEXIST,
				"linux.intelRdt.closID \"%s\" exists with another schema than \"%s\"", name,
				line);
	}
	return 0;
}

static int write_schemata(const struct spec *s, int dir, const char *name, bool existed, struct err *e)
{
	const char *const parts[] = { s->intel_rdt.l3_cache_schema, s->intel_rdt.mem_bw_schema };
	_cleanup_free_ char *now = NULL;
	const char *line;
	int r = 0;

	if (existed && s->intel_rdt.clos_id) {
		r = fd_read_at(dir, "schemata", SCHEMATA_MAX, &now, NULL);
		if (r < 0)
			return err_set(e, -r, "linux.intelRdt: read the schemata of group %s", name);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(parts); i++)
		if (parts[i])
			r = now ? compare(now, parts[i], name, e) : put_line(dir, name, parts[i], e);
	/* schemata[] comes last, so that it wins over the two older fields. */
	strv_each (line, s->intel_rdt.schemata)
		if (r == 0)
			r = now ? compare(now, line, name, e) : put_line(dir, name, line, e);
	return r;
}

static int join(int dir, pid_t pid, const char *name, struct err *e)
{
	char text[16];
	int r;

	snprintf(text, sizeof(text), "%d", (int)pid);
	r = fd_put_at(dir, "tasks", text);
	return r < 0 ? err_set(e, -r, "linux.intelRdt: put process %d into group %s", (int)pid, name) : 0;
}

static int monitor(struct rt_partition *p, int dir, const char *name, struct err *e)
{
	_cleanup_close_ int groups = openat(dir, "mon_groups", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW),
			    mine = -EBADF;

	if (groups < 0)
		return err_set(
			e, errno, "linux.intelRdt.enableMonitoring: open mon_groups of group %s", name);
	if (mkdirat(groups, p->id, 0755) < 0 && errno != EEXIST)
		return err_set(e, errno, "linux.intelRdt.enableMonitoring: make monitoring group %s", p->id);
	mine = openat(groups, p->id, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (mine < 0)
		return err_set(e, errno, "linux.intelRdt.enableMonitoring: open monitoring group %s", p->id);
	if (!p->intel_rdt)
		p->intel_rdt =
			arena_printf(p->arena, "%s/mon_groups/%s", str_eq(name, "/") ? "." : name, p->id);
	return join(mine, p->pid, p->id, e);
}

int rdt_apply(const struct spec *s, struct rt_partition *p, struct err *e)
{
	const char *name = s->intel_rdt.clos_id ? s->intel_rdt.clos_id : p->id;
	_cleanup_close_ int dir = -EBADF;
	bool existed = false;
	int r;

	if (!s->intel_rdt.present)
		return 0;
	dir = open_group(s, name, p, &existed, e);
	if (dir < 0)
		return dir;
	r = write_schemata(s, dir, name, existed, e);
	if (r == 0)
		r = join(dir, p->pid, name, e);
	if (r == 0 && s->intel_rdt.enable_monitoring)
		r = monitor(p, dir, name, e);
	return r;
}

int rdt_update(const struct rt_partition *p, const char *l3_schema, const char *mb_schema, struct err *e)
{
	_cleanup_close_ int top = -EBADF, dir = -EBADF;
	int r = 0;

	if (!l3_schema && !mb_schema)
		return 0;
	if (!mounted() || !p->intel_rdt || strchr(p->intel_rdt, '/'))
		return err_text(e, EOPNOTSUPP,
			"container \"%s\" has no resctrl group of its own: it was created without "
			"linux.intelRdt, or with a closID",
			p->id);
	top = open(RESCTRL, O_PATH | O_DIRECTORY | O_CLOEXEC);
	dir = top < 0 ? -EBADF : openat(top, p->intel_rdt, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return err_set(e, errno, "open resctrl group %s", p->intel_rdt);
	if (l3_schema)
		r = put_line(dir, p->intel_rdt, l3_schema, e);
	if (r == 0 && mb_schema)
		r = put_line(dir, p->intel_rdt, mb_schema, e);
	return r;
}

void rdt_remove(const struct rt_partition *p, struct err *e)
{
	_cleanup_close_ int top = -EBADF;

	if (!p->intel_rdt)
		return;
	top = open(RESCTRL, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (top >= 0 && unlinkat(top, p->intel_rdt, AT_REMOVEDIR) < 0 && errno != ENOENT)
		err_set(e, errno, "remove resctrl group %s", p->intel_rdt);
}
