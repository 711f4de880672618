/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the log of a partition (see log.h). */
#include "launch/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"

static int open_file(struct launch_log *l)
{
	struct stat st;

	l->fd = openat(l->dir, LAUNCH_LOG_FILE,
		O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (l->fd < 0)
		return -errno;
	if (fstat(l->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		l->fd = fd_close(l->fd);
		return -EINVAL;
	}
	l->size = st.st_size;
	return 0;
}

int launch_log_open(struct launch_log *l, int dir, int64_t max, struct err *e)
{
	char last = '\n';
	int r;

	*l = (struct launch_log){ .dir = dir, .fd = -EBADF, .max = max };
	r = open_file(l);
	if (r < 0)
		return err_set(e, -r, "open the partition's log");
	/* The one before us was killed, or the host went down, in the middle of a record. */
	if (l->size > 0) {
		_cleanup_close_ int fd = openat(dir, LAUNCH_LOG_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

		l->torn = fd >= 0 && pread(fd, &last, 1, l->size - 1) == 1 && last != '\n';
	}
	return 0;
}

void launch_log_close(struct launch_log *l)
{
	l->fd = fd_close(l->fd);
}

/* Without a new file the old one goes on, however long it gets: output is worth more than the limit. */
static void rotate(struct launch_log *l)
{
	struct launch_log next = *l;

	if (renameat(l->dir, LAUNCH_LOG_FILE, l->dir, LAUNCH_LOG_OLDER) < 0 || open_file(&next) < 0)
		return;
	fd_close(l->fd);
	*l = next;
	l->torn = false;
}

static bool put(struct launch_log *l, const char *data, size_t len)
{
	ssize_t n = write(l->fd, data, len);

	if (n > 0)
		l->size += n;
	return n == (ssize_t)len;
}

/*
 * Whole records only. One that the disk has no room for is lost: what of it got there is cut off again, so
 * that the next one starts a line of its own.
 */
static void flush(struct launch_log *l, const char *text, size_t len)
{
	int64_t before;

	if (len == 0)
		return;
	if (l->max > 0 && l->size > 0 && l->size + (int64_t)len > l->max)
		rotate(l);
	if (l->torn && !put(l, "\n", 1))
		return;
	l->torn = false;
	before = l->size;
	if (put(l, text, len))
		return;
	if (l->size > before && ftruncate(l->fd, before) < 0)
		l->torn = true;
	else
		l->size = before;
}

void launch_log_add(struct launch_log *l, int stream, const char *data, size_t len)
{
	/* Static: the stack of who calls us stays small, and these pages are the only ones it takes. */
	static char text[LAUNCH_LOG_PART + LAUNCH_LOG_HEADER + 1];
	char time[LOG_TIME_MAX];
	struct timespec now;
	size_t used = 0;

	if (l->fd < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	log_time(&now, time);
	while (len > 0) {
		size_t most = len < LAUNCH_LOG_PART ? len : LAUNCH_LOG_PART;
		const char *end = memchr(data, '\n', most);
		size_t part = end ? (size_t)(end - data) : most;

		if (used + LAUNCH_LOG_HEADER + part + 1 > sizeof(text)) {
			flush(l, text, used);
			used = 0;
		}
		snprintf(text + used, sizeof(text) - used, "%s %s %c ", time,
			stream == 2 ? "stderr" : "stdout", end ? 'F' : 'P');
		memcpy(text + used + LAUNCH_LOG_HEADER, data, part);
		used += LAUNCH_LOG_HEADER + part;
		text[used++] = '\n';
		if (end)
			part++;
		data += part;
		len -= part;
	}
	flush(l, text, used);
}
