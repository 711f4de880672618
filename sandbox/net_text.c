/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and numbers in the JSON of the guest's network (see net_text.h). */
#include "sandbox/net_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/str.h"

static int parse(const char *text, bool prefix, struct net_text *out)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	uint32_t bits;

	if (prefix != (slash != NULL) || n >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, n);
	address[n] = '\0';
	out->family = strchr(address, ':') ? AF_INET6 : AF_INET;
	out->len = out->family == AF_INET6 ? 16 : 4;
	if (inet_pton(out->family, address, out->raw) != 1)
		return -EINVAL;
	bits = (uint32_t)out->len * 8;
	if (prefix && (str_to_u32(slash + 1, &bits) < 0 || bits > out->len * 8))
		return -EINVAL;
	out->bits = (uint8_t)bits;
	out->text = text;
	return 0;
}

int net_get_text(const struct json *obj, const char *name, int flags, struct net_text *out, struct err *e)
{
	const struct json *j = json_get(obj, name);
	struct net_text t = { 0 };
	const char *text;
	int r;

	if (!j && (flags & NET_TEXT_MISSING)) {
		*out = t;
		return 0;
	}
	r = json_as_string(j, name, &text, e);
	if (r < 0)
		return err_wrap(e, "network");
	if (parse(text, flags & NET_TEXT_PREFIX, &t) < 0)
		return err_text(e, EINVAL, "network: \"%s\" is no address%s: \"%.64s\"", name,
			flags & NET_TEXT_PREFIX ? " with the length of its prefix" : "", text);
	*out = t;
	return 0;
}

int net_get_number(const struct json *obj, const char *name, uint64_t max, uint64_t *out, struct err *e)
{
	const struct json *j = json_get(obj, name);
	uint64_t v;
	int r;

	if (!j)
		return 0;
	r = json_as_u64(j, name, &v, e);
	if (r < 0)
		return err_wrap(e, "network");
	if (v > max)
		return err_text(e, ERANGE, "network: \"%s\" is too large", name);
	*out = v;
	return 0;
}

int net_parse_mac(const char *text, uint8_t mac[6])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t out[6] = { 0 };

	if (strlen(text) != 17)
		return -EINVAL;
	for (int i = 0; i < 17; i++) {
		const char *p = strchr(digits, text[i]);

		if (i % 3 == 2 ? text[i] != ':' : !p)
			return -EINVAL;
		if (i % 3 != 2)
			out[i / 3] = (uint8_t)(out[i / 3] << 4 | (p - digits));
	}
	memcpy(mac, out, sizeof(out));
	return 0;
}

bool net_is_link_local(const struct net_text *t)
{
	return t->family == AF_INET6 && t->len == 16 && t->raw[0] == 0xfe && (t->raw[1] & 0xc0) == 0x80;
}
