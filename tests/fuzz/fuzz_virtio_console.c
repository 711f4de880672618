/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the virtio console with three ports, and the transport. */
#include <sys/socket.h>

#include "fuzz_virtio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vm_port ports[3] = { { .name = "first" }, { .name = "" }, { .name = "ringfence.s1" } };
	struct err e = ERR_INIT;
	struct fuzz f;

	fuzz_open(&f, data, size);
	for (unsigned i = 0; i < 3; i++) {
		int s[2];

		MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s) == 0);
		ports[i].fd = s[0];
		f.host[i] = s[1];
	}
	MUST(virtio_console_new(&f.mem, &f.loop, ports, 3, &f.d, &e) == 0);
	fuzz_run(&f);
	return 0;
}
