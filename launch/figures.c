/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of `stats` and `top` as people and programs read them. Pure, but for the host's memory. */
#include <stdio.h>
#include <sys/sysinfo.h>

#include "base/json.h"
#include "base/str.h"
#include "launch/stats.h"

enum { COLUMNS = 8 };

/* --- one figure ------------------------------------------------------------------------------- */

const char *figure_bytes(uint64_t v, bool decimal, char buf[static FIGURE_MAX])
{
	static const char *const units[2][7] = { { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" },
		{ "B", "kB", "MB", "GB", "TB", "PB", "EB" } };
	const double step = decimal ? 1000 : 1024;
	double x = (double)v;
	int unit = 0;

	if (v == LAUNCH_UNKNOWN) {
		snprintf(buf, FIGURE_MAX, "--");
		return buf;
	}
	/* What would be rounded to four digits is one of the next unit. */
	while (x >= (unit ? 999.95 : step) && unit < 6) {
		x /= step;
		unit++;
	}
	snprintf(buf, FIGURE_MAX,
		unit == 0 ? "%.0f%s"
		: x < 10  ? "%.2f%s"
			  : "%.1f%s",
		x, units[decimal][unit]);
	return buf;
}

const char *figure_percent(double v, char buf[static FIGURE_MAX])
{
	snprintf(buf, FIGURE_MAX, v < 0 ? "--" : "%.2f%%", v);
	return buf;
}

const char *figure_count(uint64_t v, char buf[static FIGURE_MAX])
{
	snprintf(buf, FIGURE_MAX, v == LAUNCH_UNKNOWN ? "--" : "%llu", (unsigned long long)v);
	return buf;
}

double figure_part(uint64_t v, uint64_t limit)
{
	return v == LAUNCH_UNKNOWN || limit == LAUNCH_UNKNOWN || limit == 0 ? -1
									    : (double)v * 100 / (double)limit;
}

uint64_t figure_limit(uint64_t limit, uint64_t host)
{
	return limit < host ? limit : host;
}

uint64_t figure_host_memory(void)
{
	struct sysinfo s;

	return sysinfo(&s) < 0 ? LAUNCH_UNKNOWN : (uint64_t)s.totalram * s.mem_unit;
}

/* --- sorting ---------------------------------------------------------------------------------- */

static int compare(double a, double b, const struct launch_sample *x, const struct launch_sample *y)
{
	return a > b ? -1 : a < b ? 1 : strcmp(x->name, y->name);
}

/* What is not known comes last. */
static double known(uint64_t v)
{
	return v == LAUNCH_UNKNOWN ? -1 : (double)v;
}

static int by_cpu(const void *a, const void *b)
{
	const struct launch_sample *x = *(const struct launch_sample *const *)a,
				   *y = *(const struct launch_sample *const *)b;

	return compare(x->cpu, y->cpu, x, y);
}

static int by_memory(const void *a, const void *b)
{
	const struct launch_sample *x = *(const struct launch_sample *const *)a,
				   *y = *(const struct launch_sample *const *)b;

	return compare(known(x->memory), known(y->memory), x, y);
}

static int by_io(const void *a, const void *b)
{
	const struct launch_sample *x = *(const struct launch_sample *const *)a,
				   *y = *(const struct launch_sample *const *)b;

	return compare((double)x->io_rate, (double)y->io_rate, x, y);
}

const struct launch_sample **figure_sorted(const struct launch_sample *list, size_t n, enum figure_sort by)
{
	const struct launch_sample **v = calloc(n + 1, sizeof(*v));

	if (!v)
		return NULL;
	for (size_t i = 0; i < n; i++)
		v[i] = &list[i];
	if (n)
		qsort(v, n, sizeof(*v), by == FIGURE_CPU ? by_cpu : by == FIGURE_MEMORY ? by_memory : by_io);
	return v;
}

/* --- the table -------------------------------------------------------------------------------- */

struct row {
	char cell[COLUMNS][FIGURE_MAX * 3];
};

static void pair(char cell[static FIGURE_MAX * 3], uint64_t a, uint64_t b, bool decimal)
{
	char x[FIGURE_MAX], y[FIGURE_MAX];

	snprintf(cell, FIGURE_MAX * 3, "%s / %s", figure_bytes(a, decimal, x), figure_bytes(b, decimal, y));
}

/* "0.00 0.12 1.50": CPU, memory, I/O. */
static void pressure(char cell[static FIGURE_MAX * 3], const struct launch_sample *s)
{
	const int v[] = { s->pressure_cpu, s->pressure_memory, s->pressure_io };
	size_t n = 0;

	if (v[0] < 0 && v[1] < 0 && v[2] < 0) {
		snprintf(cell, FIGURE_MAX * 3, "--");
		return;
	}
	for (size_t i = 0; i < 3; i++) {
		if (v[i] < 0)
			n += (size_t)snprintf(cell + n, FIGURE_MAX * 3 - n, "%s--", i ? " " : "");
		else
			n += (size_t)snprintf(cell + n, FIGURE_MAX * 3 - n, "%s%d.%02d", i ? " " : "",
				v[i] / 100, v[i] % 100);
	}
}

static void fill(struct row *r, const struct launch_sample *s, uint64_t host, bool rates)
{
	uint64_t limit = figure_limit(s->memory_limit, host);
	char text[FIGURE_MAX];

	snprintf(r->cell[0], sizeof(r->cell[0]), "%s", figure_percent(s->cpu, text));
	pair(r->cell[1], s->memory, s->running ? limit : LAUNCH_UNKNOWN, false);
	snprintf(r->cell[2], sizeof(r->cell[2]), "%s", figure_percent(figure_part(s->memory, limit), text));
	pair(r->cell[3], s->net_rx, s->net_tx, true);
	pair(r->cell[4], s->io_read, s->io_write, true);
	snprintf(r->cell[5], sizeof(r->cell[5]), "%s%s",
		figure_bytes(s->running ? s->io_rate : LAUNCH_UNKNOWN, true, text), s->running ? "/s" : "");
	snprintf(r->cell[6], sizeof(r->cell[6]), "%s", figure_count(s->pids, text));
	pressure(r->cell[7], s);
	if (!rates)
		r->cell[5][0] = '\0';
}

void figure_table(
	struct strbuf *out, const struct launch_sample *const *list, size_t n, uint64_t host, bool rates)
{
	static const char *const heads[COLUMNS] = { "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O",
		"BLOCK I/O", "I/O RATE", "PIDS", "PRESSURE C M I" };
	size_t width[COLUMNS], name = strlen("NAME");
	_cleanup_free_ struct row *rows = calloc(n + 1, sizeof(*rows));

	if (!rows) {
		out->failed = true;
		return;
	}
	for (int c = 0; c < COLUMNS; c++)
		width[c] = strlen(heads[c]);
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(list[i]->name);

		name = len > name ? len : name;
		fill(&rows[i], list[i], host, rates);
		for (int c = 0; c < COLUMNS; c++) {
			len = strlen(rows[i].cell[c]);
			width[c] = len > width[c] ? len : width[c];
		}
	}
	for (size_t i = 0; i <= n; i++) {
		strbuf_printf(out, "%-*s", (int)name, i ? list[i - 1]->name : "NAME");
		for (int c = 0; c < COLUMNS; c++) {
			const char *text = i ? rows[i - 1].cell[c] : heads[c];

			if (c == 5 && !rates)
				continue;
			strbuf_printf(out, "   %-*s", c == COLUMNS - 1 ? 0 : (int)width[c], text);
		}
		strbuf_puts(out, "\n");
	}
}

/* --- JSON ------------------------------------------------------------------------------------- */

/* What is not known is left out. */
static void put(struct json_writer *w, const char *name, uint64_t v)
{
	if (v != LAUNCH_UNKNOWN)
		json_put_u64(w, name, v);
}

static void put_pressure(struct json_writer *w, const char *name, int v)
{
	if (v >= 0)
		json_put_double(w, name, v / 100.0);
}

static void put_sample(struct json_writer *w, const struct launch_sample *s, uint64_t host)
{
	double part = figure_part(s->memory, figure_limit(s->memory_limit, host));

	json_put_string(w, "name", s->name);
	json_put_bool(w, "running", s->running);
	if (!s->running)
		return;
	json_open_object(w, "cpu");
	if (s->cpu >= 0)
		json_put_double(w, "percent", s->cpu);
	put(w, "usageNs", s->cpu_ns);
	json_close_object(w);
	json_open_object(w, "memory");
	put(w, "usage", s->memory);
	put(w, "limit", s->memory_limit);
	if (part >= 0)
		json_put_double(w, "percent", part);
	json_close_object(w);
	json_open_object(w, "network");
	put(w, "received", s->net_rx);
	put(w, "sent", s->net_tx);
	json_close_object(w);
	json_open_object(w, "block");
	put(w, "read", s->io_read);
	put(w, "written", s->io_write);
	json_close_object(w);
	json_open_object(w, "pids");
	put(w, "current", s->pids);
	put(w, "limit", s->pids_limit);
	json_close_object(w);
	if (s->pressure_cpu < 0 && s->pressure_memory < 0 && s->pressure_io < 0)
		return;
	json_open_object(w, "pressure");
	put_pressure(w, "cpu", s->pressure_cpu);
	put_pressure(w, "memory", s->pressure_memory);
	put_pressure(w, "io", s->pressure_io);
	json_close_object(w);
}

void figure_json(struct json_writer *w, const struct launch_sample *list, size_t n, uint64_t host)
{
	json_open_array(w, NULL);
	for (size_t i = 0; i < n; i++) {
		json_open_object(w, NULL);
		put_sample(w, &list[i], host);
		json_close_object(w);
	}
	json_close_array(w);
}
