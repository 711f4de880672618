/* SPDX-License-Identifier: Apache-2.0 */
/* The store's upkeep: what is collected and what is not, what a check finds and repairs. */
#include "tests/unit/images_fixture.h"
#include "tests/unit/images_tar.h"

#include <unistd.h>

static struct img_collected collect(const char *name, bool dry)
{
	_cleanup_(img_store_closep) struct img_store *s = open_store(name, IMG_EXCLUSIVE);
	struct img_collected c = { 0 };
	struct err e = ERR_INIT;

	if (img_store_collect(s, dry ? IMG_COLLECT_DRY : 0, &c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

static struct img_descriptor put_small(struct img_store *s, const char *text)
{
	struct strbuf tars[2] = { { 0 } };
	struct img_descriptor d;

	tar_entry(&tars[0], "base", '0', NULL, "base");
	tar_end(&tars[0]);
	tar_entry(&tars[1], "top", '0', NULL, text);
	tar_end(&tars[1]);
	d = put_layers(s, tars, 2);
	strbuf_reset(&tars[0]);
	strbuf_reset(&tars[1]);
	return d;
}

static void unpack(struct img_store *s, const char *what)
{
	struct img_image image;
	struct err e = ERR_INIT;

	if (img_image_find(s, arena, what, NULL, &image, &e) < 0 ||
		img_layers_unpack(s, &image, NULL, &e) < 0)
		fail_msg("%s", e.text);
}

static void what_names_lead_to_stays(void **state)
{
	struct img_store *s = open_store("gc", IMG_SHARED);
	struct img_descriptor a = put_small(s, "a"), b = put_small(s, "b"), index;
	struct img_collected c;

	put(s, LAYER_TYPE, "nobody's");
	index = put(s, INDEX_TYPE,
		arena_printf(arena,
			"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" MANIFEST_TYPE
			"\",\"digest\":\"%s\",\"size\":%lld}]}",
			b.digest.text, (long long)b.size));
	set_name(s, "localhost/a:1", &a);
	set_name(s, "localhost/b:1", &index);
	unpack(s, "a:1");
	unpack(s, "b:1");
	assert_int_equal(count_dir(in_scratch("gc/layers")), 3); /* the base is shared */
	img_store_close(s);
	write_file(in_scratch("gc/tmp/wreck"), "12345");

	c = collect("gc", true);
	assert_int_equal(c.blobs, 1);
	assert_int_equal(c.layers, 0);
	assert_int_equal(c.images, 0);
	assert_int_equal(c.bytes, strlen("nobody's") + 5);
	assert_int_equal(count_dir(in_scratch("gc/tmp")), 1);
	c = collect("gc", false);
	assert_int_equal(c.blobs, 1);
	assert_int_equal(count_dir(in_scratch("gc/tmp")), 0);
	/* config, manifest, top layer each; the base; the index. */
	assert_int_equal(count_dir(in_scratch("gc/blobs/sha256")), 8);
	assert_int_equal(check_store("gc", false, NULL), 0);
	c = collect("gc", false);
	assert_int_equal(c.blobs, 0);

	s = open_store("gc", IMG_SHARED);
	assert_int_equal(img_name_remove(s, "localhost/b:1", NULL), 0);
	img_store_close(s);
	c = collect("gc", true);
	assert_int_equal(c.blobs, 4);
	assert_int_equal(c.layers, 1);
	c = collect("gc", false);
	assert_int_equal(count_dir(in_scratch("gc/blobs/sha256")), 4);
	assert_int_equal(count_dir(in_scratch("gc/layers")), 2);
	assert_int_equal(check_store("gc", false, NULL), 0);
}

static void nameless_images_go_and_used_ones_stay(void **state)
{
	struct img_store *s = open_store("uses", IMG_SHARED);
	struct img_descriptor a = put_small(s, "a"), b = put_small(s, "b"), c = put_small(s, "c");
	struct img_collected got;

	set_name(s, "localhost/x:1", &a);
	set_name(s, "localhost/x:1", &b); /* a: nameless */
	set_name(s, "localhost/c:1", &c);
	assert_int_equal(img_use_set(s, "web", &a.digest, NULL), 0);
	assert_int_equal(img_use_set(s, "gone", &c.digest, NULL), 0);
	unpack(s, a.digest.text);
	assert_int_equal(img_name_remove(s, "localhost/c:1", NULL), 0);
	img_store_close(s);

	got = collect("uses", false);
	assert_int_equal(got.images, 0);
	assert_int_equal(got.blobs, 0);
	assert_int_equal(count_dir(in_scratch("uses/layers")), 2);
	s = open_store("uses", IMG_SHARED);
	assert_string_equal(names_of(s), arena_printf(arena, "localhost/x:1=%.8s -=%.8s",
						 img_digest_hex(&b.digest), img_digest_hex(&a.digest)));
	assert_int_equal(img_use_remove(s, "web", NULL), 0);
	assert_int_equal(img_use_remove(s, "gone", NULL), 0);
	img_store_close(s);
	got = collect("uses", true);
	assert_int_equal(got.images, 1);
	got = collect("uses", false);
	assert_int_equal(got.images, 1);
	assert_int_equal(got.blobs, 6);	 /* manifest, config and top of a and of c */
	assert_int_equal(got.layers, 1); /* the base is also that of what has the name */
	s = open_store("uses", IMG_SHARED);
	assert_string_equal(
		names_of(s), arena_printf(arena, "localhost/x:1=%.8s", img_digest_hex(&b.digest)));
	/* A use that cannot be read is no use that is not there. */
	write_file(in_scratch("uses/uses/broken"), "sha256:12");
	img_store_close(s);
	s = open_store("uses", IMG_EXCLUSIVE);
	assert_int_equal(img_store_collect(s, 0, &got, NULL), -EBADMSG);
	img_store_close(s);
	assert_int_equal(check_store("uses", true, NULL), 1);
	assert_int_equal(check_store("uses", false, NULL), 0);
	assert_int_equal(count_dir(in_scratch("uses/blobs/sha256")), 4);
}

/* Another image's index may say of ours what it likes, and lead to it from as far away as it likes. */
static void what_others_say_of_an_image_does_not_count(void **state)
{
	static const char entry[] = "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"%s\","
				    "\"digest\":\"%s\",\"size\":%lld}]}";
	struct img_store *s = open_store("liars", IMG_SHARED);
	struct img_descriptor ours = put_small(s, "ours"), deep = put_small(s, "deep"), index, far;

	index = put(s, INDEX_TYPE,
		arena_printf(arena, entry, MANIFEST_TYPE, deep.digest.text, (long long)deep.size));
	far = index;
	for (int i = 0; i < 9; i++)
		far = put(s, INDEX_TYPE,
			arena_printf(arena, entry, INDEX_TYPE, far.digest.text, (long long)far.size));
	set_name(s, "localhost/far:1", &far);
	far = put(s, INDEX_TYPE,
		arena_printf(arena, entry, "application/x", ours.digest.text, (long long)ours.size));
	set_name(s, "localhost/type:1", &far);
	far = put(s, INDEX_TYPE, arena_printf(arena, entry, MANIFEST_TYPE, ours.digest.text, 5LL));
	set_name(s, "localhost/size:1", &far);
	set_name(s, "localhost/ours:1", &ours);
	set_name(s, "localhost/deep:1", &index);
	unpack(s, "ours:1");
	unpack(s, "deep:1");
	img_store_close(s);
	collect("liars", false);
	s = open_store("liars", IMG_SHARED);
	unpack(s, "ours:1");
	unpack(s, "deep:1");
	img_store_close(s);
	assert_int_equal(count_dir(in_scratch("liars/layers")), 3);
}

/* Indexes of indexes of indexes, each with the next one many times over. */
static void nested_indexes_are_looked_into_once(void **state)
{
	struct img_store *s = open_store("nested", IMG_SHARED);
	struct img_descriptor at = put_small(s, "x");
	const char *type = MANIFEST_TYPE;

	for (int i = 0; i < 4; i++) {
		struct strbuf b = { 0 };

		strbuf_puts(&b, "{\"schemaVersion\":2,\"manifests\":[");
		for (int k = 0; k < 200; k++)
			strbuf_printf(&b, "%s{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%lld}",
				k ? "," : "", type, at.digest.text, (long long)at.size);
		strbuf_puts(&b, "]}");
		at = put(s, INDEX_TYPE, b.s);
		strbuf_reset(&b);
		type = INDEX_TYPE;
	}
	set_name(s, "localhost/nested:1", &at);
	img_store_close(s);
	alarm(60);
	assert_int_equal(check_store("nested", false, NULL), 0);
	alarm(0);
}

/* What belongs to documents that we do not understand stays with them. */
static void what_artifacts_lead_to_stays(void **state)
{
	struct img_store *s = open_store("artifact", IMG_SHARED);
	struct img_descriptor empty = put(s, "application/vnd.oci.empty.v1+json", "{}"),
			      x = put(s, "application/x", "payload"), m;

	m = put(s, MANIFEST_TYPE,
		arena_printf(arena,
			"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":2},"
			"\"layers\":[],\"future\":[{\"blob\":\"%s\"}]}",
			empty.media_type, empty.digest.text, x.digest.text));
	set_name(s, "localhost/artifact:1", &m);
	img_store_close(s);
	assert_int_equal(collect("artifact", false).blobs, 0);
	assert_int_equal(check_store("artifact", false, NULL), 0);
}

static void a_damaged_manifest_stops_collecting(void **state)
{
	struct img_store *s = open_store("damaged", IMG_SHARED);
	struct img_descriptor a = put_small(s, "a");
	struct img_collected c;
	struct err e = ERR_INIT;
	char *faults;

	set_name(s, "localhost/a:1", &a);
	img_store_close(s);
	write_file(
		arena_printf(arena, "%s/damaged/blobs/sha256/%s", scratch, img_digest_hex(&a.digest)), "{}");
	s = open_store("damaged", IMG_EXCLUSIVE);
	assert_int_equal(img_store_collect(s, 0, &c, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "store check"));
	img_store_close(s);
	assert_int_equal(count_dir(in_scratch("damaged/blobs/sha256")), 4);
	/* The blob; and the name that leads to it. */
	assert_int_equal(check_store("damaged", false, &faults), 2);
	assert_non_null(strstr(faults, a.digest.text));
	assert_non_null(strstr(faults, "localhost/a:1"));
	assert_int_equal(check_store("damaged", true, NULL), 2);
	assert_int_equal(check_store("damaged", false, NULL), 0);
	assert_int_equal(collect("damaged", false).blobs, 3);
}

static void missing_content_is_found(void **state)
{
	struct img_store *s = open_store("missing", IMG_SHARED);
	struct img_descriptor a = put_image(s, "layer a", "a"), b = put_image(s, "layer b", "b"),
			      c = put_image(s, "layer c", "c"), index;
	struct img_image image;
	char *faults;

	set_name(s, "localhost/a:1", &a);
	set_name(s, "localhost/b:1", &b);
	set_name(s, "localhost/whole:1", &c);
	index = put(s, INDEX_TYPE,
		arena_printf(arena,
			"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" MANIFEST_TYPE
			"\",\"digest\":\"sha256:"
			"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb\",\"size\":1}]}"));
	set_name(s, "localhost/nothing:1", &index);
	index = put(s, INDEX_TYPE,
		arena_printf(arena,
			"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" MANIFEST_TYPE
			"\",\"digest\":\"sha256:"
			"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb\",\"size\":1},"
			"{\"mediaType\":\"" MANIFEST_TYPE "\",\"digest\":\"%s\",\"size\":%lld}]}",
			c.digest.text, (long long)c.size));
	set_name(s, "localhost/part:1", &index); /* one of two is there: that is how images are pulled */
	assert_int_equal(img_image_find(s, arena, "a:1", NULL, &image, NULL), 0);
	assert_int_equal(
		unlink(arena_printf(arena, "%s/missing/blobs/sha256/%s", scratch, img_digest_hex(&image.id))),
		0);
	assert_int_equal(img_image_find(s, arena, "b:1", NULL, &image, NULL), 0);
	assert_int_equal(unlink(arena_printf(arena, "%s/missing/blobs/sha256/%s", scratch,
				 img_digest_hex(&image.manifest.layers[0].digest))),
		0);
	img_store_close(s);

	assert_int_equal(check_store("missing", false, &faults), 3);
	assert_non_null(strstr(faults, "localhost/a:1: config"));
	assert_non_null(strstr(faults, "localhost/b:1: layer"));
	assert_non_null(strstr(faults, "localhost/nothing:1"));
	assert_int_equal(check_store("missing", true, NULL), 3);
	assert_int_equal(check_store("missing", false, NULL), 0);
	s = open_store("missing", IMG_SHARED);
	assert_string_equal(names_of(s), arena_printf(arena, "localhost/whole:1=%.8s localhost/part:1=%.8s",
						 img_digest_hex(&c.digest), img_digest_hex(&index.digest)));
	img_store_close(s);
}

static void damaged_layers_are_found_and_made_again(void **state)
{
	static const char *const damage[] = { "unlink", "truncate", "add", "json", "no-json", "no-diff" };
	struct img_store *s = open_store("layers", IMG_SHARED);
	struct img_descriptor a = put_small(s, "text");
	struct img_image image;
	struct img_digest chain;
	const char *layer;
	int fd;

	set_name(s, "localhost/a:1", &a);
	assert_int_equal(img_image_find(s, arena, "a:1", NULL, &image, NULL), 0);
	img_chain_id(image.config.diff_ids, 1, &chain);
	layer = arena_printf(arena, "%s/layers/layers/%s", scratch, img_digest_hex(&chain));
	for (size_t i = 0; i < ARRAY_SIZE(damage); i++) {
		unpack(s, "a:1");
		img_store_close(s);
		assert_int_equal(check_store("layers", false, NULL), 0);
		if (str_eq(damage[i], "unlink"))
			assert_int_equal(unlink(arena_printf(arena, "%s/diff/top", layer)), 0);
		else if (str_eq(damage[i], "truncate"))
			assert_int_equal(truncate(arena_printf(arena, "%s/diff/top", layer), 1), 0);
		else if (str_eq(damage[i], "add"))
			write_file(arena_printf(arena, "%s/diff/new", layer), "");
		else if (str_eq(damage[i], "json"))
			write_file(arena_printf(arena, "%s/layer.json", layer), "{");
		else if (str_eq(damage[i], "no-json"))
			assert_int_equal(unlink(arena_printf(arena, "%s/layer.json", layer)), 0);
		else
			assert_int_equal(rename(arena_printf(arena, "%s/diff", layer),
						 arena_printf(arena, "%s/else", layer)),
				0);
		assert_int_equal(check_store("layers", false, NULL), 1);
		assert_int_equal(check_store("layers", true, NULL), 1);
		assert_int_equal(check_store("layers", false, NULL), 0);
		s = open_store("layers", IMG_SHARED);
		assert_int_equal(img_layer_open(s, &chain, NULL, NULL), -ENOENT);
	}
	/* One that cannot be read is no hindrance to making it again. */
	unpack(s, "a:1");
	write_file(arena_printf(arena, "%s/layer.json", layer), "{");
	assert_int_equal(img_layer_open(s, &chain, NULL, NULL), -EBADMSG);
	unpack(s, "a:1");
	fd = img_layer_open(s, &chain, NULL, NULL);
	assert_true(fd >= 0);
	close(fd);
	img_store_close(s);
	assert_int_equal(check_store("layers", false, NULL), 0);
}

/* While the next is still on its way: only upon those below. */
static void layer_by_layer(void **state)
{
	struct strbuf tars[3] = { { 0 } };
	struct img_store *s = open_store("stepwise", IMG_SHARED);
	struct img_layer layer;
	struct img_image image;
	struct img_digest chain, below;
	struct img_descriptor d;
	int fd;

	tar_entry(&tars[0], "d/old", '0', NULL, "base");
	tar_entry(&tars[1], "d/.wh.old", '0', NULL, NULL);
	tar_entry(&tars[2], "d/new", '0', NULL, "top!");
	for (int i = 0; i < 3; i++)
		tar_end(&tars[i]);
	d = put_layers(s, tars, 3);
	set_name(s, "localhost/a:1", &d);
	assert_int_equal(img_image_find(s, arena, "a:1", NULL, &image, NULL), 0);
	assert_int_equal(img_layer_unpack(s, &image, 2, NULL, NULL), -ENOENT);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(img_layer_unpack(s, &image, i, NULL, NULL), 0);
	assert_int_equal(img_layer_unpack(s, &image, 1, NULL, NULL), 0);
	assert_int_equal(count_dir(in_scratch("stepwise/layers")), 3);
	img_chain_id(image.config.diff_ids, 2, &chain);
	img_chain_id(image.config.diff_ids, 1, &below);
	fd = img_layer_open(s, &chain, &layer, NULL);
	assert_true(fd >= 0);
	close(fd);
	assert_string_equal(layer.diff_id.text, image.config.diff_ids[2].text);
	assert_string_equal(layer.parent.text, below.text);
	assert_int_equal(layer.entries, 2);
	assert_int_equal(layer.bytes, 4);
	img_store_close(s);
	assert_int_equal(check_store("stepwise", false, NULL), 0);
	for (int i = 0; i < 3; i++)
		strbuf_reset(&tars[i]);
}

static void more_layers_than_can_be_mounted(void **state)
{
	struct strbuf tars[501] = { { 0 } };
	struct img_store *s = open_store("layers501", IMG_SHARED);
	struct img_image image;
	struct img_descriptor d;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(tars); i++)
		tar_end(&tars[i]);
	d = put_layers(s, tars, 501);
	set_name(s, "localhost/a:1", &d);
	d = put_layers(s, tars, 60);
	set_name(s, "localhost/b:1", &d);
	for (size_t i = 0; i < ARRAY_SIZE(tars); i++)
		strbuf_reset(&tars[i]);
	assert_int_equal(img_image_find(s, arena, "a:1", NULL, &image, NULL), 0);
	assert_int_equal(img_layers_unpack(s, &image, NULL, &e), -E2BIG);
	assert_non_null(strstr(e.text, "501 layers"));
	unpack(s, "b:1");
	assert_int_equal(count_dir(in_scratch("layers501/layers")), 60);
	img_store_close(s);
}

/* A ChainID of one image as another's diff_id: what is unpacked by that name is not that other's. */
static void a_chain_id_is_no_diff_id(void **state)
{
	struct img_store *s = open_store("chain", IMG_SHARED);
	struct img_descriptor ours = put_small(s, "ours"), blob = put(s, LAYER_TYPE, "whatever"), d;
	struct img_image image;
	struct img_digest chain;
	struct err e = ERR_INIT;

	set_name(s, "localhost/ours:1", &ours);
	unpack(s, "ours:1");
	assert_int_equal(img_image_find(s, arena, "ours:1", NULL, &image, NULL), 0);
	img_chain_id(image.config.diff_ids, 1, &chain);
	d = put(s, CONFIG_TYPE,
		arena_printf(arena,
			"{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\","
			"\"diff_ids\":[\"%s\"]}}",
			chain.text));
	d = put(s, MANIFEST_TYPE,
		arena_printf(arena,
			"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" CONFIG_TYPE
			"\",\"digest\":\"%s\",\"size\":%lld},\"layers\":[{\"mediaType\":\"" LAYER_TYPE
			"\",\"digest\":\"%s\",\"size\":%lld}]}",
			d.digest.text, (long long)d.size, blob.digest.text, (long long)blob.size));
	set_name(s, "localhost/theirs:1", &d);
	assert_int_equal(img_image_find(s, arena, "theirs:1", NULL, &image, NULL), 0);
	assert_true(img_layers_unpack(s, &image, NULL, &e) < 0);
	if (!strstr(e.text, "ChainID"))
		fail_msg("%s", e.text);
	unpack(s, "ours:1");
	img_store_close(s);
	assert_int_equal(count_dir(in_scratch("chain/layers")), 2);
	assert_int_equal(check_store("chain", false, NULL), 0);
}

/* The config says what content a layer has; what its blob's digest says is not enough. */
static void a_layer_that_is_another_is_refused(void **state)
{
	struct img_store *s = open_store("other", IMG_SHARED);
	struct img_descriptor d = put_small(s, "a");
	struct img_image image;
	struct err e = ERR_INIT;

	set_name(s, "localhost/a:1", &d);
	assert_int_equal(img_image_find(s, arena, "a:1", NULL, &image, NULL), 0);
	image.config.diff_ids[1] = image.config.diff_ids[0];
	assert_int_equal(img_layers_unpack(s, &image, NULL, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "layer 1 ("));
	assert_non_null(strstr(e.text, "config says"));
	assert_int_equal(count_dir(in_scratch("other/layers")), 1);
	assert_int_equal(count_dir(in_scratch("other/tmp")), 0);
	img_store_close(s);
}

static void damaged_blobs_are_found(void **state)
{
	struct img_store *s = open_store("bits", IMG_SHARED);
	struct img_descriptor a = put_small(s, "a");
	struct img_image image;
	const char *blob;
	char *faults;

	set_name(s, "localhost/a:1", &a);
	assert_int_equal(img_image_find(s, arena, "a:1", NULL, &image, NULL), 0);
	img_store_close(s);
	blob = arena_printf(
		arena, "%s/bits/blobs/sha256/%s", scratch, img_digest_hex(&image.manifest.layers[0].digest));
	/* The size is the same: only the hash tells. */
	assert_int_equal(truncate(blob, image.manifest.layers[0].size - 1), 0);
	assert_int_equal(truncate(blob, image.manifest.layers[0].size), 0);
	assert_int_equal(check_store("bits", false, NULL), 0); /* it ends in a zero */
	write_file(blob, arena_printf(arena, "%*s", (int)image.manifest.layers[0].size, "x"));
	assert_int_equal(check_store("bits", false, &faults), 1);
	assert_non_null(strstr(faults, image.manifest.layers[0].digest.text));
	assert_int_equal(check_store("bits", true, NULL), 2);
	assert_int_equal(check_store("bits", false, NULL), 0);
	/* A stray file is none of ours; a directory of a blob's name is a fault. */
	write_file(in_scratch("bits/blobs/sha256/README"), "x");
	assert_int_equal(check_store("bits", false, NULL), 0);
	assert_int_equal(mkdir(blob, 0700), 0);
	assert_int_equal(check_store("bits", true, NULL), 1);
	assert_int_equal(check_store("bits", false, NULL), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_names_lead_to_stays),
		cmocka_unit_test(nameless_images_go_and_used_ones_stay),
		cmocka_unit_test(what_others_say_of_an_image_does_not_count),
		cmocka_unit_test(nested_indexes_are_looked_into_once),
		cmocka_unit_test(what_artifacts_lead_to_stays),
		cmocka_unit_test(a_damaged_manifest_stops_collecting),
		cmocka_unit_test(missing_content_is_found),
		cmocka_unit_test(damaged_layers_are_found_and_made_again),
		cmocka_unit_test(layer_by_layer),
		cmocka_unit_test(more_layers_than_can_be_mounted),
		cmocka_unit_test(a_chain_id_is_no_diff_id),
		cmocka_unit_test(a_layer_that_is_another_is_refused),
		cmocka_unit_test(damaged_blobs_are_found),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
