# sandbox: the engine whose partitions have a kernel of their own, in a small virtual machine
noinst_LIBRARIES += libsandbox.a
libsandbox_a_SOURCES = $(SANDBOX_HOST) $(SANDBOX_VM) $(SANDBOX_VIRTIO) $(SANDBOX_P9) $(SANDBOX_NET)

# What monitor and agent say to each other; the engine, the monitor.
SANDBOX_HOST = \
	sandbox/ask.c sandbox/ask.h sandbox/client.c sandbox/client.h sandbox/confine.c sandbox/confine.h \
	sandbox/creation.c sandbox/creation.h sandbox/disk.c sandbox/disk.h sandbox/dns.c sandbox/dns.h sandbox/engine.c \
	sandbox/engine.h sandbox/exec.c sandbox/fate.c sandbox/fate.h sandbox/filter.c \
	sandbox/filter.h sandbox/monitor.c sandbox/monitor.h sandbox/monitor_clients.c sandbox/monitor_guest.c \
	sandbox/monitor_io.c sandbox/monitor_setup.c sandbox/plan.h sandbox/pod.c sandbox/pod.h sandbox/proto.c sandbox/proto.h sandbox/qemu.c \
	sandbox/qemu.h sandbox/refuse.c sandbox/refuse.h sandbox/root.c sandbox/root.h sandbox/share.c sandbox/share.h sandbox/stand_in.c \
	sandbox/stand_in.h sandbox/terminal.c sandbox/terminal.h

# The machine on KVM.
SANDBOX_VM = sandbox/vm.h sandbox/vm_boot.c sandbox/vm_boot.h sandbox/vm_confine.c sandbox/vm_confine.h sandbox/vm_cpu.c \
	sandbox/vm_elf.c sandbox/vm_internal.h sandbox/vm_kvm.c sandbox/vm_loop.c sandbox/vm_mem.h sandbox/vm_mptable.c \
	sandbox/vm_probe.c sandbox/vm_serial.c sandbox/vm_serial.h sandbox/vm_vcpu.c

# Its devices.
SANDBOX_VIRTIO = \
	sandbox/virtio.h sandbox/virtio_9p.c sandbox/virtio_blk.c sandbox/virtio_console.c sandbox/virtio_internal.h sandbox/virtio_mmio.c \
	sandbox/virtio_balloon.c sandbox/virtio_net.c sandbox/virtio_rng.c sandbox/vq.c sandbox/vq.h

# The server of directories.
SANDBOX_P9 = sandbox/p9.h sandbox/p9_attr.c sandbox/p9_codec.c sandbox/p9_dir.c sandbox/p9_fid.c sandbox/p9_file.c \
	sandbox/p9_held.c sandbox/p9_internal.h sandbox/p9_node.c sandbox/p9_rename.c sandbox/p9_seccomp.c sandbox/p9_serve.c sandbox/p9_walk.c \
	sandbox/p9_xattr.c

# As for config.json (spec/local.mk): what fuzzing has found is replayed by every `make check`.
SANDBOX_P9_FUZZ_LIBS = libsandbox.a libbase.a $(YAJL_LIBS) -lm
check_PROGRAMS += tests/fuzz/replay_p9
TESTS += tests/fuzz/replay_p9
tests_fuzz_replay_p9_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_p9.c
tests_fuzz_replay_p9_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"p9"'
tests_fuzz_replay_p9_LDADD = $(SANDBOX_P9_FUZZ_LIBS)
if FUZZING
check_PROGRAMS += tests/fuzz/fuzz_p9
tests_fuzz_fuzz_p9_SOURCES = tests/fuzz/fuzz_p9.c
tests_fuzz_fuzz_p9_LDADD = $(SANDBOX_P9_FUZZ_LIBS)
tests_fuzz_fuzz_p9_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif

# The network, on both sides.
SANDBOX_NET = sandbox/net.h sandbox/net_apply.c sandbox/net_int.h sandbox/net_names.c sandbox/net_read.c sandbox/net_tap.c \
	sandbox/net_tc.c sandbox/net_text.c sandbox/net_text.h

# The agent: pid 1 of the guest.
pkglibexec_PROGRAMS += ringfence-guest
ringfence_guest_SOURCES = \
	sandbox/guest/adapt.c sandbox/guest/boot.c sandbox/guest/disks.c sandbox/guest/dns.c sandbox/guest/guest.h \
	sandbox/guest/main.c sandbox/guest/partitions.c sandbox/guest/process.c \
	sandbox/guest/relay.c sandbox/guest/requests.c sandbox/guest/shares.c sandbox/guest/tasks.c sandbox/guest/without.c sandbox/guest/work.c
# Neither libcgroup nor libdbus (sandbox/guest/without.c).
ringfence_guest_LDADD = libsandbox.a libruntime.a libcgroups.a libnamespaces.a libsecurity.a libspec.a libbase.a \
	-lseccomp -lcap $(YAJL_LIBS) -lm
ringfence_guest_LDFLAGS = $(AM_LDFLAGS)
if STATIC_LINK
# Without symbols: each guest has it in memory twice, for a moment.
ringfence_guest_LDFLAGS += -static -s
endif
# Plays its monitor.
check_PROGRAMS += tests/sandbox/driver
dist_check_SCRIPTS += tests/sandbox/agent
TESTS += tests/sandbox/agent
tests_sandbox_driver_SOURCES = tests/sandbox/driver.c tests/sandbox/driver.h tests/sandbox/driver_pod.c
tests_sandbox_driver_LDADD = libsandbox.a libbase.a $(YAJL_LIBS) -lm

# The guest's kernel: what builds it, and the archive that it takes /init from.
SANDBOX_KERNEL = sandbox/initrd.c sandbox/initrd.h
libsandbox_a_SOURCES += $(SANDBOX_KERNEL)
guestkerneldir = $(pkglibexecdir)/guest-kernel
dist_guestkernel_SCRIPTS = sandbox/kernel/build
dist_guestkernel_DATA = sandbox/kernel/config
dist_check_SCRIPTS += tests/sandbox/kernel
TESTS += tests/sandbox/kernel
if STATIC_LINK
# pid 1 of the guest that the test boots.
check_PROGRAMS += tests/sandbox/boot_probe
tests_sandbox_boot_probe_SOURCES = tests/sandbox/boot_probe.c
tests_sandbox_boot_probe_LDADD = libsandbox.a libbase.a
tests_sandbox_boot_probe_LDFLAGS = $(AM_LDFLAGS) -static
else
EXTRA_DIST += tests/sandbox/boot_probe.c
endif

# --- fuzz targets of the devices (tests/fuzz/fuzz_virtio.h), as for config.json (spec/local.mk)
SANDBOX_FUZZ_LIBS = libsandbox.a libbase.a $(YAJL_LIBS) -lm
SANDBOX_FUZZ_GUEST = tests/fuzz/fuzz_virtio.c tests/fuzz/fuzz_virtio.h
SANDBOX_REPLAYS = \
	tests/fuzz/replay_virtio_9p tests/fuzz/replay_virtio_balloon tests/fuzz/replay_virtio_blk tests/fuzz/replay_virtio_console tests/fuzz/replay_virtio_net tests/fuzz/replay_virtio_rng \
	tests/fuzz/replay_virtio_vq
check_PROGRAMS += $(SANDBOX_REPLAYS)
TESTS += $(SANDBOX_REPLAYS)
tests_fuzz_replay_virtio_9p_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_virtio_9p.c $(SANDBOX_FUZZ_GUEST)
tests_fuzz_replay_virtio_9p_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"virtio_9p"'
tests_fuzz_replay_virtio_9p_LDADD = $(SANDBOX_FUZZ_LIBS)
tests_fuzz_replay_virtio_balloon_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_virtio_balloon.c $(SANDBOX_FUZZ_GUEST)
tests_fuzz_replay_virtio_balloon_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"virtio_balloon"'
tests_fuzz_replay_virtio_balloon_LDADD = $(SANDBOX_FUZZ_LIBS)
tests_fuzz_replay_virtio_blk_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_virtio_blk.c $(SANDBOX_FUZZ_GUEST)
tests_fuzz_replay_virtio_blk_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"virtio_blk"'
tests_fuzz_replay_virtio_blk_LDADD = $(SANDBOX_FUZZ_LIBS)
tests_fuzz_replay_virtio_console_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_virtio_console.c $(SANDBOX_FUZZ_GUEST)
tests_fuzz_replay_virtio_console_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"virtio_console"'
tests_fuzz_replay_virtio_console_LDADD = $(SANDBOX_FUZZ_LIBS)
tests_fuzz_replay_virtio_net_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_virtio_net.c $(SANDBOX_FUZZ_GUEST)
tests_fuzz_replay_virtio_net_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"virtio_net"'
tests_fuzz_replay_virtio_net_LDADD = $(SANDBOX_FUZZ_LIBS)
tests_fuzz_replay_virtio_rng_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_virtio_rng.c $(SANDBOX_FUZZ_GUEST)
tests_fuzz_replay_virtio_rng_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"virtio_rng"'
tests_fuzz_replay_virtio_rng_LDADD = $(SANDBOX_FUZZ_LIBS)
tests_fuzz_replay_virtio_vq_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_virtio_vq.c
tests_fuzz_replay_virtio_vq_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"virtio_vq"'
tests_fuzz_replay_virtio_vq_LDADD = $(SANDBOX_FUZZ_LIBS)
if FUZZING
check_PROGRAMS += \
	tests/fuzz/fuzz_virtio_9p tests/fuzz/fuzz_virtio_balloon tests/fuzz/fuzz_virtio_blk tests/fuzz/fuzz_virtio_console tests/fuzz/fuzz_virtio_net tests/fuzz/fuzz_virtio_rng \
	tests/fuzz/fuzz_virtio_vq
tests_fuzz_fuzz_virtio_9p_SOURCES = tests/fuzz/fuzz_virtio_9p.c $(SANDBOX_FUZZ_GUEST)
tests_fuzz_fuzz_virtio_9p_LDADD = $(SANDBOX_FUZZ_LIBS)
tests_fuzz_fuzz_virtio_9p_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_virtio_balloon_SOURCES = tests/fuzz/fuzz_virtio_balloon.c $(SANDBOX_FUZZ_GUEST)
tests_fuzz_fuzz_virtio_balloon_LDADD = $(SANDBOX_FUZZ_LIBS)
tests_fuzz_fuzz_virtio_balloon_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_virtio_blk_SOURCES = tests/fuzz/fuzz_virtio_blk.c $(SANDBOX_FUZZ_GUEST)
tests_fuzz_fuzz_virtio_blk_LDADD = $(SANDBOX_FUZZ_LIBS)
tests_fuzz_fuzz_virtio_blk_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_virtio_console_SOURCES = tests/fuzz/fuzz_virtio_console.c $(SANDBOX_FUZZ_GUEST)
tests_fuzz_fuzz_virtio_console_LDADD = $(SANDBOX_FUZZ_LIBS)
tests_fuzz_fuzz_virtio_console_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_virtio_net_SOURCES = tests/fuzz/fuzz_virtio_net.c $(SANDBOX_FUZZ_GUEST)
tests_fuzz_fuzz_virtio_net_LDADD = $(SANDBOX_FUZZ_LIBS)
tests_fuzz_fuzz_virtio_net_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_virtio_rng_SOURCES = tests/fuzz/fuzz_virtio_rng.c $(SANDBOX_FUZZ_GUEST)
tests_fuzz_fuzz_virtio_rng_LDADD = $(SANDBOX_FUZZ_LIBS)
tests_fuzz_fuzz_virtio_rng_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_virtio_vq_SOURCES = tests/fuzz/fuzz_virtio_vq.c
tests_fuzz_fuzz_virtio_vq_LDADD = $(SANDBOX_FUZZ_LIBS)
tests_fuzz_fuzz_virtio_vq_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif

# What comes out of a guest on the control channel.
check_PROGRAMS += tests/fuzz/replay_proto
TESTS += tests/fuzz/replay_proto
tests_fuzz_replay_proto_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_proto.c
tests_fuzz_replay_proto_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"proto"'
tests_fuzz_replay_proto_LDADD = libsandbox.a libbase.a
if FUZZING
check_PROGRAMS += tests/fuzz/fuzz_proto
tests_fuzz_fuzz_proto_SOURCES = tests/fuzz/fuzz_proto.c
tests_fuzz_fuzz_proto_LDADD = libsandbox.a libbase.a
tests_fuzz_fuzz_proto_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif

check_PROGRAMS += tests/fuzz/replay_vm_elf
TESTS += tests/fuzz/replay_vm_elf
tests_fuzz_replay_vm_elf_SOURCES = tests/fuzz/replay.c tests/fuzz/fuzz_vm_elf.c
tests_fuzz_replay_vm_elf_CPPFLAGS = $(AM_CPPFLAGS) -DREPLAY_CORPUS='"vm_elf"'
tests_fuzz_replay_vm_elf_LDADD = libsandbox.a libbase.a
if FUZZING
check_PROGRAMS += tests/fuzz/fuzz_vm_elf
tests_fuzz_fuzz_vm_elf_SOURCES = tests/fuzz/fuzz_vm_elf.c
tests_fuzz_fuzz_vm_elf_LDADD = libsandbox.a libbase.a
tests_fuzz_fuzz_vm_elf_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
endif

if HAVE_CMOCKA
SANDBOX_TEST_LIBS = libsandbox.a $(RUNTIME_TEST_LIBS)
# --- tests of the protocol, engine and monitor
check_PROGRAMS += tests/unit/sandbox_client_test tests/unit/sandbox_disk_test tests/unit/sandbox_dns_test tests/unit/sandbox_monitor_io_test \
	tests/unit/sandbox_pod_test tests/unit/sandbox_proto_test
TESTS += tests/unit/sandbox_client_test tests/unit/sandbox_disk_test tests/unit/sandbox_dns_test tests/unit/sandbox_monitor_io_test \
	tests/unit/sandbox_pod_test tests/unit/sandbox_proto_test
tests_unit_sandbox_client_test_SOURCES = tests/unit/sandbox_client_test.c
tests_unit_sandbox_client_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_client_test_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=poll,--wrap=clock_gettime
tests_unit_sandbox_client_test_LDADD = $(SANDBOX_TEST_LIBS)
tests_unit_sandbox_disk_test_SOURCES = tests/unit/sandbox_disk_test.c
tests_unit_sandbox_disk_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_disk_test_LDADD = $(SANDBOX_TEST_LIBS)
tests_unit_sandbox_monitor_io_test_SOURCES = tests/unit/sandbox_monitor_io_test.c
tests_unit_sandbox_monitor_io_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_monitor_io_test_LDADD = $(SANDBOX_TEST_LIBS)
tests_unit_sandbox_dns_test_SOURCES = tests/unit/sandbox_dns_test.c
tests_unit_sandbox_dns_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_dns_test_LDADD = $(SANDBOX_TEST_LIBS)
tests_unit_sandbox_pod_test_SOURCES = tests/unit/sandbox_pod_test.c
tests_unit_sandbox_pod_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_pod_test_LDADD = $(SANDBOX_TEST_LIBS)
tests_unit_sandbox_proto_test_SOURCES = tests/unit/sandbox_proto_test.c
tests_unit_sandbox_proto_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_proto_test_LDADD = $(SANDBOX_TEST_LIBS)

# --- tests of the machine
check_PROGRAMS += tests/unit/sandbox_kvm_test tests/unit/sandbox_vm_test
TESTS += tests/unit/sandbox_kvm_test tests/unit/sandbox_vm_test
tests_unit_sandbox_kvm_test_SOURCES = tests/unit/sandbox_kvm_test.c
tests_unit_sandbox_kvm_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_kvm_test_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=log_msg
tests_unit_sandbox_kvm_test_LDADD = $(SANDBOX_TEST_LIBS)
tests_unit_sandbox_vm_test_SOURCES = tests/unit/sandbox_vm_test.c
tests_unit_sandbox_vm_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_vm_test_LDADD = $(SANDBOX_TEST_LIBS)

EXTRA_DIST += tests/sandbox/boot tests/sandbox/differences tests/sandbox/clients tests/sandbox/client-differences
# For the lab, with tests/sandbox/boot: boots a kernel with a program of its own as its only one.
check_PROGRAMS += tests/sandbox/vm_boot
tests_sandbox_vm_boot_SOURCES = tests/sandbox/vm_boot.c
tests_sandbox_vm_boot_LDADD = libsandbox.a libbase.a $(YAJL_LIBS) -lseccomp -lpthread -lm
tests_sandbox_vm_boot_LDFLAGS = $(AM_LDFLAGS)
if STATIC_LINK
tests_sandbox_vm_boot_LDFLAGS += -static
endif
if STATIC_LINK
check_PROGRAMS += tests/sandbox/vm_init
tests_sandbox_vm_init_SOURCES = tests/sandbox/vm_init.c
tests_sandbox_vm_init_CFLAGS = -std=gnu11 $(WARN_CFLAGS)
tests_sandbox_vm_init_LDFLAGS = -static
else
EXTRA_DIST += tests/sandbox/vm_init.c
endif

# --- tests of the devices
SANDBOX_DEVICE_TESTS = \
	tests/unit/sandbox_9p_test tests/unit/sandbox_balloon_test tests/unit/sandbox_devices_test tests/unit/sandbox_virtio_test tests/unit/sandbox_vq_test \
	tests/unit/sandbox_wakeup_test
check_PROGRAMS += $(SANDBOX_DEVICE_TESTS)
TESTS += $(SANDBOX_DEVICE_TESTS)
tests_unit_sandbox_9p_test_SOURCES = \
	tests/unit/sandbox_9p_test.c tests/unit/sandbox_driver.c tests/unit/sandbox_driver.h
tests_unit_sandbox_9p_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_9p_test_LDADD = $(SANDBOX_DEVICE_LIBS)
tests_unit_sandbox_balloon_test_SOURCES = \
	tests/unit/sandbox_balloon_test.c tests/unit/sandbox_driver.c tests/unit/sandbox_driver.h
tests_unit_sandbox_balloon_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_balloon_test_LDADD = $(SANDBOX_DEVICE_LIBS)
tests_unit_sandbox_devices_test_SOURCES = \
	tests/unit/sandbox_devices_test.c tests/unit/sandbox_driver.c tests/unit/sandbox_driver.h
tests_unit_sandbox_devices_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_devices_test_LDADD = $(SANDBOX_DEVICE_LIBS)
SANDBOX_DEVICE_LIBS = libsandbox.a libbase.a $(CMOCKA_LIBS) $(YAJL_LIBS) -lm
tests_unit_sandbox_vq_test_SOURCES = tests/unit/sandbox_vq_test.c
tests_unit_sandbox_vq_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_vq_test_LDADD = $(SANDBOX_DEVICE_LIBS)
tests_unit_sandbox_virtio_test_SOURCES = \
	tests/unit/sandbox_virtio_test.c tests/unit/sandbox_driver.c tests/unit/sandbox_driver.h
tests_unit_sandbox_virtio_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_virtio_test_LDADD = $(SANDBOX_DEVICE_LIBS)
tests_unit_sandbox_wakeup_test_SOURCES = \
	tests/unit/sandbox_wakeup_test.c tests/unit/sandbox_driver.c tests/unit/sandbox_driver.h
tests_unit_sandbox_wakeup_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_wakeup_test_LDADD = $(SANDBOX_DEVICE_LIBS)

# --- tests of the server of directories
SANDBOX_P9_TESTS = tests/unit/sandbox_p9_codec_test tests/unit/sandbox_p9_held_test tests/unit/sandbox_p9_hostile_test tests/unit/sandbox_p9_test
check_PROGRAMS += $(SANDBOX_P9_TESTS)
TESTS += $(SANDBOX_P9_TESTS)
tests_unit_sandbox_p9_codec_test_SOURCES = tests/unit/sandbox_p9_codec_test.c
tests_unit_sandbox_p9_codec_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_p9_codec_test_LDADD = $(SANDBOX_TEST_LIBS)
tests_unit_sandbox_p9_held_test_SOURCES = tests/unit/sandbox_p9_held_test.c tests/unit/sandbox_p9_client.h
tests_unit_sandbox_p9_held_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_p9_held_test_LDADD = $(SANDBOX_TEST_LIBS)
tests_unit_sandbox_p9_hostile_test_SOURCES = tests/unit/sandbox_p9_hostile_test.c tests/unit/sandbox_p9_client.h
tests_unit_sandbox_p9_hostile_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_p9_hostile_test_LDADD = $(SANDBOX_TEST_LIBS)
tests_unit_sandbox_p9_test_SOURCES = tests/unit/sandbox_p9_test.c tests/unit/sandbox_p9_client.h
tests_unit_sandbox_p9_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_p9_test_LDADD = $(SANDBOX_TEST_LIBS)

# --- tests of the network
check_PROGRAMS += tests/unit/sandbox_net_test
TESTS += tests/unit/sandbox_net_test
tests_unit_sandbox_net_test_SOURCES = \
	tests/unit/sandbox_net_test.c tests/unit/sandbox_net_stage.c tests/unit/sandbox_net_stage.h
tests_unit_sandbox_net_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_net_test_LDADD = $(SANDBOX_TEST_LIBS)

# --- tests of the agent
check_PROGRAMS += tests/unit/sandbox_adapt_test
TESTS += tests/unit/sandbox_adapt_test
tests_unit_sandbox_adapt_test_SOURCES = tests/unit/sandbox_adapt_test.c sandbox/guest/adapt.c sandbox/guest/disks.c
tests_unit_sandbox_adapt_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_adapt_test_LDADD = $(SANDBOX_TEST_LIBS)

# --- tests of the guest's kernel
check_PROGRAMS += tests/unit/sandbox_initrd_test
TESTS += tests/unit/sandbox_initrd_test
tests_unit_sandbox_initrd_test_SOURCES = tests/unit/sandbox_initrd_test.c
tests_unit_sandbox_initrd_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_initrd_test_LDADD = libsandbox.a libbase.a $(CMOCKA_LIBS) $(YAJL_LIBS) -lm

endif
