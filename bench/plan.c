/* SPDX-License-Identifier: Apache-2.0 */
/* `plan`: how many instances of which design a host takes, and where the first limit is (judge.h). */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "bench/judge.h"

/* A plan that asks for more times the instances that were measured says so. */
#define FAR 10
/* Tasks of the host's own, for which some of the numbers of processes go. */
#define OWN_TASKS 1000

static double machine_number(const struct result *r, const char *name)
{
	const char *s = pairs_get(&r->machine, name);
	uint64_t v;

	return s && str_to_u64(s, &v) == 0 ? (double)v : 0;
}

struct limit {
	const char *what;
	double likely, surely; /* instances */
};

static void consider(struct limit *first, const char *what, double likely, double surely)
{
	if (surely < first->surely)
		*first = (struct limit){ what, likely, surely };
}

/* The value of a row's slope at either end; 0 if it is not known. */
static struct estimate slope_of(const struct result *r, const struct result_row *like, const char *metric)
{
	const struct result_row *row = result_find(r, like->bench, like->variant, metric, like->design);

	return row && row->known ? row->value : (struct estimate){ 0, 0, 0 };
}

/* Designs that have namespaces of their own, one of each kind an instance. */
static bool has_namespaces(const char *design)
{
	static const char *const without[] = { "fake", "qemu", "firecracker", "cloud-hypervisor" };

	for (size_t i = 0; i < ARRAY_SIZE(without); i++)
		if (str_starts(design, without[i]))
			return false;
	return true;
}

static void consider_tasks(const struct result *r, const struct result_row *row, struct limit *first)
{
	static const char *const namespaces[] = { "max_mnt_namespaces", "max_net_namespaces",
		"max_pid_namespaces" };
	struct estimate threads = slope_of(r, row, "threads");
	double pids = machine_number(r, "pid_max"), tasks = machine_number(r, "threads-max");

	if (threads.value > 0 && pids > OWN_TASKS)
		consider(first, "pid_max", (pids - OWN_TASKS) / threads.value,
			(pids - OWN_TASKS) / threads.high);
	if (threads.value > 0 && tasks > OWN_TASKS)
		consider(first, "threads-max", (tasks - OWN_TASKS) / threads.value,
			(tasks - OWN_TASKS) / threads.high);
	for (size_t i = 0; i < ARRAY_SIZE(namespaces) && has_namespaces(row->design); i++) {
		double n = machine_number(r, namespaces[i]);

		if (n > 0)
			consider(first, namespaces[i], n, n);
	}
}

/*
 * The host's memory if its interval says anything, else what has a name: the one is all, the other is less
 * and known better.
 */
static struct estimate cost_of(const struct result *r, const struct result_row *host, const char **which)
{
	struct estimate all = slope_of(r, host, "host memory"), named = slope_of(r, host, "accounted memory");

	*which = "host memory";
	if (all.low > 0 && all.high < 3 * all.low)
		return all;
	if (named.value > 0 && (all.value <= 0 || named.high - named.low < all.high - all.low)) {
		*which = "accounted memory";
		return named;
	}
	return all;
}

static void put_count(double n, struct strbuf *out)
{
	strbuf_printf(out, n < 1e12 ? "%.0f" : "no end", floor(fmax(n, 0)));
}

static bool put_design(const struct result *r, const struct result_row *row, double room,
	const struct plan *p, struct strbuf *out)
{
	const char *which;
	struct estimate cost = cost_of(r, row, &which);
	struct limit first = { "memory", INFINITY, INFINITY };
	double measured = 0;

	strbuf_printf(out, "| %s | %s | ", row->design, row->variant);
	if (!(cost.value > 0) || !(cost.high > 0)) {
		strbuf_printf(
			out, "not known: %s | | | |\n", row->reason ? row->reason : "measure more instances");
		return false;
	}
	consider(&first, "memory", room / cost.value, room / cost.high);
	consider_tasks(r, row, &first);
	for (size_t i = 0; i < row->n; i++)
		measured = fmax(measured, row->x[i]);
	result_quantity(cost.value, "bytes", out);
	strbuf_puts(out, " (");
	result_quantity(cost.low, "bytes", out);
	strbuf_puts(out, " to ");
	result_quantity(cost.high, "bytes", out);
	strbuf_printf(out, "), %s | ", which);
	put_count(first.likely, out);
	strbuf_puts(out, " | ");
	put_count(first.surely, out);
	strbuf_printf(out, " | %s |%s", first.what, p->instances ? "" : " |");
	if (p->instances)
		strbuf_printf(out, " %s",
			first.surely >= (double)p->instances   ? "fits"
			: first.likely >= (double)p->instances ? "may fit"
							       : "does not fit");
	if ((p->instances ? fmin((double)p->instances, first.likely) : first.likely) > FAR * measured)
		strbuf_printf(out, "%s measured up to %.0f only", p->instances ? ";" : "", measured);
	strbuf_puts(out, " |\n");
	return first.surely >= (double)p->instances;
}

int plan_result(const struct result *r, const struct plan *p, struct strbuf *out, bool *fits, struct err *e)
{
	double total = machine_number(r, "memory bytes"), available = machine_number(r, "available bytes");
	double memory = p->memory ? (double)p->memory : total, used = total - available;
	double reserve = p->reserve ? (double)p->reserve : memory / 8, room = memory - used - reserve;
	size_t n = 0;

	*fits = false;
	if (!(memory > 0))
		return err_text(
			e, EINVAL, "the result does not tell how large its machine was; say --memory");
	strbuf_puts(out, "A host with ");
	result_quantity(memory, "bytes", out);
	strbuf_puts(out, ", of which ");
	result_quantity(used, "bytes", out);
	strbuf_puts(out, " are its own, as measured, and ");
	result_quantity(reserve, "bytes", out);
	strbuf_puts(out, " stay free, has ");
	result_quantity(fmax(room, 0), "bytes", out);
	strbuf_puts(out,
		" for instances.\n\n| design | load | an instance | likely | surely | first limit | |\n"
		"|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < r->n_rows; i++) {
		const struct result_row *row = r->rows[i];

		if (!str_eq(row->bench, "density") || !str_eq(row->metric, "host memory"))
			continue;
		*fits |= put_design(r, row, fmax(room, 0), p, out);
		n++;
	}
	if (n == 0)
		return err_text(
			e, EINVAL, "the result has no density; measure it with \"ringfence bench density\"");
	return out->failed ? err_set(e, ENOMEM, "plan") : 0;
}
