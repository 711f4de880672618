# sandbox: the engine whose partitions have a kernel of their own, in a small virtual machine
noinst_LIBRARIES += libsandbox.a
libsandbox_a_SOURCES = $(SANDBOX_HOST) $(SANDBOX_VM) $(SANDBOX_VIRTIO) $(SANDBOX_P9) $(SANDBOX_NET)

# What monitor and agent say to each other; the engine, the monitor.
SANDBOX_HOST = sandbox/plan.h sandbox/proto.c sandbox/proto.h

# The machine on KVM.
SANDBOX_VM = sandbox/vm.h sandbox/vm_mem.h

# Its devices.
SANDBOX_VIRTIO = sandbox/virtio.h

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

# --- tests of the server of directories

# --- tests of the network

endif
