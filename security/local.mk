# security: capabilities (libcap), seccomp (libseccomp), LSM labels, limits, scheduling, the change of user
noinst_LIBRARIES += libsecurity.a
libsecurity_a_SOURCES = \
	security/caps.c security/caps.h security/lsm.c security/lsm.h security/proc_attrs.c security/proc_attrs.h \
	security/procfs.c security/procfs.h security/sched.c security/seccomp.c security/seccomp.h \
	security/seccomp_cache.c security/seccomp_enosys.c security/seccomp_install.c security/seccomp_internal.h \
	security/seccomp_shrink.c security/user.c

if HAVE_CMOCKA
SECURITY_TEST_LIBS = libsecurity.a libspec.a libbase.a $(CMOCKA_LIBS) $(YAJL_LIBS) -lseccomp -lcap -lm
SECURITY_TESTS = \
	tests/unit/security_caps_test tests/unit/security_lsm_test tests/unit/security_lsm_fake_test tests/unit/security_notify_test \
	tests/unit/security_proc_attrs_test \
	tests/unit/security_seccomp_test tests/unit/security_seccomp_cache_test \
	tests/unit/security_seccomp_program_test tests/unit/security_seccomp_same_test
check_PROGRAMS += $(SECURITY_TESTS)
TESTS += $(SECURITY_TESTS)

tests_unit_security_caps_test_SOURCES = tests/unit/security_caps_test.c tests/unit/security_bpf.h
tests_unit_security_caps_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_security_caps_test_LDADD = $(SECURITY_TEST_LIBS)

tests_unit_security_lsm_test_SOURCES = tests/unit/security_lsm_test.c tests/unit/security_bpf.h
tests_unit_security_lsm_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_security_lsm_test_LDADD = $(SECURITY_TEST_LIBS)

tests_unit_security_lsm_fake_test_SOURCES = tests/unit/security_lsm_fake_test.c
tests_unit_security_lsm_fake_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_security_lsm_fake_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=fd_get_at -Wl,--wrap=statfs -Wl,--wrap=sec_procfs_open -Wl,--wrap=fd_write_once
tests_unit_security_lsm_fake_test_LDADD = $(SECURITY_TEST_LIBS)

tests_unit_security_notify_test_SOURCES = tests/unit/security_notify_test.c tests/unit/security_bpf.h
tests_unit_security_notify_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_security_notify_test_LDADD = $(SECURITY_TEST_LIBS) -lpthread

tests_unit_security_proc_attrs_test_SOURCES = tests/unit/security_proc_attrs_test.c tests/unit/security_bpf.h
tests_unit_security_proc_attrs_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_security_proc_attrs_test_LDADD = $(SECURITY_TEST_LIBS)

tests_unit_security_seccomp_test_SOURCES = tests/unit/security_seccomp_test.c tests/unit/security_bpf.h
tests_unit_security_seccomp_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_security_seccomp_test_LDADD = $(SECURITY_TEST_LIBS)

tests_unit_security_seccomp_cache_test_SOURCES = tests/unit/security_seccomp_cache_test.c
tests_unit_security_seccomp_cache_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_security_seccomp_cache_test_LDADD = $(SECURITY_TEST_LIBS)

tests_unit_security_seccomp_program_test_SOURCES = tests/unit/security_seccomp_program_test.c tests/unit/security_bpf.h
tests_unit_security_seccomp_program_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_security_seccomp_program_test_LDADD = $(SECURITY_TEST_LIBS)

tests_unit_security_seccomp_same_test_SOURCES = tests/unit/security_seccomp_same_test.c tests/unit/security_bpf.h
tests_unit_security_seccomp_same_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_security_seccomp_same_test_LDADD = $(SECURITY_TEST_LIBS)
endif
