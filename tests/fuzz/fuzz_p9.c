/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the server of directories, through a socket, with a directory below /tmp. The input is
 * messages without what would have to be right for anything to happen: u16 length, little endian, u8 type,
 * and as many bytes of body. The highest bit of the length: these bytes go out as they are, type included. A
 * version and fid 0, the root, go before. Answers must be well-formed, and nothing outside may change.
 */
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/p9.h"
#include "sandbox/p9_internal.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#define MSIZE 16384U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char top[] = "/tmp/fuzz_p9.XXXXXX";
static int outside = -1, dir = -1, here = -1;

struct client {
	const uint8_t *data;
	size_t size;
	int sock;
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	if (where->level > 0)
		remove(path);
	/* What the guest has made unreadable is no obstacle for root; for others the directory stays. */
	(void)type;
	return 0;
}

static void clean(void)
{
	char path[sizeof(top) + 8];

	snprintf(path, sizeof(path), "%s/x", top);
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void at_end(void)
{
	clean();
	unlinkat(outside, "x", AT_REMOVEDIR);
	unlinkat(outside, "secret", 0);
	rmdir(top);
}

static void prepare(void)
{
	if (outside < 0) {
		here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		MUST(mkdtemp(top));
		outside = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		MUST(outside >= 0 && mkdirat(outside, "x", 0700) == 0);
		MUST(symlinkat("secret", outside, "secret") == 0);
		dir = openat(outside, "x", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		MUST(dir >= 0);
		atexit(at_end);
	}
	clean();
	fchmod(dir, 0700);
	if (mkdirat(dir, "d", 0700) == 0)
		fd_close(openat(dir, "d/e", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	fd_close(openat(dir, "a", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	(void)!symlinkat("..", dir, "l");
	(void)!mkfifoat(dir, "p", 0600);
}

static bool send_message(int sock, uint8_t type, const void *body, size_t len)
{
	uint8_t head[P9_HEADER];
	struct p9_out out = { .buf = head, .cap = sizeof(head) };

	p9_put32(&out, (uint32_t)(P9_HEADER + len));
	p9_put8(&out, type);
	p9_put16(&out, 1);
	return send(sock, head, sizeof(head), MSG_NOSIGNAL) >= 0 &&
	       (len == 0 || send(sock, body, len, MSG_NOSIGNAL) >= 0);
}

static void send_all(const struct client *c)
{
	static const uint8_t version[] = { 0, 0x40, 0, 0, 8, 0, '9', 'P', '2', '0', '0', '0', '.', 'L' };
	static const uint8_t attach[] = { 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0 };
	struct p9_in in = { .at = c->data, .left = c->size };

	if (!send_message(c->sock, P9_TVERSION, version, sizeof(version)) ||
		!send_message(c->sock, P9_TATTACH, attach, sizeof(attach)))
		return;
	while (in.left > 3) {
		size_t len = p9_get16(&in);
		bool raw = len & 0x8000;
		uint8_t type = raw ? 0 : p9_get8(&in);
		const uint8_t *body;

		len = len & 0x7fff & (MSIZE - 1);
		len = len < in.left ? len : in.left;
		body = p9_get_bytes(&in, len);
		if (raw ? send(c->sock, body, len, MSG_NOSIGNAL) < 0
			: !send_message(c->sock, type, body, len))
			return;
	}
}

static void *sender(void *arg)
{
	const struct client *c = arg;

	send_all(c);
	shutdown(c->sock, SHUT_WR);
	return NULL;
}

static void *receiver(void *arg)
{
	const struct client *c = arg;
	uint8_t buf[P9_HEADER], rest[MSIZE];

	while (recv(c->sock, buf, sizeof(buf), MSG_WAITALL) == sizeof(buf)) {
		struct p9_in in = { .at = buf, .left = sizeof(buf) };
		uint32_t size = p9_get32(&in);
		uint8_t type = p9_get8(&in);

		/* Another Tversion may agree on more. */
		MUST(size >= P9_HEADER && size <= P9_MSIZE_MAX && (type & 1));
		for (size -= P9_HEADER; size > 0;) {
			ssize_t n = recv(c->sock, rest, size < sizeof(rest) ? size : sizeof(rest), 0);

			if (n <= 0)
				return NULL;
			size -= (uint32_t)n;
		}
	}
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int pair[2];
	struct p9_export x = { 0 };
	struct client c = { .data = data, .size = size };
	pthread_t threads[2];
	struct err e = ERR_INIT;
	struct stat before, after;

	prepare();
	MUST(fstatat(outside, "secret", &before, AT_SYMLINK_NOFOLLOW) == 0);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	x = (struct p9_export){
		.fd = dir, .sock = pair[0], .readonly = size % 7 == 6, .only = size % 7 == 5 ? "a" : NULL
	};
	c.sock = pair[1];
	MUST(pthread_create(&threads[0], NULL, sender, &c) == 0);
	MUST(pthread_create(&threads[1], NULL, receiver, &c) == 0);
	MUST(p9_serve(&x, 1, -1, false, &e) == 0);
	/* The server has gone elsewhere, and the fuzzer knows its files by relative names. */
	MUST(fchdir(here) == 0);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	close(pair[1]);
	MUST(fstatat(outside, "secret", &after, AT_SYMLINK_NOFOLLOW) == 0);
	MUST(before.st_ctim.tv_sec == after.st_ctim.tv_sec &&
		before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
	return 0;
}
