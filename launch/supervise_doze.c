/* SPDX-License-Identifier: Apache-2.0 */
/* A supervisor's way into a doze and out of it (see doze.h). */
#include "launch/doze.h"

#include <fcntl.h>
#include <limits.h>

#include "base/fd.h"
#include "launch/supervisor.h"

/* Who is woken again within that long sleeps worse: each wake-up costs about half a millisecond. */
#define RESTLESS_MS 30000
#define DOZE_MIN_MS 1000
#define DOZE_MAX_MS 120000

extern char **environ;

/* What is kept. Without padding that was never written to: a supervisor is static. */
#define KEPT_FROM offsetof(struct supervisor, tty)
#define KEPT_SIZE (offsetof(struct supervisor, error) - KEPT_FROM)

/* All that is handed on, but for the paths. */
struct doze {
	struct pollfd polls[DOZE_POLLS]; /* first: the entry point reads them */
	unsigned char kept[KEPT_SIZE];
	enum cgrp_manager manager;
	int rootless;
	size_t path_len, root_len; /* of the texts that follow */
};

static void keep_open(struct supervisor *s, bool on)
{
	const int fds[] = { s->dir, s->signals, s->listener, s->from[0], s->from[1], s->to, s->log.fd,
		s->mnt_template, s->oom.fd, s->oom.empty };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			fd_cloexec(fds[i], !on);
}

/* Nobody is attached, no child at work, no time to be kept: what is left is to wait. */
static bool nothing_to_do(const struct supervisor *s)
{
	for (int i = 0; i < SUPERVISOR_CLIENTS; i++)
		if (s->clients[i].fd >= 0)
			return false;
	return s->phase == SV_UP && s->pid > 0 && s->worker == 0 && s->stopper == 0 && s->until == 0 &&
	       s->report < 0 && s->answers < 0 && s->console < 0 && !s->own_lock && s->out_len == 0 &&
	       s->in_len == 0 && !s->close_input && s->deaf_until == 0;
}

/* The working directory is another one by now than what a path was relative to that our caller has given. */
static bool still_means_the_same(const char *path, const char *variable)
{
	if (!path || !*path)
		path = variable ? getenv(variable) : NULL;
	return !path || !*path || *path == '/';
}

int supervisor_doze_after(const struct supervisor *s)
{
	const struct launch_ctx *ctx = s->ctx;

	if (!s->doze_ms || !nothing_to_do(s))
		return INT_MAX;
	return still_means_the_same(ctx->data, "RINGFENCE_DATA") &&
			       still_means_the_same(ctx->store, "RINGFENCE_STORE") &&
			       still_means_the_same(s->rt.root, NULL)
		       ? s->doze_ms
		       : INT_MAX;
}

/* --- into it ------------------------------------------------------------------------------------------- */

static char *put_hex(char *to, const void *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++) {
		*to++ = digits[p[i] >> 4];
		*to++ = digits[p[i] & 15];
	}
	*to = '\0';
	return to;
}

/* False if there are more than there is room for. */
static bool choose_polls(const struct pollfd *p, nfds_t n, struct pollfd out[DOZE_POLLS])
{
	int k = 0;

	for (nfds_t i = 0; i < n; i++) {
		if (p[i].fd < 0)
			continue;
		if (k == DOZE_POLLS)
			return false;
		out[k++] = (struct pollfd){ .fd = p[i].fd, .events = p[i].events };
	}
	while (k < DOZE_POLLS)
		out[k++] = (struct pollfd){ .fd = -1 };
	return true;
}

static char *make_variable(const struct supervisor *s, const struct pollfd *p, nfds_t n)
{
	struct doze d = { .manager = s->rt.manager,
		.rootless = s->rt.rootless,
		.path_len = strlen(s->path),
		.root_len = s->rt.root ? strlen(s->rt.root) : 0 }; /* 0: by default */
	char *text = malloc(sizeof(DOZE_ASLEEP) + 2 * (sizeof(d) + d.path_len + d.root_len)), *at = text;

	if (!text || !choose_polls(p, n, d.polls)) {
		free(text);
		return NULL;
	}
	memcpy(d.kept, (const char *)s + KEPT_FROM, KEPT_SIZE);
	memcpy(at, DOZE_ASLEEP, strlen(DOZE_ASLEEP));
	at = put_hex(at + strlen(DOZE_ASLEEP), &d, sizeof(d));
	at = put_hex(at, s->path, d.path_len);
	put_hex(at, s->rt.root, d.root_len);
	return text;
}

/* Our own arguments, as the kernel has them: NULL-terminated, pointing into *text. */
static char **own_arguments(char **text)
{
	char **argv;
	size_t len, n = 0;

	if (fd_read_at(AT_FDCWD, "/proc/self/cmdline", 1 << 20, text, &len) < 0)
		return NULL;
	for (size_t i = 0; i < len; i++)
		n += (*text)[i] == '\0';
	argv = calloc(n + 1, sizeof(*argv));
	for (size_t i = 0, k = 0; argv && k < n; i += strlen(*text + i) + 1)
		argv[k++] = *text + i;
	return argv;
}

static char **with_variable(char *variable)
{
	size_t n = 0;
	char **env;

	while (environ && environ[n])
		n++;
	env = calloc(n + 2, sizeof(*env));
	if (!env)
		return NULL;
	for (size_t i = 0; i < n; i++)
		env[i] = environ[i];
	env[n] = variable;
	return env;
}

void supervisor_doze(struct supervisor *s, const struct pollfd *p, nfds_t n)
{
	_cleanup_free_ char *text = NULL, *variable = NULL;
	_cleanup_free_ char **argv = own_arguments(&text), **env = NULL;

	s->dozed = supervisor_now();
	variable = make_variable(s, p, n);
	if (variable)
		env = with_variable(variable);
	if (argv && env) {
		keep_open(s, true);
		execve("/proc/self/exe", argv, env);
		keep_open(s, false);
	}
	/* No memory, or no /proc: as before. */
	s->doze_ms = DOZE_MAX_MS;
}

/* --- and out of it ---------------------------------------------------------------------------------------
 */

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool get_hex(const char **at, void *out, size_t len)
{
	unsigned char *p = out;

	for (size_t i = 0; i < len; i++, *at += 2) {
		int high = digit((*at)[0]), low = high < 0 ? -1 : digit((*at)[1]);

		if (low < 0)
			return false;
		p[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

static char *get_text(const char **at, size_t len)
{
	char *text = len < 2 * PATH_MAX ? calloc(1, len + 1) : NULL;

	if (text && !get_hex(at, text, len)) {
		free(text);
		return NULL;
	}
	return text;
}

static bool take_up(struct supervisor *s, const char *at)
{
	struct doze d;

	if (!get_hex(&at, &d, sizeof(d)))
		return false;
	s->rt = *s->ctx->rt;
	s->rt.manager = d.manager;
	s->rt.rootless = d.rootless;
	s->path = get_text(&at, d.path_len);
	if (!s->path)
		return false;
	s->rt.root = d.root_len ? get_text(&at, d.root_len) : NULL;
	if ((d.root_len && !s->rt.root) || *at)
		return false;
	memcpy((char *)s + KEPT_FROM, d.kept, KEPT_SIZE);
	return true;
}

/* The variable's name, without "=". */
#define NAME_LEN (sizeof(DOZE_AWAKE) - 2)
static const char *variable_name(char name[NAME_LEN + 1])
{
	memcpy(name, DOZE_AWAKE, NAME_LEN);
	name[NAME_LEN] = '\0';
	return name;
}

bool launch_supervise_woken(void)
{
	char name[NAME_LEN + 1];

	return secure_getenv(variable_name(name));
}

bool supervisor_awake(struct supervisor *s)
{
	char name[NAME_LEN + 1];
	const char *value = secure_getenv(variable_name(name));

	if (!value || !take_up(s, value))
		return false;
	unsetenv(name);
	keep_open(s, false);
	s->doze_ms = supervisor_now() - s->dozed >= RESTLESS_MS ? DOZE_MIN_MS
		     : s->doze_ms * 2 < DOZE_MAX_MS		? s->doze_ms * 2
								: DOZE_MAX_MS;
	return true;
}
