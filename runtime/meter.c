/* SPDX-License-Identifier: Apache-2.0 */
/* A partition that is looked at again and again (see runtime.h): what of its state is needed stays in memory.
 */
#include <errno.h>

#include "base/fd.h"
#include "runtime/engine.h"

struct rt_meter {
	struct rt_partition *p;
};

static int ended(const char *id, struct err *e)
{
	return err_text(e, ESRCH, "container not running: \"%s\"", id);
}

int rt_meter_open(const struct rt_ctx *ctx, const char *id, struct rt_meter **out, struct err *e)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;
	enum rt_status status;
	struct rt_meter *m;
	int r = rt_partition_open(ctx, id, RT_UNLOCKED, &p, e);

	if (r == 0)
		r = rt_partition_status(p, &status, e);
	if (r < 0)
		return r;
	if (status == RT_STOPPED || status == RT_CREATING)
		return ended(id, e);
	m = calloc(1, sizeof(*m));
	if (!m)
		return err_set(e, ENOMEM, "look at container \"%s\"", id);
	/* With thousands of them two each would be too many. */
	p->dirfd = fd_close(p->dirfd);
	p->rootfd = fd_close(p->rootfd);
	m->p = TAKE_PTR(p);
	*out = m;
	return 0;
}

int rt_meter_read(struct rt_meter *m, struct rt_usage *out, struct err *e)
{
	return rt_alive(m->p) ? m->p->engine->usage(m->p, out, e) : ended(m->p->id, e);
}

void rt_meter_free(struct rt_meter *m)
{
	if (m)
		rt_partition_free(m->p);
	free(m);
}
