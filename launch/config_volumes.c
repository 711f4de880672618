/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes and binds: --volume, --mount, and what an image declares (conversion.md, "Volumes").
 *
 *   A source that is missing is an error, as with podman: one that docker would make is a typing error most
 * of the time. With a user namespace of its own a partition sees its binds with ids mapped: its root is the
 * owner that the host calls root, and so on. A file system that cannot have that is refused by name;
 * "noidmap" takes it as it is, where everything is nobody's.
 */
#include "launch/config_internal.h"

#include <limits.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/path.h"
#include "launch/ids.h"

struct want {
	enum cfg_origin origin;
	const char *option; /* for errors */
	const char *source, *destination;
	const char *volume; /* its name; then source is ours */
	bool anonymous, file, read_only, no_idmap, plain;
	struct cfg_vec words; /* what goes into the mount as it is */
};

static const char *random_name(struct arena *a)
{
	unsigned char bytes[32];
	char text[2 * sizeof(bytes) + 1];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return NULL;
	for (size_t k = 0; k < sizeof(bytes); k++)
		snprintf(text + 2 * k, 3, "%02x", bytes[k]);
	return arena_strdup(a, text);
}

/* --- options ------------------------------------------------------------------------------------ */

static int option_word(struct cfg *c, struct want *w, const char *word, struct err *e)
{
	static const char *const pass[] = { "suid", "nosuid", "dev", "nodev", "exec", "noexec", "private",
		"rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable", "atime",
		"noatime", "relatime", "nosymfollow", "nocopy", NULL };
	static const char *const nothing[] = { "", "rw", "rbind", "idmap", "copy", "consistent", "cached",
		"delegated", NULL };

	if (strv_has((char *const *)pass, word))
		cfg_add(&w->words, c->a, word);
	else if (str_eq(word, "ro") || str_eq(word, "readonly"))
		w->read_only = true;
	else if (str_eq(word, "bind"))
		w->plain = true;
	else if (str_eq(word, "noidmap"))
		w->no_idmap = true;
	else if (str_eq(word, "z") || str_eq(word, "Z"))
		return err_text(e, EINVAL,
			"%.300s: option %s: ringfence does not relabel files for SELinux; leave it out%s",
			w->option, word,
			access("/sys/fs/selinux/enforce", F_OK) == 0
				? ", and run: chcon -R -t container_file_t SOURCE"
				: ": this host has no SELinux");
	else if (str_eq(word, "U"))
		return err_text(e, EINVAL,
			"%.300s: option U would change the owner of every file there; leave it out: ids are "
			"mapped, and "
			"the partition's root is the host's there",
			w->option);
	else if (!strv_has((char *const *)nothing, word))
		return err_text(e, EINVAL,
			"%.300s: unknown option \"%.100s\"; there are ro, rw, noidmap, bind, rbind, "
			"[no]exec, [no]suid, "
			"[no]dev, [r]private, [r]shared, [r]slave",
			w->option, word);
	return 0;
}

/* --- one mount ---------------------------------------------------------------------------------- */

static int host_source(struct cfg *c, struct want *w, struct err *e)
{
	struct stat st;

	if (*w->source == '.') {
		_cleanup_free_ char *absolute = path_absolute(w->source);
		char clean[PATH_MAX];

		if (!absolute || path_clean(absolute, clean, sizeof(clean)) < 0)
			return err_set(e, errno, "%.300s: make the source absolute", w->option);
		w->source = arena_strdup(c->a, clean);
		if (!w->source)
			return cfg_no_memory(e);
	}
	if (*w->source != '/')
		return err_text(e, EINVAL, "%.300s: the source must be an absolute path", w->option);
	if (stat(w->source, &st) < 0)
		return errno == ENOENT
			       ? err_text(e, ENOENT, "%.300s: mount source missing: %.300s; make it first",
					 w->option, w->source)
			       : err_set(e, errno, "%.300s: look at %.300s", w->option, w->source);
	w->file = !S_ISDIR(st.st_mode);
	if (c->userns && !w->no_idmap && !launch_ids_can_map(w->source))
		return err_text(e, EOPNOTSUPP,
			"%.300s: the file system of %.300s cannot be mounted with its ids mapped into the "
			"partition's "
			"user namespace; option noidmap takes it as it is, with files that are nobody's "
			"inside, or use "
			"--userns host",
			w->option, w->source);
	return 0;
}

static int volume_source(struct cfg *c, struct want *w, struct err *e)
{
	if (w->anonymous)
		w->volume = random_name(c->a);
	if (!w->volume)
		return err_set(e, errno ? errno : ENOMEM, "%.300s: make up a name for its volume", w->option);
	if (launch_check_name("volume", w->volume, e) < 0)
		return err_wrap(e, "%.300s", w->option);
	w->source = arena_printf(c->a, "%s/%s/_data", c->at->volumes, w->volume);
	if (!w->source)
		return cfg_no_memory(e);
	if (!strv_has(c->volumes.v, w->volume))
		cfg_add(&c->volumes, c->a, w->volume);
	if (w->anonymous)
		cfg_add(&c->anonymous, c->a, w->volume);
	return 0;
}

/* procfs and sysfs are no places for anything (CVE-2019-16884); a Volume of an image is not asked for. */
static int check_destination(const struct want *w, struct err *e)
{
	static const char *const kernels[] = { "/proc", "/sys", "/dev" };
	char clean[PATH_MAX];

	if (w->origin != CFG_IMAGE || path_clean(w->destination, clean, sizeof(clean)) < 0)
		return 0;
	for (size_t k = 0; k < ARRAY_SIZE(kernels); k++)
		if (path_within(clean, kernels[k]))
			return err_text(e, EINVAL, "%.300s: nothing of an image may be mounted in %s",
				w->option, kernels[k]);
	return 0;
}

static int mount_it(struct cfg *c, struct want *w, struct err *e)
{
	struct cfg_mount *m;
	bool idmap;
	int r = check_destination(w, e);

	if (r < 0)
		return r;
	m = cfg_mount(c, w->origin, w->option, w->destination, "bind", NULL, &r, e);
	if (!m)
		return r;
	r = w->volume || w->anonymous ? volume_source(c, w, e) : host_source(c, w, e);
	if (r < 0)
		return r;
	m->source = w->source;
	idmap = c->userns && !w->no_idmap;
	cfg_add(&m->options, c->a, w->plain || w->file || w->volume ? "bind" : "rbind");
	cfg_add_all(&m->options, c->a, (char *const[]){ (char *)"nosuid", (char *)"nodev", NULL });
	if (w->read_only)
		cfg_add(&m->options, c->a, w->plain || w->file || w->volume ? "ro" : "rro");
	if (idmap)
		cfg_add(&m->options, c->a, "idmap");
	cfg_add_all(&m->options, c->a, w->words.v);
	return w->words.failed ? cfg_no_memory(e) : 0;
}

/* --- --volume ----------------------------------------------------------------------------------- */

static int volume(struct cfg *c, const char *s, struct err *e)
{
	struct want w = { .origin = CFG_OPTION, .option = arena_printf(c->a, "--volume %s", s) };
	char **parts, **words;
	size_t n, n_words;
	int r = 0;

	parts = cfg_split(c->a, s, ':', &n);
	if (!w.option || !parts)
		return cfg_no_memory(e);
	if (n > 3 || !*parts[0] || (n > 1 && !*parts[1]))
		return err_text(e, EINVAL,
			"%.300s: must be [SOURCE:]DESTINATION[:OPTIONS]; a path with a \":\" in it takes "
			"--mount",
			w.option);
	/* "/data:ro" is docker's anonymous volume with an option, not a mount on "ro". */
	if (n == 1 || (n == 2 && *parts[0] == '/' && *parts[1] != '/')) {
		w.anonymous = true;
		w.destination = parts[0];
	} else {
		w.destination = parts[1];
		if (strchr(parts[0], '/') || *parts[0] == '.')
			w.source = parts[0];
		else
			w.volume = parts[0];
	}
	words = n == 3 || (w.anonymous && n == 2) ? cfg_split(c->a, parts[n - 1], ',', &n_words) : NULL;
	for (size_t k = 0; words && k < n_words && r == 0; k++)
		r = option_word(c, &w, words[k], e);
	return r < 0 ? r : mount_it(c, &w, e);
}

/* --- --mount ------------------------------------------------------------------------------------ */

struct mount_words {
	const char *type, *tmpfs_size, *tmpfs_mode;
};

static bool is_one_of(const char *s, const char *a, const char *b, const char *d)
{
	return str_eq(s, a) || (b && str_eq(s, b)) || (d && str_eq(s, d));
}

static int truth(const struct want *w, const char *key, const char *value, bool has, bool *out, struct err *e)
{
	if (!has || str_eq(value, "true") || str_eq(value, "1"))
		*out = true;
	else if (str_eq(value, "false") || str_eq(value, "0"))
		*out = false;
	else
		return err_text(e, EINVAL, "%.300s: %s must be true or false", w->option, key);
	return 0;
}

static int mount_word(struct cfg *c, struct want *w, struct mount_words *m, const char *word, struct err *e)
{
	const char *key, *value;
	bool has = cfg_pair(c->a, word, &key, &value), idmap;
	int r;

	if (!key)
		return cfg_no_memory(e);
	if (str_eq(key, "type"))
		m->type = value;
	else if (is_one_of(key, "source", "src", NULL))
		w->source = value;
	else if (is_one_of(key, "destination", "dst", "target"))
		w->destination = value;
	else if (is_one_of(key, "readonly", "ro", NULL))
		return truth(w, key, value, has, &w->read_only, e);
	else if (str_eq(key, "idmap")) {
		r = truth(w, key, value, has, &idmap, e);
		w->no_idmap = r == 0 && !idmap;
		return r;
	} else if (is_one_of(key, "bind-propagation", "propagation", NULL))
		return option_word(c, w, value, e);
	else if (str_eq(key, "tmpfs-size"))
		m->tmpfs_size = value;
	else if (str_eq(key, "tmpfs-mode"))
		m->tmpfs_mode = value;
	else if (!has)
		return option_word(c, w, word, e);
	else
		return err_text(e, EINVAL, "%.300s: unknown key \"%.100s\"", w->option, key);
	return 0;
}

static int mount_tmpfs(struct cfg *c, struct want *w, const struct mount_words *t, struct err *e)
{
	struct cfg_vec words = { 0 };
	struct cfg_mount *m;
	int r;

	if (w->source)
		return err_text(e, EINVAL, "%.300s: a tmpfs has no source", w->option);
	m = cfg_mount(c, CFG_OPTION, w->option, w->destination, "tmpfs", "tmpfs", &r, e);
	if (!m)
		return r;
	cfg_add_all(&words, c->a, w->words.v);
	if (w->read_only)
		cfg_add(&words, c->a, "ro");
	if (t->tmpfs_size)
		cfg_add(&words, c->a, arena_printf(c->a, "size=%s", t->tmpfs_size));
	if (t->tmpfs_mode)
		cfg_add(&words, c->a, arena_printf(c->a, "mode=%s", t->tmpfs_mode));
	return words.failed ? cfg_no_memory(e) : cfg_tmpfs_options(c, m, w->option, words.v, e);
}

static int mount_option(struct cfg *c, const char *s, struct err *e)
{
	struct want w = { .origin = CFG_OPTION, .option = arena_printf(c->a, "--mount %s", s) };
	struct mount_words m = { .type = "volume" };
	char **words;
	size_t n;
	int r;

	words = cfg_split(c->a, s, ',', &n);
	if (!w.option || !words)
		return cfg_no_memory(e);
	for (size_t k = 0; k < n; k++) {
		r = mount_word(c, &w, &m, words[k], e);
		if (r < 0)
			return r;
	}
	if (!w.destination)
		return err_text(e, EINVAL, "%.300s: destination= is missing", w.option);
	if (str_eq(m.type, "tmpfs"))
		return mount_tmpfs(c, &w, &m, e);
	if (m.tmpfs_size || m.tmpfs_mode)
		return err_text(e, EINVAL, "%.300s: tmpfs-size and tmpfs-mode are for type=tmpfs", w.option);
	if (str_eq(m.type, "volume")) {
		w.volume = TAKE_PTR(w.source);
		w.anonymous = !w.volume;
	} else if (!str_eq(m.type, "bind")) {
		return err_text(e, EINVAL, "%.300s: type must be bind, volume or tmpfs", w.option);
	} else if (!w.source) {
		return err_text(e, EINVAL, "%.300s: source= is missing", w.option);
	}
	return mount_it(c, &w, e);
}

/* Each is a directory, a mount and a line of the record; nobody's program has a hundred places for data. */
#define IMAGE_VOLUMES_MAX 1000

int cfg_volumes(struct cfg *c, struct err *e)
{
	const char *s;
	int r = 0;

	strv_each (s, c->o->volumes) {
		r = volume(c, s, e);
		if (r < 0)
			return r;
	}
	strv_each (s, c->o->mounts) {
		r = mount_option(c, s, e);
		if (r < 0)
			return r;
	}
	if (strv_len(c->i->volumes) > IMAGE_VOLUMES_MAX)
		return err_text(e, EINVAL,
			"the image declares %zu volumes, and %d are the most that are taken",
			strv_len(c->i->volumes), IMAGE_VOLUMES_MAX);
	strv_each (s, c->i->volumes) {
		struct want w = { .origin = CFG_IMAGE, .destination = s, .anonymous = true };

		w.option = arena_printf(c->a, "Volume %s of the image", s);
		if (!w.option)
			return cfg_no_memory(e);
		r = mount_it(c, &w, e);
		if (r < 0)
			return r;
	}
	return 0;
}
