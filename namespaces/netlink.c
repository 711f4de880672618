/* SPDX-License-Identifier: Apache-2.0 */
/* rtnetlink requests and answers (see netlink.h). */
#include "namespaces/netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NL_ALIGN(n) (((n) + 3U) & ~(size_t)3U)

/* Dumps come in pages of at most 32 KiB (NLMSG_GOODSIZE times the kernel's own growth). */
#define ANSWER_MAX 32768

/* An attribute's length field has 16 bits and counts its own header. */
#define ATTR_MAX (UINT16_MAX - sizeof(struct rtattr))

static void put(struct nl_request *q, const void *data, size_t len)
{
	if (q->failed || len > sizeof(q->u.bytes) - q->len || NL_ALIGN(len) > sizeof(q->u.bytes) - q->len) {
		q->failed = true;
		return;
	}
	if (len)
		memcpy(q->u.bytes + q->len, data, len);
	q->len += NL_ALIGN(len);
}

void nl_begin(struct nl_request *q, uint16_t type, uint16_t flags, const void *fixed, size_t fixed_len)
{
	memset(q, 0, sizeof(*q));
	q->u.header.nlmsg_type = type;
	q->u.header.nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST);
	q->len = NL_ALIGN(sizeof(struct nlmsghdr));
	put(q, fixed, fixed_len);
}

void nl_attr(struct nl_request *q, uint16_t type, const void *data, size_t len)
{
	struct rtattr head = { .rta_type = type };
	size_t before = q->len;

	if (len > ATTR_MAX) {
		q->failed = true;
		return;
	}
	head.rta_len = (uint16_t)(sizeof(head) + len);
	put(q, &head, sizeof(head));
	put(q, data, len);
	if (q->failed)
		q->len = before;
}

void nl_attr_u32(struct nl_request *q, uint16_t type, uint32_t value)
{
	nl_attr(q, type, &value, sizeof(value));
}

void nl_attr_string(struct nl_request *q, uint16_t type, const char *s)
{
	nl_attr(q, type, s, strlen(s) + 1);
}

size_t nl_nest(struct nl_request *q, uint16_t type)
{
	size_t at = q->len;

	nl_attr(q, type, NULL, 0);
	return at;
}

void nl_nest_end(struct nl_request *q, size_t nest)
{
	struct rtattr head;
	size_t len = q->len - nest;

	if (q->failed)
		return;
	if (nest > q->len || len < sizeof(head) || len > UINT16_MAX) {
		q->failed = true;
		return;
	}
	memcpy(&head, q->u.bytes + nest, sizeof(head));
	head.rta_len = (uint16_t)len;
	memcpy(q->u.bytes + nest, &head, sizeof(head));
}

const void *nl_find(const void *buf, size_t len, uint16_t type, size_t *alen)
{
	const unsigned char *p = buf;

	while (len >= sizeof(struct rtattr)) {
		struct rtattr head;
		size_t step;

		memcpy(&head, p, sizeof(head));
		if (head.rta_len < sizeof(head) || head.rta_len > len)
			break;
		if ((head.rta_type & NLA_TYPE_MASK) == type) {
			*alen = head.rta_len - sizeof(head);
			return p + sizeof(head);
		}
		step = NL_ALIGN(head.rta_len);
		if (step >= len)
			break;
		p += step;
		len -= step;
	}
	return NULL;
}

bool nl_copy(const void *buf, size_t len, uint16_t type, void *out, size_t size)
{
	size_t n;
	const void *p = nl_find(buf, len, type, &n);

	if (!p || n < size)
		return false;
	memcpy(out, p, size);
	return true;
}

int nl_open(struct err *e)
{
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	return sock < 0 ? err_set(e, errno, "open a route netlink socket") : sock;
}

/* One datagram: 1 when the answer is complete, 0 for more, or a negative errno. */
static int take(const unsigned char *buf, size_t len, uint32_t seq, nl_each_fn *each, void *arg)
{
	while (len >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr h;
		const unsigned char *data = buf + NL_ALIGN(sizeof(h));
		size_t n, step;
		int r = 0;

		memcpy(&h, buf, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len)
			return -EBADMSG;
		n = h.nlmsg_len - sizeof(h);
		if (h.nlmsg_seq == seq && (h.nlmsg_type == NLMSG_DONE || h.nlmsg_type == NLMSG_ERROR)) {
			int code;

			/* A dump that breaks off says so at its end; old kernels put nothing there. */
			if (n < sizeof(code) && h.nlmsg_type == NLMSG_DONE)
				return 1;
			if (n < sizeof(code))
				return -EBADMSG;
			memcpy(&code, data, sizeof(code));
			return code < 0 ? code : 1;
		}
		if (h.nlmsg_seq == seq && each)
			r = each(h.nlmsg_type, data, n, arg);
		if (r < 0)
			return r;
		step = NL_ALIGN(h.nlmsg_len);
		if (step >= len)
			break;
		buf += step;
		len -= step;
	}
	return 0;
}

int nl_send(int sock, struct nl_request *q, nl_each_fn *each, void *arg)
{
	static uint32_t seq;
	unsigned char buf[ANSWER_MAX];
	struct sockaddr_nl to = { .nl_family = AF_NETLINK }, from;
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1
	};
	int r;

	if (q->failed)
		return -EMSGSIZE;
	/* Harmless for a dump, which ends with NLMSG_DONE: the kernel sends no acknowledgement after one. */
	q->u.header.nlmsg_flags |= NLM_F_ACK;
	q->u.header.nlmsg_len = (uint32_t)q->len;
	q->u.header.nlmsg_seq = ++seq;
	if (sendto(sock, q->u.bytes, q->len, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	for (;;) {
		ssize_t n = recvmsg(sock, &msg, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0 || (msg.msg_flags & MSG_TRUNC))
			return -EBADMSG;
		/* Only the kernel (port 0) may answer; other processes can write to this socket too. */
		if (from.nl_pid != 0)
			continue;
		r = take(buf, (size_t)n, seq, each, arg);
		if (r != 0)
			return r < 0 ? r : 0;
	}
}
