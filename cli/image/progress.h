/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes in and out of the store, shown on standard error: bars on a terminal, one for each item that is
 * going on, and a line for each that has ended; elsewhere only these lines.
 */
#ifndef CLI_IMAGE_PROGRESS_H
#define CLI_IMAGE_PROGRESS_H

#include "images/transfer.h"

struct progress;

/*
 * `did`: what happens to bytes, "received", "read", "written". NULL without memory. For the library it is
 * progress_calls().
 */
struct progress *progress_new(const char *did);
/* NULL for NULL: --quiet. */
struct img_progress *progress_calls(struct progress *p);
/* Leaves the lines of what has ended. */
void progress_free(struct progress *p);
DEFINE_CLEANUP(struct progress *, progress_free);

/* The parts that only make text. */
struct strbuf;
/* A bar in `width` columns: "layer 0123456789ab [====>     ] 12.3 MB / 45.6 MB  3.2 MB/s". */
void progress_bar(struct strbuf *out, const char *what, int64_t now, int64_t total, double speed, int width);

#endif
