/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit properties out of text: annotations org.systemd.property.*, in GVariant text format. No bus in here.
 *
 * Annotations come with images and pod specs, so they are attacker's data (CVE-2024-3154): a property such as
 * ExecStartPre or Wants would run something on the host. Only properties that cannot leave the unit are
 * taken; every other one is refused by name.
 */
#include "cgroups/internal.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>

#include "base/str.h"

static const struct {
	const char *name;
	char type;
} harmless[] = {
	{ "After", 'S' },
	{ "Before", 'S' },
	{ "PartOf", 'S' },
	{ "Description", 's' },
	{ "Documentation", 'S' },
	{ "CollectMode", 's' },
	{ "DefaultDependencies", 'b' },
	{ "KillMode", 's' },
	{ "KillSignal", 'i' },
	{ "FinalKillSignal", 'i' },
	{ "SendSIGHUP", 'b' },
	{ "SendSIGKILL", 'b' },
	{ "TimeoutStopUSec", 't' },
	{ "RuntimeMaxUSec", 't' },
	{ "OOMPolicy", 's' },
	{ "ManagedOOMSwap", 's' },
	{ "ManagedOOMMemoryPressure", 's' },
	{ "ManagedOOMMemoryPressureLimit", 'u' },
	{ "ManagedOOMPreference", 's' },
	{ "CPUAccounting", 'b' },
	{ "MemoryAccounting", 'b' },
	{ "IOAccounting", 'b' },
	{ "TasksAccounting", 'b' },
	{ "IPAccounting", 'b' },
	{ "CPUWeight", 't' },
	{ "StartupCPUWeight", 't' },
	{ "CPUQuotaPerSecUSec", 't' },
	{ "CPUQuotaPeriodUSec", 't' },
	{ "IOWeight", 't' },
	{ "StartupIOWeight", 't' },
	{ "MemoryMin", 't' },
	{ "MemoryLow", 't' },
	{ "MemoryHigh", 't' },
	{ "MemoryMax", 't' },
	{ "MemorySwapMax", 't' },
	{ "MemoryZSwapMax", 't' },
	{ "TasksMax", 't' },
};

struct sd_prop *sd_slot(struct sd_props *p, const char *name, struct err *e)
{
	struct sd_prop *x = NULL;

	/* The last word counts: annotations come after what follows from the config. */
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->list[i].name, name))
			x = &p->list[i];
	if (!x) {
		if (p->n == ARRAY_SIZE(p->list)) {
			err_text(e, E2BIG, "too many systemd unit properties");
			return NULL;
		}
		x = &p->list[p->n++];
	}
	*x = (struct sd_prop){ .name = name };
	return x;
}

int sd_add(struct sd_props *p, const char *name, char type, const char *s, uint64_t u, struct err *e)
{
	struct sd_prop *x = sd_slot(p, name, e);

	if (!x)
		return -E2BIG;
	x->type = type;
	x->s = s;
	x->u = u;
	return 0;
}

/* --- GVariant text --------------------------------------------------------------------------- */

struct text {
	struct arena *arena;
	const char *p;
};

static void blanks(struct text *t)
{
	t->p += strspn(t->p, " \t\n");
}

static bool word(struct text *t, const char *w)
{
	size_t n = strlen(w);

	blanks(t);
	if (strncmp(t->p, w, n) != 0 || isalnum((unsigned char)t->p[n]))
		return false;
	t->p += n;
	return true;
}

static const char *quoted(struct text *t)
{
	char quote = *t->p, *s, *w;

	if (quote != '\'' && quote != '"')
		return NULL;
	s = w = arena_alloc(t->arena, strlen(t->p));
	if (!s)
		return NULL;
	for (t->p++; *t->p && *t->p != quote; t->p++) {
		if (*t->p != '\\') {
			*w++ = *t->p;
			continue;
		}
		switch (*++t->p) {
		case '\'':
		case '"':
		case '\\':
			*w++ = *t->p;
			break;
		case 'n':
			*w++ = '\n';
			break;
		case 't':
			*w++ = '\t';
			break;
		default: /* \u and the like have no use in a unit property */
			return NULL;
		}
	}
	if (*t->p != quote)
		return NULL;
	t->p++;
	return s;
}

static bool strings(struct text *t, struct sd_prop *out)
{
	char **v = NULL;
	size_t n = 0, room = 0;

	t->p++; /* [ */
	for (;;) {
		const char *s;

		blanks(t);
		if (*t->p == ']' && n == 0)
			break;
		s = quoted(t);
		if (!s)
			return false;
		if (n + 1 >= room) {
			char **more = arena_calloc(t->arena, 2 * room + 8, sizeof(*more));

			if (!more)
				return false;
			if (n > 0)
				memcpy(more, v, n * sizeof(*v));
			v = more;
			room = 2 * room + 8;
		}
		v[n++] = arena_strdup(t->arena, s);
		blanks(t);
		if (*t->p == ']')
			break;
		if (*t->p != ',')
			return false;
		t->p++;
	}
	t->p++;
	out->type = 'S';
	out->strv = v;
	out->n = n;
	return true;
}

static bool numeric(struct text *t, char type, struct sd_prop *out)
{
	size_t len = strspn(t->p, "+-.0123456789eE");
	char digits[40], *end;
	const char *d = digits;
	int64_t i = 0;
	uint64_t u = 0;

	if (len == 0 || len >= sizeof(digits))
		return false;
	memcpy(digits, t->p, len);
	digits[len] = '\0';
	t->p += len;
	if (*d == '+')
		d++;
	if (type == 'd' || (type == 0 && strpbrk(d, ".eE"))) {
		out->type = 'd';
		out->d = strtod(d, &end);
		return *end == '\0' && isfinite(out->d);
	}
	if (type == 0)
		type = 'i';
	out->type = type;
	if (type == 't' || type == 'u') {
		if (str_to_u64(d, &u) < 0 || (type == 'u' && u > UINT32_MAX))
			return false;
		out->u = u;
		return true;
	}
	if (str_to_i64(d, &i) < 0 || (type == 'i' && (i < INT32_MIN || i > INT32_MAX)))
		return false;
	out->u = (uint64_t)i;
	return true;
}

static bool value(struct text *t, struct sd_prop *out)
{
	static const struct {
		const char *word;
		char type;
	} types[] = {
		{ "uint64", 't' },
		{ "int64", 'x' },
		{ "uint32", 'u' },
		{ "int32", 'i' },
		{ "double", 'd' },
		{ "@t", 't' },
		{ "@x", 'x' },
		{ "@u", 'u' },
		{ "@i", 'i' },
		{ "@d", 'd' },
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (word(t, types[i].word)) {
			blanks(t);
			return numeric(t, types[i].type, out);
		}
	if (word(t, "boolean") || word(t, "@b"))
		blanks(t);
	if (word(t, "true") || word(t, "false")) {
		out->type = 'b';
		out->u = t->p[-2] == 'u'; /* tr-u-e, fal-s-e */
		return true;
	}
	if (word(t, "string") || word(t, "@s") || word(t, "@as"))
		blanks(t);
	if (*t->p == '[')
		return strings(t, out);
	if (*t->p == '\'' || *t->p == '"') {
		out->type = 's';
		out->s = quoted(t);
		return out->s != NULL;
	}
	return numeric(t, 0, out);
}

int sd_parse_variant(struct arena *a, const char *text, struct sd_prop *out, struct err *e)
{
	struct text t = { .arena = a, .p = text };
	struct sd_prop x = { .name = out->name };

	if (!value(&t, &x))
		return err_text(e, EINVAL,
			"'%.100s' is not a value in GVariant text format (true, 5, uint64 5, 'text', ['a', "
			"'b'])",
			text);
	blanks(&t);
	if (*t.p)
		return err_text(e, EINVAL, "'%.100s': text after the value", text);
	*out = x;
	return 0;
}

/* An integer that was written without its type takes the property's. */
static bool coerce(struct sd_prop *x, char type)
{
	int64_t i = (int64_t)x->u;

	if (x->type == type)
		return true;
	if (!strchr("ixut", x->type) || !strchr("ixut", type))
		return false;
	if (x->type == 't' && x->u > INT64_MAX)
		return false;
	if ((type == 't' || type == 'u') && i < 0)
		return false;
	if ((type == 'u' && i > UINT32_MAX) || (type == 'i' && (i > INT32_MAX || i < INT32_MIN)))
		return false;
	x->type = type;
	return true;
}

int sd_annotation(struct sd_props *p, const char *name, const char *text, struct err *e)
{
	struct sd_prop x = { 0 }, *slot;
	char usec[128] = "";
	const char *known = NULL;
	char type = 0;
	int r;

	/* "TimeoutStopSec" is how unit files say "TimeoutStopUSec"; the bus has only the latter. */
	if (str_ends(name, "Sec") && !str_ends(name, "USec") && strlen(name) < 100)
		snprintf(usec, sizeof(usec), "%.*sUSec", (int)(strlen(name) - 3), name);
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		if (str_eq(harmless[i].name, *usec ? usec : name)) {
			known = harmless[i].name;
			type = harmless[i].type;
		}
	if (!known)
		return err_text(e, EPERM,
			"annotation org.systemd.property.%.100s is refused: it is not one of the properties "
			"that stay within the unit",
			name);
	r = sd_parse_variant(p->arena, text, &x, e);
	if (r < 0)
		return err_wrap(e, "annotation org.systemd.property.%s", name);
	if (*usec) {
		double seconds = x.type == 'd' ? x.d : (double)(int64_t)x.u;

		if (!strchr("dixut", x.type) || seconds < 0 || seconds > 1e12)
			return err_text(e, EINVAL,
				"annotation org.systemd.property.%s: a number of seconds is wanted, not "
				"%.60s",
				name, text);
		x.u = (uint64_t)(seconds * 1e6);
		x.type = 't';
	}
	if (!coerce(&x, type))
		return err_text(e, EINVAL, "annotation org.systemd.property.%s: %.60s has the wrong type",
			name, text);
	slot = sd_slot(p, known, e);
	if (!slot)
		return -E2BIG;
	x.name = known;
	*slot = x;
	return 0;
}
