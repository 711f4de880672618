# cgroups: v1, v2 and mixed hierarchies, systemd's scopes; the only folder with libcgroup and libdbus
noinst_LIBRARIES += libcgroups.a
libcgroups_a_SOURCES = \
	cgroups/cgroup.c cgroups/cgroup.h cgroups/dbus.c cgroups/dbus.h cgroups/dbus_manager.c cgroups/dbus_stubs.c \
	cgroups/devices.c cgroups/devices_bpf.c cgroups/devices_v1.c cgroups/enter.c cgroups/freezer.c cgroups/host.c \
	cgroups/internal.h cgroups/kill.c cgroups/libcgroup.c cgroups/node.c cgroups/oom.c cgroups/paths.c cgroups/resources.c cgroups/state.c cgroups/stats.c \
	cgroups/stats.h cgroups/stats_io.c cgroups/systemd.c cgroups/systemd_props.c cgroups/systemd_text.c cgroups/tree.c cgroups/usage.c cgroups/v1.c \
	cgroups/v2.c cgroups/v2_tree.c cgroups/walk.c
libcgroups_a_CFLAGS = $(AM_CFLAGS) $(DBUS_CFLAGS)
# What a program that links libcgroups.a links after it.
CGROUPS_LIBS = -lcgroup -lpthread $(DBUS_LIBS) -lm

if HAVE_CMOCKA
cgroups_tests = \
	tests/unit/cgroups_paths_test tests/unit/cgroups_host_test tests/unit/cgroups_devices_test \
	tests/unit/cgroups_systemd_test tests/unit/cgroups_files_test tests/unit/cgroups_dbus_test \
	tests/unit/cgroups_kill_test tests/unit/cgroups_live_test
check_PROGRAMS += $(cgroups_tests)
TESTS += $(cgroups_tests)
cgroups_test_libs = libcgroups.a libspec.a libbase.a $(CMOCKA_LIBS) $(CGROUPS_LIBS) $(YAJL_LIBS)
tests_unit_cgroups_paths_test_SOURCES = tests/unit/cgroups_paths_test.c
tests_unit_cgroups_paths_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cgroups_paths_test_LDADD = $(cgroups_test_libs)
tests_unit_cgroups_host_test_SOURCES = tests/unit/cgroups_host_test.c
tests_unit_cgroups_host_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cgroups_host_test_LDADD = $(cgroups_test_libs)
tests_unit_cgroups_devices_test_SOURCES = tests/unit/cgroups_devices_test.c
tests_unit_cgroups_devices_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cgroups_devices_test_LDADD = $(cgroups_test_libs)
tests_unit_cgroups_systemd_test_SOURCES = tests/unit/cgroups_systemd_test.c
tests_unit_cgroups_systemd_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cgroups_systemd_test_LDADD = $(cgroups_test_libs)
tests_unit_cgroups_files_test_SOURCES = tests/unit/cgroups_files_test.c
tests_unit_cgroups_files_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cgroups_files_test_LDADD = $(cgroups_test_libs)
tests_unit_cgroups_dbus_test_SOURCES = tests/unit/cgroups_dbus_test.c
tests_unit_cgroups_dbus_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(DBUS_CFLAGS)
tests_unit_cgroups_dbus_test_LDADD = $(cgroups_test_libs)
tests_unit_cgroups_kill_test_SOURCES = tests/unit/cgroups_kill_test.c tests/unit/cgroups_live.h
tests_unit_cgroups_kill_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cgroups_kill_test_LDADD = $(cgroups_test_libs)
tests_unit_cgroups_live_test_SOURCES = tests/unit/cgroups_live_test.c tests/unit/cgroups_live.h
tests_unit_cgroups_live_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cgroups_live_test_LDADD = $(cgroups_test_libs)
endif
