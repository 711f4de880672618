/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ringfence rmi: names of images, and what nothing leads to then.
 *
 * Names go under the store's shared lock, one index.json after another; the content goes afterwards, under
 * the exclusive one, by looking for what is still needed. Killed at any moment, either has happened or not.
 */
#include "cli/image/catalog.h"

struct rmi_options {
	bool force, all;
};

#define AT(field) offsetof(struct rmi_options, field)
static const struct opt options[] = {
	{ "force", 'f', OPT_BOOL, AT(force), NULL,
		"also an image that a partition uses, or has several names, by its id; one that is not there "
		"is "
		"no error" },
	{ "all", 'a', OPT_BOOL, AT(all), NULL, "all images" },
	{ 0 },
};
#undef AT

struct rmi {
	const struct rmi_options *o;
	struct img_store *s;
	struct arena *a;
	struct strbuf deleted; /* lines for when that is true */
};

static int say(const char *what, const char *text, struct err *e)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };

	strbuf_puts(&b, what);
	text_safe(&b, text);
	strbuf_puts(&b, "\n");
	return b.failed ? err_set(e, ENOMEM, "rmi") : cli_print(b.s, b.len, e);
}

/* The names that lead to a target, comma-separated as messages have them. */
static size_t count_names(
	struct rmi *m, const struct catalog *c, const struct img_digest *target, const char **list)
{
	size_t n = 0;

	*list = "";
	for (size_t i = 0; i < c->n; i++) {
		const struct img_name *x = &c->list[i].entry;

		if (!x->name || !img_digest_eq(&x->target.digest, target))
			continue;
		*list = arena_printf(m->a, "%s%s%s", *list, n++ ? ", " : "", x->name);
		*list = *list ? *list : "";
	}
	return n;
}

static const char *users_of(struct rmi *m, const struct catalog *c, const struct img_digest *target)
{
	const char *list = NULL, *user;
	size_t at = 0;

	while ((user = catalog_user(c, target, &at)))
		list = arena_printf(m->a, "%s%s\"%s\"", list ? list : "", list ? ", " : "", user);
	return list;
}

/* `last`: after it no entry leads to the image. */
static int refuse(struct rmi *m, const struct catalog *c, const struct img_name *n, bool by_digest,
	bool *last, const char **users, struct err *e)
{
	const char *names, *shown = n->name && !by_digest ? n->name : n->target.digest.text;
	size_t count = count_names(m, c, &n->target.digest, &names);

	*last = by_digest || count <= 1;
	*users = *last ? users_of(m, c, &n->target.digest) : NULL;
	if (m->o->force)
		return 0;
	if (by_digest && count > 1)
		return err_text(e, EEXIST,
			"image %s has %zu names (%s); say one of them, or --force to remove all", shown,
			count, names);
	if (*users)
		return err_text(e, EBUSY,
			"image %s is used by partition %s; delete that first, or say --force to remove only "
			"the "
			"name",
			shown, *users);
	return 0;
}

/* What the image is called once it is gone. */
static const char *id_of(const struct catalog *c, const struct img_name *n)
{
	for (size_t i = 0; i < c->n; i++)
		if (!c->list[i].broken && img_digest_eq(&c->list[i].entry.target.digest, &n->target.digest))
			return c->list[i].image.id.text;
	return n->target.digest.text;
}

static int untag(
	struct rmi *m, const struct catalog *c, const struct img_name *n, bool by_digest, struct err *e)
{
	int r = img_name_remove(m->s, by_digest || !n->name ? n->target.digest.text : n->name, e);

	for (size_t i = 0; r == 0 && i < c->n; i++) {
		const struct img_name *x = &c->list[i].entry;

		if (x->name && img_digest_eq(&x->target.digest, &n->target.digest) &&
			(by_digest || str_eq(x->name, n->name)))
			r = say("Untagged: ", x->name, e);
	}
	return r;
}

static int remove_one(struct rmi *m, const char *what, struct err *e)
{
	struct img_name found;
	struct catalog c;
	const char *users;
	bool by_digest, last;
	int r = img_name_find(m->s, m->a, what, NULL, &found, &by_digest, e);

	if (r == -ENOENT && m->o->force) {
		err_clear(e);
		return 0;
	}
	if (r == 0)
		r = catalog_load(m->s, m->a, false, &c, e);
	if (r == 0)
		r = refuse(m, &c, &found, by_digest, &last, &users, e);
	if (r == 0)
		r = untag(m, &c, &found, by_digest, e);
	if (r == 0 && last && !users)
		strbuf_printf(&m->deleted, "Deleted: %s\n", id_of(&c, &found));
	return r;
}

static int remove_all(struct rmi *m, size_t *failed, size_t *tried, struct err *first, struct err *e)
{
	struct img_name *names;
	size_t n;
	int r = img_names(m->s, m->a, &names, &n, e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct err why = ERR_INIT;
		const char *what = names[i].name ? names[i].name : names[i].target.digest.text;
		int one;

		++*tried;
		one = remove_one(m, what, &why);
		/* By its digest, an image without a name takes all entries that lead to it. */
		if (one < 0 && one != -ENOENT && (*failed)++ == 0)
			*first = why;
	}
	return r;
}

/* If nobody else is at the store just now. What it says is no failure: the names are gone. */
static int collect(struct rmi *m, const struct image_ctx *ctx, struct err *e)
{
	struct img_collected c;
	struct err why = ERR_INIT;
	int r;

	img_store_close(TAKE_PTR(m->s));
	r = img_store_open(ctx->store, false, IMG_EXCLUSIVE, 0, &m->s, &why);
	if (r == 0)
		r = img_store_collect(m->s, IMG_COLLECT_KEEP_NAMELESS | IMG_COLLECT_KEEP_PARTIAL, &c, &why);
	if (r == 0)
		return m->deleted.len ? cli_print(m->deleted.s, m->deleted.len, e) : 0;
	fprintf(stderr, "ringfence: the image's content stays until \"ringfence prune\" removes it: %s\n",
		r == -EBUSY ? "another process is at work in the image store" : why.text);
	return 0;
}

static int run(const struct image_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	struct rmi m = { .o = values, .a = arena_new() };
	struct err first = ERR_INIT;
	size_t failed = 0, tried = 0;
	int r = 0;

	if (!m.a)
		return err_set(e, ENOMEM, "rmi");
	if (m.o->all == (args[0] != NULL))
		r = err_text(e, EINVAL, "rmi: say IMAGE..., or --all%s", m.o->all ? ", not both" : "");
	if (r == 0)
		r = img_store_open(ctx->store, false, IMG_SHARED, -1, &m.s, e);
	if (r == 0 && m.o->all)
		r = remove_all(&m, &failed, &tried, &first, e);
	for (; r == 0 && !m.o->all && args[tried]; tried++) {
		struct err why = ERR_INIT;

		if (remove_one(&m, args[tried], &why) < 0 && failed++ == 0)
			first = why;
	}
	if (r == 0 && failed < tried)
		r = collect(&m, ctx, e);
	if (r == 0 && failed) {
		*e = first;
		r = tried > 1 ? err_wrap(e, "%zu of %zu failed, first", failed, tried) : -e->code;
	}
	img_store_close(m.s);
	strbuf_reset(&m.deleted);
	arena_free(m.a);
	return r;
}

const struct image_verb verb_rmi = {
	.name = "rmi",
	.args = "[IMAGE...]",
	.max_args = -1,
	.options = options,
	.size = sizeof(struct rmi_options),
	.run = run,
};
