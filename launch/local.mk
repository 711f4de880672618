# launch: living with partitions: from an image to a running one, its record, its supervisor, its network
noinst_LIBRARIES += liblaunch.a
liblaunch_a_SOURCES = \
	launch/image.c launch/image.h launch/info.c launch/inspect.c launch/rm.c launch/run.c \
	launch/tree.c launch/tree.h launch/tree_users.c \
	launch/cp.c launch/cp.h launch/cp_data.c launch/cp_internal.h launch/cp_root.c launch/cp_rules.c launch/cp_tar_read.c \
	launch/cp_tar_write.c launch/cp_tree.c launch/cp_write.c launch/figures.c launch/stats.c launch/stats.h \
	launch/commit.c launch/commit.h launch/volume.c launch/volume.h \
	launch/config.h launch/ids.h launch/launch.h launch/log.h launch/network.h launch/record.h launch/supervise.h \
	launch/data.c launch/dir.c launch/dir_new.c launch/names.c launch/record.c launch/record_internal.h \
	launch/config.c launch/config_internal.h launch/config_linux.c launch/config_mounts.c launch/config_process.c \
	launch/config_resources.c launch/config_seccomp.c launch/config_security.c launch/config_volumes.c launch/etc.c \
	launch/host.c launch/host.h launch/host_root.c launch/ids.c launch/ids_internal.h launch/ids_map.c launch/ids_take.c launch/seccomp_profile.c \
	launch/seccomp_profile.h launch/user.c launch/volumes.c \
	launch/cni.c launch/cni.h launch/cni_conf.c launch/cni_exec.c launch/cni_ghost.c launch/cni_own.c \
	launch/cni_result.c launch/network.c launch/network_dns.c launch/network_file.c launch/network_hook.c \
	launch/network_hosts.c launch/network_internal.h launch/network_pasta.c launch/network_ports.c \
	launch/attach.c launch/control.c launch/control.h launch/log.c launch/log_read.c launch/logs.c launch/pidfd.h \
	launch/rename.c launch/stop.c launch/doze.h launch/supervise.c launch/supervise_doze.c launch/supervise_io.c launch/supervise_memory.c launch/supervise_start.c launch/supervise_work.c launch/template.c \
	launch/supervisor.h launch/wait.c \
	launch/words.c
nodist_liblaunch_a_SOURCES = launch/seccomp_profile_table.h
launch/seccomp_profile.$(OBJEXT): launch/seccomp_profile_table.h

# The system calls that launched partitions may make: written as data, compiled in as a table.
CLEANFILES += launch/seccomp_profile_table.h
EXTRA_DIST += launch/seccomp-profile.awk launch/seccomp-profile.data
launch/seccomp_profile_table.h: launch/seccomp-profile.data launch/seccomp-profile.awk
	$(AM_V_GEN)$(MKDIR_P) launch && $(AWK) -f "$(srcdir)/launch/seccomp-profile.awk" "$(srcdir)/launch/seccomp-profile.data" >"$@.tmp" && \
		mv "$@.tmp" "$@"

# As for config.json (spec/local.mk): what fuzzing has found is replayed by every `make check`.
LAUNCH_FUZZ_LIBS = liblaunch.a libspec.a libbase.a $(YAJL_LIBS) -lm
check_PROGRAMS += tests/fuzz/replay_launch
TESTS += tests/fuzz/replay_launch
tests_fuzz_replay_launch_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_launch.c
tests_fuzz_replay_launch_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"launch"'
tests_fuzz_replay_launch_LDADD = $(LAUNCH_FUZZ_LIBS)
check_PROGRAMS += tests/fuzz/replay_tar
TESTS += tests/fuzz/replay_tar
tests_fuzz_replay_tar_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_tar.c
tests_fuzz_replay_tar_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"tar"'
tests_fuzz_replay_tar_LDADD = $(LAUNCH_FUZZ_LIBS)
if FUZZING
check_PROGRAMS += tests/fuzz/fuzz_launch
tests_fuzz_fuzz_launch_SOURCES = tests/fuzz/fuzz_launch.c
tests_fuzz_fuzz_launch_LDADD = $(LAUNCH_FUZZ_LIBS)
tests_fuzz_fuzz_launch_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
check_PROGRAMS += tests/fuzz/fuzz_tar
tests_fuzz_fuzz_tar_SOURCES = tests/fuzz/fuzz_tar.c
tests_fuzz_fuzz_tar_LDADD = $(LAUNCH_FUZZ_LIBS)
tests_fuzz_fuzz_tar_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif

if HAVE_CMOCKA
LAUNCH_TEST_LIBS = liblaunch.a $(RUNTIME_TEST_LIBS)
check_PROGRAMS += tests/unit/launch_record_test
TESTS += tests/unit/launch_record_test
tests_unit_launch_record_test_SOURCES = tests/unit/launch_record_test.c
tests_unit_launch_record_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_launch_record_test_LDADD = $(LAUNCH_TEST_LIBS)
check_PROGRAMS += tests/unit/launch_network_test tests/unit/launch_cni_test
TESTS += tests/unit/launch_network_test tests/unit/launch_cni_test
tests_unit_launch_cni_test_SOURCES = tests/unit/launch_cni_test.c
tests_unit_launch_cni_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_launch_cni_test_LDADD = $(LAUNCH_TEST_LIBS)
tests_unit_launch_network_test_SOURCES = tests/unit/launch_network_test.c
tests_unit_launch_network_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_launch_network_test_LDADD = $(LAUNCH_TEST_LIBS)
check_PROGRAMS += tests/unit/launch_cp_test
TESTS += tests/unit/launch_cp_test
tests_unit_launch_cp_test_SOURCES = tests/unit/launch_cp_test.c
tests_unit_launch_cp_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_launch_cp_test_LDADD = $(LAUNCH_TEST_LIBS)
check_PROGRAMS += tests/unit/launch_config_test
TESTS += tests/unit/launch_config_test
tests_unit_launch_config_test_SOURCES = tests/unit/launch_config_test.c tests/unit/launch_test.h
tests_unit_launch_config_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_launch_config_test_LDADD = $(LAUNCH_TEST_LIBS)
check_PROGRAMS += tests/unit/launch_config_linux_test
TESTS += tests/unit/launch_config_linux_test
tests_unit_launch_config_linux_test_SOURCES = tests/unit/launch_config_linux_test.c tests/unit/launch_test.h
tests_unit_launch_config_linux_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_launch_config_linux_test_LDADD = $(LAUNCH_TEST_LIBS)
check_PROGRAMS += tests/unit/launch_files_test
TESTS += tests/unit/launch_files_test
tests_unit_launch_files_test_SOURCES = tests/unit/launch_files_test.c tests/unit/launch_test.h
tests_unit_launch_files_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_launch_files_test_LDADD = $(LAUNCH_TEST_LIBS)
check_PROGRAMS += tests/unit/launch_ids_test
TESTS += tests/unit/launch_ids_test
tests_unit_launch_ids_test_SOURCES = tests/unit/launch_ids_test.c tests/unit/launch_test.h
tests_unit_launch_ids_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_launch_ids_test_LDADD = $(LAUNCH_TEST_LIBS)
check_PROGRAMS += tests/unit/launch_seccomp_test
TESTS += tests/unit/launch_seccomp_test
tests_unit_launch_seccomp_test_SOURCES = tests/unit/launch_seccomp_test.c tests/unit/launch_test.h
tests_unit_launch_seccomp_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_launch_seccomp_test_LDADD = $(LAUNCH_TEST_LIBS)
check_PROGRAMS += tests/unit/launch_user_test
TESTS += tests/unit/launch_user_test
tests_unit_launch_user_test_SOURCES = tests/unit/launch_user_test.c tests/unit/launch_test.h
tests_unit_launch_user_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_launch_user_test_LDADD = $(LAUNCH_TEST_LIBS)
check_PROGRAMS += tests/unit/launch_log_test
TESTS += tests/unit/launch_log_test
tests_unit_launch_log_test_SOURCES = tests/unit/launch_log_test.c
tests_unit_launch_log_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_launch_log_test_LDADD = $(LAUNCH_TEST_LIBS)
check_PROGRAMS += tests/unit/launch_figures_test
TESTS += tests/unit/launch_figures_test
tests_unit_launch_figures_test_SOURCES = tests/unit/launch_figures_test.c
tests_unit_launch_figures_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_launch_figures_test_LDADD = $(LAUNCH_TEST_LIBS)
check_PROGRAMS += tests/unit/launch_tree_test
TESTS += tests/unit/launch_tree_test
tests_unit_launch_tree_test_SOURCES = tests/unit/launch_tree_test.c
tests_unit_launch_tree_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_launch_tree_test_LDADD = $(LAUNCH_TEST_LIBS)
endif
