/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the virtio network device, with a socket of packets for a tap. */
#include <sys/socket.h>

#include "fuzz_virtio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vm_nic nic = { .mac = { 2, 0, 0, 0, 0, 1 }, .mtu = 1500 };
	struct err e = ERR_INIT;
	struct fuzz f;
	int s[2];

	fuzz_open(&f, data, size);
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s) == 0);
	nic.fd = s[0];
	f.host[0] = s[1];
	MUST(virtio_net_new(&f.mem, &f.loop, &nic, &f.d, &e) == 0);
	fuzz_run(&f);
	return 0;
}
