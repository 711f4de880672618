/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox/p9_*.c: a guest that lies about sizes, wants out of its directory, or wants everything there is. */
#include "sandbox_p9_client.h"

#include <poll.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* Whether the server has ended the connection: everything that it still says is taken. */
static bool has_hung_up(void)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	char buf[4096];

	while (poll(&p, 1, 10000) == 1) {
		ssize_t n = recv(sock, buf, sizeof(buf), 0);

		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return true;
		if (n < 0)
			return false;
	}
	return false;
}

static void send_raw(const void *data, size_t len)
{
	assert_int_equal(send(sock, data, len, MSG_NOSIGNAL), len);
}

static void restart_raw(void)
{
	stop();
	start(false, NULL);
}

/* What is no message ends the connection, and the server with its last one. */
static void test_frames(void **state)
{
	static const uint8_t small[] = { 6, 0, 0, 0, P9_TVERSION, 0 }, zero[] = { 0, 0, 0, 0, 0, 0, 0 },
			     large[] = { 0xff, 0xff, 0xff, 0xff, P9_TVERSION, 0, 0 },
			     over[] = { 1, 0x20, 0, 0, P9_TVERSION, 0, 0 }, /* P9_FIRST + 1 */
		attach_first[] = { 7, 0, 0, 0, P9_TATTACH, 0, 0 };
	static const struct {
		const uint8_t *data;
		size_t len;
	} all[] = { { small, sizeof(small) }, { zero, sizeof(zero) }, { large, sizeof(large) },
		{ over, sizeof(over) }, { attach_first, sizeof(attach_first) } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		restart_raw();
		send_raw(all[i].data, all[i].len);
		assert_true(has_hung_up());
	}
	/* One byte more than was agreed on. */
	restart_raw();
	assert_int_equal(call(P9_TVERSION, "ds", P9_MSIZE_MIN, "9P2000.L"), 0);
	send_raw((const uint8_t[]){ 1, 0x10, 0, 0, P9_TWRITE, 0, 0 }, 7);
	assert_true(has_hung_up());
	restart_raw();
	hello();
}

/* One byte at a time, and many at once. */
static void test_pieces(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < 9; i++)
		send_raw((const uint8_t[]){ 9, 0, 0, 0, P9_TFLUSH, 1, 0, 2, 0 } + i, 1);
	assert_int_equal(get_answer(P9_TFLUSH, 1), 0);
	for (size_t i = 0; i < 1000; i++)
		memcpy(request + 9 * i, (const uint8_t[]){ 9, 0, 0, 0, P9_TFLUSH, 1, 0, 2, 0 }, 9);
	send_raw(request, 9000);
	/* The same tag all the time is the client's own affair. */
	for (int i = 0; i < 1000; i++)
		assert_int_equal(get_answer(P9_TFLUSH, 1), 0);
}

/* Every type with every length of zeros and of ones: an answer to each, with the right tag. */
static void test_lengths(void **state)
{
	(void)state;
	for (unsigned type = 0; type < 256; type++) {
		/* It would end the session. */
		if (type == P9_TVERSION)
			continue;
		for (size_t len = 0; len < 100; len++) {
			uint8_t fill = len & 1 ? 0xff : 0;
			struct p9_out head = { .buf = request, .cap = P9_HEADER };

			memset(request, fill, sizeof(request[0]) * 200);
			p9_put32(&head, (uint32_t)(P9_HEADER + len));
			p9_put8(&head, (uint8_t)type);
			p9_put16(&head, 3);
			send_raw(request, P9_HEADER + len);
			/* Only Tclunk and Tremove of fid 0 or ~0 could succeed, and there are none. */
			if (type != P9_TFLUSH)
				assert_true(get_answer((uint8_t)type, 3) < 0);
			else
				get_answer((uint8_t)type, 3);
		}
	}
}

static void test_names(void **state)
{
	static const char *const bad[] = { "", ".", "..", "/", "a/b", "../secret", "/etc/passwd",
		"dir/../../secret" };
	char longer[300];

	(void)state;
	assert_int_equal(mkdirat(dir, "dir", 0755), 0);
	put_file(dir, "file", "");
	assert_int_equal(walk(ROOT, 2, "file"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *s = bad[i];

		assert_true(call(P9_TMKDIR, "dsdd", ROOT, s, 0755U, 0U) < 0);
		assert_true(call(P9_TSYMLINK, "dssd", ROOT, s, "x", 0U) < 0);
		assert_true(call(P9_TMKNOD, "dsdddd", ROOT, s, 0600U, 0U, 0U, 0U) < 0);
		assert_true(call(P9_TLINK, "dds", ROOT, 2U, s) < 0);
		assert_true(call(P9_TRENAME, "dds", 2U, ROOT, s) < 0);
		assert_true(call(P9_TRENAMEAT, "dsds", ROOT, s, ROOT, "n") < 0);
		assert_true(call(P9_TRENAMEAT, "dsds", ROOT, "file", ROOT, s) < 0);
		assert_true(call(P9_TUNLINKAT, "dsd", ROOT, s, 0U) < 0);
		assert_true(call(P9_TUNLINKAT, "dsd", ROOT, s, 0x200U) < 0);
		assert_true(call(P9_TLCREATE, "dsddd", ROOT, s, (unsigned)O_RDWR, 0600U, 0U) < 0);
		if (i != 1 && i != 2)
			assert_true(walk(ROOT, 3, s) < 0 || *s == '\0');
		clunk(3);
	}
	/* Above the top there is the top. */
	assert_int_equal(call(P9_TWALK, "ddwsss", ROOT, 3U, 3U, "..", "..", "secret"), 0);
	assert_int_equal(p9_get16(&answer), 2);
	assert_int_equal(call(P9_TWALK, "ddwssss", ROOT, 3U, 4U, "dir", "..", "..", "secret"), 0);
	assert_int_equal(p9_get16(&answer), 3);
	memset(longer, 'x', sizeof(longer));
	longer[299] = '\0';
	assert_int_equal(walk(ROOT, 3, longer), -ENAMETOOLONG);
	assert_int_equal(call(P9_TWALK, "ddwwx", ROOT, 3U, 1U, 4U, "a\0bc", (size_t)4), -EINVAL);
	/* 17 names; and a string beyond the message. */
	assert_int_equal(call(P9_TWALK, "ddwsssssssssssssssss", ROOT, 3U, 17U, "..", "..", "..", "..", "..",
				 "..", "..", "..", "..", "..", "..", "..", "..", "..", "..", "..", ".."),
		-EINVAL);
	assert_int_equal(call(P9_TWALK, "ddwsssssssssssssssss", ROOT, 3U, 16U, "..", "..", "..", "..", "..",
				 "..", "..", "..", "..", "..", "..", "..", "..", "..", "..", "..", ".."),
		-EINVAL);
	assert_int_equal(call(P9_TWALK, "ddwwx", ROOT, 3U, 1U, 0xffffU, "x", (size_t)1), -EINVAL);
	assert_int_equal(faccessat(outside, "secret", F_OK, 0), 0);
}

/* Links are what they are: no request goes where one leads to. */
static void test_symlinks(void **state)
{
	struct stat before, after;

	(void)state;
	assert_int_equal(fstatat(outside, "secret", &before, 0), 0);
	assert_int_equal(call(P9_TSYMLINK, "dssd", ROOT, "up", "..", getegid()), 0);
	assert_int_equal(call(P9_TSYMLINK, "dssd", ROOT, "secret", "../secret", getegid()), 0);
	assert_int_equal(call(P9_TSYMLINK, "dssd", ROOT, "etc", "/etc", getegid()), 0);
	assert_int_equal(call(P9_TSYMLINK, "dssd", ROOT, "self", "/proc/self/root", getegid()), 0);
	assert_int_equal(call(P9_TWALK, "ddwss", ROOT, 2U, 2U, "up", "secret"), 0);
	assert_int_equal(p9_get16(&answer), 1);
	assert_int_equal(call(P9_TWALK, "ddwss", ROOT, 2U, 2U, "etc", "passwd"), 0);
	assert_int_equal(p9_get16(&answer), 1);
	assert_int_equal(call(P9_TWALK, "ddwss", ROOT, 2U, 2U, "self", "etc"), 0);
	assert_int_equal(p9_get16(&answer), 1);
	assert_int_equal(walk(ROOT, 2, "secret"), 0);
	assert_int_equal(lopen(2, O_RDONLY), -ELOOP);
	assert_int_equal(lopen(2, O_WRONLY | O_TRUNC), -ELOOP);
	assert_true(call(P9_TSETATTR, "dddddqqqqq", 2U, 1U, 0U, 0U, 0U, (uint64_t)0, (uint64_t)0, (uint64_t)0,
			    (uint64_t)0, (uint64_t)0) < 0);
	assert_true(call(P9_TSETATTR, "dddddqqqqq", 2U, 8U, 0U, 0U, 0U, (uint64_t)0, (uint64_t)0, (uint64_t)0,
			    (uint64_t)0, (uint64_t)0) < 0);
	assert_int_equal(call(P9_TSETATTR, "dddddqqqqq", 2U, 0x126U, 0U, geteuid(), getegid(), (uint64_t)0,
				 (uint64_t)0, (uint64_t)0, (uint64_t)5, (uint64_t)0),
		0);
	assert_int_equal(walk(ROOT, 3, ""), 0);
	assert_int_equal(
		call(P9_TLCREATE, "dsddd", 3U, "secret", (unsigned)O_RDWR | O_TRUNC, 0666U, 0U), -ELOOP);
	assert_int_equal(call(P9_TLINK, "dds", ROOT, 2U, "hard"), 0);
	assert_int_equal(fstatat(dir, "hard", &after, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(after.st_mode));
	assert_true(call(P9_TXATTRWALK, "dds", 2U, 4U, "user.a") < 0);
	assert_int_equal(call(P9_TREADDIR, "dqd", 2U, (uint64_t)0, 1000U), -EBADF);
	assert_true(call(P9_TUNLINKAT, "dsd", 2U, "secret", 0U) < 0);
	assert_true(call(P9_TMKDIR, "dsdd", 2U, "x", 0755U, 0U) < 0);
	assert_int_equal(fstatat(outside, "secret", &after, 0), 0);
	assert_true(before.st_mtim.tv_sec == after.st_mtim.tv_sec && before.st_mode == after.st_mode &&
		    before.st_ctim.tv_sec == after.st_ctim.tv_sec &&
		    before.st_ctim.tv_nsec == after.st_ctim.tv_nsec && before.st_nlink == after.st_nlink &&
		    before.st_size == after.st_size);
}

/* Someone on the host swaps a directory for a link to the outside, all the time: a walk never gets there. */
static void test_swap(void **state)
{
	int got[3] = { 0 };
	pid_t swapper;

	(void)state;
	assert_int_equal(mkdirat(dir, "d", 0755), 0);
	put_file(dir, "d/secret", "inside");
	assert_int_equal(symlinkat("..", dir, "l"), 0);
	swapper = fork();
	if (swapper == 0)
		for (;;)
			renameat2(dir, "d", dir, "l", RENAME_EXCHANGE);
	for (int i = 0; i < 3000; i++) {
		assert_int_equal(call(P9_TWALK, "ddwss", ROOT, 2U, 2U, "d", "secret"), 0);
		if (p9_get16(&answer) < 2) {
			got[0]++;
			continue;
		}
		got[1]++;
		assert_int_equal(lopen(2, O_RDONLY), 0);
		assert_string_equal(read_at(2, 0, 10), "inside");
		assert_int_equal(clunk(2), 0);
	}
	kill(swapper, SIGKILL);
	waitpid(swapper, NULL, 0);
	/* Both have been met, or nothing was tested. */
	assert_true(got[0] > 0 && got[1] > 0);
}

/* A directory that is held while it is moved out, and down: ".." stays inside. */
static void test_moved(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(dir, "a", 0755), 0);
	assert_int_equal(mkdirat(dir, "a/b", 0755), 0);
	assert_int_equal(call(P9_TWALK, "ddwss", ROOT, 2U, 2U, "a", "b"), 0);
	assert_int_equal(renameat(dir, "a/b", outside, "b"), 0);
	assert_int_equal(call(P9_TWALK, "ddwss", 2U, 3U, 2U, "..", "secret"), 0);
	assert_int_equal(p9_get16(&answer), 1);
	assert_int_equal(call(P9_TWALK, "ddwsss", 2U, 3U, 3U, "..", "..", "a"), 0);
	assert_int_equal(p9_get16(&answer), 3);
	assert_int_equal(unlinkat(outside, "b", AT_REMOVEDIR), 0);
}

/* Devices and FIFOs of the tree: nothing is opened. */
static void test_special(void **state)
{
	(void)state;
	assert_int_equal(mkfifoat(dir, "fifo", 0666), 0);
	assert_int_equal(open_name(2, "fifo", O_RDONLY), -EOPNOTSUPP);
	assert_int_equal(open_name(2, "fifo", O_WRONLY), -EOPNOTSUPP);
	assert_int_equal(walk(ROOT, 2, ""), 0);
	assert_int_equal(call(P9_TLCREATE, "dsddd", 2U, "fifo", (unsigned)O_WRONLY, 0600U, 0U), -EOPNOTSUPP);
	if (mknodat(dir, "zero", S_IFCHR | 0666, makedev(1, 5)) < 0)
		skip();
	assert_int_equal(open_name(3, "zero", O_RDONLY), -EOPNOTSUPP);
	assert_int_equal(walk(ROOT, 3, "zero"), 0);
	assert_true(call(P9_TSETATTR, "dddddqqqqq", 3U, 8U, 0U, 0U, 0U, (uint64_t)0, (uint64_t)0, (uint64_t)0,
			    (uint64_t)0, (uint64_t)0) < 0);
	assert_int_equal(call(P9_TREAD, "dqd", 3U, (uint64_t)0, 10U), -EBADF);
}

static void test_fids(void **state)
{
	(void)state;
	put_file(dir, "file", "text");
	assert_int_equal(call(P9_TREAD, "dqd", 99U, (uint64_t)0, 10U), -EBADF);
	assert_int_equal(call(P9_TREAD, "dqd", ROOT, (uint64_t)0, 10U), -EBADF);
	assert_int_equal(write_at(ROOT, 0, "x"), -EBADF);
	assert_int_equal(call(P9_TREADDIR, "dqd", ROOT, (uint64_t)0, 100U), -EBADF);
	assert_int_equal(call(P9_TFSYNC, "dd", ROOT, 0U), -EBADF);
	assert_int_equal(attach(ROOT, 0), -EBADF);
	assert_int_equal(attach(P9_NOFID, 0), -EBADF);
	assert_int_equal(call(P9_TATTACH, "ddssd", 5U, 1U, "", "", 0U), -EOPNOTSUPP);
	assert_int_equal(walk(ROOT, P9_NOFID, "file"), -EBADF);
	assert_int_equal(open_name(2, "file", O_RDWR), 0);
	assert_int_equal(call(P9_TWALK, "ddws", 2U, 2U, 1U, ".."), -EBADF);
	assert_int_equal(call(P9_TREADDIR, "dqd", 2U, (uint64_t)0, 100U), -ENOTDIR);
	assert_int_equal(call(P9_TLCREATE, "dsddd", 2U, "x", (unsigned)O_RDWR, 0600U, 0U), -EBADF);
	assert_int_equal(call(P9_TREAD, "dqd", 2U, UINT64_MAX, 10U), -EINVAL);
	assert_int_equal(call(P9_TREAD, "dqd", 2U, (uint64_t)INT64_MAX, 0xffffffffU), -EINVAL);
	assert_int_equal(call(P9_TREAD, "dqd", 2U, (uint64_t)0, 0xffffffffU), 0);
	assert_int_equal(p9_get32(&answer), 4);
	assert_int_equal(call(P9_TWRITE, "dqd", 2U, (uint64_t)0, 0xffffffffU), -EINVAL);
	assert_int_equal(call(P9_TWRITE, "dqdx", 2U, (uint64_t)0, 3U, "abcd", (size_t)4), -EINVAL);
	assert_int_equal(call(P9_TWRITE, "dqdx", 2U, UINT64_MAX, 1U, "a", (size_t)1), -EINVAL);
	/* A new session knows none of the old one's. */
	assert_int_equal(call(P9_TVERSION, "ds", MSIZE, "9P2000.L"), 0);
	assert_int_equal(clunk(2), -EBADF);
	assert_int_equal(clunk(ROOT), -EBADF);
	assert_int_equal(call(P9_TVERSION, "ds", 0xffffffffU, "9P2000.L"), 0);
	assert_int_equal(p9_get32(&answer), P9_MSIZE_MAX);
	assert_int_equal(call(P9_TVERSION, "ds", 100U, "9P2000.L"), -EMSGSIZE);
	assert_int_equal(call(P9_TVERSION, "ds", MSIZE, "9P2000.u"), 0);
	p9_get32(&answer);
	assert_int_equal(p9_get16(&answer), 7);
	assert_memory_equal(answer.at, "unknown", 7);
}

static void test_xattr_lies(void **state)
{
	static const char *const refused[] = { "trusted.overlay.opaque", "security.selinux", "system.other",
		"user.", "xuser.a", "" };
	uint32_t many = 0;

	(void)state;
	put_file(dir, "file", "text");
	assert_int_equal(walk(ROOT, 2, "file"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		assert_true(call(P9_TXATTRCREATE, "dsqd", 2U, refused[i], (uint64_t)1, 0U) < 0);
		if (*refused[i])
			assert_int_equal(call(P9_TXATTRWALK, "dds", 2U, 3U, refused[i]), -EOPNOTSUPP);
	}
	assert_int_equal(call(P9_TXATTRCREATE, "dsqd", 2U, "user.a", (uint64_t)65537, 0U), -E2BIG);
	assert_int_equal(call(P9_TXATTRCREATE, "dsqd", 2U, "user.a", UINT64_MAX, 0U), -E2BIG);
	assert_int_equal(call(P9_TXATTRCREATE, "dsqd", 2U, "user.a", (uint64_t)1, 0x80U), -EINVAL);
	/* Less than was said, more, elsewhere. */
	assert_int_equal(walk(2, 3, ""), 0);
	assert_int_equal(call(P9_TXATTRCREATE, "dsqd", 3U, "user.a", (uint64_t)4, 0U), 0);
	assert_int_equal(write_at(3, 0, "abcde"), -EINVAL);
	assert_int_equal(write_at(3, 1, "abc"), -EINVAL);
	assert_int_equal(write_at(3, UINT64_MAX, "abc"), -EINVAL);
	assert_int_equal(write_at(3, 0, "abc"), 0);
	assert_int_equal(write_at(3, 0, "abc"), -EINVAL);
	assert_int_equal(call(P9_TREAD, "dqd", 3U, (uint64_t)0, 100U), -EBADF);
	assert_int_equal(walk(3, 4, ""), -EBADF);
	assert_int_equal(lopen(3, O_RDONLY), -EBADF);
	assert_int_equal(clunk(3), -EINVAL);
	assert_int_equal(clunk(3), -EBADF);
	assert_true(call(P9_TXATTRWALK, "dds", 2U, 3U, "user.a") < 0);
	/* They are not for keeping memory in. */
	for (many = 100; many < 200; many++) {
		assert_int_equal(walk(2, many, ""), 0);
		if (call(P9_TXATTRCREATE, "dsqd", many, "user.a", (uint64_t)65536, 0U) < 0)
			break;
	}
	assert_in_range(many, 110, 116);
	assert_int_equal(call(P9_TREMOVE, "d", 100U), -EBADF);
	assert_int_equal(call(P9_TXATTRCREATE, "dsqd", many, "user.a", (uint64_t)60000, 0U), 0);
	assert_int_equal(faccessat(dir, "file", F_OK, 0), 0);
}

/* What the host keeps for itself is not in the list. */
static void test_xattr_list(void **state)
{
	(void)state;
	put_file(dir, "file", "text");
	assert_int_equal(walk(ROOT, 2, "file"), 0);
	{
		_cleanup_close_ int fd = openat(dir, "file", O_RDONLY | O_CLOEXEC);

		if (fsetxattr(fd, "trusted.x", "x", 1, 0) < 0 || fsetxattr(fd, "user.y", "y", 1, 0) < 0 ||
			fsetxattr(fd, "trusted.z", "z", 1, 0) < 0)
			skip();
	}
	assert_int_equal(call(P9_TXATTRWALK, "dds", 2U, 3U, ""), 0);
	assert_int_equal(p9_get64(&answer), 7);
	assert_string_equal(read_at(3, 0, 100), "user.y");
}

/* More of everything than there is: an error, and the server lives. */
static void test_exhaustion(void **state)
{
	uint32_t n;
	int r = 0;

	(void)state;
	put_file(dir, "file", "text");
	files_max = 256;
	restart_raw();
	hello();
	for (n = 10; n < 1000 && r == 0; n++)
		r = open_name(n, "file", O_RDONLY);
	assert_int_equal(r, -ENFILE);
	/* Open files may take the descriptors of nodes, but not the last ones. */
	assert_in_range(n, 150, 260);
	assert_int_equal(walk(ROOT, 5, "file"), -ENFILE);
	assert_int_equal(clunk(10), 0);
	assert_int_equal(clunk(11), 0);
	assert_int_equal(open_name(10, "file", O_RDONLY), 0);
	assert_int_equal(call(P9_TVERSION, "ds", MSIZE, "9P2000.L"), 0);
	assert_int_equal(attach(ROOT, geteuid()), 0);
	for (r = 0, n = 10; n < 2 * P9_NODE_MAX && r == 0; n++)
		r = walk(ROOT, n, "");
	assert_int_equal(r, -ENFILE);
	assert_in_range(n, P9_NODE_MAX, P9_NODE_MAX + 20);
	assert_int_equal(call(P9_TVERSION, "ds", MSIZE, "9P2000.L"), 0);
	assert_int_equal(attach(ROOT, geteuid()), 0);
	assert_int_equal(open_name(2, "file", O_RDONLY), 0);
}

/* Nodes that are given back can be had again: more than there may be at once, one after another. */
static void test_given_back(void **state)
{
	(void)state;
	put_file(dir, "file", "x");
	for (uint32_t i = 0; i < P9_PATH_MAX + 10; i++) {
		assert_int_equal(walk(ROOT, 2, "file"), 0);
		assert_int_equal(clunk(2), 0);
	}
}

/* A guest that asks and never reads its answers: the server waits for it, and goes on when it does. */
static void test_deaf(void **state)
{
	size_t len, sent = 0;
	ssize_t n = 0;

	(void)state;
	memset(request, 'x', 65536);
	request[65536] = '\0';
	put_file(dir, "file", (const char *)request);
	assert_int_equal(open_name(2, "file", O_RDONLY), 0);
	len = 4 + 1 + 2 + 4 + 8 + 4;
	memcpy(request,
		(const uint8_t[]){
			23, 0, 0, 0, P9_TREAD, 7, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0 },
		len);
	for (int quiet = 0; quiet < 20;) {
		n = send(sock, request + sent % len, len - sent % len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			sent += (size_t)n;
			quiet = 0;
		} else {
			quiet++;
			usleep(10000);
		}
	}
	for (size_t i = 0; i < sent / len; i++) {
		assert_int_equal(get_answer(P9_TREAD, 7), 0);
		assert_int_equal(p9_get32(&answer), 0x8000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		P9_CASE(test_frames),
		P9_CASE(test_pieces),
		P9_CASE(test_lengths),
		P9_CASE(test_names),
		P9_CASE(test_symlinks),
		P9_CASE(test_swap),
		P9_CASE(test_moved),
		P9_CASE(test_special),
		P9_CASE(test_fids),
		P9_CASE(test_xattr_lies),
		P9_CASE(test_xattr_list),
		P9_CASE(test_exhaustion),
		P9_CASE(test_given_back),
		P9_CASE(test_deaf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
