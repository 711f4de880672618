/* SPDX-License-Identifier: Apache-2.0 */
/* Several launched partitions, one after the other (see launched.h). */
#include "cli/launched.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "base/fd.h"

typedef int act_fn(const struct launch_ctx *ctx, const char *name, const void *arg, struct err *e);

/* --- at once: each of them may wait ten seconds for a payload
 * ------------------------------------------------ */

#define AT_ONCE 16

struct job {
	pid_t pid; /* 0: it was not worth a process */
	int fd;
	struct err err;
};

/* One name, or no process to be had: here and now. */
static void begin(struct job *j, bool alone, const struct launch_ctx *ctx, const char *name, act_fn *act,
	const void *arg)
{
	int p[2];

	*j = (struct job){ .fd = -EBADF };
	if (alone || pipe2(p, O_CLOEXEC) < 0) {
		act(ctx, name, arg, &j->err);
		return;
	}
	j->pid = fork();
	if (j->pid == 0) {
		act(ctx, name, arg, &j->err);
		_exit(fd_write_all(p[1], &j->err, sizeof(j->err)) < 0);
	}
	fd_close(p[1]);
	j->fd = p[0];
	if (j->pid < 0) {
		j->pid = 0;
		j->fd = fd_close(j->fd);
		act(ctx, name, arg, &j->err);
	}
}

static void finish(struct job *j)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int status;

	if (!j->pid)
		return;
	if (fd_read_all(j->fd, sizeof(j->err), &text, &len) == 0 && len == sizeof(j->err))
		memcpy(&j->err, text, len);
	else
		err_text(&j->err, ECHILD, "the process that was to do it was killed");
	j->fd = fd_close(j->fd);
	while (waitpid(j->pid, &status, 0) < 0 && errno == EINTR)
		;
}

/* --- what is told
 * --------------------------------------------------------------------------------------------- */

static int tell(struct json_writer *w, const char *name, const struct err *failure, struct err *e)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };

	if (w) {
		json_open_object(w, NULL);
		json_put_string(w, "name", name);
		if (failure->code)
			json_put_string(w, "error", failure->text);
		json_close_object(w);
		return 0;
	}
	if (failure->code)
		return 0;
	strbuf_printf(&b, "%s\n", name);
	return b.failed ? err_set(e, ENOMEM, "%s", name) : cli_print(b.s, b.len, e);
}

int cli_each_launched(const struct launch_ctx *ctx, char *const *names, bool json, act_fn *act,
	const void *arg, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json ? json_writer_new(false) : NULL;
	struct err first = ERR_INIT;
	size_t n = strv_len(names), begun = 0, failed = 0;
	struct job jobs[AT_ONCE];
	int r = 0;

	if (json && !w)
		return err_set(e, ENOMEM, "write JSON");
	if (w)
		json_open_array(w, NULL);
	for (size_t i = 0; i < n; i++) {
		struct job *j = &jobs[i % AT_ONCE];
		int told;

		for (; begun < n && begun < i + AT_ONCE; begun++)
			begin(&jobs[begun % AT_ONCE], n == 1, ctx, names[begun], act, arg);
		finish(j);
		if (j->err.code && failed++ == 0)
			first = j->err;
		told = tell(w, names[i], &j->err, e);
		r = r < 0 ? r : told;
	}
	if (w) {
		json_close_array(w);
		r = cli_print_json(w, e);
	}
	if (failed == 0 || r < 0)
		return r;
	*e = first;
	return n > 1 ? err_wrap(e, "%zu of %zu failed, first", failed, n) : -e->code;
}

static bool runs(const struct launch_info *i)
{
	return i->status == LAUNCH_RUNNING || i->status == LAUNCH_PAUSED || i->status == LAUNCH_RESTARTING;
}

int cli_each_running(const struct launch_ctx *ctx, char *const *names, bool all, bool json, act_fn *act,
	const void *arg, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = NULL;
	struct launch_info *list = NULL;
	size_t n = 0, k = 0;
	char **running;
	int r;

	if (!all && !names[0])
		return err_text(e, EINVAL, "no partition named; say which, or --all");
	if (all && names[0])
		return err_text(e, EINVAL, "option --all means all that run: \"%s\" cannot be named as well",
			names[0]);
	if (!all)
		return cli_each_launched(ctx, names, json, act, arg, e);
	a = arena_new();
	r = a ? launch_list(ctx, a, &list, &n, e) : err_set(e, ENOMEM, "list partitions");
	if (r < 0)
		return r;
	running = arena_calloc(a, n + 1, sizeof(*running));
	if (!running)
		return err_set(e, ENOMEM, "list partitions");
	for (size_t i = 0; i < n; i++)
		if (runs(&list[i]))
			running[k++] = arena_strdup(a, list[i].record->name);
	return cli_each_launched(ctx, running, json, act, arg, e);
}
