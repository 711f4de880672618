# images: the store, registries, archives, layers; ringfence-image (cli/image) is the only program that links it
if HAVE_IMAGES
noinst_LIBRARIES += libimages.a
libimages_a_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(ARCHIVE_CFLAGS) $(CRYPTO_CFLAGS)
libimages_a_SOURCES = \
	images/digest.c images/digest.h images/document.c images/document.h images/platform.c images/ref.c images/ref.h
IMAGES_LIBS = libimages.a libspec.a libbase.a $(CURL_LIBS) $(ARCHIVE_LIBS) $(CRYPTO_LIBS) $(YAJL_LIBS) -lpthread -lm

libexec_PROGRAMS += ringfence-image
ringfence_image_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(ARCHIVE_CFLAGS) $(CRYPTO_CFLAGS)
ringfence_image_SOURCES = \
	cli/options.c cli/options.h cli/print.c cli/print.h \
	cli/image/image.h cli/image/main.c
ringfence_image_LDADD = $(IMAGES_LIBS)

if HAVE_CMOCKA
IMAGES_TESTS = \
	tests/unit/images_digest_test tests/unit/images_document_test tests/unit/images_platform_test tests/unit/images_ref_test
IMAGES_TEST_LIBS = $(IMAGES_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += $(IMAGES_TESTS)
TESTS += $(IMAGES_TESTS)

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
endif
endif
# Headers whose sources are on their way.
EXTRA_DIST += images/registries.h images/registry.h images/store.h images/transfer.h images/unpack.h
