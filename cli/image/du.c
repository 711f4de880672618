/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence du: what images take, and what of it could be had back. */
#include "cli/image/catalog.h"

struct du_options {
	const char *format;
};

#define AT(field) offsetof(struct du_options, field)
static const struct opt options[] = {
	{ "format", 0, OPT_STRING, AT(format), "FORMAT", "table (default) or json" },
	{ 0 },
};
#undef AT

/* One image, whatever names it has. */
struct row {
	const struct catalog_image *x;
	int64_t shared, unique; /* of its packed content: that of others too, and its own */
	int64_t unpacked;	/* of its layers; those of others too */
};

/* A blob of an image. */
struct part {
	const char *digest;
	int64_t size;
	size_t row;
};

struct du {
	struct catalog c;
	struct row *rows;
	size_t n;
	struct img_usage usage;
	struct img_collected plain, all; /* what prune and prune --all would give back */
};

static int by_digest(const void *a, const void *b)
{
	const struct part *x = a, *y = b;
	int r = strcmp(x->digest, y->digest);

	return r ? r : (x->row > y->row) - (x->row < y->row);
}

static void add_part(struct part *parts, size_t *n, const struct img_descriptor *d, size_t row)
{
	parts[(*n)++] = (struct part){ d->digest.text, d->size, row };
}

/* Each blob once an image, and shared if there is another image with it. */
static int share_out(struct du *d, struct err *e)
{
	_cleanup_free_ struct part *parts = NULL;
	size_t n = 0, room = 0;

	for (size_t i = 0; i < d->n; i++)
		room += d->rows[i].x->image.manifest.n_layers + 2;
	parts = calloc(room + 1, sizeof(*parts));
	if (!parts)
		return err_set(e, ENOMEM, "du");
	for (size_t i = 0; i < d->n; i++) {
		const struct img_image *image = &d->rows[i].x->image;

		add_part(parts, &n, &image->manifest_desc, i);
		add_part(parts, &n, &image->manifest.config, i);
		for (size_t k = 0; k < image->manifest.n_layers; k++)
			add_part(parts, &n, &image->manifest.layers[k], i);
	}
	qsort(parts, n, sizeof(*parts), by_digest);
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i; end < n && str_eq(parts[end].digest, parts[i].digest); end++)
			;
		for (size_t k = i; k < end; k++) {
			struct row *row = &d->rows[parts[k].row];

			if (k > i && parts[k].row == parts[k - 1].row)
				continue;
			if (parts[i].row != parts[end - 1].row)
				row->shared += parts[k].size;
			else
				row->unique += parts[k].size;
		}
	}
	return 0;
}

static int64_t unpacked_size(struct img_store *s, const struct img_config *g)
{
	struct img_digest chain;
	int64_t size = 0;

	for (size_t i = 0; i < g->n_diff_ids; i++) {
		struct img_layer layer;
		int fd;

		if (i == 0)
			chain = g->diff_ids[0];
		else
			img_chain_next(&chain, &g->diff_ids[i]);
		fd = img_layer_open(s, &chain, &layer, NULL);
		if (fd < 0)
			continue;
		close(fd);
		size += layer.bytes + layer.erofs_bytes;
	}
	return size;
}

static int measure(struct img_store *s, struct arena *a, struct du *d, struct err *e)
{
	int r = catalog_load(s, a, true, &d->c, e);

	if (r < 0 || !s)
		return r;
	d->rows = arena_calloc(a, d->c.n + 1, sizeof(*d->rows));
	if (!d->rows)
		return err_set(e, ENOMEM, "du");
	for (size_t i = 0; i < d->c.n; i++) {
		const struct catalog_image *x = &d->c.list[i];
		bool known = x->broken;

		for (size_t k = 0; k < d->n && !known; k++)
			known = catalog_same(d->rows[k].x, x);
		if (known)
			continue;
		d->rows[d->n].unpacked = unpacked_size(s, &x->image.config);
		d->rows[d->n++].x = x;
	}
	r = share_out(d, e);
	if (r == 0)
		r = img_store_usage(s, &d->usage, e);
	if (r == 0)
		r = img_store_collect(s, IMG_COLLECT_DRY, &d->plain, e);
	if (r == 0)
		r = img_store_collect(s, IMG_COLLECT_DRY | IMG_COLLECT_UNUSED, &d->all, e);
	return r;
}

static int64_t total(const struct du *d)
{
	const struct img_usage *u = &d->usage;

	return u->blob_bytes + u->layer_bytes + u->partial_bytes + u->other_bytes;
}

/* --- as tables ---------------------------------------------------------------------------------- */

static void add_size(struct table *t, int64_t bytes)
{
	char text[TEXT_MAX];

	text_size(bytes, text);
	table_add(t, text);
}

/* Is `word` one of the list "a, b"? */
static bool is_listed(const struct strbuf *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list->len ? list->s : NULL; at; at = strstr(at, ", ")) {
		at += str_starts(at, ", ") ? 2 : 0;
		if (strncmp(at, word, len) == 0 && (!at[len] || str_starts(at + len, ", ")))
			return true;
	}
	return false;
}

/* All names, and all users, of one image. */
static void add_names(struct table *t, const struct du *d, const struct row *row, bool users)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };

	for (size_t i = 0; i < d->c.n; i++) {
		const struct catalog_image *x = &d->c.list[i];
		const char *user;
		size_t at = 0;

		if (!catalog_same(x, row->x))
			continue;
		if (!users && x->entry.name)
			strbuf_printf(&b, "%s%s", b.len ? ", " : "", x->entry.name);
		while (users && (user = catalog_user(&d->c, &x->entry.target.digest, &at)))
			if (!is_listed(&b, user))
				strbuf_printf(&b, "%s%s", b.len ? ", " : "", user);
	}
	table_add(t, b.len ? b.s : users ? "" : "<none>");
	t->failed = t->failed || b.failed;
}

static void add_total(struct table *t, const char *what, size_t count, int64_t bytes)
{
	char text[TEXT_MAX];

	table_add(t, what);
	snprintf(text, sizeof(text), "%zu", count);
	table_add(t, text);
	add_size(t, bytes);
}

static int print_tables(const struct du *d, struct err *e)
{
	static const char *const heads[] = { "IMAGE", "IMAGE ID", "SIZE", "SHARED", "UNIQUE", "UNPACKED",
		"USED BY", NULL };
	static const char *const total_heads[] = { "IN THE STORE", "COUNT", "SIZE", NULL };
	_cleanup_(table_freep) struct table images = { .heads = heads }, totals = { .heads = total_heads };
	_cleanup_strbuf_ struct strbuf b = { 0 };

	for (size_t i = 0; i < d->n; i++) {
		const struct row *row = &d->rows[i];
		char id[TEXT_MAX];

		add_names(&images, d, row, false);
		snprintf(id, sizeof(id), "%.12s", catalog_id(row->x));
		table_add(&images, id);
		add_size(&images, row->shared + row->unique);
		add_size(&images, row->shared);
		add_size(&images, row->unique);
		add_size(&images, row->unpacked);
		add_names(&images, d, row, true);
	}
	add_total(&totals, "Packed content", d->usage.blobs, d->usage.blob_bytes);
	add_total(&totals, "Unpacked layers", d->usage.layers, d->usage.layer_bytes);
	add_total(&totals, "Partial downloads", d->usage.partials, d->usage.partial_bytes);
	if (d->usage.other_bytes) {
		table_add(&totals, "Left by killed processes");
		table_add(&totals, "");
		add_size(&totals, d->usage.other_bytes);
	}
	table_add(&totals, "Total");
	table_add(&totals, "");
	add_size(&totals, total(d));
	table_add(&totals, "Reclaimable by prune");
	table_add(&totals, "");
	add_size(&totals, d->plain.bytes);
	table_add(&totals, "Reclaimable by prune --all");
	table_add(&totals, "");
	add_size(&totals, d->all.bytes);
	table_write(&images, true, &b);
	strbuf_puts(&b, "\n");
	table_write(&totals, true, &b);
	return b.failed ? err_set(e, ENOMEM, "du") : cli_print(b.s, b.len, e);
}

/* --- as JSON ------------------------------------------------------------------------------------ */

static void put_row(struct json_writer *w, const struct du *d, const struct row *row)
{
	const char *user;
	size_t at = 0;

	json_open_object(w, NULL);
	json_put_string(w, "Id", catalog_id(row->x));
	catalog_put_names(w, "Names", false, &d->c, row->x);
	json_open_array(w, "UsedBy");
	while ((user = catalog_user(&d->c, &row->x->entry.target.digest, &at)))
		json_put_string(w, NULL, user);
	json_close_array(w);
	json_put_i64(w, "Size", row->shared + row->unique);
	json_put_i64(w, "SharedSize", row->shared);
	json_put_i64(w, "UniqueSize", row->unique);
	json_put_i64(w, "UnpackedSize", row->unpacked);
	json_close_object(w);
}

static void put_count(struct json_writer *w, const char *key, size_t count, int64_t bytes)
{
	json_open_object(w, key);
	json_put_i64(w, "Count", (int64_t)count);
	json_put_i64(w, "Size", bytes);
	json_close_object(w);
}

static int print_json(const struct du *d, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);

	if (!w)
		return err_set(e, ENOMEM, "du");
	json_open_object(w, NULL);
	json_open_array(w, "Images");
	for (size_t i = 0; i < d->n; i++)
		put_row(w, d, &d->rows[i]);
	json_close_array(w);
	put_count(w, "Content", d->usage.blobs, d->usage.blob_bytes);
	put_count(w, "UnpackedLayers", d->usage.layers, d->usage.layer_bytes);
	put_count(w, "PartialDownloads", d->usage.partials, d->usage.partial_bytes);
	json_put_i64(w, "Other", d->usage.other_bytes);
	json_put_i64(w, "Total", total(d));
	json_put_i64(w, "Reclaimable", d->plain.bytes);
	json_put_i64(w, "ReclaimableAll", d->all.bytes);
	json_close_object(w);
	return catalog_print_json(w, e);
}

static int run(const struct image_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	_cleanup_(img_store_closep) struct img_store *s = NULL;
	_cleanup_(arena_freep) struct arena *a = arena_new();
	const struct du_options *o = values;
	int json = cli_format_is_json(o->format, "table", e), r = json < 0 ? json : 0;
	struct du d = { 0 };

	if (!a)
		return err_set(e, ENOMEM, "du");
	if (r == 0)
		r = catalog_open(ctx, IMG_SHARED, -1, &s, e);
	if (r == 0)
		r = measure(s, a, &d, e);
	if (r < 0)
		return r;
	return json ? print_json(&d, e) : print_tables(&d, e);
}

const struct image_verb verb_du = {
	.name = "du",
	.options = options,
	.size = sizeof(struct du_options),
	.run = run,
};
