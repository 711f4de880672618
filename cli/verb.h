/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a verb is, and what a program does with one: the same for ringfence and ringfence-image, which differ
 * in what they hand to its run() (cli/cli.h, cli/image/image.h).
 */
#ifndef CLI_VERB_H
#define CLI_VERB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "cli/options.h"

#define VERB_MEMBERS                                                                                   \
	{                                                                                              \
		const char *name;                                                                      \
		const char *args;	/* the positional arguments, for the usage line; NULL: none */ \
		int min_args, max_args; /* max -1: any number */                                       \
		bool in_order;		/* the first positional argument ends the options */           \
		const char *summary;	/* a line for the help text */                                 \
		const struct opt *options;                                                             \
		const void *defaults; /* of the struct behind the options; NULL: all zero */           \
		size_t size;	      /* of that struct */                                             \
	}
struct verb VERB_MEMBERS;

/* The first member of a program's own kind of verb: v->name and v->verb.name are the same. */
#define VERB_BASE                    \
	union {                      \
		struct verb verb;    \
		struct VERB_MEMBERS; \
	}

/*
 * Parses the options behind the verb's name argv[0] and counts its arguments, of which the first is
 * argv[*first]. *options is the struct for run(), and is to be given to cli_free_options() in every case.
 * 0, OPTIONS_HELP, or a negative errno.
 */
int cli_parse_verb(const struct verb *v, int argc, char **argv, void **options, int *first, struct err *e);
void cli_free_options(const struct verb *v, void *options);

/* Help: of a verb, and its line in the list of all. */
void cli_describe_verb(const struct verb *v, struct strbuf *out);
void cli_list_verb(const char *name, const char *summary, struct strbuf *out);

/* --- what comes before a verb */

/* Global options of both programs. */
struct log_options {
	const char *log, *log_format, *log_level;
	bool debug;
};
#define LOG_OPTIONS(at)                                                                                   \
	{ "log", 0, OPT_STRING, (at) + offsetof(struct log_options, log), "TARGET",                       \
		"where errors are also written: [file:]PATH, journald:ID or syslog:ID" },                 \
		{ "log-format", 0, OPT_STRING, (at) + offsetof(struct log_options, log_format), "FORMAT", \
			"of the log: text (default) or json" },                                           \
		{ "log-level", 0, OPT_STRING, (at) + offsetof(struct log_options, log_level), "LEVEL",    \
			"error (default), warning, info or debug" },                                      \
	{                                                                                                 \
		"debug", 0, OPT_BOOL, (at) + offsetof(struct log_options, debug), NULL,                   \
			"the same as --log-level debug"                                                   \
	}

int cli_open_log(const struct log_options *o, struct err *e);

/*
 * A caller may start us with 0, 1 or 2 closed. The next file opened would take the number, and a message or
 * the payload's output would go into it.
 */
void cli_fill_stdio(void);

#endif
