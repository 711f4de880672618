/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the log of a partition, while it is written and rotated (see log.h). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "base/json.h"
#include "launch/log.h"

#define BLOCK	      65536
#define TIME_LEN      30 /* "2026-11-25T10:00:00.123456789Z" */
#define STREAM_AT     31
#define TAG_AT	      38
#define JSON_TEXT_MAX (1 << 20) /* of a line in one object */

struct reader {
	const struct launch_log_query *q;
	int dir, out[3];
	int64_t line[3];     /* by stream: the number of its open line, -1: none is open */
	int64_t lines;	     /* that have begun so far */
	int64_t skip;	     /* of those: the tail starts there */
	bool counting, over; /* over: beyond --until, or nobody listens any more */
	bool began[3];	     /* of the open line something has been shown */

	char in[BLOCK + LAUNCH_LOG_PART + LAUNCH_LOG_HEADER + 2];
	size_t have;

	char text[BLOCK];
	size_t len;
	int to; /* the fd that `text` is for */
	int failed;
	struct strbuf whole[3];	    /* json: the line so far */
	char when[3][TIME_LEN + 1]; /* and the time of its last part */
};

/* --- writing it out --------------------------------------------------------------------------- */

static void flush(struct reader *r)
{
	if (r->len && !r->over && !r->failed) {
		int f = fd_write_all(r->to, r->text, r->len);

		if (f == -EPIPE)
			r->over = true;
		else if (f < 0)
			r->failed = f;
	}
	r->len = 0;
}

static void say(struct reader *r, int fd, const char *data, size_t len)
{
	/* What goes to two descriptors may end on one terminal: the order is kept. */
	if (r->to != fd)
		flush(r);
	r->to = fd;
	while (len > 0) {
		size_t n = sizeof(r->text) - r->len < len ? sizeof(r->text) - r->len : len;

		memcpy(r->text + r->len, data, n);
		r->len += n;
		data += n;
		len -= n;
		if (r->len == sizeof(r->text))
			flush(r);
	}
}

/* What there is of a line, as an object; `end`: with its newline. */
static void flush_json(struct reader *r, int stream, bool end)
{
	struct strbuf *b = &r->whole[stream];
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	const char *text = NULL;
	size_t n;

	if (w && !b->failed) {
		json_open_object(w, NULL);
		json_put_string(w, "time", r->when[stream]);
		json_put_string(w, "stream", stream == 2 ? "stderr" : "stdout");
		json_put_string(w, "text", b->s ? b->s : "");
		if (!end)
			json_put_bool(w, "partial", true);
		json_close_object(w);
		text = json_writer_text(w, &n);
	}
	if (text) {
		say(r, r->out[1], text, n);
		say(r, r->out[1], "\n", 1);
	} else {
		r->failed = -ENOMEM;
	}
	strbuf_reset(b);
	*b = (struct strbuf){ 0 };
}

static void say_json(struct reader *r, int stream, const char *record, const char *data, size_t len, bool end)
{
	struct strbuf *b = &r->whole[stream];

	memcpy(r->when[stream], record, TIME_LEN);
	/* C strings end at a NUL: it becomes what JSON has for it nowhere else, U+FFFD. */
	for (size_t i = 0; i < len; i++)
		strbuf_add(b, data[i] ? &data[i] : "\xff", 1);
	/* Whoever says no newline must not have our memory. */
	if (end || b->failed || b->len >= JSON_TEXT_MAX)
		flush_json(r, stream, end);
}

static void show(struct reader *r, int stream, const char *record, const char *data, size_t len, bool end)
{
	if (r->q->json) {
		say_json(r, stream, record, data, len, end);
		return;
	}
	if (r->q->timestamps && !r->began[stream]) {
		say(r, r->out[stream], record, TIME_LEN);
		say(r, r->out[stream], " ", 1);
	}
	r->began[stream] = !end;
	say(r, r->out[stream], data, len);
	if (end)
		say(r, r->out[stream], "\n", 1);
}

/* --- records ---------------------------------------------------------------------------------- */

/* `n` digits and then `sep`; -1 if they are not there. */
static int digits(const char *s, int n, char sep)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (s[i] - '0');
	}
	return s[n] == sep ? v : -1;
}

/* The time of a record, in ns of the epoch; -1 if it is none. */
static int64_t time_of(const char *s)
{
	struct tm tm = { .tm_year = digits(s, 4, '-'),
		.tm_mon = digits(s + 5, 2, '-'),
		.tm_mday = digits(s + 8, 2, 'T'),
		.tm_hour = digits(s + 11, 2, ':'),
		.tm_min = digits(s + 14, 2, ':'),
		.tm_sec = digits(s + 17, 2, '.') };
	int ns = digits(s + 20, 9, 'Z');

	if (tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mday < 1 || tm.tm_hour < 0 || tm.tm_min < 0 ||
		tm.tm_sec < 0 || ns < 0)
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return (int64_t)timegm(&tm) * 1000000000 + ns;
}

/* A record that is none, from a file that somebody has written into or a disk that lost a part, is passed
 * over. */
static void take(struct reader *r, const char *record, size_t len)
{
	const struct launch_log_query *q = r->q;
	bool end, wanted;
	int64_t at;
	int stream;

	if (len < LAUNCH_LOG_HEADER || record[TIME_LEN] != ' ' || record[TAG_AT - 1] != ' ' ||
		record[TAG_AT + 1] != ' ')
		return;
	stream = memcmp(record + STREAM_AT, "stderr", 6) == 0 ? 2 : 1;
	end = record[TAG_AT] == 'F';
	if (r->line[stream] < 0) {
		wanted = true;
		if (q->since_ns || q->until_ns) {
			at = time_of(record);
			wanted = at >= q->since_ns && (!q->until_ns || at <= q->until_ns);
			if (q->until_ns && at > q->until_ns && !r->counting && q->follow)
				r->over = true;
		}
		/* The greatest number: it is not shown. */
		r->line[stream] = wanted ? r->lines++ : INT64_MAX;
	}
	if (!r->counting && r->line[stream] != INT64_MAX && r->line[stream] >= r->skip)
		show(r, stream, record, record + LAUNCH_LOG_HEADER, len - LAUNCH_LOG_HEADER, end);
	if (end)
		r->line[stream] = -1;
}

static void take_all(struct reader *r)
{
	size_t start = 0;
	char *end;

	while (!r->over && (end = memchr(r->in + start, '\n', r->have - start))) {
		take(r, r->in + start, (size_t)(end - r->in) - start);
		start = (size_t)(end - r->in) + 1;
	}
	memmove(r->in, r->in + start, r->have - start);
	r->have -= start;
	/* Longer than any record of ours. */
	if (r->have > LAUNCH_LOG_PART + LAUNCH_LOG_HEADER)
		r->have = 0;
}

/* From where the descriptor stands to its end, or to `limit` (-1: none). */
static int read_on(struct reader *r, int fd, int64_t limit)
{
	while (!r->over && !r->failed && limit != 0) {
		size_t room = sizeof(r->in) - r->have;
		ssize_t n;

		if (limit > 0 && (int64_t)room > limit)
			room = (size_t)limit;
		n = read(fd, r->in + r->have, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (limit > 0)
			limit -= n;
		r->have += (size_t)n;
		take_all(r);
	}
	return 0;
}

/* --- files ------------------------------------------------------------------------------------ */

static int open_part(int dir, const char *name, struct stat *st)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd >= 0 && (fstat(fd, st) < 0 || !S_ISREG(st->st_mode))) {
		fd_close(fd);
		return -EINVAL;
	}
	return fd < 0 ? -errno : fd;
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* Both files, of one moment: with the new one opened first, a rotation in between shows as the same file
 * twice. */
static int open_both(int dir, int *newer, int *older, struct stat *st_newer, struct stat *st_older)
{
	for (int i = 0; i < 100; i++) {
		*newer = open_part(dir, LAUNCH_LOG_FILE, st_newer);
		*older = open_part(dir, LAUNCH_LOG_OLDER, st_older);
		if (*newer < 0 && *newer != -ENOENT)
			return *newer;
		if (*newer < 0 || *older < 0 || !same(st_newer, st_older))
			return 0;
		*newer = fd_close(*newer);
		*older = fd_close(*older);
	}
	return -EAGAIN;
}

static void start_over(struct reader *r, bool counting)
{
	r->counting = counting;
	r->have = 0;
	r->lines = 0;
	r->line[1] = r->line[2] = -1;
}

/* Finds out where the last `tail` lines start. */
static int find_tail(struct reader *r, int older, int newer, int64_t size)
{
	int f = 0;

	start_over(r, true);
	if (older >= 0)
		f = read_on(r, older, -1);
	r->have = 0;
	if (f == 0 && newer >= 0)
		f = read_on(r, newer, size);
	r->skip = r->lines > r->q->tail ? r->lines - r->q->tail : 0;
	if (older >= 0)
		lseek(older, 0, SEEK_SET);
	if (newer >= 0)
		lseek(newer, 0, SEEK_SET);
	return f;
}

/* --- following -------------------------------------------------------------------------------- */

static int watch(int dir)
{
	char path[FD_PATH_MAX];
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd >= 0 && inotify_add_watch(fd, fd_path(path, dir),
			       IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF) < 0)
		return fd_close(fd);
	return fd;
}

/* Until something happens; a second at most, for the end of a supervisor that was killed makes no event. */
static void wait_for_more(const struct reader *r, int events)
{
	struct pollfd p[3] = { { .fd = events, .events = POLLIN }, { .fd = r->out[1], .events = 0 },
		{ .fd = r->out[2], .events = 0 } };
	int ms = events < 0 ? 200 : 1000;
	char drop[4096];

	if (r->q->until_ns) {
		struct timespec now;
		int64_t left;

		clock_gettime(CLOCK_REALTIME, &now);
		left = (r->q->until_ns - (int64_t)now.tv_sec * 1000000000 - now.tv_nsec) / 1000000 + 1;
		ms = left < ms ? (left < 0 ? 0 : (int)left) : ms;
	}
	poll(p, 3, ms);
	while (events >= 0 && read(events, drop, sizeof(drop)) > 0)
		;
}

static bool past_until(const struct reader *r)
{
	struct timespec now;

	if (!r->q->until_ns)
		return false;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec > r->q->until_ns;
}

/* A reader of ours that has gone is told by poll(2) also when there is nothing to write. */
static bool nobody_listens(const struct reader *r)
{
	struct pollfd p = { .fd = r->out[1] };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLNVAL));
}

/*
 * The file that we have open was renamed, and perhaps more than once since we looked. What it got before that
 * comes first, then what came between, as far as it is still there.
 */
static int catch_up(struct reader *r, int *fd, struct stat *st)
{
	struct stat next, before;
	_cleanup_close_ int older = -EBADF;
	int newer, f;

	f = open_both(r->dir, &newer, &older, &next, &before);
	if (f < 0 || newer < 0)
		return f;
	if (*fd >= 0 && same(&next, st)) {
		fd_close(newer);
		return 0;
	}
	if (*fd >= 0)
		f = read_on(r, *fd, -1);
	if (f == 0 && older >= 0 && (*fd < 0 || !same(&before, st))) {
		r->have = 0;
		f = read_on(r, older, -1);
	}
	r->have = 0;
	fd_close(*fd);
	*fd = newer;
	*st = next;
	return f;
}

static int follow(struct reader *r, int *fd, struct stat *st)
{
	_cleanup_close_ int events = watch(r->dir);
	int f = 0;

	while (f == 0 && !r->over && !r->failed) {
		/* Asked first, so that what is said before the end is not missed. */
		bool last = past_until(r) || nobody_listens(r) || (r->q->ended && r->q->ended(r->q->arg));

		if (*fd >= 0)
			f = read_on(r, *fd, -1);
		if (f == 0)
			f = catch_up(r, fd, st);
		if (f == 0 && *fd >= 0)
			f = read_on(r, *fd, -1);
		flush(r);
		if (last)
			break;
		if (f == 0 && !r->over)
			wait_for_more(r, events);
	}
	return f;
}

/* --- all of it -------------------------------------------------------------------------------- */

static int read_log(struct reader *r)
{
	struct stat st = { 0 }, st_older;
	_cleanup_close_ int older = -EBADF;
	int newer, f;

	f = open_both(r->dir, &newer, &older, &st, &st_older);
	if (f < 0)
		return f;
	if (r->q->tail >= 0)
		f = find_tail(r, older, newer, st.st_size);
	start_over(r, false);
	if (f == 0 && older >= 0)
		f = read_on(r, older, -1);
	r->have = 0;
	if (f == 0 && newer >= 0)
		f = read_on(r, newer, r->q->follow ? -1 : st.st_size);
	flush(r);
	if (f == 0 && r->q->follow)
		f = follow(r, &newer, &st);
	fd_close(newer);
	return f;
}

int launch_log_read(int dir, const struct launch_log_query *q, int out, struct err *e)
{
	struct reader *r = calloc(1, sizeof(*r));
	int f;

	if (!r)
		return err_set(e, ENOMEM, "read the log");
	r->q = q;
	r->dir = dir;
	r->out[1] = r->to = out >= 0 ? out : STDOUT_FILENO;
	r->out[2] = out >= 0 ? out : STDERR_FILENO;
	f = read_log(r);
	for (int i = 1; f == 0 && i < 3; i++)
		if (r->whole[i].len)
			flush_json(r, i, false);
	flush(r);
	if (f == 0 && r->failed)
		f = err_set(e, -r->failed, "write what the log has");
	else if (f < 0)
		f = err_set(e, -f, "read the log");
	strbuf_reset(&r->whole[1]);
	strbuf_reset(&r->whole[2]);
	free(r);
	return f;
}
