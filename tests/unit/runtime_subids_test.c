/* SPDX-License-Identifier: Apache-2.0 */
/* subids.c: the ranges of a user in the text of /etc/subuid. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/str.h"
#include "runtime/subids.h"

/* The map that a text gives, as "CONTAINER HOST SIZE, …". */
static void gives(const char *text, const char *map)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	_cleanup_free_ char *copy = strdup(text);
	struct spec_id_map list[3];
	uint32_t next = 1;
	size_t n = subids_parse(copy, "me", 1000, &next, list, ARRAY_SIZE(list));

	for (size_t i = 0; i < n; i++)
		strbuf_printf(
			&b, "%s%u %u %u", i ? ", " : "", list[i].container_id, list[i].host_id, list[i].size);
	assert_string_equal(b.s ? b.s : "", map);
}

static void ranges(void **state)
{
	gives("", "");
	gives("me:100000:65536\n", "1 100000 65536");
	gives("you:100000:65536\nme:165536:65536", "1 165536 65536");
	/* By number as well, and one behind the other. */
	gives("me:100000:10\n1000:200000:20\nme:300000:1\n", "1 100000 10, 11 200000 20, 31 300000 1");
	/* No more than there is room for. */
	gives("me:1:1\nme:2:1\nme:3:1\nme:4:1\n", "1 1 1, 2 2 1, 3 3 1");
}

static void what_makes_no_sense(void **state)
{
	gives("me\nme:\nme:5\nme:5:\nme::5\n:5:5\n\n", "");
	gives("me:x:5\nme:5:x\nme:-1:5\nme:5:-1\nme:5:0\nme:5:5:5\nme: 5:5\n", "");
	/* Other names, and numbers that are not his. */
	gives("mee:5:5\nm:5:5\n10000:5:5\n01000:7:7\n", "1 7 7");
	/* Beyond the last id. */
	gives("me:4294967290:5\n", "1 4294967290 5");
	gives("me:4294967290:6\nme:4294967296:1\nme:1:4294967295\n", "");
	gives("me:1:4294967294\nme:5:1\n", "1 1 4294967294");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges),
		cmocka_unit_test(what_makes_no_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
