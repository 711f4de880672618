/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence top: partitions by what they use, redrawn on a terminal; with a name, the processes of one. */
#include "cli/cli.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>

#include "base/fd.h"
#include "launch/stats.h"

struct top_options {
	int interval; /* ms */
	const char *format;
};

static const struct opt options[] = {
	{ "interval", 'i', OPT_DURATION, offsetof(struct top_options, interval), "DURATION",
		"between two looks: 500ms, 5s, … (default 1s)" },
	{ "format", 0, OPT_STRING, offsetof(struct top_options, format), "FORMAT",
		"table (default), or json: once, as of stats" },
	{ 0 },
};
static const struct top_options defaults = { .interval = 1000 };

/* --- the screen ------------------------------------------------------------------------------- */

struct screen {
	struct termios saved;
	bool is_saved;
	int signals; /* signalfd of what ends or resizes us */
	sigset_t old;
};

#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"

/* Whatever ends us, the terminal is put back: so signals are read and not taken. */
static int screen_open(struct screen *s, struct err *e)
{
	struct termios raw;
	sigset_t set;

	if (tcgetattr(STDIN_FILENO, &s->saved) < 0)
		return err_set(e, errno, "top: read the terminal's settings");
	s->is_saved = true;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, &s->old);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (s->signals < 0)
		return err_set(e, errno, "top: signalfd");
	raw = s->saved;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
		return err_set(e, errno, "top: set the terminal");
	return cli_print(ENTER, strlen(ENTER), e);
}

static void screen_close(struct screen *s)
{
	struct err ignored = ERR_INIT;

	if (!s->is_saved)
		return;
	cli_print(LEAVE, strlen(LEAVE), &ignored);
	tcsetattr(STDIN_FILENO, TCSANOW, &s->saved);
	fd_close(s->signals);
	sigprocmask(SIG_SETMASK, &s->old, NULL);
}

/* --- one look --------------------------------------------------------------------------------- */

struct look {
	struct launch_stats *stats;
	enum figure_sort by;
	const struct launch_sample **rows; /* sorted, those that run */
	size_t n, all;
};

static int take(struct look *l, struct err *e)
{
	const struct launch_sample *list;
	int r = launch_stats_pass(l->stats, &list, &l->all, e);

	if (r < 0)
		return r;
	free(l->rows);
	l->rows = figure_sorted(list, l->all, l->by);
	if (!l->rows)
		return err_set(e, ENOMEM, "top");
	l->n = 0;
	for (size_t i = 0; i < l->all; i++)
		if (l->rows[i]->running)
			l->rows[l->n++] = l->rows[i];
	return 0;
}

/* Again, in another order, without looking again. */
static int reorder(struct look *l, struct err *e)
{
	_cleanup_free_ struct launch_sample *copy = calloc(l->n + 1, sizeof(*copy));
	const struct launch_sample **sorted;

	if (!copy)
		return err_set(e, ENOMEM, "top");
	for (size_t i = 0; i < l->n; i++)
		copy[i] = *l->rows[i];
	sorted = figure_sorted(copy, l->n, l->by);
	if (!sorted)
		return err_set(e, ENOMEM, "top");
	/* Of the copies back to what they are copies of. */
	for (size_t i = 0; i < l->n; i++)
		sorted[i] = l->rows[sorted[i] - copy];
	free(l->rows);
	l->rows = sorted;
	return 0;
}

static void summary(const struct look *l, struct strbuf *b)
{
	static const char *const names[] = { "CPU", "memory", "I/O" };
	uint64_t memory = 0;
	double cpu = 0;
	char text[FIGURE_MAX], percent[FIGURE_MAX];

	for (size_t i = 0; i < l->n; i++) {
		cpu += l->rows[i]->cpu > 0 ? l->rows[i]->cpu : 0;
		memory += l->rows[i]->memory == LAUNCH_UNKNOWN ? 0 : l->rows[i]->memory;
	}
	strbuf_printf(b,
		"ringfence: %zu of %zu partitions run, CPU %s, memory %s, by %s (c m i: sort, q: quit)\n",
		l->n, l->all, figure_percent(cpu, percent), figure_bytes(memory, false, text), names[l->by]);
}

/* At most as many lines and columns as there are: what wraps would scroll the first lines away. */
static void clip(const char *text, unsigned int rows, unsigned int columns, struct strbuf *out)
{
	strbuf_puts(out, "\033[H");
	for (unsigned int row = 0; *text && row + 1 < rows; row++) {
		size_t len = strcspn(text, "\n");

		strbuf_add(out, text, len < columns ? len : columns);
		strbuf_puts(out, "\033[K\r\n");
		text += len + (text[len] == '\n');
	}
	strbuf_puts(out, "\033[J");
}

static int draw(const struct look *l, struct err *e)
{
	_cleanup_strbuf_ struct strbuf text = { 0 }, out = { 0 };
	struct winsize w = { 0 };
	size_t n = l->n;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || !w.ws_row || !w.ws_col)
		w = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	summary(l, &text);
	/* What is not seen need not be written. */
	if (n > w.ws_row)
		n = w.ws_row;
	figure_table(&text, l->rows, n, figure_host_memory(), true);
	if (!text.failed)
		clip(text.s, w.ws_row, w.ws_col, &out);
	if (text.failed || out.failed)
		return err_set(e, ENOMEM, "top");
	return cli_print(out.s, out.len, e);
}

static int print_json(const struct look *l, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	_cleanup_free_ struct launch_sample *list = calloc(l->n + 1, sizeof(*list));

	if (!w || !list)
		return err_set(e, ENOMEM, "top");
	for (size_t i = 0; i < l->n; i++)
		list[i] = *l->rows[i];
	figure_json(w, list, l->n, figure_host_memory());
	return cli_print_json(w, e);
}

static int print_once(struct look *l, int interval, bool json, struct err *e)
{
	const struct timespec t = { interval / 1000, (interval % 1000) * 1000000L };
	_cleanup_strbuf_ struct strbuf b = { 0 };
	int r = take(l, e);

	if (r < 0)
		return r;
	nanosleep(&t, NULL);
	r = take(l, e);
	if (r < 0)
		return r;
	if (json)
		return print_json(l, e);
	figure_table(&b, l->rows, l->n, figure_host_memory(), true);
	return b.failed ? err_set(e, ENOMEM, "top") : cli_print(b.s, b.len, e);
}

/* --- the loop --------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* 1: it is over. */
static int keys(struct look *l, struct err *e)
{
	static const char letters[] = "cmi";
	char typed[64];
	ssize_t n = read(STDIN_FILENO, typed, sizeof(typed));
	int r = 0;

	/* The terminal is gone. */
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return 1;
	for (ssize_t i = 0; r == 0 && i < n; i++) {
		const char *at = typed[i] ? strchr(letters, typed[i]) : NULL;

		if (typed[i] == 'q' || typed[i] == 'Q')
			return 1;
		if (at) {
			l->by = (enum figure_sort)(at - letters);
			r = reorder(l, e);
		}
	}
	return r;
}

static int live(struct look *l, const struct screen *s, int interval, struct err *e)
{
	int64_t next = now_ms() + (interval < 1000 ? interval : 1000);
	struct signalfd_siginfo info;
	int r = take(l, e);

	while (r == 0) {
		struct pollfd p[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
			{ .fd = s->signals, .events = POLLIN } };
		int64_t left;

		r = draw(l, e);
		if (r < 0)
			break;
		left = next - now_ms();
		poll(p, 2, left > 0 ? (int)left : 0);
		if (p[1].revents && read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info) &&
			info.ssi_signo != SIGWINCH)
			break;
		if (p[0].revents)
			r = keys(l, e);
		if (r == 0 && now_ms() >= next) {
			r = take(l, e);
			/* Not sooner than one look takes: with thousands of partitions that may be long. */
			next = now_ms() + interval;
		}
	}
	return r < 0 ? r : 0;
}

static int run(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	const struct launch_ctx lc = { .rt = ctx, .data = ctx->data, .store = ctx->store };
	const struct top_options *o = values;
	struct look l = { .by = FIGURE_CPU };
	struct screen s = { .signals = -EBADF };
	int json = cli_format_is_json(o->format, "table", e), r;

	if (json < 0)
		return json;
	if (args[0]) {
		/* docker's top: ps, with the same arguments. */
		const struct cli_ps_options po = { .format = o->format };

		return verb_ps.run(ctx, &po, args, e);
	}
	if (o->interval <= 0)
		return err_text(e, EINVAL, "option --interval must be more than 0");
	r = launch_stats_new(&lc, NULL, &l.stats, e);
	if (r == 0 && (json || !(isatty(STDOUT_FILENO) && isatty(STDIN_FILENO)))) {
		r = print_once(&l, o->interval, json, e);
	} else if (r == 0) {
		r = screen_open(&s, e);
		if (r == 0)
			r = live(&l, &s, o->interval, e);
		screen_close(&s);
	}
	free(l.rows);
	launch_stats_free(l.stats);
	return r;
}

const struct cli_verb verb_top = {
	.name = "top",
	.args = "[NAME [PS-OPTIONS...]]",
	.max_args = -1,
	.in_order = true,
	.summary = "Show partitions by what they use, or the processes of one",
	.options = options,
	.defaults = &defaults,
	.size = sizeof(struct top_options),
	.run = run,
};
