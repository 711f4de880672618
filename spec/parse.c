/* SPDX-License-Identifier: Apache-2.0 */
/* config.json as a whole: the top level, and the functions of spec.h that take a document. */
#include "spec/parse.h"

#include "base/str.h"

/* --- ociVersion ----------------------------------------------------------------------------------------- */

#define NEWEST_MAJOR 1
#define NEWEST_MINOR 3

/* The digits of one number of a version, without leading zeros; NULL if there are none. */
static const char *version_number(const char *s, uint64_t *out)
{
	size_t n = strspn(s, "0123456789");
	char digits[8];

	if (n == 0 || n >= sizeof(digits) || (n > 1 && *s == '0'))
		return NULL;
	memcpy(digits, s, n);
	digits[n] = '\0';
	return str_to_u64(digits, out) < 0 ? NULL : s + n;
}

/* SemVer 2.0.0: MAJOR.MINOR.PATCH, then maybe "-pre.release" and maybe "+build". */
static bool version_parse(const char *s, uint64_t out[3])
{
	static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-";

	for (int i = 0; i < 3; i++) {
		s = version_number(s, &out[i]);
		if (!s || (i < 2 && *s++ != '.'))
			return false;
	}
	if (*s == '-') {
		size_t n = strspn(s + 1, allowed);

		if (n == 0)
			return false;
		s += 1 + n;
	}
	if (*s == '+') {
		size_t n = strspn(s + 1, allowed);

		if (n == 0)
			return false;
		s += 1 + n;
	}
	return *s == '\0';
}

/*
 * A document of 1.x is compatible with every runtime that supports 1.x or a later 1.y (config.md). A newer
 * one may ask for something that this program does not know and would leave out silently.
 */
static int read_version(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	const char **version = out, *s;
	uint64_t v[3];
	int r = sp_get_string(p, at, j, &s);

	if (r < 0)
		return r;
	if (!version_parse(s, v))
		return sp_refuse(p, at, " must be a version such as " SPEC_VERSION_MAX ", not \"%.100s\"", s);
	if (v[0] != NEWEST_MAJOR || v[1] > NEWEST_MINOR)
		return sp_refuse(p, at,
			" %.100s is not supported; supported are " SPEC_VERSION_MIN " to %d.%d.x", s,
			NEWEST_MAJOR, NEWEST_MINOR);
	*version = s;
	return 0;
}

/* --- the top level -------------------------------------------------------------------------------------- */

#define AT(member) offsetof(struct spec, member)

static const struct sp_field root_fields[] = {
	SP_MUST("path", sp_nonempty, AT(root_path), NULL),
	SP_MAY("readonly", sp_bool, AT(root_readonly), NULL),
	SP_END,
};

static int read_root(struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec *s = out;

	s->has_root = true;
	return sp_object(p, at, j, root_fields, s);
}

static int read_process(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	struct spec *s = out;

	s->has_process = true;
	return sp_process(p, at, j, &s->process, NULL);
}

/* __NEW_UTS_LEN of the kernel; sethostname(2) answers EINVAL beyond it. */
#define UTS_LEN 64

static int read_uts_name(
	struct sp *p, const struct sp_at *at, const struct json *j, void *out, const void *arg)
{
	const char **name = out;
	int r = sp_text(p, at, j, name, NULL);

	if (r == 0 && *name && strlen(*name) > UTS_LEN)
		return sp_refuse(p, at, " must have at most %d bytes, not %zu", UTS_LEN, strlen(*name));
	return r;
}

static int check_annotation(struct sp *p, const struct sp_at *at, const char *key)
{
	return *key ? 0 : sp_refuse(p, at, ": the key of an annotation must not be empty");
}

static const struct sp_field spec_fields[] = {
	SP_MUST("ociVersion", read_version, AT(oci_version), NULL),
	SP_MAY("root", read_root, 0, NULL),
	SP_MAY("mounts", sp_list, 0,
		SP_LIST(AT(mounts), AT(n_mounts), sizeof(struct spec_mount), sp_mount, NULL)),
	SP_MAY("process", read_process, 0, NULL),
	SP_MAY("hostname", read_uts_name, AT(hostname), NULL),
	SP_MAY("domainname", read_uts_name, AT(domainname), NULL),
	SP_MAY("hooks", sp_hooks, AT(hooks), NULL),
	SP_MAY("annotations", sp_string_map, 0, SP_MAP(AT(annotations), AT(n_annotations), check_annotation)),
	SP_MAY("linux", sp_linux, 0, NULL),
	SP_MAY("vm", sp_vm, AT(vm), NULL),
	SP_END,
};

static int keep_notes(struct sp *p, struct spec *s)
{
	size_t i = 0;

	if (!p->notes)
		return 0;
	s->notes = arena_calloc(p->arena, p->n_notes + 1, sizeof(char *));
	if (!s->notes)
		return sp_no_memory(p);
	for (struct sp_note *n = p->notes; n; n = n->next)
		s->notes[i++] = (char *)n->text;
	return 0;
}

int spec_parse(const char *text, size_t len, struct spec **out, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct sp p = { .arena = a, .err = e, .what = "config.json", .text = text };
	struct spec *s;
	int r;

	p.notes_end = &p.notes;
	s = a ? arena_alloc(a, sizeof(*s)) : NULL;
	if (!s)
		return sp_no_memory(&p);
	r = json_parse(a, text, len, p.what, &s->json, e);
	if (r == 0)
		r = sp_object(&p, NULL, s->json, spec_fields, s);
	if (r == 0)
		r = sp_check(&p, s);
	if (r == 0)
		r = keep_notes(&p, s);
	if (r < 0)
		return r;
	s->arena = TAKE_PTR(a);
	*out = s;
	return 0;
}

void spec_free(struct spec *s)
{
	/* The struct itself lives in its arena. */
	if (s)
		arena_free(s->arena);
}

const char *spec_annotation(const struct spec *s, const char *key)
{
	for (size_t i = 0; i < s->n_annotations; i++)
		if (str_eq(s->annotations[i].key, key))
			return s->annotations[i].value;
	return NULL;
}

/* --- documents that are one section --------------------------------------------------------------------- */

static int parse_section(struct arena *a, const char *name, const char *text, size_t len, sp_reader *read,
	void *out, struct err *e)
{
	struct sp p = { .arena = a, .err = e, .what = name, .text = text };
	const struct sp_at at = { .name = name };
	const struct json *j;
	int r;

	p.notes_end = &p.notes;
	r = json_parse(a, text, len, name, &j, e);
	return r < 0 ? r : read(&p, &at, j, out, NULL);
}

int spec_parse_process(struct arena *a, const char *text, size_t len, struct spec_process *out, struct err *e)
{
	struct spec_process proc = { 0 };
	int r = parse_section(a, "process", text, len, sp_process, &proc, e);

	if (r == 0)
		*out = proc;
	return r;
}

int spec_parse_resources(
	struct arena *a, const char *text, size_t len, struct spec_resources *out, struct err *e)
{
	struct spec_resources res = { 0 };
	int r = parse_section(a, "resources", text, len, sp_resources, &res, e);

	if (r == 0)
		*out = res;
	return r;
}
