# sandbox: the engine whose partitions have a kernel of their own, in a small virtual machine
noinst_LIBRARIES += libsandbox.a
libsandbox_a_SOURCES = $(SANDBOX_HOST) $(SANDBOX_VM) $(SANDBOX_VIRTIO) $(SANDBOX_P9) $(SANDBOX_NET)

# What monitor and agent say to each other; the engine, the monitor.
SANDBOX_HOST = sandbox/plan.h sandbox/proto.c sandbox/proto.h

# The machine on KVM.
SANDBOX_VM = sandbox/vm.h sandbox/vm_mem.h

# Its devices.
SANDBOX_VIRTIO = \
	sandbox/virtio.h sandbox/virtio_console.c sandbox/virtio_internal.h sandbox/virtio_mmio.c sandbox/vq.c sandbox/vq.h

# The server of directories.
SANDBOX_P9 = sandbox/p9.h

# The network, on both sides.
SANDBOX_NET = sandbox/net.h

# The agent: pid 1 of the guest.

# The guest's kernel.

if HAVE_CMOCKA
SANDBOX_TEST_LIBS = libsandbox.a $(RUNTIME_TEST_LIBS)
# --- tests of the protocol, engine and monitor

# --- tests of the machine

# --- tests of the devices
check_PROGRAMS += tests/unit/sandbox_vq_test tests/unit/sandbox_virtio_test
TESTS += tests/unit/sandbox_vq_test tests/unit/sandbox_virtio_test
SANDBOX_DEVICE_LIBS = libsandbox.a libbase.a $(CMOCKA_LIBS) $(YAJL_LIBS) -lm
tests_unit_sandbox_vq_test_SOURCES = tests/unit/sandbox_vq_test.c
tests_unit_sandbox_vq_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_vq_test_LDADD = $(SANDBOX_DEVICE_LIBS)
tests_unit_sandbox_virtio_test_SOURCES = \
	tests/unit/sandbox_virtio_test.c tests/unit/sandbox_driver.c tests/unit/sandbox_driver.h \
	tests/unit/sandbox_loop.c
tests_unit_sandbox_virtio_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_virtio_test_LDADD = $(SANDBOX_DEVICE_LIBS)

# --- tests of the server of directories

# --- tests of the network

endif
