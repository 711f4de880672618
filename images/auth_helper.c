/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that keep credentials, docker-credential-NAME: bounded in what they say and how long they take. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"
#include "base/str.h"
#include "images/auth_internal.h"

#define REPLY_MAX 65536
#define NAME_LEN  128
/* A person may have to type the password of a key ring. */
#define PATIENCE_MS 120000

extern char **environ;

struct helper {
	const char *program; /* "docker-credential-NAME" */
	pid_t pid;
	int pidfd, out;
	char *reply; /* REPLY_MAX + 1 bytes */
	size_t len;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Our own stderr is the helper's: what it has to say to a person goes there. */
static int start(struct helper *h, const char *verb, int in, int out)
{
	char *argv[] = { (char *)h->program, (char *)verb, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, defaults;
	int r;

	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	sigaddset(&defaults, SIGXFSZ);
	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return -r;
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &defaults);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	r = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawnp(&h->pid, h->program, &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* What there is to read now; -EFBIG. */
static int drain(struct helper *h)
{
	for (;;) {
		ssize_t n = read(h->out, h->reply + h->len, REPLY_MAX + 1 - h->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 1;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		h->len += (size_t)n;
		if (h->len > REPLY_MAX)
			return -EFBIG;
	}
}

/* Until it has ended: whoever it has left behind may hold its pipe for ever. */
static int wait_for_end(struct helper *h)
{
	int64_t end = now_ms() + PATIENCE_MS;
	bool open = true;

	for (;;) {
		struct pollfd fds[] = { { .fd = h->pidfd, .events = POLLIN },
			{ .fd = open ? h->out : -1, .events = POLLIN } };
		int64_t left = end - now_ms();
		int n = left <= 0 ? 0 : poll(fds, 2, (int)left), r;

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -ETIMEDOUT;
		r = open ? drain(h) : 0;
		if (r < 0)
			return r;
		open = r > 0;
		if (n > 0 && fds[0].revents)
			return 0;
	}
}

static int talk(struct helper *h, const char *verb, const char *input, int *status, struct err *e)
{
	_cleanup_close_ int in0 = -EBADF, in1 = -EBADF, out0 = -EBADF, out1 = -EBADF, pidfd = -EBADF;
	int in[2], out[2], r;

	if (pipe2(in, O_CLOEXEC) < 0)
		return err_set(e, errno, "run %s", h->program);
	in0 = in[0];
	in1 = in[1];
	if (pipe2(out, O_CLOEXEC) < 0)
		return err_set(e, errno, "run %s", h->program);
	out0 = out[0];
	out1 = out[1];
	if (fcntl(out0, F_SETFL, O_NONBLOCK) < 0 || fcntl(in1, F_SETFL, O_NONBLOCK) < 0)
		return err_set(e, errno, "run %s", h->program);
	/* It fits into the pipe; and while we hold the other end nobody can break it (SIGPIPE). */
	r = fd_write_all(in1, input, strlen(input));
	if (r == 0)
		r = start(h, verb, in0, out1);
	if (r < 0)
		return err_set(e, r, "run %s, which an auth file or registries.conf names", h->program);
	in0 = fd_close(in0);
	out1 = fd_close(out1);
	in1 = fd_close(in1);
	pidfd = pidfd_open(h->pid, 0);
	h->pidfd = pidfd;
	h->out = out0;
	r = pidfd < 0 ? -errno : wait_for_end(h);
	if (r < 0)
		kill(h->pid, SIGKILL);
	while (waitpid(h->pid, status, 0) < 0 && errno == EINTR)
		;
	if (r == -ETIMEDOUT)
		return err_text(e, ETIMEDOUT, "%s %s took more than %d seconds", h->program, verb,
			PATIENCE_MS / 1000);
	return r < 0 ? err_set(e, r, "run %s %s", h->program, verb) : 0;
}

/* Its last words, as far as they can be shown. */
static int complain(struct helper *h, const char *verb, int status, struct err *e)
{
	size_t n = strcspn(h->reply, "\r\n");

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)h->reply[i] < ' ' || h->reply[i] == 127)
			h->reply[i] = '?';
	/* The words are part of docker's protocol for these programs. */
	if (strstr(h->reply, "credentials not found"))
		return -ENOENT;
	if (WIFSIGNALED(status))
		return err_text(e, EIO, "%s %s was killed by signal %d", h->program, verb, WTERMSIG(status));
	return err_text(e, EIO, "%s %s failed with status %d%s%.*s", h->program, verb, WEXITSTATUS(status),
		n ? ": " : "", n > 200 ? 200 : (int)n, h->reply);
}

int au_helper(const char *name, const char *verb, const char *input, char **reply, struct err *e)
{
	_cleanup_free_ char *buf = calloc(1, REPLY_MAX + 2);
	char program[NAME_LEN + 32];
	struct helper h = { .program = program, .reply = buf };
	int status, r;

	if (!buf)
		return err_set(e, ENOMEM, "run a credential helper");
	if (!*name || strlen(name) > NAME_LEN || *name == '.' || *name == '-' ||
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") !=
			strlen(name))
		return err_text(e, EINVAL, "\"%.80s\" is no name for a credential helper", name);
	snprintf(program, sizeof(program), "docker-credential-%s", name);
	r = talk(&h, verb, input, &status, e);
	if (r < 0)
		return r;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return complain(&h, verb, status, e);
	if (reply)
		*reply = TAKE_PTR(buf);
	return 0;
}
