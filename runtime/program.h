/* SPDX-License-Identifier: Apache-2.0 */
/* Where our programs are. */
#ifndef RUNTIME_PROGRAM_H
#define RUNTIME_PROGRAM_H

#include "base/str.h"
#include "base/err.h"

/* The absolute path of what runs here, also where it was executed out of reach of payloads (runtime/seal.h).
 * -ENOENT. */
int rt_own_program(char *path, size_t size, struct err *e);

/* A program that comes with us ("ringfence-image"): where it is installed if that is where we are from, else
 * beside us; never from $PATH. It need not be there. */
void rt_companion(const char *name, char *path, size_t size);

#endif
