# spec: config.json as plain C structs
noinst_LIBRARIES += libspec.a
libspec_a_SOURCES = \
	spec/check.c spec/default.c spec/devices.c spec/features.h spec/field.c spec/hooks.c spec/linux.c \
	spec/mounts.c spec/parse.c spec/parse.h spec/process.c spec/resources.c spec/seccomp.c spec/spec.h \
	spec/vm.c spec/words.c spec/write.c

EXTRA_DIST += \
	tests/unit/data/containerd-cri.json tests/unit/data/docker.json tests/unit/data/everything.json \
	tests/unit/data/podman.json

# What fuzzing has found is fed to the parsers by every `make check`, whatever the compiler.
SPEC_FUZZ_LIBS = libspec.a libbase.a $(YAJL_LIBS) -lm
check_PROGRAMS += tests/fuzz/replay_config
TESTS += tests/fuzz/replay_config
tests_fuzz_replay_config_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_config.c
tests_fuzz_replay_config_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"config"'
tests_fuzz_replay_config_LDADD = $(SPEC_FUZZ_LIBS)

# ./configure --enable-fuzzing CC=clang; then
# tests/fuzz/fuzz_config -dict=tests/fuzz/config.dict -max_len=16384 NEW-DIRECTORY tests/fuzz/corpus/config
if FUZZING
check_PROGRAMS += tests/fuzz/fuzz_config
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c
tests_fuzz_fuzz_config_LDADD = $(SPEC_FUZZ_LIBS)
tests_fuzz_fuzz_config_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif

if HAVE_CMOCKA
SPEC_TESTS = \
	tests/unit/spec_linux_test tests/unit/spec_parse_test tests/unit/spec_process_test \
	tests/unit/spec_resources_test tests/unit/spec_words_test
SPEC_TEST_LIBS = libspec.a libbase.a $(CMOCKA_LIBS) $(YAJL_LIBS) -lm
check_PROGRAMS += $(SPEC_TESTS)
TESTS += $(SPEC_TESTS)

tests_unit_spec_linux_test_SOURCES = tests/unit/spec_linux_test.c tests/unit/spec_test.h
tests_unit_spec_linux_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_spec_linux_test_LDADD = $(SPEC_TEST_LIBS)

tests_unit_spec_parse_test_SOURCES = tests/unit/spec_parse_test.c tests/unit/spec_test.h
tests_unit_spec_parse_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_spec_parse_test_LDADD = $(SPEC_TEST_LIBS)

tests_unit_spec_process_test_SOURCES = tests/unit/spec_process_test.c tests/unit/spec_test.h
tests_unit_spec_process_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_spec_process_test_LDADD = $(SPEC_TEST_LIBS)

tests_unit_spec_resources_test_SOURCES = tests/unit/spec_resources_test.c tests/unit/spec_test.h
tests_unit_spec_resources_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_spec_resources_test_LDADD = $(SPEC_TEST_LIBS)

tests_unit_spec_words_test_SOURCES = tests/unit/spec_words_test.c tests/unit/spec_test.h
tests_unit_spec_words_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_spec_words_test_LDADD = $(SPEC_TEST_LIBS)
endif
