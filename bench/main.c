/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ringfence-bench: the program behind `ringfence bench`. Options, the order of a run, and the exit status:
 * 0 done; 1 it could not be; 2 not understood; 3 measured, but a design failed at some of it, or left
 * something behind (compare: something is worse); 130 interrupted, and what was measured is kept.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "bench/bench.h"
#include "bench/judge.h"
#include "bench/report.h"

enum status { DONE = 0, FAILED = 1, NOT_UNDERSTOOD = 2, BLEMISHED = 3, INTERRUPTED = 130 };

#define DEFAULT_DESIGNS "floor,ringfence,crun,runc"

static const char usage[] =
	"Usage: ringfence bench WHAT [OPTIONS]\n"
	"\n"
	"Measure what it costs to run something apart from this host, by several designs, in turns.\n"
	"\n"
	"What:\n"
	"  start        from the call to the payload's first instruction, and the whole life\n"
	"  exec         the same into an instance that lives\n"
	"  density      what one more living instance costs: memory of processes and kernel, a slope over "
	"many\n"
	"  scale        how long a start takes when so many live already\n"
	"  overhead     computing, memory, system calls, files and network inside, against the bare host\n"
	"  all          all of these\n"
	"  compare A B  two results: is B better, worse or the same\n"
	"  plan FILE    from a result with density: how many instances of what a host takes\n"
	"  report FILE  the tables of a result, and its HTML again\n"
	"  clean        remove what runs that were killed left behind\n"
	"\n"
	"Options:\n"
	"      --design LIST             which, or all (default: " DEFAULT_DESIGNS ")\n"
	"      --count N                 rounds (default 40, overhead 10), or instances (density 100, scale "
	"1000)\n"
	"      --warmup N                rounds before that, which do not count (default 3)\n"
	"      --concurrency N           how many starts at once, besides one at a time (default 8; 0: not "
	"at all)\n"
	"      --payload NAME            of density: idle, web or both (default both)\n"
	"      --memory-limit SIZE       density and scale stop when a design has taken so much\n"
	"      --reserve SIZE            and when so little is available (default: an eighth of the memory)\n"
	"      --settle MS               density: from a start to a reading (default 100)\n"
	"      --guest-memory SIZE       of a virtual machine (default 64M)\n"
	"      --timeout SECONDS         for a start (default 30)\n"
	"      --pin CPUS                run all of it on these processors, as 0,2-3\n"
	"      --out DIR                 where results are written (default: ringfence-bench-TIME)\n"
	"      --work DIR                where instances and their files live meanwhile (default: a tmpfs)\n"
	"      --runtime PATH            the ringfence to measure (default: that of the same build)\n"
	"      --kernel FILE             for guests (default $RINGFENCE_GUEST_KERNEL, or what ./bootstrap "
	"kernel made)\n"
	"      --threshold PERCENT       compare: smaller differences are none (default 5)\n"
	"      --relative                compare: the ratios to the first design, not the figures\n"
	"      --instances N             plan: how many are wanted\n"
	"      --memory SIZE             plan: of the host (default: as it was measured)\n"
	"      --quiet                   no progress, no tables\n"
	"  -h, --help                    show this help\n";

/* --- options ------------------------------------------------------------------------------------------ */

enum { OPT_NUMBER, OPT_BYTES, OPT_TEXT, OPT_FLAG };

#define AT(field) offsetof(struct options, field)
static const struct {
	const char *name;
	int kind;
	size_t offset;
	uint64_t min, max;
} table[] = {
	{ "design", OPT_TEXT, AT(designs), 0, 0 },
	{ "count", OPT_NUMBER, AT(count), 1, 1000000 },
	{ "warmup", OPT_NUMBER, AT(warmup), 0, 1000 },
	{ "concurrency", OPT_NUMBER, AT(concurrency), 0, 512 },
	{ "guest-memory", OPT_BYTES, AT(guest_memory), 16u << 20, UINT64_C(1) << 40 },
	{ "memory-limit", OPT_BYTES, AT(memory_limit), 1, UINT64_C(1) << 60 },
	{ "reserve", OPT_BYTES, AT(reserve), 1, UINT64_C(1) << 60 },
	{ "threshold", OPT_NUMBER, AT(threshold), 0, 1000 },
	{ "relative", OPT_FLAG, AT(relative), 0, 0 },
	{ "instances", OPT_NUMBER, AT(instances), 1, UINT64_C(1) << 40 },
	{ "memory", OPT_BYTES, AT(memory), 1, UINT64_C(1) << 60 },
	{ "settle", OPT_NUMBER, AT(settle), 0, 60000 },
	{ "timeout", OPT_NUMBER, AT(timeout), 1, 3600 },
	{ "pin", OPT_TEXT, AT(pin), 0, 0 },
	{ "out", OPT_TEXT, AT(out), 0, 0 },
	{ "work", OPT_TEXT, AT(work), 0, 0 },
	{ "runtime", OPT_TEXT, AT(runtime), 0, 0 },
	{ "kernel", OPT_TEXT, AT(kernel), 0, 0 },
	{ "payload", OPT_TEXT, AT(payload), 0, 0 },
	{ "quiet", OPT_FLAG, AT(quiet), 0, 0 },
};
#undef AT

static int set_option(struct options *o, size_t i, const char *value, struct err *e)
{
	void *to = (char *)o + table[i].offset;
	uint64_t n = 0;
	int64_t size = -1;

	if (table[i].kind == OPT_FLAG)
		*(bool *)to = true;
	if (table[i].kind == OPT_TEXT)
		*(const char **)to = value;
	if (table[i].kind == OPT_FLAG || table[i].kind == OPT_TEXT)
		return 0;
	if (table[i].kind == OPT_BYTES ? str_to_size(value, &size) < 0 || size < 0
				       : str_to_u64(value, &n) < 0)
		return err_text(e, EINVAL, "option --%s takes a %s, not \"%s\"", table[i].name,
			table[i].kind == OPT_BYTES ? "size, as 64M" : "number", value);
	n = table[i].kind == OPT_BYTES ? (uint64_t)size : n;
	if (n < table[i].min || n > table[i].max)
		return err_text(e, EINVAL, "option --%s: %s is not between %llu and %llu", table[i].name,
			value, (unsigned long long)table[i].min, (unsigned long long)table[i].max);
	*(uint64_t *)to = n;
	return 0;
}

/* 0, 1 for help, or an error. *first: of the other words. */
static int parse(int argc, char **argv, struct options *o, int *first, struct err *e)
{
	struct option known[ARRAY_SIZE(table) + 2] = { { 0 } };
	int c, at = 0, r;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		known[i] = (struct option){ table[i].name,
			table[i].kind == OPT_FLAG ? no_argument : required_argument, NULL, 0 };
	known[ARRAY_SIZE(table)] = (struct option){ "help", no_argument, NULL, 'h' };
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":h", known, &at)) != -1) {
		if (c == 'h')
			return 1;
		if (c != 0)
			return err_text(e, EINVAL, "%s %s",
				c == ':' ? "a value is missing behind" : "unknown option", argv[optind - 1]);
		r = set_option(o, (size_t)at, optarg, e);
		if (r < 0)
			return r;
	}
	*first = optind;
	return 0;
}

/* --- where things are --------------------------------------------------------------------------------- */

struct places {
	char dir[PATH_MAX]; /* of this program */
	char runtime[PATH_MAX], payload[PATH_MAX], floor[PATH_MAX], kernel[PATH_MAX];
};

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* A file that the user named, or one beside us, or where it is installed. */
static int find(
	char *out, const char *given, const char *dir, const char *name, const char *installed, struct err *e)
{
	_cleanup_free_ char *real = given ? realpath(given, NULL) : NULL;

	if (given) {
		if (!real)
			return err_set(e, errno, "find %s", given);
		snprintf(out, PATH_MAX, "%s", real);
		return 0;
	}
	snprintf(out, PATH_MAX, "%.*s/%s", PATH_MAX - 128, dir, name);
	if (!is_program(out))
		snprintf(out, PATH_MAX, "%s/%s", installed, name);
	return is_program(out)
		       ? 0
		       : err_text(e, ENOENT,
				 "%s is not beside ringfence-bench, nor is there a %s; run make install",
				 name, out);
}

/* "" where there is none: then the designs that need it have that for a reason. */
static void find_kernel(const struct options *o, char *out)
{
	const char *const places[] = { o->kernel, getenv("RINGFENCE_GUEST_KERNEL"),
		"/var/cache/ringfence/guest-kernel/current/vmlinux" };

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *real = places[i] ? realpath(places[i], NULL) : NULL;

		if (!real)
			continue;
		snprintf(out, PATH_MAX, "%s", real);
		setenv("RINGFENCE_GUEST_KERNEL", out, 1);
		return;
	}
}

static int find_places(const struct options *o, struct places *p, struct err *e)
{
	ssize_t n = readlink("/proc/self/exe", p->dir, sizeof(p->dir) - 1);
	int r;

	if (n < 0)
		return err_set(e, errno, "find our own program");
	p->dir[n] = '\0';
	*strrchr(p->dir, '/') = '\0';
	find_kernel(o, p->kernel);
	if (o->kernel && !p->kernel[0])
		return err_text(e, ENOENT, "there is no kernel %s", o->kernel);
	r = find(p->runtime, o->runtime, p->dir, "ringfence", BINDIR, e);
	if (r == 0)
		r = find(p->payload, NULL, p->dir, "ringfence-bench-payload", LIBEXECDIR "/ringfence", e);
	if (r == 0)
		r = find(p->floor, NULL, p->dir, "ringfence-bench-floor", LIBEXECDIR "/ringfence", e);
	return r;
}

/* --- a run -------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*run)(struct bench *b, struct err *e);
} benches[] = {
	{ "start", bench_start },
	{ "exec", bench_exec },
	{ "density", bench_density },
	{ "scale", bench_scale },
	{ "overhead", bench_overhead },
};

static bool is_bench(const char *what)
{
	for (size_t i = 0; i < ARRAY_SIZE(benches); i++)
		if (str_eq(what, benches[i].name))
			return true;
	return str_eq(what, "all");
}

static const char *time_now(struct result *r)
{
	struct timespec t;
	char text[LOG_TIME_MAX];

	clock_gettime(CLOCK_REALTIME, &t);
	log_time(&t, text);
	return result_strdup(r, text);
}

/* What killed runs left. Trouble with it is told, and does not stop a new run. */
static int clean_dead(const struct options *o, bool tell)
{
	_cleanup_strbuf_ struct strbuf left = { 0 };
	struct err e = ERR_INIT;
	size_t cleaned = 0, living = 0;
	int r = site_clean_dead(o->work, designs_clean, &cleaned, &living, &left, &e);

	if (tell || cleaned)
		printf("%zu killed runs cleaned up after, %zu runs are living\n", cleaned, living);
	if (left.s)
		fputs(left.s, stderr);
	if (r < 0)
		log_error("%s", e.text);
	return r;
}

static int probe_all(struct bench *b, struct err *e)
{
	int r = 0;

	progress_begin(b, "trying designs", b->designs.n);
	for (size_t i = 0; i < b->designs.n && r == 0; i++) {
		struct design *d = &b->designs.at[i];
		struct result_design *rd = result_add_design(b->result, d->name);

		if (!rd)
			return err_set(e, ENOMEM, "keep results");
		r = design_probe(d, e);
		progress_step(b, d);
		rd->title = result_strdup(b->result, d->kind->title);
		rd->version = result_strdup(b->result, d->version);
		rd->detail = result_strdup(b->result, d->detail);
		rd->reason = result_strdup(b->result, d->reason);
	}
	progress_end(b);
	return r;
}

/* A design that cannot be measured is a row, with the reason, in each group there is. */
static void add_reasons(struct bench *b)
{
	size_t n = b->result->n_rows;

	for (size_t k = 0; k < b->designs.n; k++) {
		const struct design *d = &b->designs.at[k];

		for (size_t i = 0; i < n && d->reason; i++) {
			const struct result_row *like = b->result->rows[i];
			struct result_row *row = result_row(
				b->result, like->bench, like->variant, like->metric, d->name, like->unit);

			if (!row)
				return;
			row->slope = like->slope;
			row->minor = like->minor;
			row->more_is_better = like->more_is_better;
			row_fail(b->result, row, d->reason);
		}
	}
}

static int measure(struct bench *b, const char *what, struct err *e)
{
	int r = probe_all(b, e);

	for (size_t i = 0; i < ARRAY_SIZE(benches) && r == 0; i++)
		if (str_eq(what, "all") || str_eq(what, benches[i].name))
			r = benches[i].run(b, e);
	progress_end(b);
	add_reasons(b);
	return r;
}

static int describe_settings(struct bench *b, const char *what, const char *cpus)
{
	struct result *r = b->result;
	struct pairs *s = &r->settings;

	pairs_add(r, s, "version", "%s", PACKAGE_VERSION);
	pairs_add(r, s, "commit", "%s", GIT_COMMIT);
	pairs_add(r, s, "what", "%s", what);
	pairs_add(r, s, "designs", "%s", b->o->designs);
	pairs_add(r, s, "processors", "%s", cpus);
	pairs_add(r, s, "warm-up rounds", "%llu", (unsigned long long)b->o->warmup);
	pairs_add(r, s, "guest memory", "%llu", (unsigned long long)b->o->guest_memory);
	return pairs_add(r, s, "confidence", "95 %%");
}

static int write_all(struct bench *b, const char *dir, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	int r = path_make(dir, 0755, e);

	if (r < 0)
		return r;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, "open %s", dir);
	r = result_write_json(b->result, fd, "result.json", e);
	if (r == 0)
		r = result_write_csv(b->result, fd, "result.csv", e);
	if (r == 0)
		r = report_write(b->result, fd, "report.html", e);
	return r < 0 ? err_wrap(e, "write results to %s", dir) : 0;
}

static void print_tables(struct bench *b, const char *dir)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };

	result_describe(b->result, &text);
	if (text.s)
		fputs(text.s, stdout);
	printf("\nWritten to %s: result.json, result.csv, report.html\n", dir);
	fflush(stdout);
}

static bool has_figure(const struct result *r)
{
	for (size_t i = 0; i < r->n_rows; i++)
		if (r->rows[i]->known)
			return true;
	return false;
}

static bool has_blemish(const struct result *r)
{
	for (size_t i = 0; i < r->n_rows; i++)
		if (r->rows[i]->failures || (r->rows[i]->notes && r->rows[i]->notes[0]))
			return true;
	return false;
}

static const char *out_dir(const struct options *o, char *buf, size_t size)
{
	time_t now = time(NULL);
	struct tm t;

	if (o->out)
		return o->out;
	gmtime_r(&now, &t);
	strftime(buf, size, "ringfence-bench-%Y%m%dT%H%M%SZ", &t);
	return buf;
}

/* Measuring is over, whole or not: takes all down, and keeps what there is. */
static int conclude(struct bench *b, int measured, struct err *e)
{
	struct err why = ERR_INIT;
	char buf[64];
	const char *dir = out_dir(b->o, buf, sizeof(buf));
	int cleaned = site_clean(&b->site, designs_clean, NULL, &why), r;

	if (cleaned < 0)
		log_error("%s", why.text);
	if (measured < 0 && measured != -EINTR)
		return FAILED;
	b->result->interrupted = measured == -EINTR;
	b->result->ended = time_now(b->result);
	r = result_sort(b->result) < 0 || result_summarise(b->result) < 0 ? err_set(e, ENOMEM, "sum up")
									  : write_all(b, dir, e);
	if (r < 0)
		return FAILED;
	if (!b->o->quiet)
		print_tables(b, dir);
	if (b->result->interrupted) {
		err_clear(e);
		return INTERRUPTED;
	}
	if (!has_figure(b->result)) {
		err_text(e, ENODATA,
			"none of the designs could be measured: the table of designs in %s/report.html says "
			"why",
			dir);
		return FAILED;
	}
	return cleaned < 0 || has_blemish(b->result) ? BLEMISHED : DONE;
}

static int run_bench(struct bench *b, const char *what, const struct places *p, struct err *e)
{
	const struct site_record record = { b->o->designs, p->runtime, p->kernel, p->payload, p->floor };
	_cleanup_free_ char *cpus = NULL;
	int r;

	b->env = (struct design_env){ .site = &b->site,
		.runtime = p->runtime,
		.kernel = p->kernel,
		.payload = p->payload,
		.floor = p->floor,
		.guest_memory = b->o->guest_memory,
		.timeout = (int)b->o->timeout * 1000 };
	r = designs_parse(b->o->designs, &b->env, &b->designs, e);
	if (r < 0)
		return NOT_UNDERSTOOD;
	if ((str_eq(what, "all") || str_eq(what, "overhead")) &&
		designs_add_host(&b->env, &b->designs, e) < 0)
		return FAILED;
	if (geteuid() != 0) {
		err_text(e, EPERM,
			"ringfence bench must be run by root: designs need it, and so does what is counted");
		return FAILED;
	}
	clean_dead(b->o, false);
	proc_catch_signals();
	/* What a design leaves to init comes to us: so its end is seen, and it is no zombie that counts. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	b->result = result_new();
	r = b->result ? machine_pin(b->o->pin, &cpus, e) : err_set(e, ENOMEM, "begin");
	if (r == 0)
		r = site_make(&b->site, b->o->work, &record, e);
	if (r == 0)
		r = proc_mark(b->site.id, e);
	if (r < 0)
		return FAILED;
	b->result->started = time_now(b->result);
	machine_describe(b->result, NULL);
	describe_settings(b, what, cpus);
	return conclude(b, measure(b, what, e), e);
}

/* --- of results that are there ------------------------------------------------------------------------ */

static int run_compare(const struct options *o, char **files, struct err *e)
{
	_cleanup_(result_freep) struct result *x = NULL, *y = NULL;
	_cleanup_strbuf_ struct strbuf out = { 0 };
	enum verdict whole;
	int r = result_read(files[0], &x, e);

	if (r == 0)
		r = result_read(files[1], &y, e);
	if (r == 0)
		r = compare_results(x, y, (double)o->threshold / 100, o->relative, &out, &whole, e);
	if (r < 0)
		return FAILED;
	fputs(out.s, stdout);
	return whole == VERDICT_WORSE ? BLEMISHED : DONE;
}

static int run_plan(const struct options *o, char **files, struct err *e)
{
	const struct plan p = { o->instances, o->memory, o->reserve };
	_cleanup_(result_freep) struct result *x = NULL;
	_cleanup_strbuf_ struct strbuf out = { 0 };
	bool fits;
	int r = result_read(files[0], &x, e);

	if (r == 0)
		r = plan_result(x, &p, &out, &fits, e);
	if (r < 0)
		return FAILED;
	fputs(out.s, stdout);
	return o->instances && !fits ? BLEMISHED : DONE;
}

static int run_report(const struct options *o, char **files, struct err *e)
{
	_cleanup_free_ char *copy = strdup(files[0]);
	_cleanup_(result_freep) struct result *x = NULL;
	_cleanup_strbuf_ struct strbuf out = { 0 };
	_cleanup_close_ int fd = -EBADF;
	const char *dir = o->out ? o->out : copy ? dirname(copy) : NULL;
	int r = dir ? result_read(files[0], &x, e) : err_set(e, ENOMEM, "report");

	if (r == 0)
		r = path_make(dir, 0755, e);
	if (r < 0)
		return FAILED;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		err_set(e, errno, "open %s", dir);
	if (fd < 0 || report_write(x, fd, "report.html", e) < 0)
		return FAILED;
	result_describe(x, &out);
	if (!o->quiet && out.s)
		fputs(out.s, stdout);
	return DONE;
}

static const struct {
	const char *name;
	int files;
	int (*run)(const struct options *o, char **files, struct err *e);
} judges[] = {
	{ "compare", 2, run_compare },
	{ "plan", 1, run_plan },
	{ "report", 1, run_report },
};

/* -1: it is none of them. */
static int run_judge(const struct options *o, int argc, char **argv, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(judges); i++) {
		if (!str_eq(argv[0], judges[i].name))
			continue;
		if (argc - 1 == judges[i].files)
			return judges[i].run(o, argv + 1, e);
		err_text(e, EINVAL, "%s takes %d results, which are files named result.json", argv[0],
			judges[i].files);
		return NOT_UNDERSTOOD;
	}
	return -1;
}

static int run(int argc, char **argv, struct err *e)
{
	struct options o = { .designs = DEFAULT_DESIGNS,
		.warmup = 3,
		.concurrency = 8,
		.payload = "both",
		.guest_memory = 64 << 20,
		.timeout = 30,
		.settle = 100,
		.threshold = 5 };
	struct bench b = { .o = &o, .site = SITE_INIT };
	static struct places p;
	int first = argc, r = parse(argc, argv, &o, &first, e);

	if (r > 0) {
		fputs(usage, stdout);
		return DONE;
	}
	if (r == 0 && first >= argc)
		r = err_text(e, EINVAL, "nothing to measure was named");
	if (r == 0 && str_eq(argv[first], "clean"))
		return clean_dead(&o, true) < 0 ? FAILED : DONE;
	if (r == 0) {
		int judged = run_judge(&o, argc - first, argv + first, e);

		if (judged >= 0)
			return judged;
	}
	if (r == 0 && argc - first > 1)
		r = err_text(e, EINVAL, "\"%s\" is one word too many", argv[first + 1]);
	if (r == 0 && !is_bench(argv[first]))
		r = err_text(e, EINVAL, "\"%s\" is nothing that can be measured", argv[first]);
	if (r == 0 && !str_eq(o.payload, "idle") && !str_eq(o.payload, "web") && !str_eq(o.payload, "both"))
		r = err_text(e, EINVAL, "option --payload takes idle, web or both, not \"%s\"", o.payload);
	if (r < 0) {
		err_hint(e, "see \"ringfence bench --help\"");
		return NOT_UNDERSTOOD;
	}
	r = find_places(&o, &p, e);
	r = r < 0 ? FAILED : run_bench(&b, argv[first], &p, e);
	designs_free(&b.designs);
	if (b.result)
		result_free(b.result);
	return r;
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	int r = run(argc, argv, &e);

	if (e.code)
		log_error("%s", e.text);
	return r;
}
