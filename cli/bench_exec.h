/* SPDX-License-Identifier: Apache-2.0 */
/* `ringfence bench`: ringfence-bench, which is run in our place. */
#ifndef CLI_BENCH_EXEC_H
#define CLI_BENCH_EXEC_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

bool bench_exec_knows(const char *verb);

/* Its lines of the help text. */
void bench_exec_list(struct strbuf *out);

/*
 * Executes ringfence-bench with `args`, of which the first is the verb. It is looked for as ringfence-image
 * is (cli/image_exec.h). Returns only with an error.
 */
int bench_exec(char *const *args, struct err *e);

#endif
