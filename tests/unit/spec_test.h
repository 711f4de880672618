/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of spec/ share: documents written with ' for ", and tables of documents that are taken or
 * refused. */
#ifndef TESTS_UNIT_SPEC_TEST_H
#define TESTS_UNIT_SPEC_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "spec/spec.h"

/* The text with every ' made a ". malloc()ed. */
static inline char *quoted(const char *text)
{
	char *s = strdup(text);

	assert_non_null(s);
	for (char *c = s; *c; c++)
		if (*c == '\'')
			*c = '"';
	return s;
}

/* A document of version 1.2.0 whose further members are `body` (which begins with a comma, or is ""). */
static inline int parse_body(const char *body, struct spec **out, struct err *e)
{
	_cleanup_free_ char *text = quoted(body);
	_cleanup_free_ char *doc = NULL;

	assert_true(asprintf(&doc, "{\"ociVersion\":\"1.2.0\"%s}", text) > 0);
	return spec_parse(doc, strlen(doc), out, e);
}

/* The same for one that must be good. */
static inline struct spec *good(const char *body)
{
	struct err e = ERR_INIT;
	struct spec *s = NULL;

	if (parse_body(body, &s, &e) < 0)
		fail_msg("%s\nis refused: %s", body, e.text);
	return s;
}

struct refusal {
	const char *body;
	const char *error; /* the whole text */
};

static inline void check_refusals(const struct refusal *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct err e = ERR_INIT;
		struct spec *untouched = (struct spec *)&e, *s = untouched;
		int r = parse_body(list[i].body, &s, &e);

		if (r >= 0)
			fail_msg("%s\nis taken, but should be: %s", list[i].body, list[i].error);
		assert_int_equal(r, -EINVAL);
		assert_int_equal(e.code, EINVAL);
		assert_ptr_equal(s, untouched);
		if (!str_eq(e.text, list[i].error))
			fail_msg("%s\nis refused with:  %s\nbut should be:    %s", list[i].body, e.text,
				list[i].error);
	}
}

static inline void check_goods(const char *const *bodies, size_t n)
{
	for (size_t i = 0; i < n; i++)
		spec_free(good(bodies[i]));
}

#endif
