/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence store check: is all of the store what it should be? */
#include "cli/image/catalog.h"

#define WAIT 5 /* seconds, for who is at work in the store */

struct store_options {
	bool repair;
};

#define AT(field) offsetof(struct store_options, field)
static const struct opt options[] = {
	{ "repair", 0, OPT_BOOL, AT(repair), NULL,
		"check: remove what is damaged, and names that lead nowhere then" },
	{ 0 },
};
#undef AT

/* A fault quotes names and what documents say. */
static void found(const char *text, void *arg)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	struct err *failed = arg;

	text_safe(&b, text);
	strbuf_puts(&b, "\n");
	if (!b.failed && !failed->code)
		(void)cli_print(b.s, b.len, failed);
}

static void count_only(const char *text, void *arg)
{
}

static int run(const struct image_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	_cleanup_(img_store_closep) struct img_store *s = NULL;
	const struct store_options *o = values;
	struct err printing = ERR_INIT;
	int faults, left;

	if (!str_eq(args[0], "check"))
		return err_text(e, EINVAL, "store: there is \"check\", not \"%.80s\"", args[0]);
	left = catalog_open(ctx, IMG_EXCLUSIVE, WAIT, &s, e);
	if (left < 0 || !s)
		return left;
	faults = img_store_check(s, o->repair, found, &printing, e);
	if (faults < 0)
		return faults;
	if (printing.code) {
		*e = printing;
		return -e->code;
	}
	left = faults && o->repair ? img_store_check(s, false, count_only, NULL, e) : faults;
	if (left < 0)
		return left;
	if (left > 0)
		return err_text(e, EUCLEAN, "image store %s has %d fault%s%s", img_store_path(s), left,
			left == 1 ? "" : "s",
			o->repair ? " that could not be repaired"
				  : "; \"ringfence store check --repair\" removes what is damaged");
	return 0;
}

const struct image_verb verb_store = {
	.name = "store",
	.args = "check",
	.min_args = 1,
	.max_args = 1,
	.options = options,
	.size = sizeof(struct store_options),
	.run = run,
};
