/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the documents that engines hand to us: config.json, and the process and resources objects
 * alone.
 *
 * Beside what the sanitizers see: a refusal has an errno and a text, what is taken has what spec.h calls
 * required, and a document that is taken is taken again after our own writer has written it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "spec/spec.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(int r, const struct err *e)
{
	MUST(r == -EINVAL);
	MUST(e->code == EINVAL);
	MUST(e->text[0] && memchr(e->text, '\0', sizeof(e->text)));
}

static void check_spec(const struct spec *s)
{
	MUST(s->oci_version);
	MUST(!s->has_root || s->root_path[0]);
	MUST(!s->has_process || s->process.cwd[0] == '/');
	MUST(!s->process.args || s->process.args[0]);
	for (size_t i = 0; i < s->n_mounts; i++)
		MUST(s->mounts[i].destination[0] == '/');
	for (int kind = 0; kind < SPEC_HOOK_KINDS; kind++)
		for (size_t i = 0; i < s->hooks.n[kind]; i++)
			MUST(s->hooks.list[kind][i].path[0] == '/');
	for (size_t i = 0; i < s->n_annotations; i++)
		MUST(spec_annotation(s, s->annotations[i].key) == s->annotations[i].value);
	if (s->seccomp.present) {
		MUST(s->seccomp.text_len == strlen(s->seccomp.text));
		MUST(s->seccomp.text[0] == '{' && s->seccomp.text[s->seccomp.text_len - 1] == '}');
	}
}

static void write_again(const struct spec *s)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);
	_cleanup_(spec_freep) struct spec *again = NULL;
	const char *text;
	size_t len;

	MUST(w);
	json_put_json(w, NULL, s->json);
	text = json_writer_text(w, &len);
	MUST(text);
	MUST(spec_parse(text, len, &again, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	const char *text = (const char *)data;
	struct spec_resources res;
	struct spec_process proc;
	struct err e = ERR_INIT;
	struct spec *s = NULL;
	int r;

	MUST(a);
	r = spec_parse(text, size, &s, &e);
	if (r == 0) {
		check_spec(s);
		write_again(s);
		spec_free(s);
	} else {
		check_error(r, &e);
	}
	err_clear(&e);
	r = spec_parse_process(a, text, size, &proc, &e);
	if (r < 0)
		check_error(r, &e);
	else
		MUST(proc.cwd[0] == '/');
	err_clear(&e);
	r = spec_parse_resources(a, text, size, &res, &e);
	if (r < 0)
		check_error(r, &e);
	else
		MUST(res.present);
	return 0;
}
