# base: errors, cleanup macros, descriptors, safe paths, strings, JSON, logging
noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	base/arena.c base/arena.h base/cleanup.h base/err.c base/err.h base/fd.c base/fd.h \
	base/json.c base/json.h base/json_write.c base/log.c base/log.h base/path.c base/path.h base/spawn.c base/spawn.h \
	base/steps.c base/steps.h base/str.c base/str.h

if HAVE_CMOCKA
BASE_TESTS = \
	tests/unit/base_arena_test tests/unit/base_err_test tests/unit/base_fd_test tests/unit/base_json_test \
	tests/unit/base_path_test tests/unit/base_spawn_test tests/unit/base_str_test
BASE_TEST_LIBS = libbase.a $(CMOCKA_LIBS) $(YAJL_LIBS) -lm
check_PROGRAMS += $(BASE_TESTS)
TESTS += $(BASE_TESTS)

tests_unit_base_arena_test_SOURCES = tests/unit/base_arena_test.c
tests_unit_base_arena_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_arena_test_LDADD = $(BASE_TEST_LIBS)

tests_unit_base_err_test_SOURCES = tests/unit/base_err_test.c
tests_unit_base_err_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_err_test_LDADD = $(BASE_TEST_LIBS)

tests_unit_base_fd_test_SOURCES = tests/unit/base_fd_test.c
tests_unit_base_fd_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_fd_test_LDADD = $(BASE_TEST_LIBS)

tests_unit_base_json_test_SOURCES = tests/unit/base_json_test.c
tests_unit_base_json_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_json_test_LDADD = $(BASE_TEST_LIBS)

tests_unit_base_path_test_SOURCES = tests/unit/base_path_test.c
tests_unit_base_path_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_path_test_LDADD = $(BASE_TEST_LIBS)

tests_unit_base_spawn_test_SOURCES = tests/unit/base_spawn_test.c
tests_unit_base_spawn_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_spawn_test_LDADD = $(BASE_TEST_LIBS)

tests_unit_base_str_test_SOURCES = tests/unit/base_str_test.c
tests_unit_base_str_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_base_str_test_LDADD = $(BASE_TEST_LIBS)
endif
