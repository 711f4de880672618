/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a file, by the kernel where it can, its holes kept. */
#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>

#include "base/fd.h"
#include "launch/cp_internal.h"

enum { CHUNK = 1 << 30, BUFFER = 128 * 1024 };

/* Between file systems that share no way of their own. Returns what was copied, 0 at the end, or -errno. */
static int64_t by_hand(int in, int out, int64_t at, int64_t len)
{
	_cleanup_free_ char *buf = malloc(BUFFER);
	int64_t done = 0;

	if (!buf)
		return -ENOMEM;
	while (done < len) {
		size_t want = len - done < BUFFER ? (size_t)(len - done) : BUFFER;
		ssize_t n = pread(in, buf, want, at + done), put;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		for (ssize_t k = 0; k < n; k += put) {
			put = pwrite(out, buf + k, (size_t)(n - k), at + done + k);
			if (put < 0 && errno == EINTR)
				put = 0;
			else if (put <= 0)
				return put < 0 ? -errno : -EIO;
		}
		done += n;
	}
	return done;
}

/* One stretch of data; less of it if the file has become shorter. */
static int stretch(int in, int out, int64_t at, int64_t len, bool *kernel)
{
	while (len > 0) {
		loff_t from = at, to = at;
		int64_t n = -1;

		if (*kernel) {
			n = copy_file_range(in, &from, out, &to, len < CHUNK ? (size_t)len : CHUNK, 0);
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EIO))
				return -errno;
			/* 0 where there should be data: some file systems say so for "not by me". */
			*kernel = n > 0;
		}
		if (n <= 0)
			n = by_hand(in, out, at, len);
		if (n <= 0)
			return (int)n;
		at += n;
		len -= n;
	}
	return 0;
}

int cp_data(int in, int out, int64_t size)
{
	bool kernel = true, holes = true;
	int64_t at = 0;
	int r = 0;

	while (r == 0 && at < size) {
		int64_t data = at, end = size;

		if (holes) {
			data = lseek(in, at, SEEK_DATA);
			if (data < 0 && errno == ENXIO)
				break;
			end = data < at ? -1 : lseek(in, data, SEEK_HOLE);
			/* A file system may lie (FUSE), also so that this would never end. */
			holes = data >= at && end > data;
			if (!holes) {
				data = at;
				end = size;
			}
		}
		if (data >= size)
			break;
		if (end > size)
			end = size;
		r = stretch(in, out, data, end - data, &kernel);
		at = end;
	}
	return r == 0 && ftruncate(out, size) < 0 ? -errno : r;
}
