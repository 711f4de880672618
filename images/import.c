/* SPDX-License-Identifier: Apache-2.0 */
/* img_import() and img_commit(): a tree as a layer of a new image (see transfer.h; pack.h does the work). */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "images/change.h"
#include "images/pack.h"
#include "images/transfer.h"

/* --- a running host ----------------------------------------------------------------------------- */

/*
 * What is only there while the host runs, or is no part of it. The directories stay: a system wants them.
 * That of the store is left empty by its inode, wherever it is.
 */
static const char *const host_excludes[] = {
	"/proc/*",
	"/sys/*",
	"/dev/*",
	"/run/*",
	"/tmp/*",
	"/var/tmp/*",
	"/var/lib/ringfence/*",
};

/* As /proc/swaps has it: blanks and backslashes in octal. And as a pattern for that path and no other. */
static char *swap_pattern(struct arena *a, const char *line)
{
	size_t len = strcspn(line, " \t"), used = 0;
	char *out = arena_alloc(a, 2 * len + 1);

	for (size_t i = 0; out && i < len; i++) {
		char c = line[i];

		if (c == '\\' && i + 3 < len && strspn(line + i + 1, "01234567") >= 3) {
			c = (char)((line[i + 1] - '0') * 64 + (line[i + 2] - '0') * 8 + (line[i + 3] - '0'));
			i += 3;
		}
		if (strchr("*?[]\\", c))
			out[used++] = '\\';
		out[used++] = c;
	}
	return out;
}

static int host_patterns(struct arena *a, char *const *more, char ***out, struct err *e)
{
	size_t n = 0, lines = 0, given = strv_len(more);
	_cleanup_free_ char *swaps = NULL;
	char **list;

	if (fd_read_at(AT_FDCWD, "/proc/swaps", 1 << 20, &swaps, NULL) == 0)
		for (const char *s = swaps; (s = strchr(s, '\n')); s++)
			lines++;
	list = arena_calloc(a, ARRAY_SIZE(host_excludes) + given + lines + 1, sizeof(*list));
	if (!list)
		return err_set(e, ENOMEM, "import");
	for (size_t i = 0; i < ARRAY_SIZE(host_excludes); i++)
		list[n++] = (char *)host_excludes[i];
	for (size_t i = 0; i < given; i++)
		list[n++] = more[i];
	/* The first line is a heading; partitions are in /dev, and left out anyway. */
	for (const char *s = swaps ? strchr(swaps, '\n') : NULL; s && s[1] == '/'; s = strchr(s + 1, '\n')) {
		list[n] = swap_pattern(a, s + 1);
		if (!list[n++])
			return err_set(e, ENOMEM, "import");
	}
	*out = list;
	return 0;
}

/* --- import ------------------------------------------------------------------------------------- */

static int pack_dir(struct img_store *s, const char *path, int dir, const struct img_pack_opts *po,
	struct img_packed *out, struct err *e)
{
	const char *m;
	struct stat st;

	strv_each (m, po->mounts)
		if (fstatat(dir, m + strspn(m, "/"), &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
			return err_text(e, ENOENT, "there is no directory %s to be included", m);
	return img_pack_tree(s, dir, po, out, e) < 0 ? err_wrap(e, "import %s", path) : 0;
}

static int pack_path(struct img_store *s, const char *path, const struct img_pack_opts *po,
	struct img_packed *out, struct err *e)
{
	bool input = str_eq(path, "-");
	_cleanup_close_ int fd =
		input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "import %s", input ? "standard input" : path);
	if (S_ISDIR(st.st_mode))
		return pack_dir(s, path, fd, po, out, e);
	if (po->mounts && *po->mounts)
		return err_text(e, EINVAL, "import %s: a tar has no mounts to be included", path);
	return img_pack_tar(s, fd, po, out, e) < 0 ? err_wrap(e, "import %s", input ? "standard input" : path)
						   : 0;
}

static int pack_host(
	struct img_store *s, struct arena *a, struct img_pack_opts *po, struct img_packed *out, struct err *e)
{
	_cleanup_close_ int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char **excludes = NULL;
	int r;

	if (dir < 0)
		return err_set(e, errno, "open /");
	r = host_patterns(a, po->excludes, &excludes, e);
	if (r < 0)
		return r;
	po->excludes = excludes;
	po->hot = true;
	return pack_dir(s, "/", dir, po, out, e);
}

/* Without trailing slashes, as paths of the tree are. */
static int clean_mounts(struct arena *a, char **mounts, char ***out, struct err *e)
{
	size_t n = strv_len(mounts);
	char **list = arena_calloc(a, n + 1, sizeof(*list));

	for (size_t i = 0; list && i < n; i++) {
		list[i] = arena_strdup(a, mounts[i]);
		for (size_t len = list[i] ? strlen(list[i]) : 0; len > 1 && list[i][len - 1] == '/'; len--)
			list[i][len - 1] = '\0';
		if (!list[i])
			return err_set(e, ENOMEM, "import");
		if (*list[i] != '/' || !list[i][1])
			return err_text(
				e, EINVAL, "\"%s\" is no absolute path of a mount below the root", mounts[i]);
	}
	*out = list;
	return list ? 0 : err_set(e, ENOMEM, "import");
}

static int add_history(struct arena *a, struct img_config *c, const char *by, const char *author,
	const char *message, struct err *e)
{
	struct img_history *list = arena_calloc(a, c->n_history + 1, sizeof(*list));

	c->created = img_now(a);
	if (!list || !c->created)
		return err_set(e, ENOMEM, "image config");
	if (c->n_history)
		memcpy(list, c->history, c->n_history * sizeof(*list));
	list[c->n_history++] = (struct img_history){
		.created = c->created, .created_by = by, .author = author, .comment = message
	};
	c->history = list;
	if (author)
		c->author = author;
	return 0;
}

static struct img_descriptor layer_descriptor(const struct img_packed *layer, enum img_compression c)
{
	return (struct img_descriptor){ .media_type = img_layer_type(c),
		.media = IMG_MEDIA_LAYER,
		.digest = layer->digest,
		.size = layer->size };
}

int img_import(struct img_store *s, const char *path, const struct img_import_opts *o, struct img_progress *p,
	struct arena *a, struct img_name *out, int64_t *changed, struct err *e)
{
	struct img_pack_opts po = { .compression = o->compression, .excludes = o->excludes, .progress = p };
	struct img_config c = { 0 };
	struct img_descriptor d;
	struct img_packed layer;
	struct err own = ERR_INIT;
	const char *name;
	char **mounts;
	int r;

	e = e ? e : &own;
	img_platform_host(&c.platform);
	/* What can be wrong without reading anything is told first. */
	r = img_name_local(a, o->name, &name, e);
	if (r == 0)
		r = img_config_change(a, &c, o->changes, e);
	if (r == 0)
		r = clean_mounts(a, o->include_mounts, &mounts, e);
	if (r < 0)
		return r;
	po.mounts = mounts;
	r = o->from_host ? pack_host(s, a, &po, &layer, e) : pack_path(s, path, &po, &layer, e);
	if (r == 0)
		r = add_history(a, &c, "ringfence import", o->author, o->message, e);
	if (r < 0)
		return r;
	c.diff_ids = &layer.diff_id;
	c.n_diff_ids = 1;
	d = layer_descriptor(&layer, o->compression);
	r = img_image_make(s, a, &c, NULL, &d, 1, name, out, e);
	if (r == 0 && changed)
		*changed = layer.changed;
	return r;
}

/* --- commit ------------------------------------------------------------------------------------- */

static int find_base(struct img_store *s, struct arena *a, const char *what, struct img_image *out,
	const struct json **config, struct err *e)
{
	int r = img_image_find(s, a, what, NULL, out, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < out->manifest.n_layers; i++)
		if (!img_blob_has(s, &out->manifest.layers[i].digest, out->manifest.layers[i].size))
			return err_text(e, ENOENT, "layer %zu of %s (%s) is not in the store; pull it again",
				i, what, out->manifest.layers[i].digest.text);
	return json_parse(a, out->config_text, out->config_len, "config", config, e);
}

/* Is an overlay of the image mounted without userxattr? By its unpacked layers, upon which it is. */
static bool is_trusted(struct img_store *s, const struct img_image *image)
{
	struct img_layer layer;
	int fd = image->config.n_diff_ids ? img_layer_open(s, &image->config.diff_ids[0], &layer, NULL)
					  : -ENOENT;

	fd_close(fd);
	return fd >= 0 && !layer.rootless;
}

static int add_layer(struct arena *a, const struct img_packed *layer, enum img_compression compression,
	struct img_config *c, struct img_descriptor **layers, struct err *e)
{
	size_t n = c->n_diff_ids;
	struct img_digest *diff_ids = arena_calloc(a, n + 1, sizeof(*diff_ids));
	struct img_descriptor *list = arena_calloc(a, n + 1, sizeof(*list));

	if (!diff_ids || !list)
		return err_set(e, ENOMEM, "commit");
	if (n) {
		memcpy(diff_ids, c->diff_ids, n * sizeof(*diff_ids));
		memcpy(list, *layers, n * sizeof(*list));
	}
	diff_ids[n] = layer->diff_id;
	list[n] = layer_descriptor(layer, compression);
	c->diff_ids = diff_ids;
	c->n_diff_ids = n + 1;
	*layers = list;
	return 0;
}

int img_commit(struct img_store *s, const char *base, int upper, const struct img_commit_opts *o,
	struct img_progress *p, struct arena *a, struct img_name *out, struct err *e)
{
	struct img_pack_opts po = {
		.compression = o->compression,
		.overlay = true,
		.uid_shift = o->uid_shift,
		.gid_shift = o->gid_shift,
		.shift_count = o->shift_count,
		.progress = p,
	};
	struct img_image image;
	struct img_descriptor *layers;
	struct img_packed layer;
	struct err own = ERR_INIT;
	const struct json *config;
	const char *name;
	int r;

	e = e ? e : &own;
	r = img_name_local(a, o->name, &name, e);
	if (r == 0)
		r = find_base(s, a, base, &image, &config, e);
	if (r == 0)
		r = img_config_change(a, &image.config, o->changes, e);
	if (r < 0)
		return r;
	if (image.config.n_diff_ids >= IMG_LAYERS_MAX)
		return err_text(e, E2BIG, "%s has %zu layers already", base, image.config.n_diff_ids);
	po.trusted = is_trusted(s, &image);
	r = img_pack_tree(s, upper, &po, &layer, e);
	layers = image.manifest.layers;
	if (r == 0)
		r = add_history(a, &image.config, "ringfence commit", o->author, o->message, e);
	if (r == 0)
		r = add_layer(a, &layer, o->compression, &image.config, &layers, e);
	return r < 0 ? r
		     : img_image_make(
			       s, a, &image.config, config, layers, image.config.n_diff_ids, name, out, e);
}
