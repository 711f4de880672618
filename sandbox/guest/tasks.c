/* SPDX-License-Identifier: Apache-2.0 */
/* What workers do: a request of the monitor's each, by the runtime's calls. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/path.h"
#include "namespaces/net.h"
#include "runtime/partition.h"
#include "sandbox/guest/guest.h"

static char state[GUEST_PATH_MAX];
static const struct rt_ctx context = { .root = state, .manager = CGRP_CGROUPFS, .rootless = 0 };

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "do what was asked for in the guest");
}

/* --- standard input, output and error ----------------------------------------------------------------------
 */

struct stdio {
	bool terminal, input;
	char console[64]; /* where the runtime sends the terminal to */
	char pid[64];	  /* … and writes the pid to */
	int listener;
};

static int listen_at(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(at.sun_path, path, strlen(path) + 1);
	unlink(path);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 1) == 0)
		return fd;
	fd_close(fd);
	return -errno;
}

static int make_pipe(struct guest_task *t, int i, struct err *e)
{
	int p[2], theirs;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(e, errno, "make a pipe");
	t->fds[i] = p[i == GUEST_IN];
	theirs = p[i != GUEST_IN];
	/* Whoever the payload's first process turns its children into may open /dev/stderr, too. */
	if (fcntl(t->fds[i], F_SETFL, O_NONBLOCK) < 0 || fchmod(theirs, i == GUEST_IN ? 0644 : 0622) < 0 ||
		dup2(theirs, i) < 0)
		return err_set(e, errno, "set up a pipe");
	close(theirs);
	return 0;
}

static int make_stdio(struct guest_task *t, struct stdio *s, struct err *e)
{
	int r = 0;

	snprintf(s->pid, sizeof(s->pid), PLAN_DIR "/pid.%u", t->m->id);
	snprintf(s->console, sizeof(s->console), PLAN_DIR "/console.%u", t->m->id);
	s->listener = -EBADF;
	if (s->terminal) {
		s->listener = listen_at(s->console);
		return s->listener < 0 ? err_set(e, -s->listener, "listen at %s", s->console) : 0;
	}
	for (int i = s->input ? GUEST_IN : GUEST_OUT; r == 0 && i <= GUEST_ERR; i++)
		r = make_pipe(t, i, e);
	return r;
}

/* What the runtime has left for us. */
static int take_stdio(struct guest_task *t, struct stdio *s, struct err *e)
{
	_cleanup_close_ int conn = -EBADF;
	char text[32], name[256];
	size_t n = 1;
	int r = (int)fd_get_at(AT_FDCWD, s->pid, text, sizeof(text)), pid;

	unlink(s->pid);
	if (r < 0 || str_to_int(text, &pid) < 0)
		return err_set(e, r < 0 ? -r : EINVAL, "read %s", s->pid);
	t->a.pid = pid;
	t->a.terminal = s->terminal;
	if (!s->terminal)
		return 0;
	conn = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
	if (conn < 0 || fd_recv(conn, name, sizeof(name), &t->fds[GUEST_OUT], &n) < 0 || n != 1)
		return err_text(e, EPROTO, "the terminal did not come");
	return fcntl(t->fds[GUEST_OUT], F_SETFL, O_NONBLOCK) < 0 ? err_set(e, errno, "set up the terminal")
								 : 0;
}

static void end_stdio(struct stdio *s)
{
	if (s->terminal)
		unlink(s->console);
	fd_close(s->listener);
}

/* --- the partition
 * -------------------------------------------------------------------------------------------- */

static int parse(struct guest_task *t, const char *what, const struct json **out, struct err *e)
{
	return json_parse(t->arena, (const char *)t->m->data, t->m->len, what, out, e);
}

static int get_bool(const struct json *j, const char *name, bool *out, struct err *e)
{
	const struct json *v = json_get(j, name);

	return v ? json_as_bool(v, name, out, e) : 0;
}

/* With the plan, by which the snapshot is read. */
static int know_number(struct guest_task *t, uint32_t number, struct guest_plan *plan, struct err *e)
{
	int r = guest_plan_read(t->g, number, t->arena, plan, e);

	guest_state(number, state);
	rt_set_adapter(guest_adapt, plan);
	return r;
}

/* Of the partition that the request names. */
static int know(struct guest_task *t, struct guest_plan *plan, struct err *e)
{
	return know_number(t, t->m->id, plan, e);
}

static int do_setup(struct guest_task *t, struct err *e)
{
	const struct json *setup;
	int r = parse(t, "SETUP", &setup, e);

	return r < 0 ? r : guest_set_up(t->g, setup, &t->a.pid, &t->fds[GUEST_OUT], e);
}

static int wants_terminal(struct guest_task *t, bool *terminal, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	const struct json *config;
	size_t len;
	char path[GUEST_PATH_MAX];
	int r;

	guest_bundle(t->m->id, "config.json", path);
	r = fd_read_at(AT_FDCWD, path, SPEC_FILE_MAX, &text, &len);
	if (r < 0)
		return err_set(e, -r, "read the config: was CONFIG sent?");
	r = json_parse(t->arena, text, len, "config.json", &config, e);
	return r < 0 ? r : get_bool(json_get(config, "process"), "terminal", terminal, e);
}

/* Where there is no memory controller nobody is told. */
static void watch_memory(struct guest_task *t, const char *id)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;

	if (rt_partition_open(&context, id, RT_UNLOCKED, &p, NULL) == 0 && p->cgroup)
		t->fds[GUEST_OOM] = cgrp_oom_fd(p->cgroup, &t->a.oom_how, NULL);
}

static int do_create(struct guest_task *t, struct err *e)
{
	struct stdio s = { .input = true, .listener = -EBADF };
	char bundle[GUEST_PATH_MAX];
	struct rt_create_opts o = { .bundle = bundle, .detach = true };
	struct guest_plan plan;
	int r = guest_plan_keep(t->m, t->arena, e);

	guest_bundle(t->m->id, "", bundle);
	if (r == 0)
		r = know(t, &plan, e);
	if (r == 0)
		r = get_bool(plan.json, "stdin", &s.input, e);
	if (r == 0)
		r = wants_terminal(t, &s.terminal, e);
	if (r == 0)
		r = guest_make_upper(&plan, e);
	if (r == 0)
		r = guest_make_shm(&plan, e);
	if (r == 0)
		r = make_stdio(t, &s, e);
	if (r == 0) {
		plan.creating = true;
		o.id = plan.id;
		o.pid_file = s.pid;
		o.console_socket = s.terminal ? s.console : NULL;
		r = rt_create(&context, &o, e);
	}
	if (r == 0) {
		r = take_stdio(t, &s, e);
		if (r < 0)
			rt_delete(&context, plan.id, true, NULL);
		else
			watch_memory(t, plan.id);
	}
	if (r < 0 && t->m->id == 0)
		umount2(GUEST_UPPER, MNT_DETACH);
	end_stdio(&s);
	return r;
}

static int do_start(struct guest_task *t, struct err *e)
{
	struct guest_plan plan;
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;
	int r = know(t, &plan, e);

	if (r < 0)
		return r;
	r = rt_start(&context, plan.id, e);
	/* What a hook has failed for is gone; what could not be executed stays, and so it does on the host.
	 */
	if (r < 0)
		t->a.exec_failed = rt_partition_open(&context, plan.id, RT_UNLOCKED, &p, NULL) == 0;
	return r;
}

/* --- exec
 * ------------------------------------------------------------------------------------------------------- */

static int get_string(const struct json *j, const char *name, const char **out, struct err *e)
{
	const struct json *v = json_get(j, name);

	return v ? json_as_string(v, name, out, e) : 0;
}

/* An array of strings; group ids may be numbers, too. NULL if it is not there. */
static int get_strings(
	struct guest_task *t, const struct json *j, const char *name, char *const **out, struct err *e)
{
	const struct json *list = json_get(j, name), *v;
	char **strings;
	size_t n = 0;
	int r = 0;

	if (!list)
		return 0;
	if (list->type != JSON_ARRAY)
		return err_text(e, EINVAL, "EXEC: %s must be an array", name);
	strings = arena_calloc(t->arena, list->count + 1, sizeof(char *));
	if (!strings)
		return no_memory(e);
	json_each (v, list) {
		if (v->type == JSON_NUMBER)
			strings[n++] = (char *)v->text;
		else
			r = json_as_string(v, name, (const char **)&strings[n++], e);
		if (r < 0)
			return r;
	}
	*out = strings;
	return 0;
}

static int write_process(const struct json *process, const char *file, struct err *e)
{
	_cleanup_free_ char *text = guest_adapt_process(process);

	return text ? guest_put_file(file, text, strlen(text), e) : no_memory(e);
}

static int read_exec(
	struct guest_task *t, const struct json *j, struct rt_exec_opts *o, bool *input, struct err *e)
{
	bool tty = false;
	int r = get_strings(t, j, "args", &o->args, e);

	if (r == 0)
		r = get_string(j, "cwd", &o->cwd, e);
	if (r == 0)
		r = get_strings(t, j, "env", &o->env, e);
	if (r == 0)
		r = get_bool(j, "tty", &tty, e);
	if (r == 0)
		r = get_string(j, "user", &o->user, e);
	if (r == 0)
		r = get_strings(t, j, "additionalGids", &o->additional_gids, e);
	if (r == 0)
		r = get_strings(t, j, "caps", &o->caps, e);
	if (r == 0)
		r = get_bool(j, "noNewPrivileges", &o->no_new_privs, e);
	if (r == 0)
		r = get_bool(j, "stdin", input, e);
	o->no_new_privs_given = json_get(j, "noNewPrivileges");
	o->tty = json_get(j, "tty") ? tty : -1;
	return r;
}

static int do_exec(struct guest_task *t, struct err *e)
{
	struct stdio s = { .input = true, .listener = -EBADF };
	struct rt_exec_opts o = { .tty = -1, .detach = true };
	const struct json *j, *process;
	struct guest_plan plan;
	uint64_t number = 0;
	char file[64];
	int r = parse(t, "EXEC", &j, e), status;

	if (r == 0 && json_get(j, "partition"))
		r = json_as_u64(json_get(j, "partition"), "partition", &number, e);
	if (r == 0)
		r = know_number(t, (uint32_t)number, &plan, e);
	if (r == 0)
		r = read_exec(t, j, &o, &s.input, e);
	if (r < 0)
		return r;
	process = json_get(j, "process");
	snprintf(file, sizeof(file), PLAN_DIR "/process.%u", t->m->id);
	s.terminal = o.tty > 0;
	if (process) {
		o.process_file = file;
		if (!s.terminal)
			r = get_bool(process, "terminal", &s.terminal, e);
		if (r == 0)
			r = write_process(process, file, e);
	}
	if (r == 0)
		r = make_stdio(t, &s, e);
	if (r == 0) {
		o.id = plan.id;
		o.pid_file = s.pid;
		o.console_socket = s.terminal ? s.console : NULL;
		r = rt_exec(&context, &o, &status, &t->a.exec_failed, e);
	}
	if (r == 0) {
		r = take_stdio(t, &s, e);
		if (r < 0 && t->a.pid > 0)
			kill(t->a.pid, SIGKILL);
	}
	if (process)
		unlink(file);
	end_stdio(&s);
	return r;
}

/* --- the others
 * -------------------------------------------------------------------------------------------------- */

static int do_signal(struct guest_task *t, struct err *e)
{
	struct guest_plan plan;
	int r = know(t, &plan, e);

	if (r < 0)
		return r;
	return rt_kill(&context, plan.id, (int)proto_u32(t->m, 0), proto_u32(t->m, 4) & PROTO_ALL, e);
}

static int do_update(struct guest_task *t, struct err *e)
{
	struct spec_resources res;
	struct guest_plan plan;
	int r = know(t, &plan, e);

	if (r == 0)
		r = spec_parse_resources(t->arena, (const char *)t->m->data, t->m->len, &res, e);
	if (r < 0)
		return r;
	guest_adapt_resources(&res);
	/* Of devices it is the host that says which there are. */
	res.n_devices = 0;
	return rt_update(&context, plan.id, &res, NULL, NULL, e);
}

static int do_stats(struct guest_task *t, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	_cleanup_free_ char *line = NULL;
	const struct json *event, *v;
	struct guest_plan plan;
	size_t len;
	const char *text;
	int r = know(t, &plan, e);

	if (r == 0)
		r = rt_stats(&context, plan.id, &line, e);
	if (r == 0)
		r = json_parse(t->arena, line, strlen(line), "statistics", &event, e);
	if (r < 0)
		return r;
	if (!w)
		return no_memory(e);
	json_open_object(w, NULL);
	json_each (v, json_get(event, "data"))
		if (!str_eq(v->key, "network_interfaces"))
			json_put_json(w, v->key, v);
	/* The guest's are the partition's. */
	if (net_stats(getpid(), w, NULL) < 0)
		json_put_strv(w, "network_interfaces", NULL);
	json_close_object(w);
	text = json_writer_text(w, &len);
	if (!text)
		return no_memory(e);
	strbuf_add(&t->text, text, len);
	return 0;
}

static int do_pids(struct guest_task *t, struct err *e)
{
	_cleanup_free_ pid_t *pids = NULL;
	struct guest_plan plan;
	size_t n = 0;
	int r = know(t, &plan, e);

	if (r == 0)
		r = rt_pids(&context, plan.id, &pids, &n, e);
	if (r < 0)
		return r;
	strbuf_puts(&t->text, "[");
	for (size_t i = 0; i < n; i++)
		strbuf_printf(&t->text, "%s%d", i ? "," : "", (int)pids[i]);
	strbuf_puts(&t->text, "]");
	return 0;
}

static int do_pause(struct guest_task *t, struct err *e)
{
	struct guest_plan plan;
	int r = know(t, &plan, e);

	return r < 0 ? r : rt_pause(&context, plan.id, e);
}

static int do_resume(struct guest_task *t, struct err *e)
{
	struct guest_plan plan;
	int r = know(t, &plan, e);

	return r < 0 ? r : rt_resume(&context, plan.id, e);
}

static int do_sync(struct guest_task *t, struct err *e)
{
	(void)t;
	(void)e;
	sync();
	return 0;
}

static int do_delete(struct guest_task *t, struct err *e)
{
	struct guest_plan plan;
	int r = know(t, &plan, e);

	return r < 0 ? r : rt_delete(&context, plan.id, true, e);
}

static int do_off(struct guest_task *t, struct err *e)
{
	struct guest_plan plan;
	int r = 0;

	/* What they have open would keep mounts busy. Those that joined were put in front of the first. */
	for (const struct guest_partition *p = t->g->partitions; p; p = p->next) {
		struct err why = ERR_INIT;
		int one = 0;

		if (p->phase != GUEST_EMPTY || p->under_way)
			one = know_number(t, p->id, &plan, &why);
		if (one == 0 && p->phase != GUEST_EMPTY)
			one = rt_delete(&context, plan.id, true, &why);
		if (one < 0 && r == 0) {
			r = one;
			*e = why;
		}
	}
	if (t->g->machine)
		guest_take_down();
	return r;
}

int guest_do(enum guest_work what, struct guest_task *t, struct err *e)
{
	static int (*const tasks[])(struct guest_task *, struct err *) = {
		[WORK_SETUP] = do_setup,
		[WORK_CREATE] = do_create,
		[WORK_START] = do_start,
		[WORK_EXEC] = do_exec,
		[WORK_SIGNAL] = do_signal,
		[WORK_UPDATE] = do_update,
		[WORK_STATS] = do_stats,
		[WORK_PIDS] = do_pids,
		[WORK_PAUSE] = do_pause,
		[WORK_RESUME] = do_resume,
		[WORK_SYNC] = do_sync,
		[WORK_DELETE] = do_delete,
		[WORK_OFF] = do_off,
	};

	return tasks[what](t, e);
}
