/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence prune: what the store does not need any more. */
#include "cli/image/catalog.h"

#define WAIT 5 /* seconds, for who is at work in the store */

struct prune_options {
	bool all, dry, force;
};

#define AT(field) offsetof(struct prune_options, field)
static const struct opt options[] = {
	{ "all", 'a', OPT_BOOL, AT(all), NULL, "also images with names that no partition uses" },
	{ "dry-run", 0, OPT_BOOL, AT(dry), NULL, "only say what would be removed" },
	{ "force", 'f', OPT_BOOL, AT(force), NULL, "do not ask, even on a terminal" },
	{ 0 },
};
#undef AT

/* Asked only where somebody can answer. 1: yes. */
static int confirm(const struct prune_options *o, struct err *e)
{
	static const char
		plain[] = "This removes all images without a name, and interrupted downloads. ",
		all[] = "This removes all images that no partition uses, and interrupted downloads. ",
		ask[] = "Go on? [y/N] ";
	char answer[16] = "";

	if (o->dry || o->force || !isatty(STDIN_FILENO))
		return 1;
	fprintf(stderr, "%s%s", o->all ? all : plain, ask);
	if (!fgets(answer, sizeof(answer), stdin))
		return 0;
	return answer[0] == 'y' || answer[0] == 'Y';
}

/* The images that img_store_collect() is going to remove, a line each. */
static int list_images(struct img_store *s, const struct prune_options *o, struct strbuf *out, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct catalog c;
	int r = a ? catalog_load(s, a, false, &c, e) : err_set(e, ENOMEM, "prune");

	for (size_t i = 0; r == 0 && i < c.n; i++) {
		const struct catalog_image *x = &c.list[i];
		size_t at = 0;

		if (catalog_user(&c, &x->entry.target.digest, &at) || (x->entry.name && !o->all))
			continue;
		if (x->entry.name) {
			strbuf_puts(out, o->dry ? "Would untag: " : "Untagged: ");
			text_safe(out, x->entry.name);
			strbuf_puts(out, "\n");
		}
		at = 0;
		for (size_t k = i + 1; k < c.n && !at; k++)
			at = catalog_same(&c.list[k], x);
		/* With its last name. */
		if (!at)
			strbuf_printf(out, "%s: %s\n", o->dry ? "Would delete" : "Deleted",
				x->broken ? x->entry.target.digest.text : x->image.id.text);
	}
	return r;
}

static void add_total(const struct prune_options *o, const struct img_collected *c, struct strbuf *out)
{
	char size[TEXT_MAX];

	text_size(c->bytes, size);
	strbuf_printf(out, "%s: %s (%zu image%s, %zu blob%s, %zu unpacked layer%s)\n",
		o->dry ? "Would be reclaimed" : "Reclaimed", size, c->images, c->images == 1 ? "" : "s",
		c->blobs, c->blobs == 1 ? "" : "s", c->layers, c->layers == 1 ? "" : "s");
}

static int run(const struct image_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	_cleanup_(img_store_closep) struct img_store *s = NULL;
	_cleanup_strbuf_ struct strbuf out = { 0 };
	const struct prune_options *o = values;
	struct img_collected c = { 0 };
	unsigned int how = (o->all ? IMG_COLLECT_UNUSED : 0U) | (o->dry ? IMG_COLLECT_DRY : 0U);
	int r = confirm(o, e);

	if (r <= 0)
		return r;
	r = catalog_open(ctx, o->dry ? IMG_SHARED : IMG_EXCLUSIVE, o->dry ? -1 : WAIT, &s, e);
	if (r == 0 && s)
		r = list_images(s, o, &out, e);
	if (r == 0 && s)
		r = img_store_collect(s, how, &c, e);
	if (r < 0)
		return r;
	add_total(o, &c, &out);
	return out.failed ? err_set(e, ENOMEM, "prune") : cli_print(out.s, out.len, e);
}

const struct image_verb verb_prune = {
	.name = "prune",
	.options = options,
	.size = sizeof(struct prune_options),
	.run = run,
};
