/* SPDX-License-Identifier: Apache-2.0 */
/* A partition's changes as an image: paused, handed on, resumed (see commit.h). */
#include "launch/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "launch/record.h"
#include "runtime/program.h"

#define ANSWER_MAX 4096

/* --- the guard -------------------------------------------------------------------------------- */

struct guard {
	int pipe; /* what we write to; its end is ours */
	pid_t pid;
};

static void watch(int fd, const struct rt_ctx *rt, const char *name)
{
	struct err ignored = ERR_INIT;
	sigset_t all;
	ssize_t n;
	char byte;
	int null;

	/* What ends our parent at a terminal, or with its group, is not for us. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	/* Whoever waits for the end of our parent's output need not wait for us. */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 3 && null >= 0; i++)
		dup2(null, i);
	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		rt_resume(rt, name, &ignored);
	_exit(0);
}

static int guard_start(struct guard *g, const struct rt_ctx *rt, const char *name, struct err *e)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(e, errno, "commit: pipe");
	g->pid = fork();
	if (g->pid < 0) {
		err_set(e, errno, "commit: fork");
		close(ends[0]);
		close(ends[1]);
		return -e->code;
	}
	if (g->pid == 0) {
		close(ends[1]);
		watch(ends[0], rt, name);
	}
	close(ends[0]);
	g->pipe = ends[1];
	return 0;
}

/* It has nothing to do any more. */
static void guard_end(struct guard *g)
{
	if (g->pid <= 0)
		return;
	(void)!write(g->pipe, "x", 1);
	g->pipe = fd_close(g->pipe);
	while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
		;
	g->pid = 0;
}

/* --- pausing ---------------------------------------------------------------------------------- */

/* Paused by us: then *ours. One that somebody else paused stays so. */
static int hold(const struct rt_ctx *rt, const char *name, struct guard *g, bool *ours, struct err *e)
{
	struct rt_info info;
	enum rt_status status;
	int r = rt_info(rt, name, &info, e);

	*ours = false;
	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	if (r < 0)
		return r;
	status = info.status;
	rt_info_free(&info);
	if (status != RT_RUNNING)
		return 0;
	/* The guard first: it must be there from the moment on in which we may die with the partition paused.
	 */
	r = guard_start(g, rt, name, e);
	if (r < 0)
		return r;
	r = rt_pause(rt, name, e);
	*ours = r == 0;
	if (r < 0) {
		struct err ignored = ERR_INIT;

		guard_end(g);
		/* It may have ended by itself meanwhile, and then nothing changes any more. */
		if (rt_info(rt, name, &info, &ignored) == 0) {
			status = info.status;
			rt_info_free(&info);
		} else {
			status = RT_STOPPED;
		}
		if (status == RT_STOPPED) {
			err_clear(e);
			return 0;
		}
		err_hint(e, "--pause=false commits it while it runs");
	}
	return r;
}

static int let_go(const struct rt_ctx *rt, const char *name, struct guard *g, int r, struct err *e)
{
	struct err own = ERR_INIT;

	if (rt_resume(rt, name, &own) < 0 && own.code != ENOENT && own.code != EINVAL) {
		if (r == 0)
			*e = own;
		r = -own.code;
	}
	guard_end(g);
	return r;
}

/* --- handing on ------------------------------------------------------------------------------- */

static void execute(int out, char *const *argv, const char *path, pid_t parent)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Its work is worth nothing without us: the partition goes on. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || dup2(out, STDOUT_FILENO) < 0)
		_exit(126);
	execv(path, argv);
	_exit(127);
}

static int run_image(char *const *argv, const char *path, char **answer, struct err *e)
{
	_cleanup_close_ int in = -EBADF, out = -EBADF;
	pid_t parent = getpid(), pid;
	int ends[2], status, r;

	if (access(path, X_OK) < 0) {
		err_set(e, errno, "commit: run %s", path);
		return err_hint(
			e, "`make install` puts it there; it is not part of a build with --disable-images");
	}
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(e, errno, "commit: pipe");
	in = ends[0];
	out = ends[1];
	pid = fork();
	if (pid < 0)
		return err_set(e, errno, "commit: fork");
	if (pid == 0)
		execute(out, argv, path, parent);
	out = fd_close(out);
	r = fd_read_all(in, ANSWER_MAX, answer, NULL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return err_set(e, -r, "commit: read the answer of ringfence-image");
	/* It has said why on stderr. */
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_text(e, EIO, "commit: ringfence-image could not make the image (see above)");
	return 0;
}

static int make_image(const struct launch_ctx *ctx, const struct launch_dir *d,
	const struct launch_commit_opts *o, const char *image, struct arena *a, const char **id,
	struct err *e)
{
	const char *store, *change, *upper = arena_printf(a, "%s/upper", d->path);
	_cleanup_free_ char *answer = NULL;
	char path[PATH_MAX];
	const char **argv = arena_calloc(a, 2 * strv_len(o->changes) + 20, sizeof(*argv));
	size_t n = 0;
	int r = launch_store_path(ctx, a, &store, e);

	if (r < 0)
		return r;
	if (!argv || !upper)
		return err_set(e, ENOMEM, "commit");
	argv[n++] = "ringfence-image";
	argv[n++] = "--store";
	argv[n++] = store;
	argv[n++] = "commit-layer";
	argv[n++] = "--base";
	argv[n++] = d->record.target;
	argv[n++] = "--upper";
	argv[n++] = upper;
	if (o->quiet)
		argv[n++] = "--quiet";
	if (o->message) {
		argv[n++] = "--message";
		argv[n++] = o->message;
	}
	if (o->author) {
		argv[n++] = "--author";
		argv[n++] = o->author;
	}
	strv_each (change, o->changes) {
		argv[n++] = "--change";
		argv[n++] = change;
	}
	argv[n++] = "--";
	argv[n] = image;
	rt_companion("ringfence-image", path, sizeof(path));
	r = run_image((char *const *)argv, path, &answer, e);
	if (r < 0)
		return r;
	answer[strcspn(answer, "\n")] = '\0';
	*id = arena_strdup(a, answer);
	return *id ? 0 : err_set(e, ENOMEM, "commit");
}

/* --- all of it -------------------------------------------------------------------------------- */

static int check(const struct launch_dir *d, const char *name, struct err *e)
{
	struct stat st;
	int r;

	if (d->damaged)
		return err_text(e, EINVAL,
			"partition \"%s\" is damaged; `ringfence rm --force %s` removes it", name, name);
	if (!d->record.target)
		return err_text(e, EINVAL,
			"partition \"%s\" is not of an image but of this host's own root: there is nothing "
			"that a "
			"layer could go on top of",
			name);
	r = launch_dir_check_written(d, e);
	if (r < 0)
		return r;
	if (fstatat(d->fd, "upper", &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return err_text(e, EINVAL,
			"partition \"%s\" has no changes of its own: its root file system is read-only",
			name);
	return 0;
}

/* Names of images are in lower case. */
static const char *default_name(const char *name, struct arena *a)
{
	char *image = arena_printf(a, "localhost/%s:latest", name);

	for (char *c = image; c && *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return image;
}

int launch_commit(const struct launch_ctx *ctx, const char *name, const struct launch_commit_opts *o,
	struct arena *a, const char **id, const char **image, struct err *e)
{
	struct launch_dir d = LAUNCH_DIR_INIT;
	struct guard g = { .pipe = -EBADF };
	bool ours = false;
	struct rt_ctx rt;
	int r;

	r = launch_check_name("partition", name, e);
	if (r == 0)
		r = launch_dir_open(ctx, name, true, a, &d, e);
	if (r == 0)
		r = check(&d, name, e);
	if (r == 0)
		r = launch_rename_finish(ctx, &d, a, e);
	*image = o->image ? o->image : default_name(name, a);
	if (r == 0 && !*image)
		r = err_set(e, ENOMEM, "commit");
	if (r == 0) {
		rt = launch_rt(ctx, &d.record);
		if (o->pause)
			r = hold(&rt, name, &g, &ours, e);
	}
	if (r == 0)
		r = make_image(ctx, &d, o, *image, a, id, e);
	if (ours)
		r = let_go(&rt, name, &g, r, e);
	guard_end(&g);
	launch_dir_close(&d);
	return r;
}
