/* SPDX-License-Identifier: Apache-2.0 */
/* Workers: how they are started, how they answer (guest.h has the theory); tasks.c has what they do. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"
#include "sandbox/guest/guest.h"

#define PACKET 16384
#define ANSWER 3 /* the worker's end, as its only descriptor but for standard input, output and error */

/* --- the worker --------------------------------------------------------------------------------------------
 */

/* The runtime's warnings: a line each, as JSON; what counts of it is "msg". */
static void collect_log(struct guest_task *t, int file, struct strbuf *out)
{
	_cleanup_free_ char *text = NULL;
	char *rest, *line;

	if (file < 0 || fd_read_all(file, PROTO_DATA_MAX, &text, NULL) < 0)
		return;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		const struct json *j;
		const char *msg;

		if (!*line || json_parse(t->arena, line, strlen(line), "log", &j, NULL) < 0 ||
			!json_get(j, "msg") || json_as_string(json_get(j, "msg"), "msg", &msg, NULL) < 0)
			continue;
		strbuf_printf(out, "%s%s", out->len ? "\n" : "", msg);
	}
}

static int open_log(int *file)
{
	char name[64], target[80];
	int r;

	snprintf(name, sizeof(name), PLAN_DIR "/log.%d", (int)getpid());
	snprintf(target, sizeof(target), "file:%s", name);
	r = log_open(target, "json", LOG_LEVEL_WARNING, NULL);
	*file = r < 0 ? -EBADF : open(name, O_RDONLY | O_CLOEXEC);
	unlink(name);
	return r;
}

static void send_text(const struct strbuf *b)
{
	for (size_t at = 0; at < b->len; at += PACKET)
		fd_send(ANSWER, b->s + at, b->len - at < PACKET ? b->len - at : PACKET, NULL, 0);
}

static void answer(struct guest_task *t, int log)
{
	_cleanup_strbuf_ struct strbuf lines = { 0 };
	int fds[GUEST_FDS];
	size_t n = 0;

	collect_log(t, log, &lines);
	if (t->text.failed && !t->a.error.code)
		err_set(&t->a.error, ENOMEM, "answer");
	for (int i = 0; i < GUEST_FDS; i++) {
		if (t->fds[i] < 0 || t->a.error.code)
			continue;
		t->a.fds |= 1U << i;
		fds[n++] = t->fds[i];
	}
	t->a.text_len = t->a.error.code ? 0 : (uint32_t)t->text.len;
	t->a.log_len = (uint32_t)lines.len;
	fd_send(ANSWER, &t->a, sizeof(t->a), fds, n);
	if (t->a.text_len)
		send_text(&t->text);
	send_text(&lines);
}

static void run(const struct guest *g, enum guest_work what, const struct proto_msg *m)
{
	struct guest_task t = { .g = g, .m = m, .fds = { [0 ... GUEST_FDS - 1] = -EBADF } };
	int log = -EBADF, r;

	prctl(PR_SET_NAME, "ringfence-work");
	if (g->machine)
		guest_limits();
	t.arena = arena_new();
	open_log(&log);
	r = t.arena ? guest_do(what, &t, &t.a.error) : err_set(&t.a.error, ENOMEM, "start to work");
	/* A failure without a text must not pass for success. */
	if (r < 0 && !t.a.error.code)
		err_set(&t.a.error, -r, "it failed");
	answer(&t, log);
}

/* --- the agent
 * ----------------------------------------------------------------------------------------------- */

static void become_worker(int sock)
{
	sigset_t ours;

	/* As the runtime's own main() has it: what it runs starts with none blocked, and finds none ignored.
	 */
	sigemptyset(&ours);
	sigaddset(&ours, SIGPIPE);
	sigprocmask(SIG_SETMASK, &ours, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (sock == ANSWER)
		fcntl(ANSWER, F_SETFD, FD_CLOEXEC);
	else
		dup3(sock, ANSWER, O_CLOEXEC);
	/* Others' input would not end before we do. */
	fd_close_range(ANSWER + 1, ~0U);
}

int guest_work(struct guest *g, enum guest_work what, const struct proto_msg *m, struct err *e)
{
	struct guest_worker *w = calloc(1, sizeof(*w));
	int pair[2];

	if (!w)
		return err_set(e, ENOMEM, "start to work");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
		fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0) {
		free(w);
		return err_set(e, errno, "make a socket pair");
	}
	*w = (struct guest_worker){ .what = what,
		.id = m->id,
		.serial = m->serial,
		.sock = pair[0],
		.polled = -1,
		.fds = { [0 ... GUEST_FDS - 1] = -EBADF } };
	w->pid = fork();
	if (w->pid == 0) {
		become_worker(pair[1]);
		run(g, what, m);
		_exit(0);
	}
	close(pair[1]);
	if (w->pid < 0) {
		int code = errno;

		close(pair[0]);
		free(w);
		return err_set(e, code, "make a process in the guest");
	}
	w->next = g->workers;
	g->workers = w;
	g->n_workers++;
	return 0;
}

/* --- answers
 * --------------------------------------------------------------------------------------------------- */

static void take_head(struct guest_worker *w, const struct guest_answer *a, const int *fds, size_t n)
{
	size_t at = 0;

	w->a = *a;
	w->headed = true;
	for (int i = 0; i < GUEST_FDS; i++)
		if (a->fds & (1U << i) && at < n)
			w->fds[i] = fds[at++];
	w->text = malloc((size_t)a->text_len + a->log_len + 1);
	if (!w->text) {
		w->a.text_len = w->a.log_len = 0;
		err_set(&w->a.error, ENOMEM, "take the answer");
	}
}

/* True when it is whole. */
static bool take(struct guest_worker *w)
{
	union {
		struct guest_answer head;
		char text[PACKET];
	} packet;
	int fds[GUEST_FDS];
	size_t n = GUEST_FDS;
	ssize_t len;

	do {
		n = GUEST_FDS;
		len = fd_recv(w->sock, &packet, sizeof(packet), fds, &n);
		if (len <= 0)
			return false;
		if (!w->headed) {
			if (len != sizeof(packet.head))
				return false;
			take_head(w, &packet.head, fds, n);
		} else if ((size_t)len <= (size_t)w->a.text_len + w->a.log_len - w->have) {
			memcpy(w->text + w->have, packet.text, (size_t)len);
			w->have += (size_t)len;
		}
	} while (w->have < (size_t)w->a.text_len + w->a.log_len);
	return true;
}

static void settle(struct guest *g, struct guest_worker *w)
{
	w->sock = fd_close(w->sock);
	if (w->a.log_len)
		guest_say(g, PROTO_LOG, 0, w->id, 0, w->text + w->a.text_len, w->a.log_len);
	guest_answered(g, w);
	for (int i = 0; i < GUEST_FDS; i++)
		w->fds[i] = fd_close(w->fds[i]);
	free(w->text);
	w->text = NULL;
}

void guest_take_answers(struct guest *g)
{
	for (struct guest_worker *w = g->workers; w; w = w->next)
		if (w->sock >= 0 && take(w))
			settle(g, w);
}

bool guest_worker_ended(struct guest *g, pid_t pid)
{
	struct guest_worker **at = &g->workers, *w;

	while (*at && (*at)->pid != pid)
		at = &(*at)->next;
	w = *at;
	if (!w)
		return false;
	if (w->sock >= 0) {
		w->a = (struct guest_answer){ 0 };
		err_text(&w->a.error, ECHILD,
			"the process in the guest that was to do it was killed: is its memory too small?");
		settle(g, w);
		/* That may have put another one in front. */
		for (at = &g->workers; *at != w;)
			at = &(*at)->next;
	}
	*at = w->next;
	g->n_workers--;
	free(w);
	return true;
}
