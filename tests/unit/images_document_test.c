/* SPDX-License-Identifier: Apache-2.0 */
/* Index, manifest, config: what is taken, what is refused, what belongs together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "images/document.h"

/* printf a | sha256sum, and so on */
#define A "sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
#define B "sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"
#define C "sha256:2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6"
/* printf b | sha512sum */
#define B_512                                                                     \
	"sha512:5267768822ee624d48fce15ec5ca79cbd602cb7f4c2157a516556991f22ef8c7" \
	"b5ef7b18d1ff41c59370efb0858651d44a936c11b7b144c48fe04df3c6a3e8da"
#define BLAKE	       "blake3:2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6"

#define OCI	       "application/vnd.oci.image."
#define DOCKER	       "application/vnd.docker."
#define INDEX_TYPE     OCI "index.v1+json"
#define MANIFEST_TYPE  OCI "manifest.v1+json"
#define CONFIG_DESC    "{\"mediaType\":\"" OCI "config.v1+json\",\"digest\":\"" A "\",\"size\":2}"
#define LAYER_DESC     "{\"mediaType\":\"" OCI "layer.v1.tar+gzip\",\"digest\":\"" B "\",\"size\":100}"
#define ENTRY_DESC     "{\"mediaType\":\"" MANIFEST_TYPE "\",\"digest\":\"" C "\",\"size\":7}"
#define MANIFEST(more) "{\"schemaVersion\":2,\"config\":" CONFIG_DESC ",\"layers\":[" LAYER_DESC "]" more "}"
#define INDEX(more)    "{\"schemaVersion\":2,\"manifests\":[" ENTRY_DESC "]" more "}"

static struct arena *arena;

static int set_up(void **state)
{
	arena = arena_new();
	return arena ? 0 : -1;
}

static int tear_down(void **state)
{
	arena_free(arena);
	return 0;
}

enum kind { INDEX_DOC, MANIFEST_DOC, CONFIG_DOC };

static int parse(enum kind kind, const char *text, size_t len, struct err *e)
{
	struct img_manifest m;
	struct img_config c;
	struct img_index x;

	switch (kind) {
	case INDEX_DOC:
		return img_index_parse(arena, text, len, "doc", &x, e);
	case MANIFEST_DOC:
		return img_manifest_parse(arena, text, len, "doc", &m, e);
	default:
		return img_config_parse(arena, text, len, "doc", &c, e);
	}
}

static void manifest(void **state)
{
	static const char text[] =
		"{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST_TYPE
		"\",\"artifactType\":\"x/y\",\"config\":" CONFIG_DESC ",\"layers\":[" LAYER_DESC
		",{\"mediaType\":\"" DOCKER "image.rootfs.foreign.diff.tar.gzip\",\"digest\":\"" B_512
		"\",\"size\":9223372036854775807,\"urls\":[\"https://example.com/"
		"l\"],\"annotations\":{\"k\":\"v\"}}],"
		"\"subject\":null,\"annotations\":{\"a\":\"b\"},\"future\":[1,2,{}]}";
	struct img_manifest m;
	struct err e = ERR_INIT;

	if (img_manifest_parse(arena, text, strlen(text), "doc", &m, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(m.media_type, MANIFEST_TYPE);
	assert_string_equal(m.config.digest.text, A);
	assert_int_equal(m.config.media, IMG_MEDIA_CONFIG);
	assert_int_equal(m.config.size, 2);
	assert_int_equal(m.n_layers, 2);
	assert_int_equal(m.layers[0].media, IMG_MEDIA_LAYER);
	assert_string_equal(m.layers[0].digest.text, B);
	assert_null(m.layers[0].urls);
	assert_int_equal(m.layers[1].media, IMG_MEDIA_LAYER);
	assert_string_equal(m.layers[1].digest.text, B_512);
	assert_int_equal(m.layers[1].size, INT64_MAX);
	assert_string_equal(m.layers[1].urls[0], "https://example.com/l");
	assert_null(m.layers[1].urls[1]);
	assert_int_equal(img_manifest_check(&m, "doc", &e), 0);
}

static void index_(void **state)
{
	static const char text[] =
		"{\"schemaVersion\":2,\"mediaType\":\"" DOCKER
		"distribution.manifest.list.v2+json\",\"manifests\":["
		"{\"mediaType\":\"" MANIFEST_TYPE "\",\"digest\":\"" A
		"\",\"size\":1,\"platform\":{\"os\":\"linux\",\"architecture\":"
		"\"arm\",\"variant\":\"v7\",\"os.version\":\"1\",\"os.features\":[\"x\"],\"features\":null}},"
		"{\"mediaType\":\"application/x.unknown\",\"digest\":\"" BLAKE "\",\"size\":2},"
		"{\"mediaType\":\"" INDEX_TYPE "\",\"digest\":\"" B_512 "\",\"size\":0,\"annotations\":{"
		"\"org.opencontainers.image.ref.name\":\"12\",\"io.containerd.image.name\":\"docker.io/"
		"library/debian:12\",\"x\":\"y\"}}"
		"],\"subject\":{},\"annotations\":null}";
	struct img_index x;
	struct err e = ERR_INIT;

	if (img_index_parse(arena, text, strlen(text), "doc", &x, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(x.n_manifests, 3);
	assert_true(x.manifests[0].has_platform);
	assert_string_equal(x.manifests[0].platform.variant, "v7");
	assert_string_equal(x.manifests[0].platform.os_version, "1");
	/* Not to be verified: useless, but no harm to the others. */
	assert_string_equal(x.manifests[1].digest.text, "");
	assert_int_equal(x.manifests[1].media, IMG_MEDIA_OTHER);
	assert_int_equal(x.manifests[2].media, IMG_MEDIA_INDEX);
	assert_false(x.manifests[2].has_platform);
	assert_string_equal(x.manifests[2].ref_name, "12");
	assert_string_equal(x.manifests[2].containerd_name, "docker.io/library/debian:12");
}

static void config(void **state)
{
	static const char text[] = "{\"created\":\"2024-01-02T03:04:05Z\",\"author\":\"me\",\"architecture\":"
				   "\"arm64\",\"os\":\"linux\",\"variant\":\"v8\","
				   "\"config\":{\"User\":\"1000:1000\",\"ExposedPorts\":{\"80/tcp\":{},\"53/"
				   "udp\":{}},\"Env\":[\"A=b\",\"PATH=/bin\"],"
				   "\"Entrypoint\":[\"/e\"],\"Cmd\":[\"-c\",\"x\"],\"Volumes\":{\"/"
				   "data\":{}},\"WorkingDir\":\"/w\","
				   "\"Labels\":{\"k\":\"v\",\"dup\":\"1\",\"dup\":\"2\"},\"StopSignal\":"
				   "\"SIGINT\",\"ArgsEscaped\":true,\"Memory\":1,"
				   "\"Healthcheck\":{\"Test\":[]},\"OnBuild\":null},"
				   "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" A "\",\"" B "\"]},"
				   "\"history\":[{\"created\":\"2024-01-01T00:00:00Z\",\"created_by\":\"/bin/"
				   "sh\",\"comment\":\"c\"},"
				   "{\"created_by\":\"ENV "
				   "A=b\",\"empty_layer\":true},{\"author\":\"x\"}],\"container_config\":{},"
				   "\"docker_version\":\"1\"}";
	struct img_config c;
	struct err e = ERR_INIT;

	if (img_config_parse(arena, text, strlen(text), "doc", &c, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(c.platform.architecture, "arm64");
	assert_string_equal(c.user, "1000:1000");
	assert_int_equal(strv_len(c.exposed_ports), 2);
	assert_string_equal(c.exposed_ports[1], "53/udp");
	assert_int_equal(strv_len(c.env), 2);
	assert_string_equal(c.entrypoint[0], "/e");
	assert_string_equal(c.cmd[1], "x");
	assert_string_equal(c.volumes[0], "/data");
	assert_int_equal(strv_len(c.labels), 4);
	assert_string_equal(c.labels[0], "k");
	assert_string_equal(c.labels[1], "v");
	assert_string_equal(c.labels[3], "2");
	assert_string_equal(c.stop_signal, "SIGINT");
	assert_int_equal(c.n_diff_ids, 2);
	assert_string_equal(c.diff_ids[1].text, B);
	assert_int_equal(c.n_history, 3);
	assert_false(c.history[0].empty_layer);
	assert_true(c.history[1].empty_layer);
	assert_string_equal(c.history[2].author, "x");
}

/* Go writes null for what is empty. */
static void nulls(void **state)
{
	static const char c_text[] = "{\"created\":null,\"config\":{\"User\":null,\"ExposedPorts\":null,"
				     "\"Env\":null,\"Entrypoint\":null,\"Cmd\":null,"
				     "\"Volumes\":null,\"WorkingDir\":\"\",\"Labels\":null},\"rootfs\":{"
				     "\"type\":\"layers\",\"diff_ids\":null},\"history\":null}";
	static const char m_text[] = "{\"schemaVersion\":2,\"mediaType\":null,\"config\":" CONFIG_DESC
				     ",\"layers\":null,\"manifests\":null}";
	static const char x_text[] = "{\"schemaVersion\":2,\"manifests\":null}";
	struct img_manifest m;
	struct img_config c;
	struct img_index x;
	struct err e = ERR_INIT;

	if (img_config_parse(arena, c_text, strlen(c_text), "doc", &c, &e) < 0)
		fail_msg("%s", e.text);
	assert_null(c.user);
	assert_null(c.env);
	assert_null(c.cmd);
	assert_null(c.labels);
	assert_null(c.working_dir);
	assert_int_equal(c.n_diff_ids, 0);
	if (img_manifest_parse(arena, m_text, strlen(m_text), "doc", &m, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(m.n_layers, 0);
	assert_int_equal(img_image_check(&m, &c, "doc", &e), 0);
	if (img_index_parse(arena, x_text, strlen(x_text), "doc", &x, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(x.n_manifests, 0);
}

static void refused(void **state)
{
	static const struct {
		enum kind kind;
		const char *text, *why;
	} bad[] = {
		/* CVE-2021-41190, with either view. */
		{ MANIFEST_DOC, MANIFEST(",\"manifests\":[]"), "both a manifest and an index" },
		{ INDEX_DOC, INDEX(",\"layers\":[]"), "both a manifest and an index" },
		{ INDEX_DOC, INDEX(",\"config\":{}"), "both a manifest and an index" },
		{ MANIFEST_DOC, MANIFEST(",\"Manifests\":[]"), "\"manifests\" is spelled \"Manifests\"" },
		{ MANIFEST_DOC, MANIFEST(",\"LAYERS\":[]"), "\"layers\" is spelled \"LAYERS\"" },
		{ MANIFEST_DOC, MANIFEST(",\"layer\xc5\xbf\":[]"), "\"layers\" is spelled" },
		{ INDEX_DOC, INDEX(",\"manife\xc5\xbfts\":[]"), "\"manifests\" is spelled" },
		{ INDEX_DOC, INDEX(",\"mediatype\":\"\""), "\"mediaType\" is spelled" },
		{ MANIFEST_DOC,
			"{\"schemaVersion\":2,\"config\":{\"digest\":\"" A "\",\"Digest\":\"" B
			"\",\"size\":1}}",
			"\"digest\" is spelled \"Digest\"" },
		{ MANIFEST_DOC,
			"{\"schemaVersion\":2,\"config\":" CONFIG_DESC ",\"layers\":[" LAYER_DESC
			",{\"SIZE\":1}]}",
			"\"size\" is spelled" },
		{ MANIFEST_DOC, INDEX(""), "is an index, not a manifest" },
		{ INDEX_DOC, MANIFEST(""), "is a manifest, not an index" },
		{ MANIFEST_DOC, MANIFEST(",\"mediaType\":\"" INDEX_TYPE "\""), "calls itself" },
		{ MANIFEST_DOC, MANIFEST(",\"mediaType\":\"text/plain\""), "calls itself" },
		{ INDEX_DOC, INDEX(",\"mediaType\":\"" MANIFEST_TYPE "\""), "calls itself" },
		{ INDEX_DOC, INDEX(",\"mediaType\":7"), "mediaType" },
		/* Versions. */
		{ MANIFEST_DOC, "{\"config\":" CONFIG_DESC ",\"layers\":[]}", "schemaVersion must be 2" },
		{ MANIFEST_DOC, "{\"schemaVersion\":1,\"fsLayers\":[]}", "schema 1" },
		{ INDEX_DOC, "{\"schemaVersion\":3,\"manifests\":[]}", "schemaVersion must be 2" },
		{ INDEX_DOC, "{\"schemaVersion\":\"2\",\"manifests\":[]}", "schemaVersion" },
		{ INDEX_DOC, "{\"schemaVersion\":2.5,\"manifests\":[]}", "schemaVersion" },
		/* Types. */
		{ MANIFEST_DOC, "{\"schemaVersion\":2,\"layers\":[]}", "config is required" },
		{ MANIFEST_DOC, "{\"schemaVersion\":2,\"config\":" CONFIG_DESC ",\"layers\":{}}",
			"layers must be an array" },
		{ MANIFEST_DOC, "{\"schemaVersion\":2,\"config\":" CONFIG_DESC ",\"layers\":[null]}",
			"layers[0] must be an object" },
		{ MANIFEST_DOC, "{\"schemaVersion\":2,\"config\":[]}", "config must be an object" },
		{ MANIFEST_DOC, "{\"schemaVersion\":2,\"config\":{}}", "config.digest is required" },
		{ MANIFEST_DOC, "{\"schemaVersion\":2,\"config\":{\"digest\":\"" A "\"}}",
			"config.size is required" },
		{ MANIFEST_DOC, "{\"schemaVersion\":2,\"config\":{\"digest\":\"" A "\",\"size\":-1}}",
			"at least 0" },
		{ MANIFEST_DOC,
			"{\"schemaVersion\":2,\"config\":{\"digest\":\"" A
			"\",\"size\":9223372036854775808}}",
			"config.size" },
		{ MANIFEST_DOC, "{\"schemaVersion\":2,\"config\":{\"digest\":\"" A "\",\"size\":1.5}}",
			"config.size" },
		{ MANIFEST_DOC, "{\"schemaVersion\":2,\"config\":{\"digest\":\"" A "\",\"size\":\"1\"}}",
			"config.size" },
		{ MANIFEST_DOC, "{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:../../x\",\"size\":1}}",
			"config.digest: digest \"sha256:../../x\"" },
		{ MANIFEST_DOC, "{\"schemaVersion\":2,\"config\":{\"digest\":\"" BLAKE "\",\"size\":1}}",
			"can be verified" },
		{ INDEX_DOC, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"/etc/passwd\",\"size\":1}]}",
			"manifests[0].digest" },
		{ INDEX_DOC, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":7,\"size\":1}]}",
			"manifests[0].digest must be a string" },
		{ INDEX_DOC,
			"{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"" A
			"\",\"size\":1,\"platform\":[]}]}",
			"platform must be an object" },
		{ INDEX_DOC,
			"{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"" A
			"\",\"size\":1,\"platform\":{\"os\":1}}]}",
			"platform.os must be a string" },
		{ INDEX_DOC,
			"{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"" A
			"\",\"size\":1,\"annotations\":{"
			"\"org.opencontainers.image.ref.name\":{}}}]}",
			"ref.name must be a string" },
		{ INDEX_DOC, "[]", "no JSON object" },
		{ INDEX_DOC, "null", "no JSON object" },
		{ INDEX_DOC, "", "doc" },
		{ INDEX_DOC, "{", "doc" },
		{ INDEX_DOC, INDEX("") "x", "doc" },
		{ MANIFEST_DOC, "\"\xff\"", "doc" },
		{ CONFIG_DOC, "[]", "must be an object" },
		{ CONFIG_DOC, "{}", "rootfs is required" },
		{ CONFIG_DOC, "{\"rootfs\":{}}", "rootfs.type is required" },
		{ CONFIG_DOC, "{\"rootfs\":{\"type\":\"files\"}}", "must be \"layers\"" },
		{ CONFIG_DOC, "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" BLAKE "\"]}}",
			"diff_ids[0]" },
		{ CONFIG_DOC, "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"x\"]}}", "diff_ids[0]" },
		{ CONFIG_DOC, "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":\"" A "\"}}",
			"must be an array" },
		{ CONFIG_DOC, "{\"config\":{\"Env\":\"A=b\"},\"rootfs\":{\"type\":\"layers\"}}",
			"config.Env must be an array" },
		{ CONFIG_DOC, "{\"config\":{\"Cmd\":[1]},\"rootfs\":{\"type\":\"layers\"}}",
			"config.Cmd[0] must be a string" },
		{ CONFIG_DOC, "{\"config\":{\"Labels\":{\"a\":1}},\"rootfs\":{\"type\":\"layers\"}}",
			"config.Labels[\"a\"] must be" },
		{ CONFIG_DOC, "{\"config\":{\"Volumes\":[\"/x\"]},\"rootfs\":{\"type\":\"layers\"}}",
			"config.Volumes must be an object" },
		{ CONFIG_DOC, "{\"config\":{\"User\":0},\"rootfs\":{\"type\":\"layers\"}}",
			"config.User must be a string" },
		{ CONFIG_DOC, "{\"history\":[{\"empty_layer\":1}],\"rootfs\":{\"type\":\"layers\"}}",
			"history[0].empty_layer" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = ERR_INIT;

		if (parse(bad[i].kind, bad[i].text, strlen(bad[i].text), &e) != -EINVAL)
			fail_msg("%s: taken (%s)", bad[i].text, e.text);
		if (!strstr(e.text, bad[i].why) || !str_starts(e.text, "doc"))
			fail_msg("%s: \"%s\" does not say \"%s\"", bad[i].text, e.text, bad[i].why);
	}
}

/* `head`, `n` times `unit` with commas between, `tail`. */
static char *repeated(const char *head, const char *unit, size_t n, const char *tail, size_t *len)
{
	struct strbuf b = { 0 };

	strbuf_puts(&b, head);
	for (size_t i = 0; i < n; i++) {
		if (i)
			strbuf_add(&b, ",", 1);
		strbuf_puts(&b, unit);
	}
	strbuf_puts(&b, tail);
	assert_false(b.failed);
	*len = b.len;
	return b.s;
}

static void too_much(void **state)
{
	static const struct {
		enum kind kind;
		const char *head, *unit;
		size_t n;
		const char *tail, *why;
	} cases[] = {
		{ MANIFEST_DOC, "{\"schemaVersion\":2,\"config\":" CONFIG_DESC ",\"layers\":[", LAYER_DESC,
			4096, "]}", NULL },
		{ MANIFEST_DOC, "{\"schemaVersion\":2,\"config\":" CONFIG_DESC ",\"layers\":[", "0", 4097,
			"]}", "4097 layers" },
		{ INDEX_DOC, "{\"schemaVersion\":2,\"manifests\":[", "0", 65537, "]}", "65537 manifests" },
		{ CONFIG_DOC, "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[", "0", 4097, "]}}",
			"4097 diff_ids" },
		{ CONFIG_DOC, "{\"rootfs\":{\"type\":\"layers\"},\"history\":[", "{}", 65537, "]}",
			"65537 history" },
		{ CONFIG_DOC, "{\"rootfs\":{\"type\":\"layers\"},\"x\":[", "0", 2200000, "]}",
			"larger than" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len;
		_cleanup_free_ char *text =
			repeated(cases[i].head, cases[i].unit, cases[i].n, cases[i].tail, &len);
		struct err e = ERR_INIT;
		int r = parse(cases[i].kind, text, len, &e);

		assert_int_equal(r, cases[i].why ? -EINVAL : 0);
		if (cases[i].why && !strstr(e.text, cases[i].why))
			fail_msg("\"%s\" does not say \"%s\"", e.text, cases[i].why);
	}
}

static void artifacts(void **state)
{
	static const struct {
		const char *config, *layer;
		bool ok;
	} cases[] = {
		{ OCI "config.v1+json", OCI "layer.v1.tar", true },
		{ OCI "config.v1+json", OCI "layer.v1.tar+zstd", true },
		{ DOCKER "container.image.v1+json", DOCKER "image.rootfs.diff.tar.gzip", true },
		{ OCI "config.v1+json", OCI "layer.nondistributable.v1.tar+gzip", true },
		{ OCI "config.v1+json; charset=utf-8", OCI "layer.v1.tar", true },
		{ "application/vnd.oci.empty.v1+json", OCI "layer.v1.tar", false },
		{ "application/vnd.cncf.helm.config.v1+json", OCI "layer.v1.tar", false },
		{ "", OCI "layer.v1.tar", false },
		{ OCI "config.v1+json", OCI "layer.v1.tar+encrypted", false },
		{ OCI "config.v1+json", "application/vnd.in-toto+json", false },
		{ OCI "config.v1+jsonx", OCI "layer.v1.tar", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *text = arena_printf(arena,
			"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"%s\",\"digest\":\"" A
			"\",\"size\":2},\"layers\":[{"
			"\"mediaType\":\"%s\",\"digest\":\"" B "\",\"size\":3}]}",
			cases[i].config, cases[i].layer);
		struct img_manifest m;
		struct img_config c = { .n_diff_ids = 1 };
		struct err e = ERR_INIT;

		assert_int_equal(img_manifest_parse(arena, text, strlen(text), "doc", &m, &e), 0);
		if (img_manifest_check(&m, "doc", &e) != (cases[i].ok ? 0 : -EINVAL))
			fail_msg("%s, %s: %s", cases[i].config, cases[i].layer, e.text);
		if (!cases[i].ok)
			continue;
		assert_int_equal(img_image_check(&m, &c, "doc", &e), 0);
		c.n_diff_ids = 2;
		assert_int_equal(img_image_check(&m, &c, "doc", &e), -EINVAL);
		assert_non_null(strstr(e.text, "1 layers and the config has 2 diff_ids"));
	}
}

static void kinds(void **state)
{
	static const struct {
		const char *text;
		enum img_media kind;
	} cases[] = {
		{ MANIFEST(""), IMG_MEDIA_MANIFEST },
		{ MANIFEST(",\"mediaType\":\"" MANIFEST_TYPE "\""), IMG_MEDIA_MANIFEST },
		{ INDEX(""), IMG_MEDIA_INDEX },
		{ "{\"rootfs\":{\"type\":\"layers\"}}", IMG_MEDIA_CONFIG },
		{ MANIFEST(",\"manifests\":[]"), IMG_MEDIA_OTHER },
		{ MANIFEST(",\"mediaType\":\"" INDEX_TYPE "\""), IMG_MEDIA_OTHER },
		{ "{\"schemaVersion\":2}", IMG_MEDIA_OTHER },
		{ "{}", IMG_MEDIA_OTHER },
		{ "[]", IMG_MEDIA_OTHER },
		{ "", IMG_MEDIA_OTHER },
		{ "PK", IMG_MEDIA_OTHER },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (img_document_kind(cases[i].text, strlen(cases[i].text)) != cases[i].kind)
			fail_msg("%s", cases[i].text);
}

/*
 * a=$(printf a | sha256sum), b and c alike; printf '%s %s' "$a" "$b" | sha256sum; the same with that and
 * "$c"; for the last one b is the sha512 of "b".
 */
static void chain_ids(void **state)
{
	struct img_digest ids[3] = { { A }, { B }, { C } }, out;

	img_chain_id(ids, 0, &out);
	assert_string_equal(out.text, A);
	img_chain_id(ids, 1, &out);
	assert_string_equal(
		out.text, "sha256:51c0c8ace48498d6f5fee6b0592cc06f2da0f3cbe09c5a34a97dce85c3889676");
	img_chain_id(ids, 2, &out);
	assert_string_equal(
		out.text, "sha256:2fce7f8ce91bcf0a1428b36e1024639fdbd9469eea762dba98aa749631885106");
	assert_int_equal(img_digest_parse(B_512, &ids[1], NULL), 0);
	img_chain_id(ids, 1, &out);
	assert_string_equal(
		out.text, "sha256:df2d79fdeb0f278b2399d1cdfe96076628fdd141955d8daf1a69f96a337cc5be");
}

static void embedded_data(void **state)
{
	static const struct {
		const char *digest, *data;
		int64_t size;
		int want;
	} cases[] = {
		{ A, "YQ==", 1, 0 },
		{ A, "YQ", 1, 0 },
		{ B, "Yg==", 1, 0 },
		{ B_512, "Yg==", 1, 0 },
		{ A, "Yg==", 1, -EBADMSG },
		{ A, "YQ==", 2, -EBADMSG },
		{ A, "Y!==", 1, -EBADMSG },
		{ A, "YQ==YQ==", 1, -EBADMSG },
		{ A, "", 1, -EBADMSG },
		{ A, NULL, 1, -ENOENT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct img_descriptor d = { .data = cases[i].data, .size = cases[i].size };
		const char *data;
		size_t len;

		assert_int_equal(img_digest_parse(cases[i].digest, &d.digest, NULL), 0);
		assert_int_equal(img_descriptor_data(arena, &d, "doc", &data, &len, NULL), cases[i].want);
		if (cases[i].want == 0) {
			assert_int_equal(len, cases[i].size);
			assert_memory_equal(
				data, cases[i].digest == (const char *)cases[0].digest ? "a" : "b", 1);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(manifest),
		cmocka_unit_test(index_),
		cmocka_unit_test(config),
		cmocka_unit_test(nulls),
		cmocka_unit_test(refused),
		cmocka_unit_test(too_much),
		cmocka_unit_test(artifacts),
		cmocka_unit_test(kinds),
		cmocka_unit_test(chain_ids),
		cmocka_unit_test(embedded_data),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
