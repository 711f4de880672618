/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command line options as tables: getopt_long(3) does the parsing, a table says what each option is and where
 * its value goes, and the help text is made from the same table.
 *
 * Every option takes the spellings that engines use: `--name VALUE`, `--name=VALUE`, Go's single dash
 * (`-name`), booleans alone or as
 * `--name=true`. Abbreviated names are not accepted: a new option would change what they mean.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

/* The type behind `offset` for each kind. What is not given on the command line keeps its value. */
enum opt_kind {
	OPT_BOOL,     /* bool */
	OPT_TRI,      /* int: 1 or 0; preset to -1 for "not given" */
	OPT_STRING,   /* const char *, into argv; the last one counts */
	OPT_LIST,     /* char **, NULL-terminated, strings into argv; one for each time it is given */
	OPT_COUNT,    /* int >= 0 */
	OPT_DURATION, /* int: milliseconds, from "1m30s" */
	OPT_I64,      /* struct spec_i64 */
	OPT_U64,      /* struct spec_u64 */
	OPT_SIZE,     /* struct spec_i64: bytes, from "64M"; -1 for "max" */
};

/* A table ends with an entry without a name. `--help` is part of every table, and `-h` where no
 * entry has it. At most OPTIONS_MAX
 * entries. */
#define OPTIONS_MAX 96
struct opt {
	const char *name; /* without dashes */
	char short_name;  /* 0: none */
	enum opt_kind kind;
	size_t offset;	  /* in the struct of option values */
	const char *arg;  /* what to call the value in the help text; NULL for OPT_BOOL and OPT_TRI */
	const char *help; /* NULL: a second spelling, not shown */
};

/*
 * Parses argv[1..] into the struct `into`. `permute`: options may also follow positional arguments; otherwise
 * the first of these ends the options. *first is the index of the first positional argument (argv is
 * reordered for that). Returns 0, OPTIONS_HELP when --help was given (the rest is not looked at), or -EINVAL
 * / -ENOMEM. `into` is to be given to options_free() in every case.
 */
#define OPTIONS_HELP 1
int options_parse(
	const struct opt *table, bool permute, void *into, int argc, char **argv, int *first, struct err *e);

/* Frees what OPT_LIST entries allocated. */
void options_free(const struct opt *table, void *into);

/* Adds the table's help, a line an option. */
void options_describe(const struct opt *table, struct strbuf *out);

/* "true", "false", "1", "0", "t", "f" in any case, as Go's flag package. 0 or -EINVAL. */
int options_parse_bool(const char *s, bool *out);

/*
 * A duration as Go writes it: one or more of a decimal number with a unit (ns, us, µs, ms, s, m, h), "1m30s",
 * "1.5s", "500ms"; not negative. To nanoseconds. 0, -EINVAL or -ERANGE; *ns is untouched on failure.
 */
int options_parse_duration(const char *s, int64_t *ns);

#endif
