/* SPDX-License-Identifier: Apache-2.0 */
/* Images for partitions (see image.h): those that are ready are found by a few system calls; for others
 * ringfence-image is run, which knows registries and layers. */
#include "launch/image.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"
#include "runtime/program.h"

/* A digest and a newline is what it prints. */
#define ANSWER_MAX 4096

/* --- ringfence-image prepare -------------------------------------------------------------------- */

static _Noreturn void become(const char *path, char *const *argv, int out, bool quiet)
{
	int null = quiet ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -EBADF;
	sigset_t none;

	/* It is not to go on alone where we are killed. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* Its progress goes to our stderr, its answer to us. */
	if (dup2(out, STDOUT_FILENO) < 0 || (null >= 0 && dup2(null, STDERR_FILENO) < 0))
		_exit(126);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(path, argv);
	dprintf(STDERR_FILENO, "ringfence: run %s: %s\n", path, strerror(errno));
	_exit(127);
}

static pid_t start_prepare(const char *path, char *const *argv, bool quiet, int *answer, struct err *e)
{
	int fd[2];
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return err_set(e, errno, "make a pipe for ringfence-image");
	pid = fork();
	if (pid == 0)
		become(path, argv, fd[1], quiet);
	if (pid < 0) {
		err_set(e, errno, "fork for ringfence-image");
		fd_close(fd[0]);
	} else {
		*answer = fd[0];
	}
	fd_close(fd[1]);
	return pid < 0 ? -e->code : pid;
}

/* Until end of file. -EINTR: we are asked to end. */
static int read_answer(int fd, int stop_fd, char *text, size_t size)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = stop_fd, .events = POLLIN } };
	size_t len = 0;

	for (;;) {
		ssize_t n;

		if (poll(p, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (p[1].revents)
			return -EINTR;
		n = read(fd, text + len, size - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
		if (len == size - 1)
			return -EMSGSIZE;
	}
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

/* `root`: the image of the whole root file system as well, about which nobody is told. */
static int prepare(const char *store, const char *image, const char *pull, bool root, int stop_fd,
	char *answer, size_t size, struct err *e)
{
	char path[PATH_MAX];
	const char *const argv[] = { "ringfence-image", "--store", store, "prepare", "--pull", pull,
		root ? "--root-image" : "--", root ? "--" : image, root ? image : NULL, NULL };
	_cleanup_close_ int fd = -EBADF;
	int status, r;
	pid_t pid;

	rt_companion("ringfence-image", path, sizeof(path));
	if (access(path, X_OK) < 0) {
		err_set(e, errno, "image \"%s\" is not ready, and %s cannot be run to fetch it", image, path);
		return err_hint(e, "\"make install\" puts it there");
	}
	pid = start_prepare(path, (char *const *)argv, root, &fd, e);
	if (pid < 0)
		return pid;
	r = read_answer(fd, stop_fd, answer, size);
	if (r < 0)
		(void)kill(pid, SIGTERM);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (r == -EINTR)
		return err_text(e, EINTR, "interrupted while image \"%s\" was fetched", image);
	if (r < 0)
		return err_set(e, r, "read what ringfence-image says");
	if (WIFSIGNALED(status))
		return err_text(e, EIO, "image \"%s\" is not ready: ringfence-image was ended by signal %d",
			image, WTERMSIG(status));
	/* Why not, it has said itself. */
	if (status != 0)
		return err_text(e, ENOENT, "image \"%s\" is not available (see above)", image);
	return 0;
}

/* --- what is found ------------------------------------------------------------------------------ */

static int open_file(const struct launch_image *i, const char *path, struct err *e)
{
	return img_root_open_file(i->arg, path, e);
}

static int fill(const struct img_root *root, struct arena *a, struct launch_image *out, struct err *e)
{
	char **lower = arena_calloc(a, root->n_layers + 1, sizeof(*lower));
	bool ok = lower != NULL;

	for (size_t i = 0; ok && i < root->n_layers; i++) {
		lower[i] = img_root_layer_path(a, root, root->n_layers - 1 - i);
		ok = lower[i] != NULL;
	}
	if (!ok)
		return err_set(e, ENOMEM, "image");
	*out = (struct launch_image){
		.name = root->name,
		.target = root->target,
		.id = root->config,
		.lower = lower,
		.userxattr = root->rootless,
		.env = root->env,
		.entrypoint = root->entrypoint,
		.cmd = root->cmd,
		.exposed_ports = root->exposed_ports,
		.volumes = root->volumes,
		.labels = root->labels,
		.user = root->user,
		.working_dir = root->working_dir,
		.stop_signal = root->stop_signal,
		.author = root->author,
		.created = root->created,
		.os = root->platform.os,
		.architecture = root->platform.architecture,
		.variant = root->platform.variant,
		.open_file = open_file,
		.arg = root,
	};
	return 0;
}

static int no_file(const struct launch_image *i, const char *path, struct err *e)
{
	(void)i;
	/* The zone's own, as launch_host_write() makes them, have no more than root. */
	return err_text(e, ENOENT, "%s: the zone \"host\" has users by number only", path);
}

static int check_pull(const char *pull, struct err *e)
{
	if (str_eq(pull, "missing") || str_eq(pull, "always") || str_eq(pull, "never"))
		return 0;
	return err_text(e, EINVAL, "option --pull must be missing, always or never, not \"%s\"", pull);
}

int launch_image_find(const struct launch_ctx *ctx, const char *image, const char *pull, const char *name,
	int stop_fd, struct arena *a, struct img_root *root, struct launch_image *out, struct err *e)
{
	bool always = pull && str_eq(pull, "always");
	char answer[ANSWER_MAX] = "";
	const char *store;
	int r = check_pull(pull ? pull : "missing", e);

	if (r < 0)
		return r;
	if (str_eq(image, "host")) {
		*out = (struct launch_image){ .host = true, .name = image, .open_file = no_file };
		return 0;
	}
	r = launch_store_path(ctx, a, &store, e);
	if (r < 0)
		return r;
	r = always ? -ENOENT : img_root_find(store, image, name, a, root, e);
	if (r == -ENOENT) {
		err_clear(e);
		r = prepare(store, image, pull ? pull : "missing", false, stop_fd, answer, sizeof(answer), e);
		/* By its name, if that is one we know: `ls` and `inspect` tell it. */
		if (r == 0)
			r = img_root_find(store, image, name, a, root, NULL);
		if (r == -ENOENT)
			r = *answer ? img_root_find_target(store, answer, NULL, name, a, root, e) : -e->code;
		else if (r < 0 && !e->code)
			err_set(e, r, "image \"%s\"", image);
	}
	return r < 0 ? r : fill(root, a, out, e);
}

void launch_image_add_root(const struct launch_ctx *ctx, const char *image, int stop_fd, struct arena *a,
	const struct img_root *root, struct launch_image *out)
{
	struct err why = ERR_INIT;
	char answer[ANSWER_MAX];
	const char *store;

	if (out->host || root->rootless || geteuid() != 0)
		return;
	out->root_image = img_root_image_path(a, root);
	if (out->root_image)
		return;
	if (access("/usr/bin/mkfs.erofs", X_OK) < 0 && access("/usr/sbin/mkfs.erofs", X_OK) < 0)
		err_text(&why, ENOENT, "mkfs.erofs is not installed: the package is called erofs-utils");
	else if (launch_store_path(ctx, a, &store, &why) == 0 &&
		 prepare(store, root->target, "never", true, stop_fd, answer, sizeof(answer), &why) == 0)
		out->root_image = img_root_image_path(a, root);
	if (!out->root_image)
		log_debug(
			"image \"%s\": no EROFS image of its root file system: %s; `ringfence-image prepare "
			"--root-image %s` makes one, or says more",
			image, why.code ? why.text : "no memory", image);
}

int launch_image_unpin(const struct launch_ctx *ctx, const char *name, struct arena *a, struct err *e)
{
	const char *store;
	int r = launch_store_path(ctx, a, &store, e);

	return r < 0 ? r : img_root_unpin(store, name, e);
}
