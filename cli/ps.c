/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence ps: a partition's processes, as ps(1) of the host shows them or as host pids. */
#include "cli/cli.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "base/fd.h"

#define PS_OUTPUT_MAX (64U << 20)

extern char **environ;

static const struct opt options[] = {
	{ "format", 'f', OPT_STRING, offsetof(struct cli_ps_options, format), "FORMAT",
		"table (default) or json" },
	{ 0 },
};

static bool has_pid(const pid_t *pids, size_t n, int64_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* The field numbered `column` from 0, blanks between. Returns its length. */
static size_t field(const char *line, size_t len, int column, const char **start)
{
	size_t i = 0, from;

	for (;; column--) {
		while (i < len && line[i] == ' ')
			i++;
		from = i;
		while (i < len && line[i] != ' ')
			i++;
		if (column == 0 || i == len)
			break;
	}
	*start = line + from;
	return column == 0 ? i - from : 0;
}

static int pid_column(const char *line, size_t len)
{
	const char *s;
	size_t n;

	for (int c = 0; (n = field(line, len, c, &s)) > 0; c++)
		if (n == 3 && memcmp(s, "PID", 3) == 0)
			return c;
	return -1;
}

/* Names of processes are their own choice: not every ps(1) keeps what drives a terminal from it. */
static void add_safe(struct strbuf *out, const char *line, size_t len)
{
	for (size_t i = 0; i < len;) {
		const unsigned char *c = (const unsigned char *)line + i;
		size_t n = *c < 0x80 ? 1 : str_utf8_len(c, len - i);

		/* C0, DEL, what is no UTF-8, and C1 (U+0080 to U+009F). */
		if (n == 0 || *c < 0x20 || *c == 0x7f || (n == 2 && c[0] == 0xc2 && c[1] < 0xa0))
			strbuf_puts(out, "?");
		else
			strbuf_add(out, line + i, n);
		i += n ? n : 1;
	}
}

/* The heading and the lines of these processes. A line of a thread or a wrapped one has no pid and is left
 * out. */
static int filter(const char *text, const pid_t *pids, size_t n, struct strbuf *out, struct err *e)
{
	int column = -1;

	for (const char *line = text, *next; *line; line = next) {
		size_t len = strcspn(line, "\n"), digits;
		bool heading = line == text;
		char number[16];
		const char *s;
		int64_t pid;

		next = line + len + (line[len] == '\n');
		if (heading) {
			column = pid_column(line, len);
			if (column < 0)
				return err_text(e, EINVAL,
					"ps: its output has no PID column; choose options that show one");
		} else {
			digits = field(line, len, column, &s);
			if (digits == 0 || digits >= sizeof(number))
				continue;
			memcpy(number, s, digits);
			number[digits] = '\0';
			if (str_to_i64(number, &pid) < 0 || !has_pid(pids, n, pid))
				continue;
		}
		add_safe(out, line, len);
		strbuf_puts(out, "\n");
	}
	return out->failed ? err_set(e, ENOMEM, "ps") : 0;
}

static int spawn_ps(char *const *argv, int out, pid_t *pid, struct err *e)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int r;

	r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return err_set(e, r, "run ps");
	posix_spawnattr_init(&attr);
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawnp(pid, "ps", &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return r != 0 ? err_set(e, r, "run ps (Debian package: procps)") : 0;
}

/* ps(1) with these options; its output is malloc()ed. */
static int run_ps(char *const *args, char **text, struct err *e)
{
	_cleanup_free_ char **argv = calloc(strv_len(args) + 3, sizeof(*argv));
	_cleanup_close_ int in = -EBADF, out = -EBADF;
	int ends[2], status, r;
	pid_t pid;
	size_t n = 0;

	if (!argv)
		return err_set(e, ENOMEM, "run ps");
	argv[n++] = (char *)"ps";
	for (char *const *a = args; *a; a++)
		argv[n++] = *a;
	if (!args[0])
		argv[n] = (char *)"-ef";
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(e, errno, "run ps: pipe");
	in = ends[0];
	out = ends[1];
	r = spawn_ps(argv, out, &pid, e);
	if (r < 0)
		return r;
	out = fd_close(out);
	r = fd_read_all(in, PS_OUTPUT_MAX, text, NULL);
	in = fd_close(in);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return err_set(e, r, "read the output of ps");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_text(e, EINVAL, "ps failed: wrong options for it?");
	return 0;
}

static int print_table(const pid_t *pids, size_t n, char *const *args, struct err *e)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	_cleanup_free_ char *text = NULL;
	int r;

	r = run_ps(args, &text, e);
	if (r == 0)
		r = filter(text, pids, n, &b, e);
	return r < 0 || b.len == 0 ? r : cli_print(b.s, b.len, e);
}

static int print_json(const pid_t *pids, size_t n, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);

	if (!w)
		return err_set(e, ENOMEM, "ps");
	json_open_array(w, NULL);
	for (size_t i = 0; i < n; i++)
		json_put_i64(w, NULL, pids[i]);
	json_close_array(w);
	return cli_print_json(w, e);
}

static int run(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	const struct cli_ps_options *o = values;
	_cleanup_free_ pid_t *pids = NULL;
	int json = cli_format_is_json(o->format, "table", e);
	size_t n = 0;
	int r;

	if (json < 0)
		return json;
	r = rt_pids(ctx, args[0], &pids, &n, e);
	if (r < 0)
		return r;
	return json ? print_json(pids, n, e) : print_table(pids, n, args + 1, e);
}

const struct cli_verb verb_ps = {
	.name = "ps",
	.args = "CONTAINER [PS-OPTIONS...]",
	.min_args = 1,
	.max_args = -1,
	.in_order = true,
	.summary = "Show the processes of a partition",
	.options = options,
	.size = sizeof(struct cli_ps_options),
	.run = run,
};
