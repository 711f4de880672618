/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client for the tests of the server of directories: it sends what it is told to, well-formed or not, to a
 * server in a child process that exports a directory below /tmp.
 *
 * call(TYPE, "dws", …) sends a message whose fields are b u8, w u16, d u32, q u64, s a string with its length
 * before it, x bytes (pointer, size_t); it returns 0 or what the server's Rlerror said, negative, and leaves
 * the answer in `answer`.
 */
#ifndef TESTS_UNIT_SANDBOX_P9_CLIENT_H
#define TESTS_UNIT_SANDBOX_P9_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/str.h"
#include "sandbox/p9.h"
#include "sandbox/p9_internal.h"

#define MSIZE 65536U
#define ROOT  1U /* the fid that setup attaches */

static char top[32]; /* what is exported, and beside it what must not be reached */
static int dir, outside;
static pid_t server;
static bool jail;	   /* the next server is one as the sandbox has it: see serve_child() */
static unsigned files_max; /* of the next server's descriptors; 0: as they are */
static int sock;
static uint8_t request[1 << 20], answer_buf[1 << 20];
static struct p9_in answer; /* of the last call: its body */

static size_t encode(uint8_t *to, uint8_t type, uint16_t tag, const char *format, va_list args)
{
	struct p9_out out = { .buf = to, .len = P9_HEADER, .cap = sizeof(request) };
	struct p9_out head = { .buf = to, .cap = P9_HEADER };

	for (; *format; format++) {
		const char *s;

		switch (*format) {
		case 'b':
			p9_put8(&out, (uint8_t)va_arg(args, unsigned));
			break;
		case 'w':
			p9_put16(&out, (uint16_t)va_arg(args, unsigned));
			break;
		case 'd':
			p9_put32(&out, va_arg(args, unsigned));
			break;
		case 'q':
			p9_put64(&out, va_arg(args, uint64_t));
			break;
		case 's':
			s = va_arg(args, const char *);
			p9_put_str(&out, s, strlen(s));
			break;
		case 'x':
			s = va_arg(args, const char *);
			p9_put_bytes(&out, s, va_arg(args, size_t));
			break;
		default:
			abort();
		}
	}
	assert_false(out.full);
	p9_put32(&head, (uint32_t)out.len);
	p9_put8(&head, type);
	p9_put16(&head, tag);
	return out.len;
}

static void receive(void *buf, size_t len)
{
	ssize_t n = len ? recv(sock, buf, len, MSG_WAITALL) : 0;

	assert_int_equal(n, len);
}

/* The next answer, which must be one to `type`: 0 or the error. */
static int get_answer(uint8_t type, uint16_t tag)
{
	struct p9_in head = { .at = answer_buf, .left = P9_HEADER };
	uint32_t size;
	uint8_t got;

	receive(answer_buf, P9_HEADER);
	size = p9_get32(&head);
	got = p9_get8(&head);
	assert_int_equal(p9_get16(&head), tag);
	assert_true(size >= P9_HEADER && size <= sizeof(answer_buf));
	receive(answer_buf, size - P9_HEADER);
	answer = (struct p9_in){ .at = answer_buf, .left = size - P9_HEADER };
	if (got == P9_RLERROR) {
		int code = (int)p9_get32(&answer);

		assert_true(p9_complete(&answer) && code > 0);
		return -code;
	}
	assert_int_equal(got, type + 1);
	return 0;
}

static int call(uint8_t type, const char *format, ...)
{
	va_list args;
	size_t len;

	va_start(args, format);
	len = encode(request, type, 7, format, args);
	va_end(args);
	assert_int_equal(fd_write_all(sock, request, len), 0);
	return get_answer(type, 7);
}

static int attach(uint32_t fid, uint32_t uid)
{
	return call(P9_TATTACH, "ddssd", fid, P9_NOFID, "nobody", "", uid);
}

/* One name; an empty one: a copy. */
static int walk(uint32_t fid, uint32_t to, const char *name)
{
	if (!*name)
		return call(P9_TWALK, "ddw", fid, to, 0U);
	return call(P9_TWALK, "ddws", fid, to, 1U, name);
}

static int clunk(uint32_t fid)
{
	return call(P9_TCLUNK, "d", fid);
}

static int lopen(uint32_t fid, unsigned flags)
{
	return call(P9_TLOPEN, "dd", fid, flags);
}

/* The file `name` of the root, open as `fid`; 0 or the error, and then no fid. */
static inline int open_name(uint32_t fid, const char *name, unsigned flags)
{
	int r = walk(ROOT, fid, name);

	if (r < 0)
		return r;
	r = lopen(fid, flags);
	if (r < 0)
		assert_int_equal(clunk(fid), 0);
	return r;
}

static inline int write_at(uint32_t fid, uint64_t offset, const char *text)
{
	return call(P9_TWRITE, "dqdx", fid, offset, (unsigned)strlen(text), text, strlen(text));
}

/* What there is, NUL-terminated; "" on an error. */
static const char *read_at(uint32_t fid, uint64_t offset, uint32_t count)
{
	static char text[MSIZE + 1];
	uint32_t n = 0;

	if (call(P9_TREAD, "dqd", fid, offset, count) == 0) {
		n = p9_get32(&answer);
		assert_true(n <= count && n == answer.left);
		memcpy(text, answer.at, n);
	}
	text[n] = '\0';
	return text;
}

/* --- the server ---------------------------------------------------------------------------------- */

static void put_file(int at, const char *name, const char *text)
{
	_cleanup_close_ int fd = openat(at, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

/*
 * Nobody, four capabilities, an empty root, nothing to be learned about it: what is left of /proc is the one
 * descriptor.
 */
static int go_to_jail(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = { { 0 } };
	int fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);

	caps[0].permitted = caps[0].effective =
		1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE | 1U << CAP_FOWNER | 1U << CAP_FSETID;
	if (fd < 0 || (mkdirat(outside, "empty", 0700) < 0 && errno != EEXIST) || fchdir(outside) < 0 ||
		chroot("empty") < 0 || chdir("/") < 0 || prctl(PR_SET_KEEPCAPS, 1) < 0 ||
		setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 ||
		setresuid(65534, 65534, 65534) < 0 || syscall(SYS_capset, &head, caps) < 0 ||
		prctl(PR_SET_DUMPABLE, 0) < 0)
		_exit(2);
	return fd;
}

static void serve_child(int at, int s, bool readonly, const char *only)
{
	struct p9_export x = { .fd = at, .sock = s, .readonly = readonly, .only = only };
	struct err e = ERR_INIT;
#ifdef __SANITIZE_ADDRESS__
	bool confine = false; /* a sanitizer makes system calls of its own */
#else
	bool confine = true;
#endif
	struct rlimit l = { .rlim_cur = files_max / 2, .rlim_max = files_max };
	int self_fd = jail ? go_to_jail() : -1, r;

	if (files_max)
		setrlimit(RLIMIT_NOFILE, &l);
	r = p9_serve(&x, 1, self_fd, confine, &e);

	if (r < 0)
		fprintf(stderr, "server: %s\n", e.text);
	_exit(r < 0);
}

static void start(bool readonly, const char *only)
{
	struct timeval patience = { .tv_sec = 20 };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	server = fork();
	assert_true(server >= 0);
	if (server == 0) {
		close(pair[0]);
		serve_child(dir, pair[1], readonly, only);
	}
	close(pair[1]);
	sock = pair[0];
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

static void hello(void)
{
	assert_int_equal(call(P9_TVERSION, "ds", MSIZE, "9P2000.L"), 0);
	assert_int_equal(p9_get32(&answer), MSIZE);
	assert_int_equal(attach(ROOT, geteuid()), 0);
}

/* The server ends by itself when its only connection does; that it was not killed is a part of every test. */
static void stop(void)
{
	int status = 0;

	close(sock);
	assert_int_equal(waitpid(server, &status, 0), server);
	assert_int_equal(status, 0);
}

static int setup(void **state)
{
	static const char template[] = "/tmp/sandbox_p9_test.XXXXXX";

	(void)state;
	memcpy(top, template, sizeof(template));
	assert_non_null(mkdtemp(top));
	outside = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(outside >= 0);
	assert_int_equal(mkdirat(outside, "export", 0755), 0);
	dir = openat(outside, "export", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	put_file(outside, "secret", "secret");
	start(false, NULL);
	hello();
	return 0;
}

static int teardown(void **state)
{
	char *argv[] = { "rm", "-rf", top, NULL };
	int status;
	pid_t pid;

	(void)state;
	stop();
	files_max = 0;
	jail = false;
	close(dir);
	close(outside);
	pid = fork();
	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

#define P9_CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
