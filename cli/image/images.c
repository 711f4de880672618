/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence images: what is in the store, a line a name. */
#include <time.h>

#include "cli/image/catalog.h"

struct images_options {
	const char *format;
	char **filters;
	bool quiet, digests, all, no_trunc, noheading;
};

#define AT(field) offsetof(struct images_options, field)
static const struct opt options[] = {
	{ "format", 0, OPT_STRING, AT(format), "FORMAT", "table (default) or json" },
	{ "filter", 'f', OPT_LIST, AT(filters), "KEY=VALUE",
		"only those with dangling=BOOL, reference=PATTERN or label=KEY[=VALUE]; may be repeated" },
	{ "quiet", 'q', OPT_BOOL, AT(quiet), NULL, "ids only" },
	{ "digests", 0, OPT_BOOL, AT(digests), NULL, "with the digests of manifests" },
	{ "all", 'a', OPT_BOOL, AT(all), NULL, "also an index's images for other machines" },
	{ "no-trunc", 0, OPT_BOOL, AT(no_trunc), NULL, "whole ids" },
	{ "noheading", 'n', OPT_BOOL, AT(noheading), NULL, "without the line of headings" },
	{ 0 },
};
#undef AT

/* --- which ones --------------------------------------------------------------------------------- */

/* One of the names on the command line, or the beginning of an id. */
static bool is_asked_for(char *const *names, const struct catalog_image *i)
{
	const char *name;

	if (!*names)
		return true;
	strv_each (name, names) {
		if (i->entry.name && filter_reference(name, i->entry.name))
			return true;
		if (strlen(name) >= 4 && str_starts(catalog_id(i), name))
			return true;
	}
	return false;
}

/* The newest first; of the same age in the store's order. */
static int by_age(const void *a, const void *b)
{
	const struct catalog_image *x = *(const struct catalog_image *const *)a,
				   *y = *(const struct catalog_image *const *)b;

	if (x->created != y->created)
		return x->created > y->created ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int choose(const struct images_options *o, char *const *names, const struct catalog *c,
	struct catalog_image ***out, size_t *n, struct err *e)
{
	struct catalog_image **list = arena_calloc(c->a, c->n + 1, sizeof(struct catalog_image *));

	if (!list)
		return err_set(e, ENOMEM, "images");
	*n = 0;
	for (size_t i = 0; i < c->n; i++)
		if (is_asked_for(names, &c->list[i]) && filter_matches(o->filters, &c->list[i]))
			list[(*n)++] = &c->list[i];
	qsort(list, *n, sizeof(*list), by_age);
	*out = list;
	return 0;
}

/* Is there one before it that leads to the same image? */
static bool is_again(struct catalog_image *const *list, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (catalog_same(list[k], list[i]))
			return true;
	return false;
}

/* --- as a table --------------------------------------------------------------------------------- */

static const char *shown_id(const struct images_options *o, struct arena *a, const struct catalog_image *i)
{
	const char *text = o->no_trunc ? arena_printf(a, "sha256:%s", catalog_id(i))
				       : arena_printf(a, "%.12s", catalog_id(i));

	return text ? text : "";
}

static void add_row(struct table *t, const struct images_options *o, struct arena *a,
	const struct catalog_image *i, int64_t now)
{
	char text[TEXT_MAX];

	table_add(t, i->repository ? i->repository : "<none>");
	table_add(t, i->ref.tag ? i->ref.tag : "<none>");
	if (o->digests)
		table_add(t, i->entry.target.digest.text);
	table_add(t, i->broken ? "<damaged>" : shown_id(o, a, i));
	snprintf(text, sizeof(text), "N/A");
	if (i->created != TEXT_NO_TIME)
		text_age(now - i->created, text);
	table_add(t, text);
	snprintf(text, sizeof(text), "N/A");
	if (i->size >= 0)
		text_size(i->size, text);
	table_add(t, text);
}

static int print_table(const struct images_options *o, struct arena *a, struct catalog_image *const *list,
	size_t n, struct err *e)
{
	static const char *const heads[] = { "REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", NULL };
	static const char *const with_digests[] = { "REPOSITORY", "TAG", "DIGEST", "IMAGE ID", "CREATED",
		"SIZE", NULL };
	_cleanup_(table_freep) struct table t = { .heads = o->digests ? with_digests : heads };
	_cleanup_strbuf_ struct strbuf b = { 0 };
	int64_t now = (int64_t)time(NULL);

	for (size_t i = 0; i < n; i++)
		add_row(&t, o, a, list[i], now);
	table_write(&t, !o->noheading, &b);
	if (b.failed)
		return err_set(e, ENOMEM, "images");
	return b.len ? cli_print(b.s, b.len, e) : 0;
}

static int print_ids(const struct images_options *o, struct arena *a, struct catalog_image *const *list,
	size_t n, struct err *e)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };

	for (size_t i = 0; i < n; i++)
		if (!list[i]->broken && !is_again(list, i))
			strbuf_printf(&b, "%s\n", shown_id(o, a, list[i]));
	if (b.failed)
		return err_set(e, ENOMEM, "images");
	return b.len ? cli_print(b.s, b.len, e) : 0;
}

/* --- as JSON ------------------------------------------------------------------------------------ */

static void put_image(struct json_writer *w, const struct catalog *c, const struct catalog_image *x)
{
	int64_t users = 0;
	size_t at = 0;

	json_open_object(w, NULL);
	json_put_string(w, "Id", catalog_id(x));
	catalog_put_names(w, "RepoTags", false, c, x);
	catalog_put_names(w, "RepoDigests", true, c, x);
	catalog_put_names(w, "Names", false, c, x);
	json_put_string(w, "Digest", x->entry.target.digest.text);
	if (x->broken) {
		json_put_string(w, "Damaged", x->broken);
	} else {
		const struct img_config *g = &x->image.config;

		json_put_i64(w, "Size", x->size);
		catalog_put_labels(w, g->labels);
		if (x->created != TEXT_NO_TIME) {
			json_put_i64(w, "Created", x->created);
			json_put_string(w, "CreatedAt", g->created);
		}
		json_put_string(w, "Architecture", g->platform.architecture);
		json_put_string(w, "Os", g->platform.os);
	}
	json_put_bool(w, "Dangling", !x->entry.name);
	while (catalog_user(c, &x->entry.target.digest, &at))
		users++;
	json_put_i64(w, "Containers", users);
	json_close_object(w);
}

static int print_json(const struct catalog *c, struct catalog_image *const *list, size_t n, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);

	if (!w)
		return err_set(e, ENOMEM, "images");
	json_open_array(w, NULL);
	for (size_t i = 0; i < n; i++)
		if (!is_again(list, i))
			put_image(w, c, list[i]);
	json_close_array(w);
	return catalog_print_json(w, e);
}

/* --- the verb ----------------------------------------------------------------------------------- */

static int run(const struct image_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	_cleanup_(img_store_closep) struct img_store *s = NULL;
	_cleanup_(arena_freep) struct arena *a = arena_new();
	const struct images_options *o = values;
	int json = cli_format_is_json(o->format, "table", e), r = json < 0 ? json : 0;
	struct catalog_image **list = NULL;
	struct catalog c;
	size_t n = 0;

	if (!a)
		return err_set(e, ENOMEM, "images");
	if (r == 0)
		r = filter_check(o->filters, e);
	if (r == 0)
		r = catalog_open(ctx, IMG_SHARED, -1, &s, e);
	if (r == 0)
		r = catalog_load(s, a, o->all, &c, e);
	if (r == 0)
		r = choose(o, args, &c, &list, &n, e);
	if (r < 0)
		return r;
	if (json)
		return print_json(&c, list, n, e);
	return o->quiet ? print_ids(o, a, list, n, e) : print_table(o, a, list, n, e);
}

const struct image_verb verb_images = {
	.name = "images",
	.args = "[NAME...]",
	.max_args = -1,
	.options = options,
	.size = sizeof(struct images_options),
	.run = run,
};
