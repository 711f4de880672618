/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What main.c and the verbs share. A verb is a file with a table of options and one function, which calls the
 * library and prints; main.c parses, reports the error, and exits.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "cli/print.h"
#include "cli/verb.h"
#include "runtime/runtime.h"

#define CLI_FAILURE	 1   /* any failure of the runtime */
#define CLI_EXEC_FAILURE 255 /* exec: the command itself could not be executed (runc and crun agree) */

struct cli_verb {
	VERB_BASE;
	bool hidden;	    /* of no use to a person: not in the list of commands */
	int not_understood; /* exit status where the command line is not; 0: as of any failure */
	bool executes;	    /* something inside: our own file must be out of its reach (runtime/seal.h) */
	/*
	 * `args` is NULL-terminated. Returns the exit status (>= 0) or a negative errno, which becomes
	 * CLI_FAILURE. An error text is printed in both cases.
	 */
	int (*run)(const struct rt_ctx *ctx, const void *options, char *const *args, struct err *e);
};

extern const struct cli_verb verb_create, verb_delete, verb_doctor, verb_events, verb_exec, verb_features,
	verb_kill, verb_list, verb_pause, verb_ps, verb_resume, verb_run, verb_spec, verb_start, verb_state,
	verb_update;
/* Living with launched partitions. */
extern const struct cli_verb verb_inspect, verb_launch, verb_ls, verb_rm;
extern const struct cli_verb verb_cp, verb_network_hook, verb_port;
extern const struct cli_verb verb_attach, verb_generate, verb_logs, verb_rename, verb_restart, verb_stop,
	verb_supervise, verb_wait;
extern const struct cli_verb verb_commit, verb_stats, verb_top, verb_volume;

/*
 * Calls act() for the one id `name`, or with `regex` for every partition whose id matches the POSIX extended
 * regular expression `name`: all of them, even if some fail; the error then counts those and quotes the
 * first.
 */
int cli_for_each(const struct rt_ctx *ctx, const char *name, bool regex,
	int (*act)(const struct rt_ctx *ctx, const char *id, const void *arg, struct err *e), const void *arg,
	struct err *e);

/* What is to be made: as the option says; without it (NULL) as the program's name does, or NULL again. */
const char *cli_isolation(const char *option);

/* The options of `ps`, which `top NAME` is, too. */
struct cli_ps_options {
	const char *format;
};

#endif
