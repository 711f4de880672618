/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts of a launched partition: the root, what every partition has, tmpfs; order and duplicates.
 *
 * Density: each superblock costs every memory cgroup of the host an entry in its shrinker arrays, so there is
 * no mqueue (mq_open(3) does not need it), no tmpfs that nobody asked for, and on v1 no cgroup unless there
 * is a limit to look at; then the partition's own directories are bound in the place of a mount of each
 * hierarchy. What is left is proc, sysfs, devpts, and a tmpfs each for /dev and /dev/shm, the root, and on v2
 * the cgroup.
 */
#include "launch/config_internal.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/path.h"
#include "launch/ids.h"

struct cfg_mount *cfg_mount(struct cfg *c, enum cfg_origin origin, const char *option,
	const char *destination, const char *type, const char *source, int *r, struct err *e)
{
	struct cfg_mount *m = NULL;
	char clean[PATH_MAX];

	*r = 0;
	if (*destination != '/')
		*r = err_text(e, EINVAL, "%.300s: the destination must be an absolute path", option);
	else if (path_clean(destination, clean, sizeof(clean)) < 0)
		*r = err_text(e, EINVAL, "%.100s…: the destination is longer than a path can be", option);
	else if (str_eq(clean, "/") && origin != CFG_DEFAULT)
		*r = err_text(e, EINVAL, "%.300s: nothing can be mounted over the root", option);
	if (*r < 0)
		return NULL;
	for (size_t k = 0; k < c->n_mounts && !m; k++) {
		if (!str_eq(c->mounts[k].destination, clean))
			continue;
		if (c->mounts[k].origin > origin || (origin == CFG_IMAGE && c->mounts[k].origin == origin))
			return NULL;
		if (c->mounts[k].origin == origin) {
			*r = err_text(e, EINVAL, "%.300s: something else is to be mounted on %s already",
				option, clean);
			return NULL;
		}
		m = &c->mounts[k];
	}
	if (!m && c->n_mounts == c->room_mounts) {
		size_t room = c->room_mounts ? c->room_mounts * 2 : 32;
		struct cfg_mount *bigger = arena_calloc(c->a, room, sizeof(*bigger));

		if (!bigger) {
			*r = cfg_no_memory(e);
			return NULL;
		}
		if (c->n_mounts)
			memcpy(bigger, c->mounts, c->n_mounts * sizeof(*bigger));
		c->mounts = bigger;
		c->room_mounts = room;
	}
	if (!m)
		m = &c->mounts[c->n_mounts++];
	*m = (struct cfg_mount){
		.origin = origin, .destination = arena_strdup(c->a, clean), .type = type, .source = source
	};
	if (!m->destination) {
		*r = cfg_no_memory(e);
		return NULL;
	}
	return m;
}

/* --- the root ----------------------------------------------------------------------------------- */

/* ':' separates directories, ',' options; both and the '\' itself are escaped by '\'. */
static void put_escaped(struct strbuf *b, const char *path)
{
	for (; *path; path++) {
		if (strchr(":,\\", *path))
			strbuf_puts(b, "\\");
		strbuf_add(b, path, 1);
	}
}

static const char *directory(struct cfg *c, const char *option, const char *parent, const char *name)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };

	strbuf_puts(&b, option);
	put_escaped(&b, parent);
	strbuf_puts(&b, name);
	return b.failed ? NULL : arena_strdup(c->a, b.s);
}

static int root(struct cfg *c, struct err *e)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	const char *lower, *colon = "";
	struct cfg_mount *m;
	int r;

	m = cfg_mount(c, CFG_DEFAULT, "", "/", "overlay", "overlay", &r, e);
	if (!m)
		return r;
	if (c->i->host) {
		cfg_add(&m->options, c->a, directory(c, "lowerdir=", c->at->host, ""));
	} else {
		strbuf_puts(&b, "lowerdir=");
		strv_each (lower, c->i->lower) {
			strbuf_puts(&b, colon);
			put_escaped(&b, lower);
			colon = ":";
		}
		if (!*colon)
			return err_text(e, EINVAL, "image %.200s has no layers", c->i->name);
		cfg_add(&m->options, c->a, b.failed ? NULL : arena_strdup(c->a, b.s));
	}
	cfg_add(&m->options, c->a, directory(c, "upperdir=", c->at->bundle, "/upper"));
	cfg_add(&m->options, c->a, directory(c, "workdir=", c->at->bundle, "/work"));
	if (c->i->userxattr)
		cfg_add(&m->options, c->a, "userxattr");
	/* What goes with the partition needs not to survive the host's crash. */
	if (c->o->rm)
		cfg_add(&m->options, c->a, "volatile");
	if (c->userns)
		cfg_add(&m->options, c->a, "idmap");
	return 0;
}

/* --- what every partition has ------------------------------------------------------------------- */

enum when { ALWAYS, ROOTFUL, ROOTLESS, BOOT, CGROUP, ZONE };

struct fixed {
	enum when when;
	const char *destination, *type, *source;
	const char *options[9];
};

static const struct fixed fixed[] = {
	{ ALWAYS, "/proc", "proc", "proc", { "nosuid", "noexec", "nodev" } },
	{ ALWAYS, "/dev", "tmpfs", "tmpfs", { "nosuid", "noexec", "strictatime", "mode=755", "size=1m" } },
	{ ROOTFUL, "/dev/pts", "devpts", "devpts",
		{ "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5" } },
	/* Group 5 (tty) may have no id. */
	{ ROOTLESS, "/dev/pts", "devpts", "devpts",
		{ "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620" } },
	{ ALWAYS, "/sys", "sysfs", "sysfs", { "nosuid", "noexec", "nodev", "ro" } },
	{ CGROUP, "/sys/fs/cgroup", "cgroup", "cgroup", { "nosuid", "noexec", "nodev", "relatime", "ro" } },
	/* systemd makes cgroups of its own in what is delegated to it. */
	{ BOOT, "/sys/fs/cgroup", "cgroup", "cgroup", { "nosuid", "noexec", "nodev", "relatime", "rw" } },
	{ BOOT, "/run", "tmpfs", "tmpfs", { "nosuid", "nodev", "mode=755" } },
	{ BOOT, "/run/lock", "tmpfs", "tmpfs", { "nosuid", "nodev", "noexec", "mode=1777", "size=5m" } },
	{ BOOT, "/tmp", "tmpfs", "tmpfs", { "nosuid", "nodev", "mode=1777" } },
	{ BOOT, "/var/log/journal", "tmpfs", "tmpfs", { "nosuid", "nodev", "noexec", "mode=755" } },
	{ ZONE, "/run", "tmpfs", "tmpfs", { "nosuid", "nodev", "mode=755" } },
	{ ZONE, "/tmp", "tmpfs", "tmpfs", { "nosuid", "nodev", "mode=1777" } },
};

/* By what a program inside may want to go: only then are cgroup v1's directories worth their mounts. */
static bool limited(const struct launch_opts *o)
{
	return (o->memory.has && o->memory.v >= 0) || o->cpus || o->cpuset;
}

static bool wanted(const struct cfg *c, enum when when)
{
	switch (when) {
	case ROOTFUL:
		return !c->at->rootless;
	case ROOTLESS:
		return c->at->rootless;
	case BOOT:
		return c->o->boot;
	case CGROUP:
		return !c->o->boot && (!c->lean || limited(c->o));
	case ZONE:
		return c->i->host && !c->o->boot;
	default:
		return true;
	}
}

static int shm(struct cfg *c, struct err *e)
{
	int64_t size = (int64_t)64 << 20;
	struct cfg_mount *m;
	int r;

	if (c->o->shm_size && (str_to_size(c->o->shm_size, &size) < 0 || size <= 0))
		return err_text(e, EINVAL, "--shm-size %.100s: must be a size, such as 64m", c->o->shm_size);
	m = cfg_mount(c, CFG_DEFAULT, "--shm-size", "/dev/shm", "tmpfs", "shm", &r, e);
	if (!m)
		return r;
	cfg_add_all(&m->options, c->a,
		(char *const[]){
			(char *)"nosuid", (char *)"noexec", (char *)"nodev", (char *)"mode=1777", NULL });
	cfg_add(&m->options, c->a, arena_printf(c->a, "size=%lld", (long long)size));
	return 0;
}

/* Files of the bundle (launch_etc_write()). */
static int etc_files(struct cfg *c, struct err *e)
{
	static const char *const names[] = { "hosts", "hostname", "resolv.conf" };

	for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
		const char *destination = arena_printf(c->a, "/etc/%s", names[k]);
		const char *source = arena_printf(c->a, "%s/etc/%s", c->at->bundle, names[k]);
		struct cfg_mount *m;
		int r;

		if (!destination || !source)
			return cfg_no_memory(e);
		m = cfg_mount(c, CFG_DEFAULT, destination, destination, "bind", source, &r, e);
		if (!m)
			return r;
		cfg_add_all(&m->options, c->a,
			(char *const[]){
				(char *)"bind", (char *)"nosuid", (char *)"nodev", (char *)"noexec", NULL });
		if (c->o->read_only)
			cfg_add(&m->options, c->a, "ro");
		if (c->userns)
			cfg_add(&m->options, c->a, "idmap");
	}
	return 0;
}

static int zone_usr(struct cfg *c, struct err *e)
{
	struct cfg_mount *m;
	int r;

	if (!c->i->host)
		return 0;
	m = cfg_mount(c, CFG_DEFAULT, "/usr", "/usr", "bind", "/usr", &r, e);
	if (!m)
		return r;
	cfg_add_all(&m->options, c->a,
		(char *const[]){ (char *)"rbind", (char *)"rro", (char *)"nosuid", (char *)"nodev", NULL });
	/* Without, its files are nobody's, which only programs that look at owners mind. */
	if (c->userns && launch_ids_can_map("/usr"))
		cfg_add(&m->options, c->a, "idmap");
	return 0;
}

static int defaults(struct cfg *c, struct err *e)
{
	int r;

	for (size_t k = 0; k < ARRAY_SIZE(fixed); k++) {
		const struct fixed *f = &fixed[k];
		struct cfg_mount *m;

		if (!wanted(c, f->when))
			continue;
		m = cfg_mount(c, CFG_DEFAULT, f->destination, f->destination, f->type, f->source, &r, e);
		if (!m)
			return r;
		cfg_add_all(&m->options, c->a, (char *const *)f->options);
	}
	r = shm(c, e);
	if (r == 0)
		r = etc_files(c, e);
	return r < 0 ? r : zone_usr(c, e);
}

/* --- tmpfs -------------------------------------------------------------------------------------- */

static bool is_tmpfs_word(const char *word)
{
	static const char *const words[] = { "ro", "rw", "exec", "noexec", "suid", "nosuid", "dev", "nodev",
		"atime", "noatime", "relatime", "strictatime", "nodiratime", "sync", "async", "tmpcopyup",
		"notmpcopyup", NULL };
	static const struct {
		const char *prefix, *letters;
	} values[] = { { "mode=", "01234567" }, { "size=", "0123456789kKmMgG%" }, { "uid=", "0123456789" },
		{ "gid=", "0123456789" }, { "nr_inodes=", "0123456789kKmMgG" },
		{ "nr_blocks=", "0123456789kKmMgG" } };

	if (strv_has((char *const *)words, word))
		return true;
	for (size_t k = 0; k < ARRAY_SIZE(values); k++)
		if (str_starts(word, values[k].prefix)) {
			const char *v = word + strlen(values[k].prefix);

			return *v && v[strspn(v, values[k].letters)] == '\0';
		}
	return false;
}

int cfg_tmpfs_options(
	struct cfg *c, struct cfg_mount *m, const char *option, char *const *words, struct err *e)
{
	bool mode = false;
	const char *word;

	/* As docker has them; what is said comes later, and counts. */
	cfg_add_all(&m->options, c->a,
		(char *const[]){ (char *)"noexec", (char *)"nosuid", (char *)"nodev", NULL });
	strv_each (word, words) {
		if (!*word)
			continue;
		if (!is_tmpfs_word(word))
			return err_text(
				e, EINVAL, "%.200s: \"%.100s\" is no option of a tmpfs", option, word);
		mode |= str_starts(word, "mode=");
		cfg_add(&m->options, c->a, word);
	}
	if (!mode)
		cfg_add(&m->options, c->a, "mode=1777");
	return m->options.failed ? cfg_no_memory(e) : 0;
}

static int tmpfs(struct cfg *c, const char *s, struct err *e)
{
	const char *option = arena_printf(c->a, "--tmpfs %s", s);
	const char *colon = strchr(s, ':');
	const char *destination = colon ? arena_strndup(c->a, s, (size_t)(colon - s)) : s;
	char **words;
	struct cfg_mount *m;
	size_t n;
	int r;

	words = cfg_split(c->a, colon ? colon + 1 : "", ',', &n);
	if (!option || !destination || !words)
		return cfg_no_memory(e);
	m = cfg_mount(c, CFG_OPTION, option, destination, "tmpfs", "tmpfs", &r, e);
	return m ? cfg_tmpfs_options(c, m, option, words, e) : r;
}

/* --- --init ------------------------------------------------------------------------------------- */

static int init(struct cfg *c, struct err *e)
{
	static const char *const programs[] = { "/usr/bin/catatonit", "/usr/libexec/catatonit/catatonit",
		"/usr/bin/tini-static" };
	const char *found = NULL;
	struct cfg_mount *m;
	int r;

	if (!c->o->init)
		return 0;
	for (size_t k = 0; k < ARRAY_SIZE(programs) && !found; k++)
		if (access(programs[k], X_OK) == 0)
			found = programs[k];
	if (!found)
		return err_text(e, ENOENT,
			"--init needs catatonit or tini-static, which are not here; install Debian's package "
			"catatonit (or tini)");
	m = cfg_mount(c, CFG_LAST, "--init", "/run/ringfence-init", "bind", found, &r, e);
	if (m)
		cfg_add_all(&m->options, c->a,
			(char *const[]){
				(char *)"bind", (char *)"ro", (char *)"nosuid", (char *)"nodev", NULL });
	return r;
}

/* --- the whole ---------------------------------------------------------------------------------- */

static size_t depth(const struct cfg_mount *m)
{
	size_t n = 0;

	if (m->origin == CFG_LAST)
		return SIZE_MAX;
	for (const char *p = m->destination; *p; p++)
		n += *p == '/' && p[1];
	return n;
}

/* Parents before what lies in them, otherwise as they came: an insertion sort is stable, and these are few.
 */
static void sort(struct cfg *c)
{
	for (size_t k = 1; k < c->n_mounts; k++) {
		struct cfg_mount m = c->mounts[k];
		size_t at = k;

		for (; at > 0 && depth(&c->mounts[at - 1]) > depth(&m); at--)
			c->mounts[at] = c->mounts[at - 1];
		c->mounts[at] = m;
	}
}

int cfg_mounts(struct cfg *c, struct err *e)
{
	const char *s;
	int r = root(c, e);

	if (r == 0)
		r = defaults(c, e);
	strv_each (s, c->o->tmpfs) {
		if (r == 0)
			r = tmpfs(c, s, e);
	}
	if (r == 0)
		r = cfg_volumes(c, e);
	if (r == 0)
		r = init(c, e);
	if (r < 0)
		return r;
	for (size_t k = 0; k < c->n_mounts; k++)
		if (c->mounts[k].options.failed)
			return cfg_no_memory(e);
	sort(c);
	return 0;
}

void cfg_put_mounts(struct cfg *c)
{
	json_open_array(c->w, "mounts");
	for (size_t k = 0; k < c->n_mounts; k++) {
		const struct cfg_mount *m = &c->mounts[k];

		json_open_object(c->w, NULL);
		json_put_string(c->w, "destination", m->destination);
		json_put_string(c->w, "type", m->type);
		json_put_string(c->w, "source", m->source);
		json_put_strv(c->w, "options", m->options.v);
		json_close_object(c->w);
	}
	json_close_array(c->w);
}
