/* SPDX-License-Identifier: Apache-2.0 */
/* From a name to the places where it may be had (see registries.h). */
#include "base/str.h"
#include "images/registries_internal.h"

#define DEFAULT_REGISTRY "docker.io"

/* --- which [[registry]] ------------------------------------------------------------------------- */

/* How much of `text` (a whole name) a prefix matches; 0: it does not. */
static size_t match(const char *text, const char *prefix)
{
	size_t n = strlen(prefix), host = strcspn(text, "/");
	char next;

	if (rs_is_wildcard(prefix)) {
		size_t bare = text[0] == '[' ? host : strcspn(text, ":/");

		/* "*.example.com": whatever ends in ".example.com", at any port. */
		return bare > n - 1 && strncmp(text + bare - (n - 1), prefix + 1, n - 1) == 0 ? bare : 0;
	}
	if (strncmp(text, prefix, n) != 0)
		return 0;
	next = text[n];
	/* A prefix that is a host does not match the same host's other ports. */
	if (!next || next == '/' || (n > host && (next == ':' || next == '@')))
		return n;
	return 0;
}

/* Of two that match the same: the host itself before a wildcard, the narrower wildcard before the wider one.
 */
static bool is_nearer(const struct rs_registry *r, const struct rs_registry *than)
{
	if (rs_is_wildcard(r->prefix) != rs_is_wildcard(than->prefix))
		return rs_is_wildcard(than->prefix);
	return strlen(r->prefix) > strlen(than->prefix);
}

/* The longest match counts. */
static const struct rs_registry *choose(const struct img_registries *rs, const char *text, size_t *matched)
{
	const struct rs_registry *best = NULL;

	*matched = 0;
	for (const struct rs_registry *r = rs->registries; r; r = r->next) {
		size_t n = match(text, r->prefix);

		if (n > *matched || (n && best && n == *matched && is_nearer(r, best))) {
			*matched = n;
			best = r;
		}
	}
	return best;
}

/* --- endpoints ---------------------------------------------------------------------------------- */

/* `text` with what was matched of it replaced by a location. */
static int make_endpoint(struct arena *a, const char *location, const char *rest, bool insecure,
	struct img_endpoint *out, struct err *e)
{
	const char *text = arena_printf(a, "%s%s", location, rest);
	struct img_ref ref;
	int r = text ? img_ref_parse(a, text, &ref, e) : err_set(e, ENOMEM, "image name");

	if (r == 0 && !ref.registry)
		r = err_text(e, EINVAL,
			"\"%.150s\" does not begin with a host name (one with a \".\", or a port)", text);
	if (r == 0)
		r = img_ref_qualify(a, &ref, ref.registry, &ref, e);
	if (r < 0)
		return *location ? err_wrap(e, "registries.conf: location \"%.100s\"", location) : r;
	*out = (struct img_endpoint){
		.host = ref.registry,
		.path = ref.path,
		.what = ref.digest.text[0] ? arena_strdup(a, ref.digest.text) : ref.tag,
		.insecure = insecure,
	};
	return out->what ? 0 : err_set(e, ENOMEM, "image name");
}

static bool mirror_serves(const struct rs_mirror *m, const struct img_ref *ref)
{
	bool by_digest = ref->digest.text[0];

	return m->pull == RS_PULL_ALL || (m->pull == RS_PULL_DIGEST) == by_digest;
}

static int add_endpoints(
	struct arena *a, const struct img_registries *rs, struct img_candidate *c, struct err *e)
{
	const char *text = img_ref_text(a, &c->ref), *rest;
	const struct rs_registry *reg;
	size_t matched, n = 0;
	int r = 0;

	if (!text)
		return err_set(e, ENOMEM, "image name");
	reg = choose(rs, text, &matched);
	rest = text + matched;
	if (reg && reg->blocked)
		return err_text(e, EPERM, "%s: registries are blocked whose name begins with \"%s\" (%s)",
			text, reg->prefix, reg->file);
	for (const struct rs_mirror *m = reg ? reg->mirrors : NULL; m; m = m->next)
		n++;
	c->endpoints = arena_calloc(a, n + 1, sizeof(*c->endpoints));
	if (!c->endpoints)
		return err_set(e, ENOMEM, "image name");
	for (const struct rs_mirror *m = reg ? reg->mirrors : NULL; m && r == 0; m = m->next)
		if (mirror_serves(m, &c->ref))
			r = make_endpoint(
				a, m->location, rest, m->insecure, &c->endpoints[c->n_endpoints++], e);
	if (r < 0)
		return r;
	if (!reg || !*reg->location)
		return make_endpoint(a, "", text, reg && reg->insecure, &c->endpoints[c->n_endpoints++], e);
	return make_endpoint(a, reg->location, rest, reg->insecure, &c->endpoints[c->n_endpoints++], e);
}

/* --- candidates --------------------------------------------------------------------------------- */

static const char *find_alias(const struct img_registries *rs, const char *name)
{
	for (const struct rs_alias *s = rs->aliases; s; s = s->next)
		if (str_eq(s->name, name))
			return *s->value ? s->value : NULL;
	return NULL;
}

static int from_alias(
	struct arena *a, const char *value, const struct img_ref *r, struct img_ref *out, struct err *e)
{
	struct img_ref ref;
	int n = img_ref_parse(a, value, &ref, e);

	if (n < 0)
		return n;
	ref.tag = r->tag;
	ref.digest = r->digest;
	return img_ref_qualify(a, &ref, ref.registry, out, e);
}

/* The names that a name may mean, without their endpoints. */
static int list_names(struct arena *a, const struct img_registries *rs, const struct img_ref *r,
	struct img_candidate **out, size_t *n, struct err *e)
{
	static char *fallback[] = { (char *)DEFAULT_REGISTRY, NULL };
	char **search = rs->search && rs->search[0] ? rs->search : fallback;
	const char *alias = r->registry ? NULL : find_alias(rs, r->path);
	struct img_candidate *list;
	size_t count = r->registry || alias ? 1 : strv_len(search);
	int k = 0;

	list = arena_calloc(a, count + 1, sizeof(*list));
	if (!list)
		return err_set(e, ENOMEM, "image name");
	if (r->registry)
		k = img_ref_qualify(a, r, r->registry, &list[0].ref, e);
	else if (alias)
		k = from_alias(a, alias, r, &list[0].ref, e);
	else if (rs->enforcing && count > 1)
		return err_text(e, EEXIST,
			"short name \"%s\" may mean %s/%s or that of another of the %zu registries that are "
			"searched: say which (short-name-mode is \"enforcing\")",
			r->path, search[0], r->path, count);
	else
		for (size_t i = 0; i < count && k == 0; i++)
			k = img_ref_qualify(a, r, search[i], &list[i].ref, e);
	if (k < 0)
		return k;
	*out = list;
	*n = count;
	return 0;
}

int img_registries_resolve(struct arena *a, const struct img_registries *rs, const struct img_ref *r,
	struct img_candidate **out, size_t *n, struct err *e)
{
	struct err why = ERR_INIT, blocked = ERR_INIT;
	struct img_candidate *list = NULL;
	size_t count = 0, used = 0;
	int k = list_names(a, rs, r, &list, &count, e);

	if (k < 0)
		return k;
	for (size_t i = 0; i < count; i++) {
		struct img_candidate c = list[i];

		k = add_endpoints(a, rs, &c, &why);
		if (k == -EPERM)
			blocked = why;
		else if (k < 0)
			return err_text(e, -k, "%s", why.text);
		else
			list[used++] = c;
	}
	if (used == 0)
		return err_text(e, EPERM, "%s", blocked.text);
	*out = list;
	*n = used;
	return 0;
}
