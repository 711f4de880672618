/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: what comes out of a guest, up to the messages. The input: a byte that says in pieces of which
 * size it arrives, and then the stream. Whatever it is, a message keeps to its limits and ends with a NUL,
 * and an error is one that has been promised.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/proto.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at(const struct proto_msg *m)
{
	struct err e = ERR_INIT;
	volatile uint8_t sum = 0;

	MUST(m->len <= PROTO_MESSAGE_MAX && m->data && m->data[m->len] == '\0');
	for (size_t i = 0; i < m->len; i++)
		sum = (uint8_t)(sum + m->data[i]);
	MUST(m->len >= 4 || proto_u32(m, 0) == 0);
	(void)proto_u32(m, m->len);
	MUST(proto_error(m, &e) < 0);
	for (const char *c = e.text; *c; c++)
		MUST(*c >= ' ' && *c < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece, at = 1;
	struct proto_msg m;
	struct proto p;
	int fds[2], r = 0;

	if (size < 1)
		return 0;
	piece = data[0] ? data[0] : 16384;
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
	proto_open(&p, fds[0]);
	while (r >= 0) {
		size_t len = size - at < piece ? size - at : piece;

		if (len == 0)
			shutdown(fds[1], SHUT_WR);
		else
			MUST(send(fds[1], data + at, len, MSG_NOSIGNAL) == (ssize_t)len);
		at += len;
		while ((r = proto_next(&p, &m)) > 0)
			look_at(&m);
	}
	MUST(r == -EPROTO || r == -EPIPE);
	proto_close(&p);
	close(fds[1]);
	return 0;
}
