/* SPDX-License-Identifier: Apache-2.0 */
/* `ringfence bench`: hands its arguments to ringfence-bench (bench_exec.h). */
#include "cli/bench_exec.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "cli/verb.h"
#include "runtime/program.h"

#define PROGRAM "ringfence-bench"

bool bench_exec_knows(const char *verb)
{
	return str_eq(verb, "bench");
}

void bench_exec_list(struct strbuf *out)
{
	strbuf_puts(out, "\nBenchmarks (see ringfence-bench(8)):\n");
	cli_list_verb("bench", "Measure partitions and sandboxes against other designs", out);
}

int bench_exec(char *const *args, struct err *e)
{
	_cleanup_free_ char **argv = calloc(strv_len(args) + 1, sizeof(*argv));
	char path[PATH_MAX], program[] = PROGRAM;
	sigset_t none;

	if (!argv)
		return err_set(e, ENOMEM, "%s", args[0]);
	memcpy(argv, args, strv_len(args) * sizeof(*argv));
	argv[0] = program;
	rt_companion(PROGRAM, path, sizeof(path));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(path, argv);
	err_set(e, errno, "%s: run %s", args[0], path);
	if (e->code == ENOENT)
		err_hint(e,
			"\"make install\" puts it there, and \"./bootstrap build\" makes one that runs from "
			"where it was built");
	return -e->code;
}
