/* SPDX-License-Identifier: Apache-2.0 */
/* Where messages go: stderr, a file, the journal, syslog; as text or JSON lines (see log.h). */
#include "base/log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <strings.h>
#include <sys/socket.h>
#include <syslog.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"

#define PROGRAM	       "ringfence"
#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define SYSLOG_SOCKET  "/dev/log"

enum sink { SINK_STDERR, SINK_FILE, SINK_JOURNAL, SINK_SYSLOG };

/* One log a process: the only state that outlives a call in base/. */
static struct {
	enum sink sink;
	int fd;
	bool json;
	enum log_level level;
	char ident[64];
} the_log = { .fd = -EBADF, .level = LOG_LEVEL_ERROR };

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

/* syslog(3) priorities; the journal uses the same numbers. */
static const int priorities[] = {
	[LOG_LEVEL_ERROR] = LOG_ERR,
	[LOG_LEVEL_WARNING] = LOG_WARNING,
	[LOG_LEVEL_INFO] = LOG_INFO,
	[LOG_LEVEL_DEBUG] = LOG_DEBUG,
};

int log_level_parse(const char *name, enum log_level *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
		if (strcasecmp(name, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

bool log_enabled(enum log_level level)
{
	return level <= the_log.level;
}

int log_fd(bool *json)
{
	*json = the_log.json;
	return the_log.sink == SINK_FILE ? the_log.fd : -1;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int open_target(const char *target, enum sink *sink, char *ident, size_t size, int *fd, struct err *e)
{
	const char *id = NULL;

	*sink = SINK_FILE;
	if (str_starts(target, "file:")) {
		target += strlen("file:");
	} else if (str_starts(target, "journald:")) {
		*sink = SINK_JOURNAL;
		id = target + strlen("journald:");
	} else if (str_starts(target, "syslog:")) {
		*sink = SINK_SYSLOG;
		id = target + strlen("syslog:");
	}
	if (id)
		snprintf(ident, size, "%s", *id ? id : PROGRAM);

	switch (*sink) {
	case SINK_JOURNAL:
		*fd = fd_connect_unix(AT_FDCWD, JOURNAL_SOCKET, SOCK_DGRAM);
		if (*fd < 0)
			return err_set(e, *fd, "log to the journal: connect to %s", JOURNAL_SOCKET);
		return 0;
	case SINK_SYSLOG:
		/* syslog(3) reports nothing: a host without a syslog daemon would lose every message
		 * silently. */
		if (access(SYSLOG_SOCKET, F_OK) < 0)
			return err_set(e, errno, "log to syslog: %s", SYSLOG_SOCKET);
		return 0;
	default:
		*fd = open(target, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
		if (*fd < 0)
			return err_set(e, errno, "open log file %s", target);
		return 0;
	}
}

int log_open(const char *target, const char *format, enum log_level level, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	enum sink sink = SINK_STDERR;
	char ident[sizeof(the_log.ident)] = PROGRAM;
	bool json = format && str_eq(format, "json");
	int r;

	if (format && !json && !str_eq(format, "text"))
		return err_text(e, EINVAL, "log format must be text or json, not \"%s\"", format);
	if (target) {
		r = open_target(target, &sink, ident, sizeof(ident), &fd, e);
		if (r < 0)
			return r;
	}
	fd_close(the_log.fd);
	the_log.sink = sink;
	the_log.fd = TAKE_FD(fd);
	the_log.json = json;
	the_log.level = level;
	memcpy(the_log.ident, ident, sizeof(ident));
	if (sink == SINK_SYSLOG)
		openlog(the_log.ident, LOG_PID, LOG_DAEMON);
	return 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

/*
 * gmtime_r(3) of glibc reads /etc/localtime, so the calendar is worked out here: days since 1970 to a date,
 * by counting from 1 March of year 0 in eras of 400 years (a leap day is then the last of its year).
 */
void log_time(const struct timespec *t, char *buf)
{
	int64_t days = t->tv_sec / 86400, secs = t->tv_sec % 86400, era, doe, yoe, doy, mp;
	int year, month, day;

	if (secs < 0) {
		secs += 86400;
		days--;
	}
	days += 719468; /* from 0000-03-01 to 1970-01-01 */
	era = (days >= 0 ? days : days - 146096) / 146097;
	doe = days - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	day = (int)(doy - (153 * mp + 2) / 5 + 1);
	month = (int)(mp < 10 ? mp + 3 : mp - 9);
	year = (int)(yoe + era * 400 + (month <= 2));
	snprintf(buf, LOG_TIME_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ", year, month, day,
		(int)(secs / 3600), (int)(secs / 60 % 60), (int)(secs % 60), t->tv_nsec);
}

/*
 * A message is one line, and may quote what a partition chose (a path, a program's name): control characters
 * are shown, so that nothing inside can forge a line or drive the reader's terminal; a byte at a time.
 */
static void add_line(struct strbuf *b, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t left = strlen(text), len;

	for (; left; s += len, left -= len) {
		len = str_shown_len(s, left, NULL);
		if (len)
			strbuf_add(b, (const char *)s, len);
		else if (*s == '\n')
			strbuf_puts(b, "\\n");
		else if (*s == '\t')
			strbuf_puts(b, " ");
		else
			strbuf_printf(b, "\\x%02x", *s);
		len = len ? len : 1;
	}
}

static void put_stderr(enum log_level level, const char *text)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };

	strbuf_puts(&b, PROGRAM ": ");
	if (level != LOG_LEVEL_ERROR)
		strbuf_printf(&b, "%s: ", level_names[level]);
	add_line(&b, text);
	strbuf_puts(&b, "\n");
	if (!b.failed)
		(void)fd_write_all(STDERR_FILENO, b.s, b.len);
}

static void put_json(int fd, const char *time, enum log_level level, const char *text)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	_cleanup_strbuf_ struct strbuf b = { 0 };
	const char *line;

	if (!w)
		return;
	json_open_object(w, NULL);
	json_put_string(w, "msg", text);
	json_put_string(w, "level", level_names[level]);
	json_put_string(w, "time", time);
	json_close_object(w);
	line = json_writer_text(w, NULL);
	if (!line)
		return;
	strbuf_printf(&b, "%s\n", line);
	if (!b.failed)
		(void)fd_write_all(fd, b.s, b.len);
}

static void put_file(int fd, const char *time, enum log_level level, const char *text)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };

	strbuf_printf(&b, "%s %s: ", time, level_names[level]);
	add_line(&b, text);
	strbuf_puts(&b, "\n");
	if (!b.failed)
		(void)fd_write_all(fd, b.s, b.len);
}

/* The journal's native protocol: NAME=value lines in one datagram (systemd.io/JOURNAL_NATIVE_PROTOCOL). */
static void put_journal(enum log_level level, const char *text)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };

	strbuf_printf(&b, "PRIORITY=%d\nSYSLOG_IDENTIFIER=", priorities[level]);
	add_line(&b, the_log.ident);
	strbuf_puts(&b, "\nMESSAGE=");
	add_line(&b, text);
	strbuf_puts(&b, "\n");
	if (!b.failed)
		(void)send(the_log.fd, b.s, b.len, MSG_NOSIGNAL);
}

static void put_syslog(enum log_level level, const char *text)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };

	add_line(&b, text);
	syslog(priorities[level], "%s", b.s && !b.failed ? b.s : "");
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	int saved = errno;
	char time[LOG_TIME_MAX];
	struct timespec now = { 0 };
	const char *text;
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	strbuf_vprintf(&b, fmt, ap);
	va_end(ap);
	text = b.s && !b.failed ? b.s : "(no memory for the message)";
	clock_gettime(CLOCK_REALTIME, &now);
	log_time(&now, time);

	switch (the_log.sink) {
	case SINK_FILE:
		if (the_log.json)
			put_json(the_log.fd, time, level, text);
		else
			put_file(the_log.fd, time, level, text);
		break;
	case SINK_JOURNAL:
		put_journal(level, text);
		break;
	case SINK_SYSLOG:
		put_syslog(level, text);
		break;
	case SINK_STDERR:
		if (the_log.json)
			put_json(STDERR_FILENO, time, level, text);
		else
			put_stderr(level, text);
		break;
	}
	if (level == LOG_LEVEL_ERROR && the_log.sink != SINK_STDERR)
		put_stderr(level, text);
	errno = saved;
}
