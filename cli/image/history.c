/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence history: how an image came to be, the last step first. */
#include <time.h>

#include "cli/image/catalog.h"

#define CREATED_BY_MAX 45 /* columns, unless --no-trunc */

struct history_options {
	const char *format;
	bool no_trunc, quiet;
};

#define AT(field) offsetof(struct history_options, field)
static const struct opt options[] = {
	{ "format", 0, OPT_STRING, AT(format), "FORMAT", "table (default) or json" },
	{ "no-trunc", 0, OPT_BOOL, AT(no_trunc), NULL, "whole ids and commands" },
	{ "quiet", 'q', OPT_BOOL, AT(quiet), NULL, "ids only" },
	{ 0 },
};
#undef AT

struct step {
	struct img_history h;
	int64_t size;		     /* of its packed layer; 0 without one */
	const struct img_digest *id; /* the last step's is the image's; NULL: no image is left of it */
};

/* Base first, as documents have it. What no history tells about is a step without words. */
static int steps_of(
	const struct img_image *image, struct arena *a, struct step **out, size_t *n, struct err *e)
{
	const struct img_config *g = &image->config;
	size_t layer = 0, layers = image->manifest.n_layers;
	struct step *list = arena_calloc(a, g->n_history + layers + 1, sizeof(*list));

	*n = 0;
	if (!list)
		return err_set(e, ENOMEM, "history");
	for (size_t i = 0; i < g->n_history; i++) {
		struct step *x = &list[(*n)++];

		x->h = g->history[i];
		if (!x->h.empty_layer && layer < layers)
			x->size = image->manifest.layers[layer++].size;
	}
	while (layer < layers)
		list[(*n)++].size = image->manifest.layers[layer++].size;
	if (*n)
		list[*n - 1].id = &image->id;
	*out = list;
	return 0;
}

static const char *shown_id(const struct history_options *o, struct arena *a, const struct step *x)
{
	const char *text;

	if (!x->id)
		return "<missing>";
	text = o->no_trunc ? x->id->text : arena_printf(a, "%.12s", img_digest_hex(x->id));
	return text ? text : "";
}

/* Cut where it is shown, so that an escape counts as what it takes; between code points. */
static const char *shown_command(const struct history_options *o, struct arena *a, const char *text)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	size_t cut = 0, columns = 0;
	const char *copy;

	if (!text || o->no_trunc)
		return text;
	text_safe(&b, text);
	if (!b.s || text_width(b.s) <= CREATED_BY_MAX)
		return text;
	while (columns < CREATED_BY_MAX - 3)
		columns += ((unsigned char)b.s[++cut] & 0xc0) != 0x80;
	copy = arena_printf(a, "%.*s...", (int)cut, b.s);
	return copy ? copy : "";
}

static int print_table(
	const struct history_options *o, struct arena *a, const struct step *list, size_t n, struct err *e)
{
	static const char *const heads[] = { "ID", "CREATED", "CREATED BY", "SIZE", "COMMENT", NULL };
	_cleanup_(table_freep) struct table t = { .heads = heads };
	_cleanup_strbuf_ struct strbuf b = { 0 };
	int64_t now = (int64_t)time(NULL);

	for (size_t i = n; i-- > 0;) {
		int64_t created = text_time(list[i].h.created);
		char text[TEXT_MAX] = "N/A";

		if (o->quiet) {
			strbuf_printf(&b, "%s\n", shown_id(o, a, &list[i]));
			continue;
		}
		table_add(&t, shown_id(o, a, &list[i]));
		if (created != TEXT_NO_TIME)
			text_age(now - created, text);
		table_add(&t, text);
		table_add(&t, shown_command(o, a, list[i].h.created_by));
		text_size(list[i].size, text);
		table_add(&t, text);
		table_add(&t, list[i].h.comment);
	}
	if (!o->quiet)
		table_write(&t, true, &b);
	if (b.failed)
		return err_set(e, ENOMEM, "history");
	return b.len ? cli_print(b.s, b.len, e) : 0;
}

static int print_json(const struct step *list, size_t n, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);

	if (!w)
		return err_set(e, ENOMEM, "history");
	json_open_array(w, NULL);
	for (size_t i = n; i-- > 0;) {
		const struct img_history *h = &list[i].h;

		json_open_object(w, NULL);
		json_put_string(w, "id", list[i].id ? img_digest_hex(list[i].id) : "<missing>");
		json_put_string(w, "created", h->created);
		json_put_string(w, "CreatedBy", h->created_by ? h->created_by : "");
		json_put_i64(w, "size", list[i].size);
		json_put_string(w, "comment", h->comment ? h->comment : "");
		if (h->author)
			json_put_string(w, "author", h->author);
		json_close_object(w);
	}
	json_close_array(w);
	return catalog_print_json(w, e);
}

static int run(const struct image_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	_cleanup_(img_store_closep) struct img_store *s = NULL;
	_cleanup_(arena_freep) struct arena *a = arena_new();
	const struct history_options *o = values;
	int json = cli_format_is_json(o->format, "table", e), r = json < 0 ? json : 0;
	struct img_image image;
	struct step *list;
	size_t n;

	if (!a)
		return err_set(e, ENOMEM, "history");
	if (r == 0)
		r = img_store_open(ctx->store, false, IMG_SHARED, -1, &s, e);
	if (r == 0)
		r = img_image_find(s, a, args[0], NULL, &image, e);
	if (r == 0)
		r = steps_of(&image, a, &list, &n, e);
	if (r < 0)
		return r;
	return json ? print_json(list, n, e) : print_table(o, a, list, n, e);
}

const struct image_verb verb_history = {
	.name = "history",
	.args = "IMAGE",
	.min_args = 1,
	.max_args = 1,
	.options = options,
	.size = sizeof(struct history_options),
	.run = run,
};
