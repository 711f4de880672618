/* SPDX-License-Identifier: Apache-2.0 */
/* kill, pause, resume, update, ps: preconditions, then the engine. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "runtime/engine.h"
#include "runtime/rdt.h"

static int open_locked(const struct rt_ctx *ctx, const char *id, struct rt_partition **p,
	enum rt_status *status, struct err *e)
{
	int r = rt_partition_open(ctx, id, RT_LOCKED, p, e);

	return r < 0 ? r : rt_partition_status(*p, status, e);
}

int rt_kill(const struct rt_ctx *ctx, const char *id, int sig, bool all, struct err *e)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;
	enum rt_status status;
	int r = rt_partition_open(ctx, id, RT_UNLOCKED, &p, e);

	/* Not locked: a signal must get through while another command waits. */
	if (r == 0)
		r = rt_partition_status(p, &status, e);
	if (r < 0)
		return r;
	if (status == RT_CREATING || (status == RT_STOPPED && !all))
		return err_text(e, ESRCH, "container not running: no such process");
	return p->engine->kill(p, sig, all, e);
}

int rt_pause(const struct rt_ctx *ctx, const char *id, struct err *e)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;
	enum rt_status status;
	int r = open_locked(ctx, id, &p, &status, e);

	if (r < 0)
		return r;
	if (status != RT_RUNNING && status != RT_CREATED)
		return err_text(e, EINVAL, "cannot pause container \"%s\": container not running: it is %s",
			id, rt_status_names[status]);
	return p->engine->pause(p, e);
}

int rt_resume(const struct rt_ctx *ctx, const char *id, struct err *e)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;
	enum rt_status status;
	int r = open_locked(ctx, id, &p, &status, e);

	if (r < 0)
		return r;
	if (status != RT_PAUSED)
		return err_text(e, EINVAL, "cannot resume container \"%s\": container not paused: it is %s",
			id, rt_status_names[status]);
	return p->engine->resume(p, e);
}

int rt_update(const struct rt_ctx *ctx, const char *id, const struct spec_resources *res,
	const char *l3_schema, const char *mb_schema, struct err *e)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;
	enum rt_status status;
	int r = open_locked(ctx, id, &p, &status, e);

	if (r < 0)
		return r;
	if (status == RT_STOPPED || status == RT_CREATING)
		return err_text(e, EINVAL, "cannot update container \"%s\": container not running: it is %s",
			id, rt_status_names[status]);
	r = p->engine->update(p, res, e);
	/* Also after a failure: what was made on the way must be found by `delete`. */
	if (rt_partition_save(p, r == 0 ? e : NULL) < 0 && r == 0)
		r = -e->code;
	return r < 0 ? r : rdt_update(p, l3_schema, mb_schema, e);
}

int rt_pids(const struct rt_ctx *ctx, const char *id, pid_t **pids, size_t *n, struct err *e)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;
	int r = rt_partition_open(ctx, id, RT_UNLOCKED, &p, e);

	return r < 0 ? r : p->engine->pids(p, pids, n, e);
}

/* --- signal names
 * -----------------------------------------------------------------------------------------------------------------------------
 */

/* "RTMIN", "RTMIN+n", "RTMAX-n". */
static int realtime_signal(const char *s)
{
	bool from_min = strncasecmp(s, "RTMIN", 5) == 0;
	uint32_t n = 0;

	if (!from_min && strncasecmp(s, "RTMAX", 5) != 0)
		return -EINVAL;
	s += 5;
	if (*s) {
		if (*s != (from_min ? '+' : '-') || str_to_u32(s + 1, &n) < 0 ||
			n > (uint32_t)(SIGRTMAX - SIGRTMIN))
			return -EINVAL;
	}
	return from_min ? SIGRTMIN + (int)n : SIGRTMAX - (int)n;
}

int rt_signal_parse(const char *s, struct err *e)
{
	const char *name = s;
	uint32_t number;
	int sig;

	/* 0 as in kill(2): is it there? */
	if (str_to_u32(s, &number) == 0 && number < NSIG)
		return (int)number;
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	for (sig = 1; sig < SIGRTMIN; sig++) {
		const char *abbrev = sigabbrev_np(sig);

		if (abbrev && strcasecmp(abbrev, name) == 0)
			return sig;
	}
	if (strcasecmp(name, "IOT") == 0)
		return SIGABRT;
	if (strcasecmp(name, "CLD") == 0)
		return SIGCHLD;
	if (strcasecmp(name, "POLL") == 0)
		return SIGPOLL;
	sig = realtime_signal(name);
	if (sig > 0)
		return sig;
	return err_text(e, EINVAL,
		"unknown signal \"%s\": use a number from 0 to %d, or a name such as TERM, SIGTERM or "
		"RTMIN+3",
		s, NSIG - 1);
}
