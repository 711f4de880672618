/* SPDX-License-Identifier: Apache-2.0 */
/* Where our programs are. */
#ifndef LAUNCH_PROGRAM_H
#define LAUNCH_PROGRAM_H

#include "base/str.h"
#include "base/err.h"

/* The absolute path of what runs here, also where it was executed out of reach of payloads (runtime/seal.h).
 * -ENOENT. */
int launch_own_program(char *path, size_t size, struct err *e);

/* ringfence-image: where it is installed if that is where we are from, else beside us; never from $PATH. It
 * need not be there. */
void launch_image_program(char *path, size_t size);

#endif
