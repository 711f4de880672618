/* SPDX-License-Identifier: Apache-2.0 */
/* Digests: what the grammar lets through, and hashes of known texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "images/digest.h"

/* printf abc | sha256sum, sha512sum */
#define ABC_256 "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_512                                                                   \
	"sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" \
	"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
#define H64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void grammar(void **state)
{
	static const struct {
		const char *text;
		int want;
	} cases[] = {
		{ "sha256:" H64, 0 },
		{ "sha512:" H64 H64, 0 },
		{ ABC_256, 0 },
		{ "", -EINVAL },
		{ ":", -EINVAL },
		{ "sha256", -EINVAL },
		{ "sha256:", -EINVAL },
		{ "sha256:abc", -EINVAL },
		{ "sha256:" H64 "0", -EINVAL },
		{ "sha256:" H64 H64, -EINVAL },
		{ "sha512:" H64, -EINVAL },
		{ "sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", -EINVAL },
		{ "sha256:g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", -EINVAL },
		/* CVE-2024-3727: parts of paths and URLs. */
		{ "sha256:../../../../etc/passwd", -EINVAL },
		{ "sha256:..", -EINVAL },
		{ "sha256:/23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef00", -EINVAL },
		{ "../x:" H64, -EINVAL },
		{ "sha256/..:" H64, -EINVAL },
		{ "SHA256:" H64, -EINVAL },
		{ " sha256:" H64, -EINVAL },
		{ "sha256:" H64 " ", -EINVAL },
		{ "sha256:" H64 "\n", -EINVAL },
		{ "sha256::" H64, -EINVAL },
		{ "sha256+:" H64, -EINVAL },
		{ "+sha256:" H64, -EINVAL },
		{ "sha256+-b64u:" H64, -EINVAL },
		{ "a.b.:x", -EINVAL },
		{ "x:\xc3\xa4", -EINVAL },
		/* Well-formed (the specification's own examples among them), and not to be verified. */
		{ "sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564", -EOPNOTSUPP },
		{ "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8", -EOPNOTSUPP },
		{ "blake3:" H64, -EOPNOTSUPP },
		{ "sha384:" H64, -EOPNOTSUPP },
		{ "sha25:" H64, -EOPNOTSUPP },
		{ "sha2566:" H64, -EOPNOTSUPP },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct img_digest d = { "untouched" };
		struct err e = ERR_INIT;
		int r = img_digest_parse(cases[i].text, &d, &e);

		if (r != cases[i].want)
			fail_msg("\"%s\": %d instead of %d (%s)", cases[i].text, r, cases[i].want, e.text);
		assert_string_equal(d.text, r == 0 ? cases[i].text : "untouched");
		assert_int_equal(e.code, -r);
		assert_true((r == 0) == (e.text[0] == '\0'));
	}
}

static void a_strangers_text_stays_printable(void **state)
{
	char text[5000];
	struct err e = ERR_INIT;
	struct img_digest d;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	text[3] = '\033';
	assert_int_equal(img_digest_parse(text, &d, &e), -EINVAL);
	assert_null(strchr(e.text, '\033'));
	assert_true(strlen(e.text) < 200);
}

static void parts(void **state)
{
	struct img_digest a, b;

	assert_int_equal(img_digest_parse(ABC_256, &a, NULL), 0);
	assert_int_equal(img_digest_parse(ABC_512, &b, NULL), 0);
	assert_string_equal(img_digest_algorithm(&a), "sha256");
	assert_string_equal(img_digest_algorithm(&b), "sha512");
	assert_string_equal(img_digest_hex(&a), &ABC_256[7]);
	assert_string_equal(img_digest_hex(&b), &ABC_512[7]);
	assert_true(img_digest_eq(&a, &a));
	assert_false(img_digest_eq(&a, &b));
	/* What a hash leaves that went wrong is equal to nothing, itself included. */
	a.text[0] = b.text[0] = '\0';
	assert_false(img_digest_eq(&a, &b));
}

static void known_hashes(void **state)
{
	struct img_digest like, got;
	struct img_hash *h;

	img_digest_of("abc", 3, &got);
	assert_string_equal(got.text, ABC_256);
	/* sha256sum </dev/null */
	img_digest_of("", 0, &got);
	assert_string_equal(
		got.text, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

	assert_int_equal(img_digest_parse(ABC_512, &like, NULL), 0);
	h = img_hash_new(&like);
	assert_non_null(h);
	img_hash_add(h, "a", 1);
	img_hash_add(h, "", 0);
	img_hash_add(h, "bc", 2);
	img_hash_end(h, &got);
	img_hash_free(h);
	assert_string_equal(got.text, ABC_512);
}

static void check(void **state)
{
	struct img_digest want;
	struct err e = ERR_INIT;

	assert_int_equal(img_digest_parse(ABC_256, &want, NULL), 0);
	assert_int_equal(img_digest_check("abc", 3, &want, 3, "it", &e), 0);
	assert_int_equal(img_digest_check("abc", 3, &want, -1, "it", &e), 0);
	assert_int_equal(img_digest_check("abc", 3, &want, 4, "it", &e), -EBADMSG);
	assert_non_null(strstr(e.text, "it: 3 bytes instead of the 4"));
	assert_int_equal(img_digest_check("abd", 3, &want, 3, "it", &e), -EBADMSG);
	assert_non_null(strstr(e.text, ABC_256));
	assert_int_equal(img_digest_parse(ABC_512, &want, NULL), 0);
	assert_int_equal(img_digest_check("abc", 3, &want, 3, "it", &e), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(grammar),
		cmocka_unit_test(a_strangers_text_stays_printable),
		cmocka_unit_test(parts),
		cmocka_unit_test(known_hashes),
		cmocka_unit_test(check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
