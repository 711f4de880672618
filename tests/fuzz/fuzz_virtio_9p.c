/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the virtio 9p device, between a guest and a server that both do as they please. */
#include <sys/socket.h>

#include "fuzz_virtio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vm_tree tree = { .tag = "s0" };
	struct err e = ERR_INIT;
	struct fuzz f;
	int s[2];

	fuzz_open(&f, data, size);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s) == 0);
	tree.fd = s[0];
	f.host[0] = s[1];
	MUST(virtio_9p_new(&f.mem, &f.loop, &tree, &f.d, &e) == 0);
	fuzz_run(&f);
	return 0;
}
