/* SPDX-License-Identifier: Apache-2.0 */
/* What the monitor asks for, and the answers (proto.h, plan.h). */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/guest/guest.h"

static void refuse(struct guest *g, const struct proto_msg *m, int code, const char *text)
{
	struct err e = ERR_INIT;

	err_text(&e, code, "%s", text);
	guest_refuse(g, m->id, m->serial, &e, false);
}

/* True if it is under way. */
static bool work(struct guest *g, enum guest_work what, const struct proto_msg *m)
{
	struct err e = ERR_INIT;

	if (guest_work(g, what, m, &e) == 0)
		return true;
	guest_refuse(g, m->id, m->serial, &e, false);
	return false;
}

/* Requests that lead from one phase to the next come one by one, and in their order. */
static bool in_order(struct guest *g, const struct proto_msg *m, bool is, bool under_way)
{
	if (is && !under_way)
		return true;
	refuse(g, m, under_way ? EBUSY : EINVAL,
		under_way
			? "the guest is still at the request before this one"
			: "the guest is not in a state for this: SETUP, CREATE and START come in this order");
	return false;
}

static void config(struct guest *g, const struct proto_msg *m)
{
	const struct guest_partition *p = guest_partition_find(g, 0);
	char path[GUEST_PATH_MAX];

	/* There is no answer to this one: CREATE will miss it. */
	guest_bundle(0, "config.json", path);
	unlink(path);
	if (m->id == 0 && g->set_up && p->phase == GUEST_EMPTY && !p->under_way)
		guest_put_file(path, m->data, m->len, NULL);
}

/* The first one, and those that join it in its machine. */
static void create(struct guest *g, const struct proto_msg *m)
{
	struct guest_partition *p = guest_partition_find(g, m->id);
	const struct guest_partition *first = guest_partition_find(g, 0);
	bool ready = p ? p->phase == GUEST_EMPTY : first->phase != GUEST_EMPTY;

	if (!in_order(g, m, g->set_up && ready, p && p->under_way))
		return;
	if (!p && guest_process_find(g, m->id)) {
		refuse(g, m, EEXIST, "CREATE: this id is another process's");
		return;
	}
	if (!p && !(p = guest_partition_new(g, m->id))) {
		refuse(g, m, errno, "the guest has no room for another partition");
		return;
	}
	p->under_way = work(g, WORK_CREATE, m);
	if (!p->under_way && p->id != 0)
		guest_partition_free(g, p);
}

static void start(struct guest *g, const struct proto_msg *m)
{
	struct guest_partition *p = guest_partition_find(g, m->id);

	/* One that was killed before this has been removed, and is about to be told of. */
	if (in_order(g, m, p && p->phase == GUEST_CREATED && !p->removed, p && p->under_way))
		p->under_way = work(g, WORK_START, m);
}

static void exec(struct guest *g, const struct proto_msg *m)
{
	struct guest_process *p;

	/* Which partition it is for is in what only the worker reads. */
	if (guest_partition_find(g, 0)->phase < GUEST_CREATED)
		refuse(g, m, ESRCH, "there is no partition yet");
	else if (m->id == 0 || guest_process_find(g, m->id) || guest_partition_find(g, m->id))
		refuse(g, m, EEXIST, "EXEC: this id is another process's");
	else if (!(p = guest_process_new(g, m->id)))
		refuse(g, m, ENOMEM, "the guest has no memory for this");
	else if (!work(g, WORK_EXEC, m))
		guest_process_free(g, p);
}

static void send_signal(struct guest *g, const struct proto_msg *m)
{
	struct guest_process *p = guest_process_find(g, m->id);
	const struct guest_partition *of = guest_partition_find(g, m->id);
	uint32_t sig = proto_u32(m, 0), flags = proto_u32(m, 4);

	if (m->len != 8 || sig > 64) {
		refuse(g, m, EINVAL, "SIGNAL: no such signal");
		return;
	}
	/* The runtime knows what a final signal must reach where there is no pid namespace. */
	if (of && of->phase >= GUEST_CREATED && ((flags & PROTO_ALL) || (p && sig == SIGKILL)))
		work(g, WORK_SIGNAL, m);
	else if (!p || p->pid <= 0 || kill(p->pid, (int)sig) < 0)
		refuse(g, m, ESRCH, "container not running: no such process");
	else
		guest_say(g, PROTO_DONE, 0, m->id, m->serial, NULL, 0);
}

static void of_partition(struct guest *g, enum guest_work what, const struct proto_msg *m)
{
	const struct guest_partition *p = guest_partition_find(g, m->id);

	if (!p || p->phase < GUEST_CREATED)
		refuse(g, m, ESRCH, "there is no partition yet");
	else
		work(g, what, m);
}

void guest_request(struct guest *g, const struct proto_msg *m)
{
	struct guest_process *p;

	switch (m->type) {
	case PROTO_SETUP:
		if (in_order(g, m, !g->set_up, g->setting_up))
			g->setting_up = work(g, WORK_SETUP, m);
		break;
	case PROTO_CONFIG:
		config(g, m);
		break;
	case PROTO_CREATE:
		create(g, m);
		break;
	case PROTO_START:
		start(g, m);
		break;
	case PROTO_EXEC:
		exec(g, m);
		break;
	case PROTO_SIGNAL:
		send_signal(g, m);
		break;
	case PROTO_WINSIZE:
		p = guest_process_find(g, m->id);
		if (p)
			guest_process_resize(p, m);
		break;
	case PROTO_STDIN:
		p = guest_process_find(g, m->id);
		if (p)
			guest_process_input(g, p, m->data, m->len);
		break;
	case PROTO_CREDIT:
		guest_process_credit(g, m->id, m->flags, proto_u32(m, 0));
		break;
	case PROTO_DNS:
		guest_dns_answer(g, m);
		break;
	case PROTO_UPDATE:
		of_partition(g, WORK_UPDATE, m);
		break;
	case PROTO_STATS:
		of_partition(g, WORK_STATS, m);
		break;
	case PROTO_PIDS:
		of_partition(g, WORK_PIDS, m);
		break;
	case PROTO_PAUSE:
		of_partition(g, WORK_PAUSE, m);
		break;
	case PROTO_RESUME:
		of_partition(g, WORK_RESUME, m);
		break;
	case PROTO_SYNC:
		work(g, WORK_SYNC, m);
		break;
	case PROTO_OFF:
		g->off = true;
		break;
	default:
		refuse(g, m, EOPNOTSUPP,
			"the guest's agent does not know this request: is it of an older version?");
	}
}

/* --- answers
 * --------------------------------------------------------------------------------------------------- */

static void set_up(struct guest *g, struct guest_worker *w)
{
	g->setting_up = false;
	if (w->a.error.code)
		return;
	g->relay = w->a.pid;
	g->dns = TAKE_FD(w->fds[GUEST_OUT]);
	g->set_up = true;
}

/* True when it is to be answered; false: it has been, or will be. */
static bool created(struct guest *g, struct guest_worker *w)
{
	struct guest_process *p = w->a.error.code ? NULL : guest_process_new(g, w->id);
	struct guest_partition *of = guest_partition_find(g, w->id);

	of->under_way = false;
	if (!p) {
		if (!w->a.error.code)
			err_set(&w->a.error, ENOMEM, "CREATE");
		/* A worker that was killed has tidied nothing up. Of the first one the monitor asks for the
		 * machine's end. */
		if (of->id == 0)
			return true;
		guest_partition_undo(g, of, w);
		return false;
	}
	guest_process_adopt(p, w);
	of->oom = TAKE_FD(w->fds[GUEST_OOM]);
	of->oom_how = w->a.oom_how;
	of->phase = GUEST_CREATED;
	return true;
}

/* As created(). */
static bool started(struct guest *g, const struct guest_worker *w)
{
	struct guest_process *p = guest_process_find(g, w->id);
	struct guest_partition *of = guest_partition_find(g, w->id);

	of->under_way = false;
	of->phase = GUEST_STARTED;
	if (p && w->a.error.code)
		guest_process_free(g, p);
	else if (p)
		p->answered = true;
	if (!w->a.error.code || of->id == 0)
		return true;
	guest_partition_undo(g, of, w);
	return false;
}

static void executed(struct guest *g, struct guest_worker *w)
{
	struct guest_process *p = guest_process_find(g, w->id);

	if (p && w->a.error.code)
		guest_process_free(g, p);
	if (!p || w->a.error.code)
		return;
	guest_process_adopt(p, w);
	p->answered = true;
}

static void deleted(struct guest *g, const struct guest_worker *w)
{
	struct guest_partition *of = guest_partition_find(g, w->id);

	if (!of)
		return;
	/* Whatever came of it: it is not tried again. */
	of->under_way = false;
	of->removed = true;
	if (!guest_process_find(g, of->id))
		guest_partition_free(g, of);
}

void guest_answered(struct guest *g, struct guest_worker *w)
{
	struct guest_process *p;
	bool well;

	if (w->what == WORK_SETUP)
		set_up(g, w);
	else if (w->what == WORK_CREATE && !created(g, w))
		return;
	else if (w->what == WORK_START && !started(g, w))
		return;
	else if (w->what == WORK_EXEC)
		executed(g, w);
	else if (w->what == WORK_OFF) {
		g->off_until = 0;
		return;
	} else if (w->what == WORK_DELETE) {
		deleted(g, w);
		return;
	}
	well = !w->a.error.code;
	if (well)
		guest_say(g, PROTO_DONE, 0, w->id, w->serial, w->text, w->a.text_len);
	else
		guest_refuse(g, w->id, w->serial, &w->a.error, w->a.exec_failed);
	/* What came for its input while it was not there. */
	if (well && (w->what == WORK_EXEC || w->what == WORK_CREATE)) {
		p = guest_process_find(g, w->id);
		if (p && (p->in_len || p->close_input))
			guest_process_push(g, p);
	}
}
