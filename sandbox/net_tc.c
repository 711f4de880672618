/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Redirects between two interfaces (tc): an ingress qdisc, a filter that matches everything, the action
 * mirred.
 *
 * A filter of ours is known by its preference, which nobody chooses by accident. When its target is
 * unregistered the kernel keeps the action without one, and it drops what it gets: that is what a tap that
 * has gone leaves on the interface beside it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/tc_act/tc_mirred.h>
#include <string.h>

#include "base/str.h"
#include "namespaces/netlink.h"
#include "sandbox/net_int.h"

#define PREFERENCE 0x5246U /* "RF" */

/* The same for the qdiscs "ingress" and "clsact" (which somebody else may have put there). */
#define PARENT TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)

static void begin(struct nl_request *q, uint16_t type, uint16_t flags, int index, uint32_t parent,
	uint32_t handle, uint32_t info)
{
	struct tcmsg m = {
		.tcm_ifindex = index, .tcm_parent = parent, .tcm_handle = handle, .tcm_info = info
	};

	nl_begin(q, type, flags, &m, sizeof(m));
}

static uint32_t filter_info(void)
{
	return TC_H_MAKE(PREFERENCE << 16, htons(ETH_P_ALL));
}

struct found {
	int index;
	bool ours, foreign, dead;
};

/* The index that a filter's first action redirects to; -ENOENT: it has none (a u32 table is no filter). */
static int target_of(const void *attrs, size_t len)
{
	static const uint16_t path[] = { 1, TCA_ACT_OPTIONS };
	struct tc_mirred parms;
	size_t n = 0;
	const char *kind = nl_find(attrs, len, TCA_KIND, &n);
	bool u32 = kind && n == sizeof("u32") && memcmp(kind, "u32", n) == 0;
	const void *options = nl_find(attrs, len, TCA_OPTIONS, &n), *actions = NULL;

	if (options)
		actions = nl_find(options, n, u32 ? TCA_U32_ACT : TCA_MATCHALL_ACT, &n);
	for (size_t i = 0; actions && i < sizeof(path) / sizeof(path[0]); i++)
		actions = nl_find(actions, n, path[i], &n);
	if (!actions || !nl_copy(actions, n, TCA_MIRRED_PARMS, &parms, sizeof(parms)))
		return -ENOENT;
	return (int)parms.ifindex;
}

static int take_filter(uint16_t type, const void *data, size_t len, void *arg)
{
	const size_t head = NLMSG_ALIGN(sizeof(struct tcmsg));
	struct found *f = arg;
	struct tcmsg m;

	if (type != RTM_NEWTFILTER || len < head)
		return 0;
	memcpy(&m, data, sizeof(m));
	if (m.tcm_ifindex != f->index)
		return 0;
	if (m.tcm_info >> 16 != PREFERENCE) {
		f->foreign = true;
		return 0;
	}
	f->ours = true;
	if (target_of((const unsigned char *)data + head, len - head) == 0)
		f->dead = true;
	return 0;
}

int net_redirect_find(int sock, int index, enum net_redirect *out, bool *foreign)
{
	struct found f = { .index = index };
	struct nl_request q;
	int r;

	begin(&q, RTM_GETTFILTER, NLM_F_DUMP, index, PARENT, 0, 0);
	r = nl_send(sock, &q, take_filter, &f);
	/* A kernel that knows no qdiscs at all. */
	if (r < 0 && r != -EOPNOTSUPP)
		return r;
	*out = !f.ours ? NET_REDIRECT_NONE : f.dead ? NET_REDIRECT_DEAD : NET_REDIRECT_LIVE;
	*foreign = f.foreign;
	return 0;
}

static void put_mirred(struct nl_request *q, uint16_t type, int to)
{
	struct tc_mirred parms = {
		.action = TC_ACT_STOLEN, .eaction = TCA_EGRESS_REDIR, .ifindex = (uint32_t)to
	};
	size_t actions = nl_nest(q, type), first = nl_nest(q, 1), options;

	nl_attr_string(q, TCA_ACT_KIND, "mirred");
	options = nl_nest(q, TCA_ACT_OPTIONS);
	nl_attr(q, TCA_MIRRED_PARMS, &parms, sizeof(parms));
	nl_nest_end(q, options);
	nl_nest_end(q, first);
	nl_nest_end(q, actions);
}

/*
 * u32 without a single key: it matches without a look at the packet. (The usual "u32 match u32 0 0" reads
 * four bytes behind the Ethernet header first, and lets a frame that is shorter pass to the host's stack.)
 */
static int add_filter(int sock, const char *kind, int from, int to)
{
	struct tc_u32_sel all = { .flags = TC_U32_TERMINAL };
	struct nl_request q;
	size_t options;

	begin(&q, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, from, PARENT, 0, filter_info());
	nl_attr_string(&q, TCA_KIND, kind);
	options = nl_nest(&q, TCA_OPTIONS);
	if (str_eq(kind, "u32")) {
		nl_attr(&q, TCA_U32_SEL, &all, sizeof(all));
		put_mirred(&q, TCA_U32_ACT, to);
	} else {
		put_mirred(&q, TCA_MATCHALL_ACT, to);
	}
	nl_nest_end(&q, options);
	return nl_send(sock, &q, NULL, NULL);
}

int net_redirect_add(int sock, int from, int to, struct err *e)
{
	struct nl_request q;
	int r;

	begin(&q, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, from, TC_H_INGRESS, TC_H_MAKE(TC_H_INGRESS, 0), 0);
	nl_attr_string(&q, TCA_KIND, "ingress");
	r = nl_send(sock, &q, NULL, NULL);
	/* There is one already, or clsact: one that is empty, as the caller has seen. */
	if (r == -EEXIST || r == -EINVAL)
		r = 0;
	if (r == 0) {
		r = add_filter(sock, "u32", from, to);
		if (r == -ENOENT)
			r = add_filter(sock, "matchall", from, to);
	}
	if (r == 0)
		return 0;
	if (r != -ENOENT && r != -EOPNOTSUPP)
		return err_set(e, -r, "redirect what comes in at interface number %d to number %d", from, to);
	return err_text(e, EOPNOTSUPP,
		"the kernel cannot redirect packets to the sandbox: it lacks the qdisc \"ingress\", the "
		"action "
		"\"mirred\", or both of the classifiers \"u32\" and \"matchall\"; load the modules "
		"sch_ingress, "
		"act_mirred and cls_u32, or run the sandbox without a network");
}

int net_redirect_remove(int sock, int index)
{
	enum net_redirect left;
	struct nl_request q;
	bool foreign;
	int r;

	begin(&q, RTM_DELTFILTER, 0, index, PARENT, 0, filter_info());
	r = nl_send(sock, &q, NULL, NULL);
	if (r < 0)
		return r;
	r = net_redirect_find(sock, index, &left, &foreign);
	if (r < 0 || foreign)
		return r;
	/* A clsact qdisc, which is not ours, is not found by this, and stays. */
	begin(&q, RTM_DELQDISC, 0, index, TC_H_INGRESS, TC_H_MAKE(TC_H_INGRESS, 0), 0);
	nl_attr_string(&q, TCA_KIND, "ingress");
	r = nl_send(sock, &q, NULL, NULL);
	return r == -ENOENT || r == -EINVAL ? 0 : r;
}
