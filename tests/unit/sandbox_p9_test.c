/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox/p9_*.c: every request does what it says, through a socket, to a directory. */
#include "sandbox_p9_client.h"

#include <dirent.h>
#include <sys/un.h>
#include <sys/xattr.h>

static void restart(bool readonly, const char *only)
{
	stop();
	start(readonly, only);
	hello();
}

static void test_read_write(void **state)
{
	char text[32] = "";
	_cleanup_close_ int fd = -1;

	(void)state;
	assert_int_equal(walk(ROOT, 2, ""), 0);
	assert_int_equal(call(P9_TLCREATE, "dsddd", 2U, "file", (unsigned)O_RDWR, 0640U, getegid()), 0);
	assert_int_equal(write_at(2, 0, "hello, world"), 0);
	assert_int_equal(p9_get32(&answer), 12);
	assert_int_equal(write_at(2, 7, "there"), 0);
	assert_string_equal(read_at(2, 0, 100), "hello, there");
	assert_string_equal(read_at(2, 7, 3), "the");
	assert_string_equal(read_at(2, 100, 3), "");
	assert_int_equal(call(P9_TFSYNC, "dd", 2U, 1U), 0);
	assert_int_equal(call(P9_TFSYNC, "d", 2U), 0);
	/* By fid it lives on. */
	assert_int_equal(call(P9_TUNLINKAT, "dsd", ROOT, "file", 0U), 0);
	assert_string_equal(read_at(2, 0, 100), "hello, there");
	assert_int_equal(clunk(2), 0);
	assert_int_equal(open_name(2, "file", O_RDONLY), -ENOENT);

	put_file(dir, "file", "old");
	assert_int_equal(open_name(2, "file", O_WRONLY | O_TRUNC), 0);
	assert_string_equal(read_at(2, 0, 3), "");
	assert_int_equal(write_at(2, 0, "new"), 0);
	assert_int_equal(open_name(3, "file", O_WRONLY | O_APPEND), 0);
	assert_int_equal(write_at(3, 0, "er"), 0);
	assert_int_equal(open_name(4, "file", O_RDONLY), 0);
	assert_int_equal(write_at(4, 0, "x"), -EBADF);
	assert_string_equal(read_at(4, 0, 10), "newer");
	assert_int_equal(lopen(4, O_RDONLY), -EBADF);
	fd = openat(dir, "file", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, text, sizeof(text)), 5);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
}

static void test_create_existing(void **state)
{
	(void)state;
	put_file(dir, "file", "text");
	assert_int_equal(walk(ROOT, 2, ""), 0);
	assert_int_equal(
		call(P9_TLCREATE, "dsddd", 2U, "file", (unsigned)O_RDWR | O_EXCL, 0600U, 0U), -EEXIST);
	assert_int_equal(call(P9_TLCREATE, "dsddd", 2U, "file", (unsigned)O_RDWR, 0600U, 0U), 0);
	assert_string_equal(read_at(2, 0, 10), "text");
}

static void test_walk(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(dir, "a", 0755), 0);
	assert_int_equal(mkdirat(dir, "a/b", 0755), 0);
	put_file(dir, "a/b/c", "c");
	assert_int_equal(call(P9_TWALK, "ddwsss", ROOT, 2U, 3U, "a", "b", "c"), 0);
	assert_int_equal(p9_get16(&answer), 3);
	assert_int_equal(p9_get8(&answer), 0x80);
	assert_int_equal(answer.left, 3 * P9_QID_SIZE - 1);
	/* A part of the way is an answer, but no fid. */
	assert_int_equal(call(P9_TWALK, "ddwsss", ROOT, 3U, 3U, "a", "x", "c"), 0);
	assert_int_equal(p9_get16(&answer), 1);
	assert_int_equal(clunk(3), -EBADF);
	assert_int_equal(call(P9_TWALK, "ddwsss", ROOT, 3U, 3U, "x", "b", "c"), -ENOENT);
	assert_int_equal(call(P9_TWALK, "ddwss", 2U, 3U, 1U, "x"), -ENOTDIR);
	/* Onto itself, up, and not above the top. */
	assert_int_equal(walk(ROOT, 3, "a"), 0);
	assert_int_equal(walk(3, 3, "b"), 0);
	assert_int_equal(call(P9_TWALK, "ddwssss", 3U, 4U, 4U, "..", "..", "..", "a"), 0);
	assert_int_equal(p9_get16(&answer), 4);
	assert_int_equal(walk(4, 5, "b"), 0);
	/* A number that is taken. */
	assert_int_equal(walk(ROOT, 4, "a"), -EBADF);
	assert_int_equal(walk(77, 78, "a"), -EBADF);
}

static void get_stat(uint32_t fid, struct stat *st)
{
	assert_int_equal(call(P9_TGETATTR, "dq", fid, (uint64_t)0x7ff), 0);
	assert_int_equal(p9_get64(&answer) & 0x7ff, 0x7ff);
	p9_get_bytes(&answer, P9_QID_SIZE);
	st->st_mode = p9_get32(&answer);
	st->st_uid = p9_get32(&answer);
	st->st_gid = p9_get32(&answer);
	st->st_nlink = p9_get64(&answer);
	st->st_rdev = p9_get64(&answer);
	st->st_size = (off_t)p9_get64(&answer);
	st->st_blksize = (blksize_t)p9_get64(&answer);
	st->st_blocks = (blkcnt_t)p9_get64(&answer);
	st->st_atim.tv_sec = (time_t)p9_get64(&answer);
	st->st_atim.tv_nsec = (long)p9_get64(&answer);
	st->st_mtim.tv_sec = (time_t)p9_get64(&answer);
	st->st_mtim.tv_nsec = (long)p9_get64(&answer);
	assert_int_equal(answer.left, 6 * 8);
}

static int setattr(uint32_t fid, uint32_t valid, uint32_t mode, uint64_t size, uint64_t sec, uint64_t nsec)
{
	return call(P9_TSETATTR, "dddddqqqqq", fid, valid, mode, 0U, 0U, size, sec, nsec, sec + 1, nsec);
}

static void test_attributes(void **state)
{
	struct stat st = { 0 };

	(void)state;
	put_file(dir, "file", "text");
	assert_int_equal(symlinkat("/etc/passwd", dir, "link"), 0);
	assert_int_equal(walk(ROOT, 2, "file"), 0);
	get_stat(2, &st);
	assert_int_equal(st.st_mode, S_IFREG | 0644);
	assert_int_equal(st.st_size, 4);
	assert_int_equal(st.st_uid, geteuid());
	assert_int_equal(setattr(2, 0x1 | 0x8 | 0x10 | 0x20 | 0x80 | 0x100, 04711, 2, 1000, 5), 0);
	get_stat(2, &st);
	assert_int_equal(st.st_mode, S_IFREG | 04711);
	assert_int_equal(st.st_size, 2);
	assert_int_equal(st.st_atim.tv_sec, 1000);
	assert_int_equal(st.st_mtim.tv_sec, 1001);
	assert_int_equal(st.st_mtim.tv_nsec, 5);
	/* UTIME_NOW in disguise, and the mtime is now without. */
	assert_int_equal(setattr(2, 0x10 | 0x80, 0, 0, 1, UTIME_NOW), -EINVAL);
	assert_int_equal(setattr(2, 0x20, 0, 0, 1, 1), 0);
	get_stat(2, &st);
	assert_true(st.st_mtim.tv_sec > 1001 && st.st_atim.tv_sec == 1000);
	assert_int_equal(setattr(2, 0x8, 0, UINT64_MAX, 0, 0), -EINVAL);
	assert_int_equal(setattr(ROOT, 0x8, 0, 1, 0, 0), -EISDIR);
	/* Of a link itself. */
	assert_int_equal(walk(ROOT, 3, "link"), 0);
	assert_int_equal(setattr(3, 0x20 | 0x100, 0, 0, 2000, 0), 0);
	assert_int_equal(fstatat(dir, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mtim.tv_sec, 2001);
	assert_int_equal(setattr(3, 0x1, 0777, 0, 0, 0), -EOPNOTSUPP);
	assert_int_equal(setattr(3, 0x8, 0, 0, 0, 0), -EINVAL);
	assert_int_equal(call(P9_TREADLINK, "d", 3U), 0);
	assert_int_equal(p9_get16(&answer), 11);
	assert_memory_equal(answer.at, "/etc/passwd", 11);
	assert_int_equal(call(P9_TREADLINK, "d", 2U), -EINVAL);
	assert_int_equal(call(P9_TSTATFS, "d", 2U), 0);
	assert_int_equal(p9_get32(&answer), 0x01021997);
	assert_int_equal(answer.left, 4 + 6 * 8 + 4);
}

static void test_make(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(call(P9_TMKDIR, "dsdd", ROOT, "dir", 02751U, getegid()), 0);
	assert_int_equal(p9_get8(&answer), 0x80);
	assert_int_equal(fstatat(dir, "dir", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 02751);
	assert_int_equal(call(P9_TMKDIR, "dsdd", ROOT, "dir", 0755U, getegid()), -EEXIST);
	assert_int_equal(call(P9_TSYMLINK, "dssd", ROOT, "link", "../../etc", getegid()), 0);
	assert_int_equal(p9_get8(&answer), 0x02);
	assert_int_equal(call(P9_TMKNOD, "dsdddd", ROOT, "fifo", S_IFIFO | 0622U, 0U, 0U, getegid()), 0);
	assert_int_equal(fstatat(dir, "fifo", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFIFO | 0622);
	assert_int_equal(call(P9_TMKNOD, "dsdddd", ROOT, "socket", S_IFSOCK | 0600U, 0U, 0U, getegid()), 0);
	assert_int_equal(call(P9_TMKNOD, "dsdddd", ROOT, "file", 06755U, 0U, 0U, getegid()), 0);
	assert_int_equal(fstatat(dir, "file", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 06755);
	assert_int_equal(call(P9_TMKNOD, "dsdddd", ROOT, "null", S_IFCHR | 0666U, 1U, 3U, getegid()), -EPERM);
	assert_int_equal(call(P9_TMKNOD, "dsdddd", ROOT, "disk", S_IFBLK | 0666U, 8U, 0U, getegid()), -EPERM);
	assert_int_equal(call(P9_TMKNOD, "dsdddd", ROOT, "x", S_IFDIR | 0755U, 0U, 0U, getegid()), -EINVAL);
	/* Neither opens nor blocks. */
	assert_int_equal(open_name(2, "fifo", O_RDONLY), -EOPNOTSUPP);
	assert_int_equal(open_name(2, "fifo", O_RDWR), -EOPNOTSUPP);
	assert_int_equal(open_name(2, "socket", O_RDONLY), -EOPNOTSUPP);
	assert_int_equal(open_name(2, "link", O_RDONLY), -ELOOP);
	/* Bits of what cannot be opened, either. */
	assert_int_equal(walk(ROOT, 2, "socket"), 0);
	assert_int_equal(setattr(2, 1, 0640, 0, 0, 0), 0);
	assert_int_equal(fstatat(dir, "socket", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0640);
}

static void test_names(void **state)
{
	struct stat st;

	(void)state;
	put_file(dir, "file", "text");
	assert_int_equal(mkdirat(dir, "d", 0755), 0);
	assert_int_equal(mkdirat(dir, "e", 0755), 0);
	assert_int_equal(walk(ROOT, 2, "file"), 0);
	assert_int_equal(walk(ROOT, 3, "d"), 0);
	assert_int_equal(walk(ROOT, 4, "e"), 0);
	assert_int_equal(call(P9_TLINK, "dds", 3U, 2U, "hard"), 0);
	assert_int_equal(fstatat(dir, "d/hard", &st, 0), 0);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(call(P9_TLINK, "dds", 3U, 2U, "hard"), -EEXIST);
	assert_int_equal(call(P9_TLINK, "dds", 3U, 4U, "hard2"), -EPERM);
	assert_int_equal(call(P9_TRENAMEAT, "dsds", 3U, "hard", 4U, "soft"), 0);
	assert_int_equal(fstatat(dir, "e/soft", &st, 0), 0);
	/* By fid: the first name, then the one that it got by that. */
	assert_int_equal(call(P9_TRENAME, "dds", 2U, 3U, "one"), 0);
	assert_int_equal(call(P9_TRENAME, "dds", 2U, 4U, "two"), 0);
	assert_int_equal(fstatat(dir, "e/two", &st, 0), 0);
	assert_int_equal(call(P9_TRENAME, "dds", ROOT, 4U, "root"), -EBUSY);
	assert_int_equal(call(P9_TUNLINKAT, "dsd", ROOT, "e", 0x200U), -ENOTEMPTY);
	assert_int_equal(call(P9_TUNLINKAT, "dsd", ROOT, "e", 0U), -EISDIR);
	assert_int_equal(call(P9_TUNLINKAT, "dsd", ROOT, "e", 1U), -EINVAL);
	assert_int_equal(call(P9_TREMOVE, "d", 2U), 0);
	assert_int_equal(clunk(2), -EBADF);
	assert_int_equal(fstatat(dir, "e/two", &st, 0), -1);
	assert_int_equal(call(P9_TREMOVE, "d", 3U), 0);
	assert_int_equal(fstatat(dir, "d", &st, 0), -1);
	/* Renamed by someone else: not what the fid stands for is removed, nor anything. */
	assert_int_equal(walk(4, 2, "soft"), 0);
	assert_int_equal(renameat(dir, "e/soft", dir, "soft"), 0);
	put_file(dir, "e/soft", "another");
	assert_int_equal(call(P9_TREMOVE, "d", 2U), -ESTALE);
	assert_int_equal(fstatat(dir, "e/soft", &st, 0), 0);
}

/* A loop of recorded parents keeps neither nodes nor descriptors. */
static void test_rename_loop(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(call(P9_TMKDIR, "dsdd", ROOT, "a", 0755U, getegid()), 0);
		assert_int_equal(walk(ROOT, 2, "a"), 0);
		assert_int_equal(call(P9_TMKDIR, "dsdd", 2U, "b", 0755U, getegid()), 0);
		assert_int_equal(walk(2, 3, "b"), 0);
		assert_int_equal(call(P9_TRENAMEAT, "dsds", 2U, "b", ROOT, "b"), 0);
		assert_int_equal(call(P9_TRENAME, "dds", 2U, 3U, "a"), 0);
		assert_int_equal(clunk(2), 0);
		assert_int_equal(clunk(3), 0);
		assert_int_equal(unlinkat(dir, "b/a", AT_REMOVEDIR), 0);
		assert_int_equal(unlinkat(dir, "b", AT_REMOVEDIR), 0);
	}
}

/* The names that one Treaddir gives, up to `count` bytes; how many, and the offset after the last. */
static int read_names(uint32_t fid, uint64_t *offset, uint32_t count, char names[][16])
{
	int n = 0;
	uint32_t len;

	assert_int_equal(call(P9_TREADDIR, "dqd", fid, *offset, count), 0);
	len = p9_get32(&answer);
	assert_true(len <= count && len == answer.left);
	while (answer.left) {
		p9_get_bytes(&answer, P9_QID_SIZE);
		*offset = p9_get64(&answer);
		p9_get8(&answer);
		assert_int_equal(p9_get_str(&answer, names[n++], 16), 0);
	}
	return n;
}

static void test_readdir(void **state)
{
	static char names[600][16];
	bool seen[500] = { false };
	uint64_t offset = 0, middle;
	int n, total = 0;

	(void)state;
	for (int i = 0; i < 500; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		put_file(dir, name, "");
	}
	assert_int_equal(open_name(2, "", O_RDONLY | O_DIRECTORY), 0);
	/* In many pieces, while others are read in between. */
	while ((n = read_names(2, &offset, 100, names)) > 0) {
		uint64_t again = 0;

		for (int i = 0; i < n; i++)
			if (names[i][0] == 'f') {
				long k = strtol(names[i] + 1, NULL, 10);

				assert_false(seen[k]);
				seen[k] = true;
				total++;
			}
		if (total % 7 == 0)
			assert_true(read_names(2, &again, 1000, names) > 10);
	}
	assert_int_equal(total, 500);
	/* An offset stays good when what is before it goes. */
	offset = 0;
	n = read_names(2, &offset, 2000, names);
	middle = offset;
	total = n;
	for (int i = 0; i < n; i++)
		if (names[i][0] == 'f')
			assert_int_equal(unlinkat(dir, names[i], 0), 0);
	while ((n = read_names(2, &middle, 8000, names)) > 0)
		total += n;
	assert_int_equal(total, 502);
	assert_int_equal(call(P9_TREADDIR, "dqd", 2U, (uint64_t)0, 10U), -EINVAL);
	assert_int_equal(call(P9_TREADDIR, "dqd", 2U, UINT64_MAX, 1000U), -EINVAL);
	assert_int_equal(call(P9_TREAD, "dqd", 2U, (uint64_t)0, 10U), -EISDIR);
}

static void test_xattr(void **state)
{
	(void)state;
	put_file(dir, "file", "text");
	assert_int_equal(walk(ROOT, 2, "file"), 0);
	assert_int_equal(walk(ROOT, 3, "file"), 0);
	if (fsetxattr(dir, "user.probe", "x", 1, 0) < 0)
		skip();
	assert_int_equal(call(P9_TXATTRCREATE, "dsqd", 3U, "user.a", (uint64_t)6, 0U), 0);
	assert_int_equal(write_at(3, 0, "abc"), 0);
	assert_int_equal(write_at(3, 3, "def"), 0);
	assert_int_equal(clunk(3), 0);
	assert_int_equal(call(P9_TXATTRWALK, "dds", 2U, 3U, "user.a"), 0);
	assert_int_equal(p9_get64(&answer), 6);
	assert_string_equal(read_at(3, 0, 100), "abcdef");
	assert_string_equal(read_at(3, 4, 100), "ef");
	assert_string_equal(read_at(3, 400, 100), "");
	assert_int_equal(clunk(3), 0);
	assert_int_equal(call(P9_TXATTRWALK, "dds", 2U, 3U, ""), 0);
	assert_int_equal(p9_get64(&answer), 7);
	assert_int_equal(clunk(3), 0);
	assert_int_equal(call(P9_TXATTRWALK, "dds", 2U, 3U, "user.b"), -ENODATA);
	/* Removed by the kernel's way to say so. */
	assert_int_equal(walk(ROOT, 3, "file"), 0);
	assert_int_equal(
		call(P9_TXATTRCREATE, "dsqd", 3U, "user.a", (uint64_t)0, (unsigned)XATTR_REPLACE), 0);
	assert_int_equal(clunk(3), 0);
	assert_int_equal(call(P9_TXATTRWALK, "dds", 2U, 3U, "user.a"), -ENODATA);
}

static void test_locks(void **state)
{
	(void)state;
	put_file(dir, "file", "text");
	assert_int_equal(open_name(2, "file", O_RDWR), 0);
	assert_int_equal(call(P9_TLOCK, "dbdqqds", 2U, 1U, 1U, (uint64_t)0, (uint64_t)0, 17U, "guest"), 0);
	assert_int_equal(p9_get8(&answer), 0);
	assert_int_equal(call(P9_TGETLOCK, "dbqqds", 2U, 1U, (uint64_t)5, (uint64_t)6, 17U, "guest"), 0);
	assert_int_equal(p9_get8(&answer), 2);
	assert_int_equal(p9_get64(&answer), 5);
	assert_int_equal(call(P9_TFLUSH, "w", 99U), 0);
}

static void test_readonly(void **state)
{
	(void)state;
	put_file(dir, "file", "text");
	restart(true, NULL);
	assert_int_equal(open_name(2, "file", O_RDONLY), 0);
	assert_string_equal(read_at(2, 0, 10), "text");
	assert_int_equal(write_at(2, 0, "x"), -EBADF);
	assert_int_equal(open_name(3, "file", O_RDWR), -EROFS);
	assert_int_equal(open_name(3, "file", O_WRONLY), -EROFS);
	assert_int_equal(open_name(3, "file", O_RDONLY | O_TRUNC), -EROFS);
	assert_int_equal(walk(ROOT, 3, "file"), 0);
	assert_int_equal(setattr(3, 1, 0777, 0, 0, 0), -EROFS);
	assert_int_equal(call(P9_TXATTRCREATE, "dsqd", 3U, "user.a", (uint64_t)0, 0U), -EROFS);
	assert_int_equal(call(P9_TLCREATE, "dsddd", ROOT, "n", (unsigned)O_RDWR, 0640U, 0U), -EROFS);
	assert_int_equal(call(P9_TMKDIR, "dsdd", ROOT, "n", 0755U, 0U), -EROFS);
	assert_int_equal(call(P9_TSYMLINK, "dssd", ROOT, "n", "x", 0U), -EROFS);
	assert_int_equal(call(P9_TMKNOD, "dsdddd", ROOT, "n", 0600U, 0U, 0U, 0U), -EROFS);
	assert_int_equal(call(P9_TLINK, "dds", ROOT, 3U, "n"), -EROFS);
	assert_int_equal(call(P9_TRENAME, "dds", 3U, ROOT, "n"), -EROFS);
	assert_int_equal(call(P9_TRENAMEAT, "dsds", ROOT, "file", ROOT, "n"), -EROFS);
	assert_int_equal(call(P9_TUNLINKAT, "dsd", ROOT, "file", 0U), -EROFS);
	assert_int_equal(call(P9_TREMOVE, "d", 3U), -EROFS);
	assert_int_equal(clunk(3), -EBADF);
	assert_int_equal(faccessat(dir, "file", F_OK, 0), 0);
}

static void test_only(void **state)
{
	static char names[10][16];
	uint64_t offset = 0;

	(void)state;
	put_file(dir, "hosts", "127.0.0.1");
	put_file(dir, "shadow", "secret");
	restart(false, "hosts");
	assert_int_equal(open_name(2, "hosts", O_RDWR), 0);
	assert_string_equal(read_at(2, 0, 100), "127.0.0.1");
	assert_int_equal(write_at(2, 0, "::1"), 0);
	assert_int_equal(walk(ROOT, 3, "shadow"), -ENOENT);
	assert_int_equal(call(P9_TWALK, "ddwss", ROOT, 3U, 2U, "..", "shadow"), 0);
	assert_int_equal(p9_get16(&answer), 1);
	assert_int_equal(open_name(3, "", O_RDONLY), 0);
	assert_int_equal(read_names(3, &offset, 51, names), 1 + 1);
	assert_int_equal(read_names(3, &offset, 51, names), 1);
	assert_string_equal(names[0], "hosts");
	assert_int_equal(read_names(3, &offset, 51, names), 0);
	assert_int_equal(setattr(ROOT, 1, 0777, 0, 0, 0), -EPERM);
	assert_int_equal(call(P9_TUNLINKAT, "dsd", ROOT, "hosts", 0U), -EBUSY);
	assert_int_equal(call(P9_TUNLINKAT, "dsd", ROOT, "shadow", 0U), -ENOENT);
	assert_int_equal(call(P9_TRENAMEAT, "dsds", ROOT, "hosts", ROOT, "n"), -EBUSY);
	assert_int_equal(call(P9_TRENAMEAT, "dsds", ROOT, "shadow", ROOT, "hosts"), -EPERM);
	assert_int_equal(call(P9_TLINK, "dds", ROOT, 2U, "n"), -EPERM);
	assert_int_equal(call(P9_TMKDIR, "dsdd", ROOT, "n", 0755U, 0U), -EPERM);
	assert_int_equal(call(P9_TSYMLINK, "dssd", ROOT, "n", "x", 0U), -EPERM);
	assert_int_equal(call(P9_TMKNOD, "dsdddd", ROOT, "n", 0600U, 0U, 0U, 0U), -EPERM);
	assert_int_equal(walk(ROOT, 4, ""), 0);
	assert_int_equal(call(P9_TLCREATE, "dsddd", 4U, "n", (unsigned)O_RDWR, 0640U, 0U), -EPERM);
	assert_int_equal(
		call(P9_TLCREATE, "dsddd", 4U, "hosts", (unsigned)O_RDWR | O_EXCL, 0640U, 0U), -EEXIST);
	assert_int_equal(call(P9_TXATTRWALK, "dds", ROOT, 5U, ""), -EOPNOTSUPP);
	assert_int_equal(walk(ROOT, 5, "hosts"), 0);
	assert_int_equal(call(P9_TREMOVE, "d", 5U), -EBUSY);
	assert_int_equal(faccessat(dir, "n", F_OK, 0), -1);
	/* It is the file that was there when the export began. */
	put_file(dir, "new", "new");
	assert_int_equal(renameat(dir, "new", dir, "hosts"), 0);
	assert_int_equal(open_name(5, "hosts", O_RDONLY), 0);
	assert_string_equal(read_at(5, 0, 100), "::1.0.0.1");
}

static void check_ownership(void)
{
	struct stat st;

	assert_int_equal(attach(2, 12345), 0);
	assert_int_equal(call(P9_TMKDIR, "dsdd", 2U, "dir", 0755U, 2345U), 0);
	assert_int_equal(fstatat(dir, "dir", &st, 0), 0);
	assert_int_equal(st.st_uid, 12345);
	assert_int_equal(st.st_gid, 2345);
	assert_int_equal(call(P9_TSYMLINK, "dssd", 2U, "link", "x", 2345U), 0);
	assert_int_equal(fstatat(dir, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_uid, 12345);
	assert_int_equal(call(P9_TMKNOD, "dsdddd", 2U, "fifo", S_IFIFO | 04755U, 0U, 0U, 2345U), 0);
	assert_int_equal(fstatat(dir, "fifo", &st, 0), 0);
	assert_int_equal(st.st_uid, 12345);
	assert_int_equal(st.st_mode & 07777, 04755);
	/* A file's user is that of the fid, which copies keep. */
	assert_int_equal(walk(2, 3, "dir"), 0);
	assert_int_equal(
		call(P9_TLCREATE, "dsddd", 3U, "file", (unsigned)O_WRONLY | O_EXCL, 06755U, 2346U), 0);
	assert_int_equal(fstatat(dir, "dir/file", &st, 0), 0);
	assert_int_equal(st.st_uid, 12345);
	assert_int_equal(st.st_gid, 2346);
	assert_int_equal(st.st_mode, S_IFREG | 06755);
	/* Users without a number make files of the server's. */
	assert_int_equal(attach(4, P9_NOUID), 0);
	assert_int_equal(call(P9_TMKDIR, "dsdd", 4U, "own", 0755U, 2345U), 0);
	assert_int_equal(fstatat(dir, "own", &st, 0), 0);
	assert_int_equal(st.st_uid, jail ? 65534 : 0);
	assert_int_equal(walk(2, 5, "own"), 0);
	assert_int_equal(call(P9_TSETATTR, "dddddqqqqq", 5U, 6U, 0U, 7U, 8U, (uint64_t)0, (uint64_t)0,
				 (uint64_t)0, (uint64_t)0, (uint64_t)0),
		0);
	assert_int_equal(fstatat(dir, "own", &st, 0), 0);
	assert_int_equal(st.st_uid, 7);
	assert_int_equal(st.st_gid, 8);
}

static void test_ownership(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	check_ownership();
}

/* The same from where the sandbox puts it. */
static void test_jail(void **state)
{
	struct stat st = { 0 };

	(void)state;
	if (geteuid() != 0)
		skip();
	jail = true;
	restart(false, NULL);
	check_ownership();
	restart(false, NULL);
	test_read_write(NULL);
	/* Somebody else's, unreadable: it is the guest's kernel that decides. */
	put_file(dir, "file", "text");
	assert_int_equal(fchownat(dir, "file", 77, 77, 0), 0);
	assert_int_equal(fchmodat(dir, "file", 0, 0), 0);
	assert_int_equal(open_name(20, "file", O_RDWR), 0);
	assert_int_equal(walk(ROOT, 21, "file"), 0);
	assert_int_equal(setattr(21, 1 | 8, 06755, 1, 0, 0), 0);
	get_stat(21, &st);
	assert_int_equal(st.st_mode, S_IFREG | 06755);
	assert_int_equal(call(P9_TLINK, "dds", ROOT, 21U, "hard"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		P9_CASE(test_read_write),
		P9_CASE(test_create_existing),
		P9_CASE(test_walk),
		P9_CASE(test_attributes),
		P9_CASE(test_make),
		P9_CASE(test_names),
		P9_CASE(test_rename_loop),
		P9_CASE(test_readdir),
		P9_CASE(test_xattr),
		P9_CASE(test_locks),
		P9_CASE(test_readonly),
		P9_CASE(test_only),
		P9_CASE(test_ownership),
		P9_CASE(test_jail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
