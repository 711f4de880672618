/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence tag, ringfence untag: names for an image. */
#include "cli/image/catalog.h"

static const struct opt options[] = { { 0 } };

/* As podman has it, a name without a registry is one of "localhost"; without a tag it is "latest". */
static int whole_name(struct arena *a, const char *text, const char **out, struct err *e)
{
	struct img_ref ref, whole;
	int r = img_ref_parse(a, text, &ref, e);

	if (r < 0)
		return r;
	if (ref.digest.text[0])
		return err_text(e, EINVAL,
			"\"%.200s\" has a digest in it, and a new name cannot choose that; give it a tag",
			text);
	r = img_ref_qualify(a, &ref, ref.registry ? ref.registry : "localhost", &whole, e);
	if (r < 0)
		return r;
	*out = img_ref_text(a, &whole);
	return *out ? 0 : err_set(e, ENOMEM, "image name");
}

static int run_tag(const struct image_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	_cleanup_(img_store_closep) struct img_store *s = NULL;
	_cleanup_(arena_freep) struct arena *a = arena_new();
	const char **names = a ? arena_calloc(a, strv_len(args) + 1, sizeof(*names)) : NULL;
	struct img_image image;
	int r = 0;

	if (!names)
		return err_set(e, ENOMEM, "tag");
	/* All of them before the first is set. */
	for (size_t i = 1; r == 0 && args[i]; i++)
		r = whole_name(a, args[i], &names[i], e);
	if (r == 0)
		r = img_store_open(ctx->store, false, IMG_SHARED, -1, &s, e);
	if (r == 0)
		r = img_image_find(s, a, args[0], NULL, &image, e);
	for (size_t i = 1; r == 0 && args[i]; i++)
		r = img_name_set(s, names[i], &image.target, e);
	return r;
}

const struct image_verb verb_tag = {
	.name = "tag",
	.args = "IMAGE NAME...",
	.min_args = 2,
	.max_args = -1,
	.options = options,
	.run = run_tag,
};

/* --- untag -------------------------------------------------------------------------------------- */

/* The image's name that `what` means. */
static int name_of_image(struct img_store *s, struct arena *a, const char *what,
	const struct img_digest *target, const char **out, struct err *e)
{
	struct img_name n;
	bool by_digest;
	int r = img_name_find(s, a, what, NULL, &n, &by_digest, e);

	if (r < 0)
		return r;
	if (by_digest || !n.name)
		return err_text(e, EINVAL, "\"%.200s\" is not a name", what);
	if (!img_digest_eq(&n.target.digest, target))
		return err_text(
			e, EINVAL, "\"%.200s\" is a name of another image, %s", what, n.target.digest.text);
	*out = n.name;
	return 0;
}

static int run_untag(const struct image_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	_cleanup_(img_store_closep) struct img_store *s = NULL;
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct img_name found, *all = NULL;
	const char **names;
	size_t n_all = 0, n = 0;
	bool by_digest;
	int r;

	if (!a)
		return err_set(e, ENOMEM, "untag");
	r = img_store_open(ctx->store, false, IMG_SHARED, -1, &s, e);
	if (r == 0)
		r = img_name_find(s, a, args[0], NULL, &found, &by_digest, e);
	if (r == 0)
		r = img_names(s, a, &all, &n_all, e);
	if (r < 0)
		return r;
	names = arena_calloc(a, n_all + strv_len(args), sizeof(*names));
	if (!names)
		return err_set(e, ENOMEM, "untag");
	for (size_t i = 1; r == 0 && args[i]; i++)
		r = name_of_image(s, a, args[i], &found.target.digest, &names[n++], e);
	for (size_t i = 0; !args[1] && i < n_all; i++)
		if (all[i].name && img_digest_eq(&all[i].target.digest, &found.target.digest))
			names[n++] = all[i].name;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = img_name_remove(s, names[i], e);
	/* It stays as an image without a name, until `prune`. */
	if (r == 0)
		r = img_name_set(s, NULL, &found.target, e);
	return r;
}

const struct image_verb verb_untag = {
	.name = "untag",
	.args = "IMAGE [NAME...]",
	.min_args = 1,
	.max_args = -1,
	.options = options,
	.run = run_untag,
};
