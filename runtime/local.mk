# runtime: the life of a partition, and the engine made of namespaces and cgroups
noinst_LIBRARIES += libruntime.a
libruntime_a_SOURCES = \
	runtime/attach.c runtime/attach.h runtime/clone_ns.c runtime/create_ns.h runtime/engine.c runtime/engine.h \
	runtime/engine_ns.c runtime/engine_ns.h runtime/events.c runtime/exec.c runtime/exec_ns.c runtime/files.c \
	runtime/files.h runtime/hooks.c runtime/hooks.h runtime/info.c runtime/init.c runtime/init.h runtime/launch.h \
	runtime/lifecycle.c runtime/lookup.c runtime/lookup.h runtime/meter.c runtime/notify.c runtime/notify.h runtime/ops_ns.c \
	runtime/partition.c runtime/partition.h runtime/payload.c runtime/payload.h runtime/prepare_ns.c runtime/process.c runtime/program.c runtime/program.h \
	runtime/rdt.c runtime/rdt.h runtime/root.c runtime/runtime.h runtime/seal.c runtime/seal.h runtime/seccomp_cache.h \
	runtime/start_ns.c runtime/state.c runtime/subids.c runtime/subids.h runtime/sync.c runtime/sync.h runtime/usage_ns.c runtime/verbs.c

if HAVE_CMOCKA
RUNTIME_TEST_LIBS = libruntime.a libcgroups.a libnamespaces.a libsecurity.a libspec.a libbase.a \
	-lseccomp -lcap -lcgroup $(DBUS_LIBS) $(CMOCKA_LIBS) $(YAJL_LIBS) -lpthread -lm
RUNTIME_TESTS = \
	tests/unit/runtime_partition_test tests/unit/runtime_lookup_test tests/unit/runtime_rdt_test \
	tests/unit/runtime_subids_test
check_PROGRAMS += $(RUNTIME_TESTS)
TESTS += $(RUNTIME_TESTS)
tests_unit_runtime_partition_test_SOURCES = tests/unit/runtime_partition_test.c
tests_unit_runtime_partition_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_runtime_partition_test_LDADD = $(RUNTIME_TEST_LIBS)
tests_unit_runtime_lookup_test_SOURCES = tests/unit/runtime_lookup_test.c
tests_unit_runtime_lookup_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_runtime_lookup_test_LDADD = $(RUNTIME_TEST_LIBS)
tests_unit_runtime_rdt_test_SOURCES = tests/unit/runtime_rdt_test.c
tests_unit_runtime_rdt_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_runtime_rdt_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=fstatfs -Wl,--wrap=mkdirat -Wl,--wrap=unlinkat -Wl,--wrap=fd_put_at
tests_unit_runtime_rdt_test_LDADD = $(RUNTIME_TEST_LIBS)
tests_unit_runtime_subids_test_SOURCES = tests/unit/runtime_subids_test.c
tests_unit_runtime_subids_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_runtime_subids_test_LDADD = $(RUNTIME_TEST_LIBS)
endif
