/* SPDX-License-Identifier: Apache-2.0 */
/* linux.intelRdt by way of resctrl (see rdt.h). */
#include "runtime/rdt.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define RESCTRL	      "/sys/fs/resctrl"
#define RESCTRL_MAGIC 0x7655821 /* linux/magic.h: RDTGROUP_SUPER_MAGIC */
#define SCHEMATA_MAX  (256U * 1024U)

/* The root group, as a place to go on from; -errno where resctrl is not mounted. */
static int open_top(void)
{
	_cleanup_close_ int fd = open(RESCTRL, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return -errno;
	return fs.f_type == RESCTRL_MAGIC ? TAKE_FD(fd) : -ENODEV;
}

static int open_dir(int at, const char *name)
{
	return openat(at, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static int not_mounted(const char *who, struct err *e)
{
	return err_text(e, EOPNOTSUPP,
		"%s: resctrl is not mounted on " RESCTRL "; mount it (mount -t resctrl resctrl " RESCTRL
		"), if this processor has resource control",
		who);
}

int rdt_check(const struct spec *s, struct err *e)
{
	_cleanup_close_ int top = -EBADF;

	if (!s->intel_rdt.present)
		return 0;
	top = open_top();
	return top < 0 ? not_mounted("linux.intelRdt", e) : 0;
}

/* --- groups
 * ------------------------------------------------------------------------------------------------------------------------------
 */

/* Does nobody belong to it? */
static bool is_empty(int dir)
{
	_cleanup_free_ char *text = NULL;

	return fd_read_at(dir, "tasks", SCHEMATA_MAX, &text, NULL) == 0 && !*text;
}

struct group {
	const char *name;
	int dir;
	bool made, own; /* by us just now; the partition's, who names it by its id */
};

/* All that the config says about the group's existence; the directory is left as it is on failure. */
static int open_group(const struct spec *s, int top, struct group *g, struct err *e)
{
	const struct spec_intel_rdt *rdt = &s->intel_rdt;
	bool schema = rdt->l3_cache_schema || rdt->mem_bw_schema || rdt->schemata;

	if (str_eq(g->name, "/")) {
		g->dir = fcntl(top, F_DUPFD_CLOEXEC, 3);
		return g->dir < 0 ? err_set(e, errno, "open " RESCTRL) : 0;
	}
	g->dir = open_dir(top, g->name);
	if (g->dir < 0 && errno != ENOENT)
		return err_set(e, errno, "linux.intelRdt: open group %s", g->name);
	if (g->dir >= 0) {
		/* What another partition of that id, or a person, uses, we would take away with `delete`. */
		if (g->own && !is_empty(g->dir))
			return err_text(e, EEXIST,
				"linux.intelRdt: the group %s exists and is in use; give a closID to share "
				"it",
				g->name);
		return 0;
	}
	if (!g->own && !schema)
		return err_text(e, ENOENT,
			"linux.intelRdt.closID \"%s\": there is no such group, and no schema to make it with",
			g->name);
	if (mkdirat(top, g->name, 0755) < 0) {
		if (errno == ENOSPC)
			return err_text(e, ENOSPC,
				"linux.intelRdt: make group %s: all classes of service of the processor are "
				"in use",
				g->name);
		return err_set(e, errno, "linux.intelRdt: make group %s", g->name);
	}
	g->made = true;
	g->dir = open_dir(top, g->name);
	return g->dir < 0 ? err_set(e, errno, "linux.intelRdt: open group %s", g->name) : 0;
}

static int join(int dir, pid_t pid, const char *name, struct err *e)
{
	char text[16];
	int r;

	snprintf(text, sizeof(text), "%d", (int)pid);
	r = fd_put_at(dir, "tasks", text);
	return r < 0 ? err_set(e, -r, "linux.intelRdt: put process %d into group %s", (int)pid, name) : 0;
}

/* --- schemata
 * ------------------------------------------------------------------------------------------------------------------------------
 */

/* Appends each line of `text`; without those about memory bandwidth, if they are not wanted. */
static void add_lines(struct strbuf *b, const char *text, bool without_mb)
{
	while (text && *text) {
		size_t n = strcspn(text, "\n");
		const char *line = text;

		text += n + (text[n] == '\n');
		while (n > 0 && (*line == ' ' || *line == '\t')) {
			line++;
			n--;
		}
		if (n == 0 || (without_mb && strncmp(line, "MB:", 3) == 0))
			continue;
		strbuf_add(b, line, n);
		strbuf_puts(b, "\n");
	}
}

/* At once: the kernel takes all lines or none. It says in words why not. */
static int put_schemata(int top, int dir, const struct strbuf *b, const char *name, struct err *e)
{
	char why[256];
	int r;

	if (b->failed)
		return err_set(e, ENOMEM, "write schemata");
	if (b->len == 0)
		return 0;
	r = fd_put_at(dir, "schemata", b->s);
	if (r == 0)
		return 0;
	err_set(e, -r, "linux.intelRdt: write \"%.*s\" to the schemata of group %s", (int)strcspn(b->s, "\n"),
		b->s, name);
	if (fd_get_at(top, "info/last_cmd_status", why, sizeof(why)) > 0 && !str_eq(why, "ok"))
		err_hint(e, "%s", why);
	return r;
}

/* "id=value", each of them up to ';' or the end. NULL at the end. */
static const char *next_value(const char **p, size_t *len)
{
	const char *start = *p + strspn(*p, "; \t");

	if (!*start)
		return NULL;
	*len = strcspn(start, ";");
	*p = start + *len;
	while (*len > 0 && isspace((unsigned char)start[*len - 1]))
		(*len)--;
	return start;
}

/* Blanks and leading zeros say nothing: the kernel pads bit masks with the ones, percentages with the others.
 */
static bool same_value(const char *a, size_t n_a, const char *b, size_t n_b)
{
	size_t id_a = strcspn(a, "="), id_b = strcspn(b, "=");

	if (id_a >= n_a || id_b >= n_b || id_a != id_b || memcmp(a, b, id_a) != 0)
		return false;
	for (a += id_a + 1, n_a -= id_a + 1; n_a > 1 && (*a == '0' || *a == ' '); n_a--)
		a++;
	for (b += id_b + 1, n_b -= id_b + 1; n_b > 1 && (*b == '0' || *b == ' '); n_b--)
		b++;
	return n_a == n_b && strncasecmp(a, b, n_a) == 0;
}

/* Has a line of a group's schemata all that a wanted one says? Domains that it does not name may be anything.
 */
static bool line_matches(const char *now, const char *wanted)
{
	size_t n = strcspn(wanted, ":"), len, len_now;
	const char *value, *there;

	now += strspn(now, " \t");
	if (!wanted[n] || strncmp(now, wanted, n + 1) != 0)
		return false;
	for (wanted += n + 1; (value = next_value(&wanted, &len));) {
		const char *rest = now + n + 1;

		do
			there = next_value(&rest, &len_now);
		while (there && !same_value(there, len_now, value, len));
		if (!there)
			return false;
	}
	return true;
}

/* An existing group must already be what is asked for: it is shared with whoever made it. */
static int compare(char *now, const struct strbuf *wanted, const char *name, struct err *e)
{
	_cleanup_free_ char *copy = strdup(wanted->s ? wanted->s : "");
	char *rest = copy, *line;

	if (!copy || wanted->failed)
		return err_set(e, ENOMEM, "compare schemata");
	while ((line = strsep(&rest, "\n"))) {
		const char *there = now;
		bool found = false;

		if (!*line)
			continue;
		while (there && *there && !found) {
			char one[4096];

			snprintf(one, sizeof(one), "%.*s", (int)strcspn(there, "\n"), there);
			found = line_matches(one, line);
			there = strchr(there, '\n');
			there += there != NULL;
		}
		if (!found)
			return err_text(e, EEXIST,
				"linux.intelRdt.closID \"%s\" exists with another schema than \"%s\"", name,
				line);
	}
	return 0;
}

/*
 * config-linux.md, "IntelRdt": the two older fields in one write, what the first says about memory bandwidth
 * left out; then schemata[].
 */
static int write_schemata(const struct spec *s, int top, const struct group *g, struct err *e)
{
	_cleanup_strbuf_ struct strbuf older = { 0 }, newer = { 0 };
	_cleanup_free_ char *now = NULL;
	const char *line;
	int r;

	add_lines(&older, s->intel_rdt.l3_cache_schema, true);
	add_lines(&older, s->intel_rdt.mem_bw_schema, false);
	strv_each (line, s->intel_rdt.schemata)
		add_lines(&newer, line, false);
	if (older.len + newer.len == 0)
		return 0;
	if (g->made || g->own) {
		r = put_schemata(top, g->dir, &older, g->name, e);
		return r < 0 ? r : put_schemata(top, g->dir, &newer, g->name, e);
	}
	r = fd_read_at(g->dir, "schemata", SCHEMATA_MAX, &now, NULL);
	if (r < 0)
		return err_set(e, -r, "linux.intelRdt: read the schemata of group %s", g->name);
	r = compare(now, &older, g->name, e);
	return r < 0 ? r : compare(now, &newer, g->name, e);
}

/* --- the whole
 * ------------------------------------------------------------------------------------------------------------------------------
 */

static int monitor(struct rt_partition *p, const struct group *g, struct err *e)
{
	_cleanup_close_ int groups = open_dir(g->dir, "mon_groups"), mine = -EBADF;

	if (groups < 0)
		return err_set(
			e, errno, "linux.intelRdt.enableMonitoring: open mon_groups of group %s", g->name);
	if (mkdirat(groups, p->id, 0755) < 0 && errno != EEXIST)
		return err_set(e, errno, "linux.intelRdt.enableMonitoring: make monitoring group %s", p->id);
	/* It goes along with a group of the partition's own. */
	if (!g->own)
		p->intel_rdt = arena_printf(
			p->arena, "%s/mon_groups/%s", str_eq(g->name, "/") ? "." : g->name, p->id);
	mine = open_dir(groups, p->id);
	if (mine < 0)
		return err_set(e, errno, "linux.intelRdt.enableMonitoring: open monitoring group %s", p->id);
	return join(mine, p->pid, p->id, e);
}

int rdt_apply(const struct spec *s, struct rt_partition *p, struct err *e)
{
	struct group g = { .name = s->intel_rdt.clos_id, .dir = -EBADF };
	_cleanup_close_ int top = -EBADF;
	int r;

	if (!s->intel_rdt.present)
		return 0;
	g.own = !g.name;
	if (g.own)
		g.name = p->id;
	top = open_top();
	if (top < 0)
		return not_mounted("linux.intelRdt", e);
	r = open_group(s, top, &g, e);
	/* Only a group that nobody gave a name is the partition's to remove (config-linux.md). */
	if (r == 0 && g.own)
		p->intel_rdt = g.name;
	if (r == 0)
		r = write_schemata(s, top, &g, e);
	if (r == 0)
		r = join(g.dir, p->pid, g.name, e);
	if (r == 0 && s->intel_rdt.enable_monitoring)
		r = monitor(p, &g, e);
	fd_close(g.dir);
	if (r < 0 && p->intel_rdt && !g.own) {
		rdt_remove(p, NULL);
		p->intel_rdt = NULL;
	}
	if (r < 0 && g.made) {
		unlinkat(top, g.name, AT_REMOVEDIR);
		p->intel_rdt = NULL;
	}
	return r;
}

int rdt_update(const struct rt_partition *p, const char *l3_schema, const char *mb_schema, struct err *e)
{
	_cleanup_strbuf_ struct strbuf lines = { 0 };
	_cleanup_close_ int top = -EBADF, dir = -EBADF;

	if (!l3_schema && !mb_schema)
		return 0;
	if (!p->intel_rdt || strchr(p->intel_rdt, '/'))
		return err_text(e, EOPNOTSUPP,
			"container \"%s\" has no resctrl group of its own: it was created without "
			"linux.intelRdt, or with a closID",
			p->id);
	top = open_top();
	if (top < 0)
		return not_mounted("update", e);
	dir = open_dir(top, p->intel_rdt);
	if (dir < 0)
		return err_set(e, errno, "open resctrl group %s", p->intel_rdt);
	add_lines(&lines, l3_schema, true);
	add_lines(&lines, mb_schema, false);
	return put_schemata(top, dir, &lines, p->intel_rdt, e);
}

/* A `create` that was killed in the middle has not said what it made. What has its id and nobody in it is it.
 */
static void remove_guessed(const struct rt_partition *p, int top)
{
	const char *clos = p->spec->intel_rdt.clos_id;
	_cleanup_close_ int dir = -EBADF;
	char path[600];

	if (!clos)
		snprintf(path, sizeof(path), "%s", p->id);
	else
		snprintf(path, sizeof(path), "%.255s/mon_groups/%.255s", str_eq(clos, "/") ? "." : clos,
			p->id);
	dir = open_dir(top, path);
	if (dir >= 0 && is_empty(dir))
		unlinkat(top, path, AT_REMOVEDIR);
}

void rdt_remove(const struct rt_partition *p, struct err *e)
{
	bool guess = !p->intel_rdt && (p->creating || p->damaged) && p->spec && p->spec->intel_rdt.present;
	_cleanup_close_ int top = -EBADF;

	if (!p->intel_rdt && !guess)
		return;
	top = open_top();
	if (top < 0)
		return;
	if (guess)
		remove_guessed(p, top);
	else if (unlinkat(top, p->intel_rdt, AT_REMOVEDIR) < 0 && errno != ENOENT)
		err_set(e, errno, "remove resctrl group %s", p->intel_rdt);
}
