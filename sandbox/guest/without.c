/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest has no use for: systemd as the manager of cgroups, and statistics of cgroup v1. These stand in
 * the places of cgroups/systemd.c and cgroups/libcgroup.c, so that neither they nor libdbus nor libcgroup
 * are linked in: the program's file is memory of the guest.
 */
#include "cgroups/internal.h"

static int none(struct err *e)
{
	return err_text(e, EOPNOTSUPP, "there is no systemd outside of the partition in a sandbox");
}

int cg_systemd_prepare(struct cgrp *c, const struct cgrp_params *p, struct err *e)
{
	(void)c;
	(void)p;
	return none(e);
}

int cg_systemd_attach(struct cgrp *c, pid_t pid, struct err *e)
{
	(void)c;
	(void)pid;
	return none(e);
}

int cg_systemd_update(const struct cgrp *c, const struct spec_resources *r, struct err *e)
{
	(void)c;
	(void)r;
	return none(e);
}

int cg_systemd_stop(const struct cgrp *c, struct err *e)
{
	(void)c;
	return none(e);
}

int cg_lines_v1(const struct cg_node *n, const char *file, void (*fn)(char *line, void *arg), void *arg)
{
	(void)n;
	(void)file;
	(void)fn;
	(void)arg;
	return -ENOENT;
}
