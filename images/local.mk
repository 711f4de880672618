# images: the store, registries, archives, layers; ringfence-image (cli/image) is the only program that links it
# What `ringfence` itself links of it: neither libcurl nor libarchive nor libcrypto.
noinst_LIBRARIES += libroots.a
libroots_a_SOURCES = \
	images/digest.c images/digest.h images/document.h images/platform.c images/ref.c images/ref.h \
	images/roots.c images/roots.h images/roots_file.c images/roots_ready.c

if HAVE_IMAGES
noinst_LIBRARIES += libimages.a
libimages_a_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(ARCHIVE_CFLAGS) $(CRYPTO_CFLAGS)
libimages_a_SOURCES = \
	images/digest_hash.c images/document.c \
	images/store.c images/store.h images/store_blobs.c images/store_check.c images/store_images.c images/store_internal.h \
	images/store_erofs.c images/store_layers.c images/store_names.c images/store_ready.c images/store_root.c images/store_upkeep.c images/store_usage.c \
	images/unpack.c images/unpack.h images/unpack_hide.c images/unpack_internal.h images/unpack_lower.c images/unpack_node.c \
	images/unpack_path.c images/unpack_stream.c images/unpack_tree.c \
	images/base64.c images/base64.h images/registries.c images/registries.h images/registries_conf.c \
	images/registries_internal.h images/toml.c images/toml.h \
	images/auth.c images/auth.h images/auth_helper.c images/auth_internal.h images/auth_login.c \
	images/challenge.c images/challenge.h images/http.c images/http.h images/http_certs.c images/http_internal.h images/http_url.c \
	images/registry.c images/registry.h images/registry_ask.c images/registry_blob.c images/registry_internal.h images/registry_token.c \
	images/archive.c images/archive.h images/archive_internal.h images/archive_read.c images/load.c images/load_docker.c images/load_internal.h images/load_oci.c \
	images/archive_write.c images/save.c images/save_docker.c images/save_internal.h images/save_oci.c \
	images/archive_layer.c images/archive_repack.c images/change.c images/change.h images/change_image.c images/change_internal.h images/change_words.c images/import.c images/pack.h images/pack_attrs.c images/pack_internal.h images/pack_tree.c \
	images/transfer.h images/transfer_fetch.c images/transfer_internal.h images/transfer_pull.c
IMAGES_LIBS = libimages.a libroots.a libspec.a libbase.a $(CURL_LIBS) $(ARCHIVE_LIBS) $(CRYPTO_LIBS) $(YAJL_LIBS) -lpthread -lm

# Installed as LIBEXECDIR/ringfence/ringfence-image, where `ringfence` looks for it (cli/image_exec.c).
pkglibexec_PROGRAMS += ringfence-image
ringfence_image_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(ARCHIVE_CFLAGS) $(CRYPTO_CFLAGS)
ringfence_image_SOURCES = \
	cli/options.c cli/options.h cli/print.c cli/print.h cli/verb.c cli/verb.h \
	cli/image/commit_layer.c cli/image/image.h cli/image/import.c cli/image/load.c cli/image/main.c cli/image/save.c cli/image/verbs.h \
	cli/image/catalog.c cli/image/catalog.h cli/image/creds.c cli/image/creds.h cli/image/du.c cli/image/filter.c cli/image/history.c cli/image/images.c \
	cli/image/inspect.c cli/image/login.c cli/image/prepare.c cli/image/progress.c cli/image/progress.h cli/image/prune.c cli/image/pull.c cli/image/rmi.c \
	cli/image/store.c cli/image/tag.c cli/image/text.c cli/image/text.h
ringfence_image_LDADD = $(IMAGES_LIBS)

# As for config.json (spec/local.mk): what fuzzing has found is replayed by every `make check`.
check_PROGRAMS += tests/fuzz/replay_image tests/fuzz/replay_layer
TESTS += tests/fuzz/replay_image tests/fuzz/replay_layer
tests_fuzz_replay_image_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_image.c
tests_fuzz_replay_image_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"image"'
tests_fuzz_replay_image_LDADD = $(IMAGES_LIBS)
tests_fuzz_replay_layer_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_layer.c
tests_fuzz_replay_layer_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"layer"'
tests_fuzz_replay_layer_LDADD = $(IMAGES_LIBS)
check_PROGRAMS += tests/fuzz/replay_archive
TESTS += tests/fuzz/replay_archive
tests_fuzz_replay_archive_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_archive.c
tests_fuzz_replay_archive_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"archive"'
tests_fuzz_replay_archive_LDADD = $(IMAGES_LIBS)
if FUZZING
check_PROGRAMS += tests/fuzz/fuzz_archive
tests_fuzz_fuzz_archive_SOURCES = tests/fuzz/fuzz_archive.c
tests_fuzz_fuzz_archive_LDADD = $(IMAGES_LIBS)
tests_fuzz_fuzz_archive_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
check_PROGRAMS += tests/fuzz/fuzz_image tests/fuzz/fuzz_layer
tests_fuzz_fuzz_image_SOURCES = tests/fuzz/fuzz_image.c
tests_fuzz_fuzz_image_LDADD = $(IMAGES_LIBS)
tests_fuzz_fuzz_image_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_layer_SOURCES = tests/fuzz/fuzz_layer.c
tests_fuzz_fuzz_layer_LDADD = $(IMAGES_LIBS)
tests_fuzz_fuzz_layer_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif

# What the tests in Python drive.
check_PROGRAMS += tests/images/unpack_image tests/images/unpack_layer
tests_images_unpack_image_SOURCES = tests/images/unpack_image.c
tests_images_unpack_image_LDADD = $(IMAGES_LIBS)
tests_images_unpack_layer_SOURCES = tests/images/unpack_layer.c
tests_images_unpack_layer_LDADD = $(IMAGES_LIBS)
dist_check_SCRIPTS += tests/images/hostile tests/images/peers
TESTS += tests/images/hostile tests/images/peers
dist_check_SCRIPTS += tests/images/registry.sh tests/images/verbs
TESTS += tests/images/registry.sh tests/images/verbs
EXTRA_DIST += tests/images/badregistry.py tests/images/registry_cases.sh
EXTRA_DIST += tests/images/tars.py
# Started by ./bootstrap check real.
EXTRA_DIST += tests/images/real tests/images/real_cases.sh tests/images/real_systemd.sh tests/images/real_peers.py
dist_check_SCRIPTS += tests/images/archives tests/images/imports
TESTS += tests/images/archives tests/images/imports

if HAVE_CMOCKA
IMAGES_TESTS = \
	tests/unit/images_digest_test tests/unit/images_document_test tests/unit/images_kill_test tests/unit/images_platform_test tests/unit/images_ref_test \
	tests/unit/images_store_test tests/unit/images_tree_test tests/unit/images_upkeep_test \
	tests/unit/images_toml_test \
	tests/unit/images_challenge_test \
	tests/unit/images_registries_test \
	tests/unit/images_auth_test \
	tests/unit/images_roots_test \
	tests/unit/images_url_test \
	tests/unit/image_text_test
IMAGES_TEST_LIBS = $(IMAGES_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += $(IMAGES_TESTS)
TESTS += $(IMAGES_TESTS)

tests_unit_image_text_test_SOURCES = tests/unit/image_text_test.c cli/image/catalog.c cli/image/filter.c cli/image/progress.c cli/image/text.c \
	cli/options.c cli/print.c
tests_unit_image_text_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_image_text_test_LDADD = $(IMAGES_TEST_LIBS)

tests_unit_images_digest_test_SOURCES = tests/unit/images_digest_test.c
tests_unit_images_digest_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_images_digest_test_LDADD = $(IMAGES_TEST_LIBS)

tests_unit_images_document_test_SOURCES = tests/unit/images_document_test.c
tests_unit_images_document_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_images_document_test_LDADD = $(IMAGES_TEST_LIBS)

tests_unit_images_platform_test_SOURCES = tests/unit/images_platform_test.c
tests_unit_images_platform_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_images_platform_test_LDADD = $(IMAGES_TEST_LIBS)

tests_unit_images_ref_test_SOURCES = tests/unit/images_ref_test.c
tests_unit_images_ref_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_images_ref_test_LDADD = $(IMAGES_TEST_LIBS)

tests_unit_images_kill_test_SOURCES = tests/unit/images_kill_test.c tests/unit/images_fixture.h tests/unit/images_tar.h
tests_unit_images_kill_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_images_kill_test_LDADD = $(IMAGES_TEST_LIBS)

tests_unit_images_upkeep_test_SOURCES = tests/unit/images_upkeep_test.c tests/unit/images_fixture.h tests/unit/images_tar.h
tests_unit_images_upkeep_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_images_upkeep_test_LDADD = $(IMAGES_TEST_LIBS)

tests_unit_images_tree_test_SOURCES = tests/unit/images_tree_test.c tests/unit/images_fixture.h
tests_unit_images_tree_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_images_tree_test_LDADD = $(IMAGES_TEST_LIBS)

tests_unit_images_store_test_SOURCES = tests/unit/images_store_test.c tests/unit/images_fixture.h
tests_unit_images_store_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_images_store_test_LDADD = $(IMAGES_TEST_LIBS)

tests_unit_images_toml_test_SOURCES = tests/unit/images_toml_test.c
tests_unit_images_toml_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_images_toml_test_LDADD = $(IMAGES_TEST_LIBS)

tests_unit_images_challenge_test_SOURCES = tests/unit/images_challenge_test.c
tests_unit_images_challenge_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_images_challenge_test_LDADD = $(IMAGES_TEST_LIBS)

tests_unit_images_registries_test_SOURCES = tests/unit/images_registries_test.c tests/unit/images_fixture.h
tests_unit_images_registries_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_images_registries_test_LDADD = $(IMAGES_TEST_LIBS)

tests_unit_images_auth_test_SOURCES = tests/unit/images_auth_test.c tests/unit/images_fixture.h
tests_unit_images_auth_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_images_auth_test_LDADD = $(IMAGES_TEST_LIBS)

tests_unit_images_roots_test_SOURCES = tests/unit/images_roots_test.c tests/unit/images_fixture.h tests/unit/images_tar.h
tests_unit_images_roots_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_images_roots_test_LDADD = $(IMAGES_TEST_LIBS)

tests_unit_images_url_test_SOURCES = tests/unit/images_url_test.c
tests_unit_images_url_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_images_url_test_LDADD = $(IMAGES_TEST_LIBS)
endif
endif
