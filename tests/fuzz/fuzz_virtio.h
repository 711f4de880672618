/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzz targets of virtio devices share: a guest that does what the input says.
 *
 * The input is a sequence of steps, a byte each with arguments behind it: accesses to registers of any
 * offset, length and value; writes to guest memory; kicks; turns of the loop; what the host does at the other
 * end; and a few steps that do at once what a driver needs many for (agree and start, offer a chain), since
 * mere chance gets no further than to a device that has never been started.
 */
#ifndef TESTS_FUZZ_VIRTIO_H
#define TESTS_FUZZ_VIRTIO_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "sandbox/virtio.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#define FUZZ_RAM (256U << 10)

struct fuzz {
	const uint8_t *at, *end;
	struct vm_mem mem; /* exact, so that a sanitizer sees what is outside */
	struct vm_loop loop;
	struct virtio_dev *d;
	int host[3]; /* the other ends, -1: none (any more) */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void fuzz_open(struct fuzz *f, const uint8_t *data, size_t size);
/* Runs the input, then lets the loop get quiet, which it must; and frees everything. */
void fuzz_run(struct fuzz *f);

/* The next bytes of the input; 0 behind its end. */
uint64_t fuzz_get(struct fuzz *f, unsigned bytes);

#endif
