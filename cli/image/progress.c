/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bars and lines (see progress.h).
 *
 * The bars are the last lines of the terminal: each drawing goes up by as many lines as the last one has
 * made, clears from there, writes the lines of items that have ended since, which stay, and the bars of those
 * that are going on, which are as few as there are threads.
 */
#include "cli/image/progress.h"

#include <sys/ioctl.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "cli/image/text.h"

#define REDRAW_EVERY 0.1 /* seconds */
#define BARS_MAX     16
#define BAR_MIN	     10
#define WHAT_MAX     160

struct item {
	bool going;
	char what[WHAT_MAX];
	int64_t now, total, begun; /* begun: what was there before */
	double since, speed_at, speed;
	int64_t speed_now;
};

struct progress {
	struct img_progress base;
	const char *did;
	bool terminal;
	struct item *items;
	size_t n;
	size_t drawn; /* lines of the last drawing */
	double last;
	struct strbuf ended;
};

static double now_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int terminal_width(int *rows)
{
	struct winsize w;

	*rows = 24;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_col == 0)
		return 80;
	*rows = w.ws_row ? w.ws_row : 24;
	return w.ws_col;
}

/* --- text --------------------------------------------------------------------------------------- */

/* "layer sha256:0123…" with as many digits as people compare. */
static void short_what(const char *what, char *buf, size_t size)
{
	const char *colon = strchr(what, ':');
	size_t digits = colon ? strspn(colon + 1, "0123456789abcdef") : 0, head;

	if (!colon || digits < 32 || colon[1 + digits]) {
		snprintf(buf, size, "%.40s", what);
		return;
	}
	for (head = (size_t)(colon - what); head && what[head - 1] != ' '; head--)
		;
	snprintf(buf, size, "%.*s%.12s", (int)head, what, colon + 1);
}

void progress_bar(struct strbuf *out, const char *what, int64_t now, int64_t total, double speed, int width)
{
	char name[64], done[TEXT_MAX], of[TEXT_MAX + 4] = "", rate[TEXT_MAX + 8] = "", line[512];
	int room, filled;

	short_what(what, name, sizeof(name));
	text_size(now, done);
	if (total >= 0) {
		char t[TEXT_MAX];

		text_size(total, t);
		snprintf(of, sizeof(of), " / %s", t);
	}
	if (speed > 0) {
		char t[TEXT_MAX];

		text_size((int64_t)speed, t);
		snprintf(rate, sizeof(rate), "  %s/s", t);
	}
	/* The last column stays empty: some terminals go to the next line there. */
	room = width - 1 - (int)(text_width(name) + strlen(done) + strlen(of) + strlen(rate)) - 4;
	room = room > 40 ? 40 : room;
	if (total <= 0 || room < BAR_MIN) {
		snprintf(line, sizeof(line), "%s %s%s%s", name, done, of, rate);
		strbuf_printf(out, "%.*s", width > 1 ? width - 1 : 0, line);
		return;
	}
	filled = now >= total ? room : (int)((double)now / (double)total * room);
	strbuf_printf(out, "%s [", name);
	for (int i = 0; i < room; i++)
		strbuf_puts(out, i < filled ? "=" : i == filled ? ">" : " ");
	strbuf_printf(out, "] %s%s%s", done, of, rate);
}

/* --- drawing ------------------------------------------------------------------------------------ */

static void draw(struct progress *p)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	int rows, width = terminal_width(&rows);
	size_t most = rows > 3 ? (size_t)rows - 2 : 1, bars = 0;

	most = most > BARS_MAX ? BARS_MAX : most;
	if (p->drawn)
		strbuf_printf(&b, "\x1b[%zuA", p->drawn);
	strbuf_puts(&b, "\r\x1b[J");
	if (p->ended.len)
		strbuf_add(&b, p->ended.s, p->ended.len);
	strbuf_reset(&p->ended);
	for (size_t i = 0; i < p->n && bars < most; i++) {
		const struct item *it = &p->items[i];

		if (!it->going)
			continue;
		progress_bar(&b, it->what, it->now, it->total, it->speed, width);
		strbuf_puts(&b, "\n");
		bars++;
	}
	p->drawn = bars;
	p->last = now_seconds();
	if (!b.failed && b.len)
		(void)fd_write_all(STDERR_FILENO, b.s, b.len);
}

/* An item's last line: at once, or with the next drawing. */
static void add_line(struct progress *p, const char *what, const char *how)
{
	struct strbuf *b = &p->ended;

	text_safe(b, what);
	strbuf_puts(b, ": ");
	text_safe(b, how);
	strbuf_puts(b, "\n");
	if (p->terminal)
		return;
	if (!b->failed && b->len)
		(void)fd_write_all(STDERR_FILENO, b->s, b->len);
	strbuf_reset(b);
}

/* --- what the library calls --------------------------------------------------------------------- */

static struct item *item_of(struct img_progress *base, int i)
{
	struct progress *p = (struct progress *)base; /* its first member */

	if (i < 0)
		return NULL;
	if ((size_t)i >= p->n) {
		size_t n = (size_t)i + 16;
		struct item *more = reallocarray(p->items, n, sizeof(*more));

		if (!more)
			return NULL;
		memset(more + p->n, 0, (n - p->n) * sizeof(*more));
		p->items = more;
		p->n = n;
	}
	return &p->items[i];
}

static void begin(struct img_progress *base, int i, const char *what, int64_t total)
{
	struct progress *p = (struct progress *)base;
	struct item *it = item_of(base, i);
	_cleanup_strbuf_ struct strbuf b = { 0 };

	if (!it)
		return;
	memset(it, 0, sizeof(*it));
	/* A digest alone is a layer's. */
	if (what && strchr(what, ':') && !strpbrk(what, " /"))
		strbuf_puts(&b, "layer ");
	text_safe(&b, what ? what : "");
	snprintf(it->what, sizeof(it->what), "%s", b.s ? b.s : "");
	it->going = true;
	it->total = total;
	it->since = it->speed_at = now_seconds();
	if (p->terminal && it->since - p->last >= REDRAW_EVERY)
		draw(p);
}

static void at(struct img_progress *base, int i, int64_t now)
{
	struct progress *p = (struct progress *)base;
	struct item *it = item_of(base, i);
	double t, passed;

	if (!it || !it->going)
		return;
	t = now_seconds();
	passed = t - it->speed_at;
	/* The first report of a download that is gone on with is what was there. */
	if (it->now == 0 && t - it->since < 0.05)
		it->speed_now = now;
	if (passed >= 0.5) {
		double speed = (double)(now - it->speed_now) / passed;

		it->speed = speed < 0 ? 0 : it->speed > 0 ? it->speed * 0.6 + speed * 0.4 : speed;
		it->speed_at = t;
		it->speed_now = now;
	}
	it->now = now;
	if (p->terminal && t - p->last >= REDRAW_EVERY)
		draw(p);
}

static void end(struct img_progress *base, int i, const char *how)
{
	struct progress *p = (struct progress *)base;
	struct item *it = item_of(base, i);
	char line[128];

	if (!it || !it->going)
		return;
	it->going = false;
	if (str_eq(how, "done")) {
		char size[TEXT_MAX];

		text_size(it->total >= 0 ? it->total : it->now, size);
		snprintf(line, sizeof(line), "%s %s", p->did, size);
		how = line;
	}
	add_line(p, it->what, how);
	if (p->terminal)
		draw(p);
}

struct progress *progress_new(const char *did)
{
	const char *term = getenv("TERM");
	struct progress *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->base = (struct img_progress){ begin, at, end };
	p->did = did;
	/* What is logged goes there as well, and would be drawn over. */
	p->terminal =
		isatty(STDERR_FILENO) && (!term || !str_eq(term, "dumb")) && !log_enabled(LOG_LEVEL_WARNING);
	return p;
}

struct img_progress *progress_calls(struct progress *p)
{
	return p ? &p->base : NULL;
}

void progress_free(struct progress *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		p->items[i].going = false;
	if (p->terminal && (p->drawn || p->ended.len))
		draw(p);
	strbuf_reset(&p->ended);
	free(p->items);
	free(p);
}
