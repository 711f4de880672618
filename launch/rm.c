/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing partitions.
 *
 * The order is that of record.h: what runs, then the runtime's partition, the network, the image's use, the
 * ids, volumes, the directory. The directory goes last, for it says what else there is: a removal that was
 * cut short is done again by the next one, and each step finds it no error that there is nothing left for it.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "launch/ids.h"
#include "launch/image.h"
#include "launch/network.h"
#include "launch/record_internal.h"
#include "launch/supervise.h"
#include "launch/tree.h"
#include "launch/volume.h"
#include "runtime/partition.h"

/* How long a supervisor, or a command in the foreground, may take to find out that its payload is dead. */
#define SUPERVISOR_MS 5000

/* --- ending it ---------------------------------------------------------------------------------- */

/* We are it, or its child. */
static bool is_ours(pid_t supervisor)
{
	return supervisor == getpid() || supervisor == getppid();
}

static void kill_process(pid_t pid, uint64_t start)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	/* The pidfd is held: it cannot become another process behind our back. */
	if (fd >= 0 && launch_process_lives(pid, start))
		(void)syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
	else if (fd < 0 && errno == ENOSYS && launch_process_lives(pid, start))
		(void)kill(pid, SIGKILL);
}

/*
 * Waits until who stays with the payload has seen its end: it is gone, or has written it down (then it may be
 * waiting for our lock to remove it all itself). 1: it was killed, and so may have left a partition behind.
 */
static int wait_for_supervisor(
	const struct rt_ctx *rt, const struct launch_dir *d, struct launch_state *s, struct arena *a)
{
	static const struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };

	for (int waited = 0; launch_supervised(s); waited += 5) {
		struct launch_state now;

		if (launch_state_read_at(d->fd, a, &now, NULL) == 0 && now.phase == LAUNCH_PHASE_ENDED)
			return 0;
		if (waited >= SUPERVISOR_MS) {
			kill_process(s->supervisor, s->supervisor_start);
			while (launch_supervised(s))
				nanosleep(&pause, NULL);
			return 1;
		}
		/* It may have been about to start the payload when we ended what there was. */
		if (waited % 100 == 95)
			(void)rt_delete(rt, d->record.name, true, NULL);
		nanosleep(&pause, NULL);
	}
	return 0;
}

/*
 * It may run, and the runtime knows nothing of it: somebody has removed its state by hand. An empty state
 * directory is a wreck to the runtime, which then looks for the cgroup that goes with the name.
 */
static int end_unknown(const struct rt_ctx *rt, const char *name, struct err *e)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;

	if (rt_partition_open(rt, name, RT_UNLOCKED, &p, NULL) != -ENOENT ||
		rt_partition_new(rt, name, &p, NULL) < 0)
		return 0;
	p = rt_partition_free(p);
	return rt_delete(rt, name, true, e);
}

/* Whatever of it runs does not any more, and the runtime does not know it. */
static int end_it(
	const struct launch_ctx *ctx, const struct launch_dir *d, bool force, struct arena *a, struct err *e)
{
	struct rt_ctx rt = launch_rt(ctx, &d->record);
	struct launch_state s = { 0 };
	bool supervised;
	int r;

	(void)launch_state_read_at(d->fd, a, &s, NULL);
	supervised = launch_supervised(&s) && !is_ours(s.supervisor);
	if (supervised)
		(void)launch_supervisor_stop(d, true, NULL);
	if (force && !is_ours(s.supervisor))
		(void)end_unknown(&rt, d->record.name, NULL);
	r = rt_delete(&rt, d->record.name, true, e);
	if (r == 0 && supervised && wait_for_supervisor(&rt, d, &s, a) > 0)
		r = rt_delete(&rt, d->record.name, true, e);
	return r;
}

/* --- what belongs to it ------------------------------------------------------------------------- */

/* Its anonymous ones, but for what somebody else has found a use for: that stays, for `volume prune`. */
static int remove_volumes(
	const struct launch_ctx *ctx, const struct launch_record *record, struct arena *a, struct err *e)
{
	const char *name;

	strv_each (name, record->anonymous_volumes) {
		struct err own = ERR_INIT;
		int r = launch_volume_rm_with(ctx, name, record->name, a, &own);

		if (r == -EBUSY)
			log_debug("%s", own.text);
		else if (r == -EINVAL)
			log_warn("volume \"%s\" stays: %s", name, own.text);
		else if (r < 0 && r != -ENOENT) {
			if (e)
				*e = own;
			return r;
		}
	}
	return 0;
}

static int remove_dir(struct launch_dir *d, struct err *e)
{
	int r = launch_tree_remove(d->partitions, d->record.name, d->fd);

	if (r == 0 || r == -ENOENT)
		return 0;
	err_set(e, r, "remove %s", d->path);
	if (r == -EXDEV || r == -EBUSY)
		err_hint(e, "something is mounted in it; see findmnt(8)");
	return -e->code;
}

int launch_remove(const struct launch_ctx *ctx, struct launch_dir *d, bool force, bool volumes,
	struct arena *a, struct err *e)
{
	const struct launch_record *record = &d->record;
	struct err first = ERR_INIT;
	int r = 0;

	for (int step = 0; step < 6; step++) {
		struct err own = ERR_INIT;

		switch (step) {
		case 0:
			r = end_it(ctx, d, force, a, &own);
			break;
		case 1:
			r = launch_network_down(ctx, record->name, &own);
			break;
		case 2:
			r = d->damaged || record->target ? launch_image_unpin(ctx, record->name, a, &own) : 0;
			break;
		case 3:
			/* A wreck may have been killed before there was a record to say so. */
			if (d->damaged)
				r = launch_ids_give_back_all(ctx, record->name, &own);
			else if (record->ids >= 0 && record->n_ids)
				r = launch_ids_give_back(ctx, record->name, record->ids, &own);
			else
				r = 0;
			break;
		case 4:
			r = volumes ? remove_volumes(ctx, record, a, &own) : 0;
			break;
		case 5:
			r = remove_dir(d, &own);
			break;
		}
		if (r == 0)
			continue;
		/* With processes that cannot be ended nothing of theirs is taken away. */
		if (!force || step == 0) {
			if (e)
				*e = own;
			return r;
		}
		log_debug("rm %s: %s", record->name, own.text);
		if (!first.code)
			first = own;
	}
	if (first.code && e)
		*e = first;
	return -first.code;
}

/* --- the verb ----------------------------------------------------------------------------------- */

static int check_idle(
	const struct launch_ctx *ctx, const struct launch_dir *d, struct arena *a, struct err *e)
{
	struct launch_info info;
	int r;

	if (d->damaged)
		return err_text(e, EBADMSG,
			"partition \"%s\" is a wreck: its launch.json is missing or damaged; remove it with "
			"--force",
			d->record.name);
	r = launch_look(ctx, d, a, &info, e);
	if (r < 0)
		return r;
	if (info.pid || info.status == LAUNCH_RUNNING || info.status == LAUNCH_PAUSED ||
		info.status == LAUNCH_RESTARTING ||
		(info.supervisor && !is_ours(info.supervisor) && info.status == LAUNCH_CREATED))
		return err_text(e, EBUSY,
			"partition \"%s\" is %s; stop it first with \"ringfence stop %s\", or use --force",
			d->record.name, launch_status_names[info.status], d->record.name);
	return 0;
}

int launch_rm(const struct launch_ctx *ctx, const char *name, bool force, bool volumes, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct launch_dir d = LAUNCH_DIR_INIT;
	struct err ignored = ERR_INIT;
	int r;

	if (!a)
		return err_set(e, ENOMEM, "remove partition \"%s\"", name);
	r = launch_dir_open(ctx, name, true, a, &d, e);
	if (r == 0 && !force)
		r = check_idle(ctx, &d, a, e);
	/* What is still under the name before goes, too. */
	if (r == 0 && launch_rename_finish(ctx, &d, a, &ignored) < 0)
		log_debug("rm %s: %s", name, ignored.text);
	if (r == 0)
		r = launch_remove(ctx, &d, force, volumes, a, e);
	launch_dir_close(&d);
	return r;
}
