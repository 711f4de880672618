/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and numbers in the JSON of the guest's network, checked. */
#ifndef SANDBOX_NET_TEXT_H
#define SANDBOX_NET_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"

struct net_text {
	uint8_t family, bits;
	size_t len; /* of raw; 0: it was missing */
	unsigned char raw[16];
	const char *text;
};

#define NET_TEXT_PREFIX	 1 /* "ADDRESS/BITS" instead of "ADDRESS" */
#define NET_TEXT_MISSING 2 /* may be missing */

int net_get_text(const struct json *obj, const char *name, int flags, struct net_text *out, struct err *e);
/* A number that may be missing: then *out stays as it is. */
int net_get_number(const struct json *obj, const char *name, uint64_t max, uint64_t *out, struct err *e);
/* "02:00:00:00:00:01", exactly so; 0 or -EINVAL. */
int net_parse_mac(const char *text, uint8_t mac[6]);
bool net_is_link_local(const struct net_text *t); /* fe80::/10 */

#endif
