/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtnetlink by hand, as small as it can be: one request, its answers, and nothing written or read outside the
 * buffers (runc's CVE-2021-43784 was an attribute longer than its 16-bit length field).
 */
#ifndef NAMESPACES_NETLINK_H
#define NAMESPACES_NETLINK_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define NL_REQUEST_MAX 2048

struct nl_request {
	union {
		struct nlmsghdr header;
		unsigned char bytes[NL_REQUEST_MAX];
	} u;
	size_t len;
	bool failed; /* something did not fit; nl_send() then answers -EMSGSIZE */
};

/* Starts a request with the fixed part that its type has (struct ifinfomsg, struct ifaddrmsg). */
void nl_begin(struct nl_request *q, uint16_t type, uint16_t flags, const void *fixed, size_t fixed_len);
/*
 * Adds an attribute. One that is longer than its length field can say, or than the rest of the buffer, fails
 * the request.
 */
void nl_attr(struct nl_request *q, uint16_t type, const void *data, size_t len);
void nl_attr_u32(struct nl_request *q, uint16_t type, uint32_t value);
void nl_attr_string(struct nl_request *q, uint16_t type, const char *s); /* with its NUL */
/* Attributes between the two are inside an attribute of that type; nl_nest_end() gets what nl_nest() gave. */
size_t nl_nest(struct nl_request *q, uint16_t type);
void nl_nest_end(struct nl_request *q, size_t nest);

/*
 * The attribute of that type among buf[0..len), or NULL; *alen is the length of its data. Bad lengths end the
 * search.
 */
const void *nl_find(const void *buf, size_t len, uint16_t type, size_t *alen);
/* Copies exactly `size` bytes of such an attribute's data, which may be longer; false: missing or shorter. */
bool nl_copy(const void *buf, size_t len, uint16_t type, void *out, size_t size);

/* A NETLINK_ROUTE socket of the network namespace that the caller is in. The fd or a negative errno. */
int nl_open(struct err *e);

/*
 * Sends the request and takes the answers up to the acknowledgement or the end of the dump. `each` gets every
 * message's type, fixed part and all behind it; a negative return value ends it. 0 or a negative errno, the
 * kernel's or our own.
 */
typedef int nl_each_fn(uint16_t type, const void *data, size_t len, void *arg);
int nl_send(int sock, struct nl_request *q, nl_each_fn *each, void *arg);

#endif
