/* SPDX-License-Identifier: Apache-2.0 */
/* From a name to open layers, on the way of every start (see roots.h). */
#include "images/roots.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "images/ref.h"

#define DIR_FLAGS  (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define RECORD_MAX (2 * IMG_DOCUMENT_MAX)

struct lookup {
	const char *path; /* of the store */
	int dir, lock;
	struct arena *a;
};

static void lookup_end(struct lookup *l)
{
	fd_close(l->lock);
	fd_close(l->dir);
}

/* As img_store_open() does it, without what only writers need. */
static int open_store(struct lookup *l, const char *path, struct err *e)
{
	_cleanup_free_ char *own = path ? path_absolute(path) : img_store_default();
	struct stat st;

	if (!own)
		return errno == ENOENT
			       ? err_text(e, ENOENT,
					 "no place for the image store: HOME is not set; say --store DIR")
			       : err_set(e, errno, "image store");
	l->path = arena_strdup(l->a, own);
	if (!l->path)
		return err_set(e, ENOMEM, "image store");
	l->dir = open(l->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (l->dir < 0)
		return err_set(e, errno, "open image store %s", l->path);
	if (fstat(l->dir, &st) < 0)
		return err_set(e, errno, "image store %s", l->path);
	if (st.st_uid != geteuid())
		return err_text(e, EPERM,
			"image store %s belongs to user %u, not to you; choose another one with --store",
			l->path, (unsigned int)st.st_uid);
	return 0;
}

static int lock_store(struct lookup *l, struct err *e)
{
	l->lock = openat(l->dir, "lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (l->lock < 0)
		return err_set(e, errno, "open %s/lock", l->path);
	while (flock(l->lock, LOCK_SH) < 0)
		if (errno != EINTR)
			return err_set(e, errno, "lock image store %s", l->path);
	return 0;
}

/* --- names -------------------------------------------------------------------------------------- */

/* What an entry of index.json is called; NULL: nothing. */
static const char *entry_name(const struct json *entry)
{
	const struct json *annotations = json_get(entry, "annotations");
	const struct json *j = json_get(annotations, "org.opencontainers.image.ref.name");

	if (!j)
		j = json_get(annotations, "io.containerd.image.name");
	return j && j->type == JSON_STRING ? j->text : NULL;
}

static bool entry_digest(const struct json *entry, struct img_digest *out)
{
	const struct json *j = json_get(entry, "digest");

	return j && j->type == JSON_STRING && img_digest_parse(j->text, out, NULL) == 0;
}

/* Is `have` REGISTRY/PATH of `want`, and the version that it asks for? */
static bool is_wanted(const char *have, const struct img_digest *target, const struct img_ref *want)
{
	size_t registry = strlen(want->registry), path = strlen(want->path);
	const char *rest;

	if (strncmp(have, want->registry, registry) != 0 || have[registry] != '/' ||
		strncmp(have + registry + 1, want->path, path) != 0)
		return false;
	rest = have + registry + 1 + path;
	if (want->digest.text[0])
		return (*rest == ':' || *rest == '@') &&
		       (img_digest_eq(target, &want->digest) || str_ends(rest, want->digest.text));
	return *rest == ':' && str_eq(rest + 1, want->tag);
}

/* The entry whose name is `exact`, or whatever `want` asks for. */
static bool find_entry(const struct json *list, const char *exact, const struct img_ref *want,
	struct img_root *out, struct img_digest *target)
{
	const struct json *entry;

	json_each (entry, list) {
		const char *have = entry_name(entry);

		if (!have || !entry_digest(entry, target))
			continue;
		if (exact ? str_eq(have, exact) : is_wanted(have, target, want)) {
			out->name = have;
			return true;
		}
	}
	return false;
}

/* By the first rules of img_image_find(); what they do not find, `prepare` may. */
static int find_name(
	struct lookup *l, const char *name, struct img_root *out, struct img_digest *target, struct err *e)
{
	static const char *const registries[] = { "localhost", "docker.io" };
	_cleanup_free_ char *text = NULL;
	const struct json *index, *list;
	struct img_ref want, whole;
	size_t len;
	int r = fd_read_at(l->dir, "index.json", IMG_DOCUMENT_MAX, &text, &len);

	if (r < 0)
		return err_set(e, r, "read %s/index.json", l->path);
	r = json_parse(l->a, text, len, "index.json", &index, e);
	if (r < 0)
		return err_wrap(e, "image store %s", l->path);
	list = json_get(index, "manifests");
	if (find_entry(list, name, NULL, out, target))
		return 0;
	r = img_ref_parse(l->a, name, &want, e);
	/* Digits of an id, which are no name. */
	if (r == -EINVAL && name[strspn(name, "0123456789abcdef")] == '\0' && *name)
		return err_text(e, ENOENT, "\"%.200s\" is no whole digest", name);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(registries); i++) {
		r = img_ref_qualify(l->a, &want, registries[i], &whole, e);
		if (r < 0)
			return r;
		if (find_entry(list, NULL, &whole, out, target))
			return 0;
	}
	return err_text(e, ENOENT, "there is no image \"%.200s\" in image store %s", name, l->path);
}

/* --- layers ------------------------------------------------------------------------------------- */

static int not_ready(const char *what, const struct lookup *l, struct err *e)
{
	return err_text(e, ENOENT, "image %.200s in image store %s is not prepared", what, l->path);
}

static int read_record(struct lookup *l, const struct img_digest *target, const struct img_platform *p,
	struct img_root *out, struct err *e)
{
	char file[sizeof("ready/") + IMG_READY_NAME_MAX] = "ready/";
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	img_ready_name(target, p, file + strlen("ready/"));
	r = fd_read_at(l->dir, file, RECORD_MAX, &text, &len);
	if (r == -ENOENT)
		return not_ready(out->name ? out->name : target->text, l, e);
	if (r < 0)
		return err_set(e, r, "read %s/%s", l->path, file);
	r = img_ready_parse(l->a, text, len, out, e);
	/* Of another version, or a wreck: `prepare` writes it anew. */
	if (r == -EBADMSG || (r == 0 && !str_eq(out->target, target->text)))
		return not_ready(out->name ? out->name : target->text, l, e);
	return r;
}

static int open_layers(struct lookup *l, struct img_root *out, struct err *e)
{
	for (size_t i = 0; i < out->n_layers; i++) {
		struct img_root_layer *layer = &out->layers[i];
		char path[IMG_DIGEST_MAX + 16];

		snprintf(path, sizeof(path), "layers/%s/diff", strchr(layer->chain_id, ':') + 1);
		layer->fd = openat(l->dir, path, DIR_FLAGS);
		if (layer->fd < 0 && errno == ENOENT)
			return not_ready(out->name ? out->name : out->target, l, e);
		if (layer->fd < 0)
			return err_set(e, errno, "open %s/%s", l->path, path);
		if (out->erofs && faccessat(layer->fd, "../" IMG_LAYER_EROFS, F_OK, 0) < 0)
			return not_ready(out->name ? out->name : out->target, l, e);
	}
	return 0;
}

/* By the way of a name of its own in tmp/, for link(2) replaces nothing. */
static int replace_pin(struct lookup *l, const char *pin, const char *use, struct err *e)
{
	char tmp[NAME_MAX + 32];
	int r = 0;

	/* Our number may be another's too, in another pid namespace. */
	snprintf(tmp, sizeof(tmp), "tmp/pin-%d-%s", (int)getpid(), use + strlen("uses/"));
	unlinkat(l->dir, tmp, 0);
	if (linkat(l->dir, pin, l->dir, tmp, 0) < 0 || renameat(l->dir, tmp, l->dir, use) < 0)
		r = err_set(e, errno, "pin image as %s/%s", l->path, use);
	/* rename(2) leaves both names where they are one file already. */
	unlinkat(l->dir, tmp, 0);
	return r;
}

static int pin(struct lookup *l, const char *user, const struct img_digest *target, struct err *e)
{
	char from[sizeof("ready/") + IMG_READY_NAME_MAX] = "ready/", use[NAME_MAX + 8];

	img_ready_pin_name(target, from + strlen("ready/"));
	snprintf(use, sizeof(use), "uses/%s", user);
	if (linkat(l->dir, from, l->dir, use, 0) == 0)
		return 0;
	if (errno == EEXIST)
		return replace_pin(l, from, use, e);
	/* EMLINK: ext4 has no more than 65,000 links; `prepare` then makes a new file. */
	if (errno == ENOENT || errno == EMLINK)
		return not_ready(target->text, l, e);
	return err_set(e, errno, "pin image as %s/%s", l->path, use);
}

static int find(struct lookup *l, const char *name, const struct img_platform *p, const char *user,
	struct img_root *out, struct err *e)
{
	struct img_digest target;
	int r = lock_store(l, e);

	if (r < 0)
		return r;
	if (img_digest_parse(name, &target, NULL) < 0)
		r = find_name(l, name, out, &target, e);
	if (r == 0)
		r = read_record(l, &target, p, out, e);
	if (r == 0)
		r = open_layers(l, out, e);
	if (r == 0 && user)
		r = pin(l, user, &target, e);
	return r;
}

int img_root_find_target(const char *store, const char *target, const struct img_platform *p,
	const char *user, struct arena *a, struct img_root *out, struct err *e)
{
	struct lookup l = { .dir = -EBADF, .lock = -EBADF, .a = a };
	struct img_root root = { 0 };
	int r = user ? img_user_check(user, e) : 0;

	if (r == 0)
		r = open_store(&l, store, e);
	root.store = l.path;
	if (r == 0)
		r = find(&l, target, p, user, &root, e);
	lookup_end(&l);
	if (r < 0)
		img_root_close(&root);
	else
		*out = root;
	return r;
}

int img_root_find(const char *store, const char *name, const char *user, struct arena *a,
	struct img_root *out, struct err *e)
{
	return img_root_find_target(store, name, NULL, user, a, out, e);
}

char *img_root_layer_path(struct arena *a, const struct img_root *r, size_t i)
{
	return arena_printf(a, "%s/layers/%s/%s", r->store, strchr(r->layers[i].chain_id, ':') + 1,
		r->erofs ? IMG_LAYER_EROFS : "diff");
}

char *img_root_image_path(struct arena *a, const struct img_root *r)
{
	const struct img_root_layer *top = r->n_layers ? &r->layers[r->n_layers - 1] : NULL;

	if (!top || faccessat(top->fd, "../" IMG_ROOT_EROFS, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return NULL;
	return arena_printf(a, "%s/layers/%s/" IMG_ROOT_EROFS, r->store, strchr(top->chain_id, ':') + 1);
}

void img_root_close(struct img_root *r)
{
	for (size_t i = 0; i < r->n_layers; i++)
		r->layers[i].fd = fd_close(r->layers[i].fd);
}

int img_root_unpin(const char *store, const char *user, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct lookup l = { .dir = -EBADF, .lock = -EBADF, .a = a };
	char use[NAME_MAX + 8];
	int r = img_user_check(user, e);

	if (r < 0)
		return r;
	if (!a)
		return err_set(e, ENOMEM, "image store");
	r = open_store(&l, store, e);
	if (r == -ENOENT)
		return 0;
	snprintf(use, sizeof(use), "uses/%s", user);
	if (r == 0 && unlinkat(l.dir, use, 0) < 0 && errno != ENOENT)
		r = err_set(e, errno, "remove %s/%s", l.path, use);
	lookup_end(&l);
	return r;
}
