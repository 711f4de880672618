# namespaces: clone, id maps, mounts, root filesystem, devices, network
noinst_LIBRARIES += libnamespaces.a
libnamespaces_a_SOURCES = \
	namespaces/console.c namespaces/console.h namespaces/copyup.c namespaces/devices.c namespaces/export.c namespaces/idmap.c \
	namespaces/idmap_read.c namespaces/live.c namespaces/map_userns.c \
	namespaces/mount_attr.c namespaces/mount_bind.c namespaces/mount_calls.h namespaces/mount_cgroup.c \
	namespaces/mount_fs.c namespaces/mount_options.c namespaces/mount_options.h namespaces/mount_state.h \
	namespaces/net.c namespaces/net.h namespaces/netdev.c namespaces/netlink.c namespaces/netlink.h \
	namespaces/ns.c namespaces/ns.h namespaces/overlay.c namespaces/overlay.h namespaces/overlay_erofs.c namespaces/overlay_new.c \
	namespaces/overlay_options.c namespaces/place.c namespaces/procfs.c namespaces/protect.c \
	namespaces/rootfs.c namespaces/rootfs.h namespaces/sources.c namespaces/sysctl.c namespaces/template.c namespaces/template.h namespaces/sysctl.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/namespaces_options_test tests/unit/namespaces_sysctl_test tests/unit/namespaces_ns_test \
	tests/unit/namespaces_net_test tests/unit/namespaces_rootfs_test tests/unit/namespaces_masks_test \
	tests/unit/namespaces_attack_test tests/unit/namespaces_overlay_test
TESTS += tests/unit/namespaces_options_test tests/unit/namespaces_sysctl_test tests/unit/namespaces_ns_test \
	tests/unit/namespaces_net_test tests/unit/namespaces_rootfs_test tests/unit/namespaces_masks_test \
	tests/unit/namespaces_attack_test tests/unit/namespaces_overlay_test
NAMESPACES_TEST_LIBS = libnamespaces.a libspec.a libbase.a $(CMOCKA_LIBS) $(YAJL_LIBS) -lm
tests_unit_namespaces_options_test_SOURCES = tests/unit/namespaces_options_test.c
tests_unit_namespaces_options_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_namespaces_options_test_LDADD = $(NAMESPACES_TEST_LIBS)
tests_unit_namespaces_sysctl_test_SOURCES = tests/unit/namespaces_sysctl_test.c
tests_unit_namespaces_sysctl_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_namespaces_sysctl_test_LDADD = $(NAMESPACES_TEST_LIBS)
tests_unit_namespaces_ns_test_SOURCES = tests/unit/namespaces_ns_test.c
tests_unit_namespaces_ns_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_namespaces_ns_test_LDADD = $(NAMESPACES_TEST_LIBS)
tests_unit_namespaces_net_test_SOURCES = tests/unit/namespaces_net_test.c
tests_unit_namespaces_net_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_namespaces_net_test_LDADD = $(NAMESPACES_TEST_LIBS)
tests_unit_namespaces_masks_test_SOURCES = tests/unit/namespaces_masks_test.c tests/unit/namespaces_fixture.h
tests_unit_namespaces_masks_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_namespaces_masks_test_LDADD = $(NAMESPACES_TEST_LIBS)
tests_unit_namespaces_rootfs_test_SOURCES = tests/unit/namespaces_rootfs_test.c tests/unit/namespaces_fixture.h
tests_unit_namespaces_rootfs_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_namespaces_rootfs_test_LDADD = $(NAMESPACES_TEST_LIBS)
tests_unit_namespaces_overlay_test_SOURCES = tests/unit/namespaces_overlay_test.c
tests_unit_namespaces_overlay_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_namespaces_overlay_test_LDADD = $(NAMESPACES_TEST_LIBS)
tests_unit_namespaces_attack_test_SOURCES = tests/unit/namespaces_attack_test.c tests/unit/namespaces_fixture.h
tests_unit_namespaces_attack_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_namespaces_attack_test_LDADD = $(NAMESPACES_TEST_LIBS)
endif
