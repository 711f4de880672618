/* SPDX-License-Identifier: Apache-2.0 */
/* Ready records as `ringfence` reads them, and what roots.c and the store have in common (see roots.h). */
#include <stdio.h>

#include "base/json.h"
#include "base/path.h"
#include "images/roots.h"

#define DEFAULT_ROOT  "/var/lib/ringfence/store"
#define USER_NAME_MAX 200
#define LAYERS_MAX    500 /* OVL_MAX_STACK of the kernel (fs/overlayfs/params.h) */

char *img_store_default(void)
{
	const char *env = getenv("RINGFENCE_STORE"), *data, *home;
	char *path = NULL;

	if (env && *env)
		return path_absolute(env);
	/* launch/data.c has the rest of that directory. */
	env = getenv("RINGFENCE_DATA");
	if (env && *env) {
		_cleanup_free_ char *whole = path_absolute(env);

		return !whole || asprintf(&path, "%s/store", whole) < 0 ? NULL : path;
	}
	if (geteuid() == 0)
		return strdup(DEFAULT_ROOT);
	data = getenv("XDG_DATA_HOME");
	home = getenv("HOME");
	if (data && *data == '/')
		return asprintf(&path, "%s/ringfence/store", data) < 0 ? NULL : path;
	if (!home || *home != '/') {
		errno = ENOENT;
		return NULL;
	}
	return asprintf(&path, "%s/.local/share/ringfence/store", home) < 0 ? NULL : path;
}

int img_user_check(const char *user, struct err *e)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-+";

	if (!*user || *user == '.' || strlen(user) > USER_NAME_MAX || strspn(user, allowed) != strlen(user))
		return err_text(e, EINVAL, "\"%.100s\" is no name for a user of an image", user);
	return 0;
}

/* --- names -------------------------------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
	return str_eq(a ? a : "", b ? b : "");
}

static bool is_host(const struct img_platform *p)
{
	struct img_platform host;

	if (!p || (!p->os && !p->architecture))
		return true;
	img_platform_host(&host);
	return same(p->os, host.os) && same(p->architecture, host.architecture) &&
	       same(p->variant, host.variant);
}

/* A platform comes from the command line or a document: nothing in it may lead out of the directory. */
static void put_part(char *buf, size_t size, char separator, const char *part)
{
	size_t at = strlen(buf);

	if (!part || at + 2 > size)
		return;
	buf[at++] = separator;
	for (; *part && at + 1 < size; part++)
		buf[at++] = *part == '/' || *part == '-' ? '_' : *part;
	buf[at] = '\0';
}

void img_ready_name(
	const struct img_digest *target, const struct img_platform *p, char buf[IMG_READY_NAME_MAX])
{
	char platform[100] = "";

	if (!is_host(p)) {
		put_part(platform, sizeof(platform), '@', p->os ? p->os : "");
		put_part(platform, sizeof(platform), '-', p->architecture ? p->architecture : "");
		put_part(platform, sizeof(platform), '-', p->variant);
	}
	snprintf(buf, IMG_READY_NAME_MAX, "%s-%s%s.json", img_digest_algorithm(target),
		img_digest_hex(target), platform);
}

void img_ready_pin_name(const struct img_digest *target, char buf[IMG_READY_NAME_MAX])
{
	snprintf(buf, IMG_READY_NAME_MAX, "%s-%s.pin", img_digest_algorithm(target), img_digest_hex(target));
}

bool img_ready_target(const char *file, struct img_digest *out)
{
	char text[IMG_DIGEST_MAX];
	size_t len = strcspn(file, "@.");

	if (len < strlen("sha256-") || len >= sizeof(text))
		return false;
	memcpy(text, file, len);
	text[len] = '\0';
	text[strlen("sha256")] = ':';
	return file[strlen("sha256")] == '-' && img_digest_parse(text, out, NULL) == 0;
}

/* --- the record --------------------------------------------------------------------------------- */

static int get_text(const struct json *obj, const char *name, bool must, const char **out, struct err *e)
{
	const struct json *j = json_get(obj, name);

	if (j)
		return json_as_string(j, name, out, e);
	return must ? err_text(e, EINVAL, "%s is missing", name) : 0;
}

static int get_list(struct arena *a, const struct json *obj, const char *name, char ***out, struct err *e)
{
	const struct json *list = json_get(obj, name), *j;
	char **v;
	size_t n = 0;
	int r = 0;

	if (!list)
		return 0;
	if (list->type != JSON_ARRAY)
		return err_text(e, EINVAL, "%s is no list", name);
	v = arena_calloc(a, list->count + 1, sizeof(*v));
	if (!v)
		return err_set(e, ENOMEM, "read a ready record");
	json_each (j, list) {
		const char *text;

		r = json_as_string(j, name, &text, e);
		if (r < 0)
			return r;
		v[n++] = (char *)text;
	}
	*out = v;
	return 0;
}

static int get_digest(const struct json *obj, const char *name, const char **out, struct err *e)
{
	struct img_digest d;
	int r = get_text(obj, name, true, out, e);

	return r < 0 ? r : img_digest_parse(*out, &d, e);
}

static int get_flag(const struct json *obj, const char *name, bool *out, struct err *e)
{
	const struct json *j = json_get(obj, name);

	return j ? json_as_bool(j, name, out, e) : 0;
}

/* ChainIDs become parts of paths: each is parsed. */
static int get_layers(struct arena *a, const struct json *obj, struct img_root *out, struct err *e)
{
	char **ids = NULL;
	int r = get_list(a, obj, "layers", &ids, e);
	size_t n = strv_len(ids);

	if (r < 0)
		return r;
	if (n > LAYERS_MAX)
		return err_text(e, EINVAL, "%zu layers, and overlayfs takes no more than %d", n, LAYERS_MAX);
	out->layers = arena_calloc(a, n + 1, sizeof(*out->layers));
	if (!out->layers)
		return err_set(e, ENOMEM, "read a ready record");
	for (size_t i = 0; i < n; i++) {
		struct img_digest d;

		r = img_digest_parse(ids[i], &d, e);
		if (r < 0)
			return r;
		out->layers[i] = (struct img_root_layer){ .chain_id = ids[i], .fd = -EBADF };
	}
	out->n_layers = n;
	return 0;
}

static int get_config(struct arena *a, const struct json *c, struct img_root *out, struct err *e)
{
	static const struct {
		const char *name;
		size_t at;
	} texts[] = {
		{ "User", offsetof(struct img_root, user) },
		{ "WorkingDir", offsetof(struct img_root, working_dir) },
		{ "StopSignal", offsetof(struct img_root, stop_signal) },
		{ "created", offsetof(struct img_root, created) },
		{ "author", offsetof(struct img_root, author) },
	}, lists[] = {
		{ "Env", offsetof(struct img_root, env) },
		{ "Entrypoint", offsetof(struct img_root, entrypoint) },
		{ "Cmd", offsetof(struct img_root, cmd) },
		{ "ExposedPorts", offsetof(struct img_root, exposed_ports) },
		{ "Volumes", offsetof(struct img_root, volumes) },
		{ "Labels", offsetof(struct img_root, labels) },
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(texts) && r == 0; i++)
		r = get_text(c, texts[i].name, false, (const char **)((char *)out + texts[i].at), e);
	for (size_t i = 0; i < ARRAY_SIZE(lists) && r == 0; i++)
		r = get_list(a, c, lists[i].name, (char ***)((char *)out + lists[i].at), e);
	if (r == 0 && strv_len(out->labels) % 2)
		r = err_text(e, EINVAL, "Labels is no list of pairs");
	return r;
}

static int get_all(struct arena *a, const struct json *j, struct img_root *out, struct err *e)
{
	const struct json *platform = json_get(j, "platform");
	int64_t version = 0;
	int r = json_get(j, "version") ? json_as_i64(json_get(j, "version"), "version", &version, e) : 0;

	if (r == 0 && version != IMG_READY_VERSION)
		r = err_text(e, EINVAL, "version %lld is not known", (long long)version);
	if (r == 0)
		r = get_digest(j, "target", &out->target, e);
	if (r == 0)
		r = get_digest(j, "manifest", &out->manifest, e);
	if (r == 0)
		r = get_digest(j, "config", &out->config, e);
	if (r == 0)
		r = get_text(platform, "os", true, &out->platform.os, e);
	if (r == 0)
		r = get_text(platform, "architecture", true, &out->platform.architecture, e);
	if (r == 0)
		r = get_text(platform, "variant", false, &out->platform.variant, e);
	if (r == 0)
		r = get_flag(j, "rootless", &out->rootless, e);
	if (r == 0)
		r = get_flag(j, "noOwners", &out->no_owners, e);
	if (r == 0)
		r = get_flag(j, "erofs", &out->erofs, e);
	if (r == 0)
		r = get_layers(a, j, out, e);
	return r < 0 ? r : get_config(a, json_get(j, "image"), out, e);
}

int img_ready_parse(struct arena *a, const char *text, size_t len, struct img_root *out, struct err *e)
{
	struct img_root root = { .store = out->store, .name = out->name };
	const struct json *j;
	int r = json_parse(a, text, len, "ready record", &j, e);

	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	r = get_all(a, j, &root, e);
	if (r < 0) {
		err_wrap(e, "ready record");
		return r == -ENOMEM ? r : -EBADMSG;
	}
	*out = root;
	return 0;
}
