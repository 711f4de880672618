/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where messages go: warnings and debug notes of any layer, and the one error line that cli/ prints.
 *
 * Sinks (--log): a file, "journald:IDENTIFIER" or "syslog:IDENTIFIER"; and always stderr for errors, since
 * some engines read only that. Formats (--log-format): "text", or "json" with one object a line
 * {"msg":…,"level":…,"time":RFC 3339}, of which podman reads the whole file as a single document: so at the
 * default level only errors are written there, and cli/ writes exactly one.
 *
 * A process that has become a partition's (the child half) must not log: it reports over the sync socket.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <time.h>

#include "base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* target: NULL (stderr only), "PATH", "file:PATH", "journald:ID" or "syslog:ID". The file is opened O_APPEND,
 * 0644. */
int log_open(const char *target, const char *format, enum log_level level, struct err *e);

/* "error", "warning", "info", "debug", any case. -EINVAL else. */
int log_level_parse(const char *name, enum log_level *out);

void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool log_enabled(enum log_level level);

/*
 * The fd of the log file (-1: none) and whether its format is JSON: what a program that ringfence runs in its
 * own place may go on writing to.
 */
int log_fd(bool *json);

/* `t` as RFC 3339 in UTC with nanoseconds, NUL-terminated, into buf of LOG_TIME_MAX bytes. Reads no file. */
#define LOG_TIME_MAX 40
void log_time(const struct timespec *t, char *buf);

#define log_error(...) log_msg(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_msg(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
