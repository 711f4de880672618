/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the virtio balloon device. */
#include "fuzz_virtio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	struct fuzz f;

	fuzz_open(&f, data, size);
	MUST(virtio_balloon_new(&f.mem, &f.loop, &f.d, &e) == 0);
	fuzz_run(&f);
	return 0;
}
