/* SPDX-License-Identifier: Apache-2.0 */
/* create, start, run, delete: a partition's way through its states (runtime.md of the runtime-spec,
 * "Lifecycle"). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/steps.h"
#include "base/str.h"
#include "runtime/attach.h"
#include "runtime/engine.h"
#include "runtime/files.h"
#include "runtime/hooks.h"
#include "runtime/launch.h"
#include "runtime/notify.h"
#include "runtime/seccomp_cache.h"
#include "runtime/subids.h"

/* --- create
 * -------------------------------------------------------------------------------------------------------------------------------
 */

struct creation {
	const struct rt_ctx *ctx;
	const struct rt_create_opts *o;
	struct rt_partition *p;
	struct rt_launch l;
	char *tag;
};

static void creation_end(struct creation *c)
{
	fd_close(c->l.console_socket);
	fd_close(c->l.seccomp_cache);
	fd_close(c->l.sync);
	fd_close(c->l.master);
	free(c->tag);
	rt_partition_free(c->p);
}

/* The path behind a held directory: absolute, and free of symlinks. */
static char *path_of(struct arena *a, int fd)
{
	char via[FD_PATH_MAX], path[PATH_MAX];
	ssize_t n = readlink(fd_path(via, fd), path, sizeof(path) - 1);

	return n < 0 ? NULL : arena_strndup(a, path, (size_t)n);
}

static int read_config(
	int bundlefd, const char *bundle, const char *name, char **text, size_t *len, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	int r;

	/* O_NONBLOCK: a FIFO in its place must not make us wait. A symlink is fine: the bundle is the
	 * caller's. */
	fd = openat(bundlefd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		err_set(e, errno, "open %s of bundle %s", name, bundle);
		return errno == ENOENT ? err_hint(e, "make one with `ringfence spec`, or give --bundle DIR")
				       : -(e ? e->code : errno);
	}
	r = fd_read_regular(fd, SPEC_FILE_MAX, text, len);
	if (r == -EINVAL)
		return err_text(e, EINVAL, "%s of bundle %s is not a regular file", name, bundle);
	return r < 0 ? err_set(e, -r, "read %s of bundle %s", name, bundle) : 0;
}

static int find_rootfs(struct rt_partition *p, int bundlefd, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	const char *root = p->spec->root_path;

	if (!p->spec->has_root)
		return err_text(
			e, EINVAL, "root is missing in config.json: a container needs a root file system");
	fd = openat(bundlefd, root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(
			e, errno, "root.path %s (bundle %s): open the root file system", root, p->bundle);
	/* A plain name needs no look-up to be made absolute; what is a symlink, or climbs, does. */
	if (root[0] == '/' && path_is_normal(root))
		p->rootfs = root;
	else if (!strchr(root, '/') && root[0] != '.' && path_is_normal(p->bundle))
		p->rootfs = arena_printf(p->arena, "%s/%s", str_eq(p->bundle, "/") ? "" : p->bundle, root);
	else
		p->rootfs = path_of(p->arena, fd);
	return p->rootfs ? 0 : err_set(e, ENOMEM, "root.path %s", root);
}

static const char *now_rfc3339(struct arena *a)
{
	char text[LOG_TIME_MAX];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	log_time(&now, text);
	return arena_strdup(a, text);
}

/* The inode of the host's own user namespace (include/linux/proc_ns.h, PROC_USER_INIT_INO). */
#define INIT_USER_NS 0xEFFFFFFDU

/* Not the host's root: or root of a user namespace, which lacks much. */
static bool is_rootless(const struct rt_ctx *ctx, const struct rt_partition *p)
{
	struct stat st;

	if (ctx->rootless >= 0)
		return ctx->rootless;
	return p->owner != 0 || stat("/proc/self/ns/user", &st) < 0 || st.st_ino != INIT_USER_NS;
}

/* Config read and checked, directory made, nothing else yet. */
static int begin(struct creation *c, struct err *e)
{
	const struct rt_create_opts *o = c->o;
	const char *bundle = o->bundle ? o->bundle : ".";
	_cleanup_close_ int bundlefd = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	_cleanup_(spec_freep) struct spec *spec = NULL;
	struct rt_partition *p;
	const char *note;
	size_t len;
	int r;

	if (bundlefd < 0)
		return err_set(e, errno, "open bundle %s", bundle);
	r = rt_check_id(o->id, e);
	if (r < 0)
		return r;
	r = read_config(bundlefd, bundle, o->config ? o->config : "config.json", &text, &len, e);
	if (r < 0)
		return r;
	r = spec_parse(text, len, &spec, e);
	if (r < 0)
		return err_wrap(e, "bundle %s", bundle);
	strv_each (note, spec->notes)
		log_debug("config.json: %s", note);
	r = rt_adapt_spec(spec, e);
	if (r == 0)
		r = subids_extend(spec, e);
	if (r < 0)
		return r;
	if (!spec->has_process && !c->l.later)
		return err_text(e, EINVAL, "process is missing in config.json: there is nothing to run");
	step_done("config.json");
	r = files_console(o->console_socket, spec->has_process && spec->process.terminal,
		c->l.later || o->detach, &c->l.console_socket, e);
	if (r < 0)
		return r;
	r = rt_partition_new(c->ctx, o->id, &c->p, e);
	if (r < 0)
		return r;
	p = c->p;
	p->spec = TAKE_PTR(spec);
	p->engine = rt_engine_for(p->spec);
	p->manager = c->ctx->manager;
	p->rootless = is_rootless(c->ctx, p);
	p->oci_version = p->spec->oci_version;
	p->annotations = p->spec->annotations;
	p->n_annotations = p->spec->n_annotations;
	p->no_new_keyring = o->no_new_keyring;
	p->created = now_rfc3339(p->arena);
	p->bundle = path_is_normal(bundle) ? arena_strdup(p->arena, bundle) : path_of(p->arena, bundlefd);
	if (!p->bundle || !p->created)
		r = err_set(e, ENOMEM, "create container \"%s\"", o->id);
	if (r == 0)
		r = find_rootfs(p, bundlefd, e);
	if (r == 0)
		r = rt_partition_snapshot(p, text, len, e);
	step_done("state directory");
	return r;
}

static void run_poststop(struct rt_partition *p)
{
	_cleanup_free_ char *state = NULL;
	struct hooks_env env = { .cwd = p->bundle };

	if (!p->spec || !p->spec->hooks.n[SPEC_HOOK_POSTSTOP])
		return;
	env.state = state = rt_partition_state_json(p, rt_status_names[RT_STOPPED], 0);
	if (state)
		hooks_run(&p->spec->hooks, SPEC_HOOK_POSTSTOP, &env, true, NULL);
}

/*
 * After a failure: as if the operation had never been attempted, but for the poststop hooks (runtime.md,
 * "Lifecycle": a hook that fails stops the container, and what follows is what `delete` would do).
 */
static void take_back(struct rt_partition *p, bool made)
{
	struct err e = ERR_INIT;

	if (!p)
		return;
	/* After start the lock is not always ours any more; whoever deleted the partition meanwhile did all
	 * this. */
	if (!p->locked && rt_partition_relock(p, &e) < 0) {
		if (e.code != ENOENT)
			log_warn("container \"%s\" stays behind: %s", p->id, e.text);
		return;
	}
	if (made && p->engine->destroy(p, true, &e) < 0)
		log_warn("%s", e.text);
	if (p->pid > 0)
		waitpid(p->pid, NULL, WNOHANG);
	run_poststop(p);
	if (rt_partition_remove(p, &e) < 0)
		log_warn("%s", e.text);
}

static int make(struct creation *c, struct err *e)
{
	struct rt_partition *p;
	bool made = false;
	int r;

	c->l.sync = c->l.master = c->l.console_socket = c->l.seccomp_cache = -EBADF;
	c->tag = rt_root_tag(c->ctx, e);
	if (!c->tag)
		return -e->code;
	c->l.cgroup_tag = c->tag;
	r = begin(c, e);
	p = c->p;
	if (r == 0 && p->spec->seccomp.present)
		c->l.seccomp_cache = seccomp_cache_open(p->rootfd);
	if (r == 0)
		r = notify_prepare(p, e);
	if (r == 0)
		r = p->engine->create(p, c->o, &c->l, e);
	if (r == 0) {
		made = true;
		p->creating = false;
		if (!c->l.started)
			r = rt_partition_save(p, e);
		if (r == 0 && c->l.later)
			r = p->engine->commit(p, &c->l, e);
	}
	if (r < 0)
		take_back(c->p, made);
	return r;
}

static int tell_caller(const struct creation *c, struct err *e)
{
	const char *socket = c->o->pidfd_socket ? c->o->pidfd_socket
						: spec_annotation(c->p->spec, "run.oci.pidfd_receiver");
	int r = files_write_pid(c->o->pid_file, c->p->pid, e);

	return r < 0 ? r : files_send_pidfd(socket, c->p->pid, e);
}

int rt_create(const struct rt_ctx *ctx, const struct rt_create_opts *o, struct err *e)
{
	struct creation c = { .ctx = ctx, .o = o, .l = { .later = true } };
	int r = make(&c, e);

	if (r == 0) {
		r = tell_caller(&c, e);
		if (r < 0)
			take_back(c.p, true);
	}
	creation_end(&c);
	return r;
}

/* --- start
 * ----------------------------------------------------------------------------------------------------------------------------------
 */

static int run_poststart(struct rt_partition *p, int stop_fd, struct err *e)
{
	_cleanup_free_ char *state = NULL;
	struct hooks_env env = {
		.cwd = p->bundle, .stop_fd = stop_fd, .stop_why = "interrupted by a signal"
	};

	if (!p->spec->hooks.n[SPEC_HOOK_POSTSTART])
		return 0;
	env.state = state = rt_partition_state_json(p, rt_status_names[RT_RUNNING], p->pid);
	if (!state)
		return err_set(e, ENOMEM, "write the state for hooks");
	/* 1.3: a failure is an error, and the container is stopped: take_back(). */
	return hooks_run(&p->spec->hooks, SPEC_HOOK_POSTSTART, &env, false, e);
}

static int let_go(struct rt_partition *p, struct rt_launch *l, struct err *e)
{
	struct notify n = { .sock = -EBADF };
	int r = notify_open(p, &n, e);

	if (r == 0 && !l->started)
		r = p->engine->start(p, l, e);
	/* What follows may take any time: the other verbs must get at the partition meanwhile. */
	if (r == 0 && (n.sock >= 0 || p->spec->hooks.n[SPEC_HOOK_POSTSTART]))
		rt_partition_unlock(p);
	if (r == 0)
		r = run_poststart(p, l->stop_fd, e);
	if (r == 0)
		r = notify_forward(&n, p, l->stop_fd, e);
	fd_close(n.sock);
	return r;
}

int rt_start(const struct rt_ctx *ctx, const char *id, struct err *e)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;
	struct rt_launch l = { .later = true,
		.sync = -EBADF,
		.master = -EBADF,
		.console_socket = -EBADF,
		.seccomp_cache = -EBADF };
	enum rt_status status;
	int r = rt_partition_open(ctx, id, RT_LOCKED, &p, e);

	if (r == 0)
		r = rt_partition_status(p, &status, e);
	if (r < 0)
		return r;
	if (status == RT_STOPPED)
		return err_text(e, EINVAL, "cannot start a container that has stopped: \"%s\"", id);
	if (status == RT_PAUSED)
		return err_text(e, EINVAL, "cannot start a paused container: resume \"%s\" first", id);
	if (status != RT_CREATED)
		return err_text(e, EINVAL, "cannot start an already running container: \"%s\" is %s", id,
			rt_status_names[status]);
	r = rt_partition_spec(p, e);
	if (r < 0)
		return r;
	if (!p->spec->has_process)
		return err_text(
			e, EINVAL, "cannot start container \"%s\": its config.json has no process", id);
	r = let_go(p, &l, e);
	/*
	 * Not told, it waits as before. Else, with a hook that failed or an agent that is gone, there is no
	 * way back to "created", and none forward. A program that could not be executed has had its run,
	 * however short: it is left as stopped, as with runc.
	 */
	if (r < 0 && l.told && !l.exec_failed)
		take_back(p, true);
	return r;
}

/* --- run
 * -------------------------------------------------------------------------------------------------------------------------------------
 */

static int clean_up(struct creation *c, struct err *e)
{
	struct rt_partition *p = c->p;
	int r = p->engine->destroy(p, false, e);

	run_poststop(p);
	if (r == 0)
		r = rt_partition_remove(p, e);
	return r;
}

/* Others may wait for the lock while we stay with the payload: `kill` and `exec` must go through. */
static int stay(struct creation *c, int *status, struct err *e)
{
	struct rt_partition *p = c->p;
	struct err busy = ERR_INIT;
	const char *why;
	int r;

	if (c->l.master >= 0 && !p->spec->process.has_console_size)
		attach_copy_size(c->l.master);
	rt_partition_unlock(p);
	step_done("go");
	r = attach_wait(p->pid, TAKE_FD(c->l.master), c->l.remote, c->o->oom, status, e);
	step_done("payload's life");
	why = r == 0 && p->engine->failure ? p->engine->failure(p) : NULL;
	if (why)
		log_warn("container \"%s\": %s", p->id, why);
	if (r < 0 || c->o->keep)
		return r;
	if (!p->locked && rt_partition_relock(p, &busy) < 0) {
		/* Somebody else has deleted it by now: there is nothing left to do. */
		if (busy.code != ENOENT)
			log_warn("container \"%s\" stays behind: %s", p->id, busy.text);
		return 0;
	}
	r = clean_up(c, e);
	step_done("end");
	return r;
}

/* Between start and stay() a signal that is to end us must not wait for what may take for ever. */
static int may_be_stopped(struct creation *c, struct err *e)
{
	const struct spec_hooks *h = &c->p->spec->hooks;
	int fd = 0;

	if (h->n[SPEC_HOOK_START_CONTAINER] || h->n[SPEC_HOOK_POSTSTART] || notify_wanted())
		fd = attach_stop_fd(e);
	if (fd < 0)
		return fd;
	c->l.stop_fd = fd;
	return 0;
}

int rt_run(const struct rt_ctx *ctx, const struct rt_create_opts *o, int *status, struct err *e)
{
	/* The socket for readiness must be there before the payload is. */
	struct creation c = {
		.ctx = ctx, .o = o, .l = { .at_once = !notify_wanted(), .attached = !o->detach }
	};
	int r;

	*status = 0;
	r = make(&c, e);
	if (r == 0) {
		if (!o->detach && !c.l.started)
			attach_begin();
		/* Without a pid namespace, what the payload leaves behind becomes ours to reap. */
		if (!o->detach && !o->no_subreaper && !c.p->own_pid_ns)
			prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
		if (!o->detach)
			r = may_be_stopped(&c, e);
		if (r == 0)
			r = let_go(c.p, &c.l, e);
		if (c.l.stop_fd)
			fd_close(c.l.stop_fd);
		if (r == 0)
			r = tell_caller(&c, e);
		if (r < 0)
			take_back(c.p, true);
		else if (!o->detach)
			r = stay(&c, status, e);
	}
	if (o->oom && o->oom->fd >= 0)
		rt_oom_read(o->oom);
	creation_end(&c);
	return r;
}

/* --- delete
 * ------------------------------------------------------------------------------------------------------------------------------------
 */

/*
 * With force, whoever keeps the lock must not keep it for ever: it may be waiting for the partition's process
 * (start), or for a hook that ends when that process does (create).
 */
static int open_to_delete(
	const struct rt_ctx *ctx, const char *id, bool force, struct rt_partition **out, struct err *e)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;
	struct err ignored;
	int r = rt_partition_open(ctx, id, force ? RT_LOCKED_SOON : RT_LOCKED, out, e);

	if (r != -EBUSY || !force)
		return r;
	err_clear(e);
	if (rt_partition_open(ctx, id, RT_UNLOCKED, &p, &ignored) == 0) {
		/* One that was not recorded yet is found in its cgroup, if that is nobody else's. */
		if (p->pid <= 0)
			rt_partition_guess_cgroup(p, ctx);
		if (!p->cgroup_guessed)
			p->engine->kill(p, SIGKILL, p->pid <= 0, &ignored);
	}
	return rt_partition_open(ctx, id, RT_LOCKED, out, e);
}

int rt_delete(const struct rt_ctx *ctx, const char *id, bool force, struct err *e)
{
	_cleanup_(rt_partition_freep) struct rt_partition *p = NULL;
	enum rt_status status;
	struct err ignored;
	int r = open_to_delete(ctx, id, force, &p, e);

	if (r == -ENOENT && force) {
		err_clear(e);
		return 0;
	}
	if (r == 0)
		r = rt_partition_status(p, &status, e);
	if (r < 0)
		return r;
	/*
	 * runtime.md wants an error for whatever is not stopped. crun and runc remove what was never started
	 * all the same, and containerd's shim relies on it: the plain `delete` is all that it sends for a
	 * task whose `start` failed or never came.
	 */
	force = force || status == RT_CREATED || p->damaged || p->creating;
	if (!force && status != RT_STOPPED)
		return err_text(e, EBUSY,
			"cannot delete container \"%s\" that is not stopped: it is %s; stop it first, or use "
			"delete --force",
			id, rt_status_names[status]);
	/* A wreck may lack it: then there are no hooks to run. */
	rt_partition_spec(p, &ignored);
	if (!p->cgroup && (p->damaged || p->creating))
		rt_partition_guess_cgroup(p, ctx);
	r = p->engine->destroy(p, force, e);
	if (r < 0)
		return err_wrap(e, "delete container \"%s\"", id);
	run_poststop(p);
	return rt_partition_remove(p, e);
}
