/* SPDX-License-Identifier: Apache-2.0 */
/* Words that both sides of the sandbox's network use for the kernel's numbers; names of interfaces. */
#include <linux/rtnetlink.h>

#include "base/str.h"
#include "sandbox/net_int.h"

const char *const net_route_types[] = {
	[RTN_UNICAST] = "unicast",
	[RTN_LOCAL] = "local",
	[RTN_BROADCAST] = "broadcast",
	[RTN_ANYCAST] = "anycast",
	[RTN_MULTICAST] = "multicast",
	[RTN_BLACKHOLE] = "blackhole",
	[RTN_UNREACHABLE] = "unreachable",
	[RTN_PROHIBIT] = "prohibit",
	[RTN_THROW] = "throw",
};
const unsigned net_n_route_types = sizeof(net_route_types) / sizeof(net_route_types[0]);

/* Without RTAX_CC_ALGO, a string: the name of an algorithm that the guest's kernel need not have. */
const char *const net_route_metrics[] = {
	[RTAX_LOCK] = "lock",
	[RTAX_MTU] = "mtu",
	[RTAX_WINDOW] = "window",
	[RTAX_RTT] = "rtt",
	[RTAX_RTTVAR] = "rttvar",
	[RTAX_SSTHRESH] = "ssthresh",
	[RTAX_CWND] = "cwnd",
	[RTAX_ADVMSS] = "advmss",
	[RTAX_REORDERING] = "reordering",
	[RTAX_HOPLIMIT] = "hoplimit",
	[RTAX_INITCWND] = "initcwnd",
	[RTAX_FEATURES] = "features",
	[RTAX_RTO_MIN] = "rto_min",
	[RTAX_INITRWND] = "initrwnd",
	[RTAX_QUICKACK] = "quickack",
};
const unsigned net_n_route_metrics = sizeof(net_route_metrics) / sizeof(net_route_metrics[0]);

bool net_name_is_valid(const char *name)
{
	size_t n = strlen(name);

	/* "all" and "default" are something else below /proc/sys/net. */
	if (n == 0 || n >= IFNAMSIZ || str_eq(name, ".") || str_eq(name, "..") || str_eq(name, "all") ||
		str_eq(name, "default"))
		return false;
	for (const char *p = name; *p; p++)
		if (*p == '/' || *p == ':' || *p == '%' || *p <= ' ' || *p >= 0x7f)
			return false;
	return true;
}
