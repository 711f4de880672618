/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times commands against each other: round robin, so that a machine whose speed drifts drifts for all alike,
 * and compared round by round.
 *
 *   pairs [-n ROUNDS] [-w WARMUP] [-j AT_ONCE | -f] -- NAME CMD ARG... [-- NAME CMD ARG...]...
 *
 * The first command is the base. "@" in an argument becomes a number that is different for every run. One
 * line a command, tab separated: name, median ms, minimum ms, median of (this / base) of the same round,
 * user+system ms (median), peak RSS in KiB (the largest process), failures. With -j it keeps that many
 * running at once for ROUNDS runs each turn, and the figures are starts per second instead of ms.
 * With -f a run's time is that until its first output.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_COMMANDS 16
#define MAX_ROUNDS   10000

extern char **environ;

struct command {
	const char *name;
	char **argv;
	double *wall, *cpu, *ratio;
	long rss;
	int failures;
};

static struct command commands[MAX_COMMANDS];
static int n_commands;
static int null_fd;
static bool until_first; /* -f */

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* "@" replaced in a copy of the arguments. The copies live as long as the next call: one run at a time needs
 * them. */
static pid_t start(char **argv, int out)
{
	static char words[64][512];
	static unsigned int serial;
	char *copy[65];
	posix_spawn_file_actions_t fa;
	pid_t pid;
	int n, r;

	serial++;
	for (n = 0; argv[n] && n < 64; n++) {
		char *at = strchr(argv[n], '@');

		if (at)
			snprintf(words[n], sizeof(words[n]), "%.*s%d-%u%s", (int)(at - argv[n]), argv[n],
				(int)getpid(), serial, at + 1);
		copy[n] = at ? words[n] : argv[n];
	}
	copy[n] = NULL;
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, null_fd, 0);
	posix_spawn_file_actions_adddup2(&fa, out, 1);
	r = posix_spawnp(&pid, copy[0], &fa, NULL, copy, environ);
	posix_spawn_file_actions_destroy(&fa);
	if (r != 0) {
		fprintf(stderr, "pairs: %s: %s\n", copy[0], strerror(r));
		exit(2);
	}
	return pid;
}

static double run_once(struct command *c, double *cpu)
{
	struct rusage u;
	int status, pipefd[2] = { -1, null_fd };
	double t;
	char byte;
	pid_t pid;

	if (until_first && pipe2(pipefd, O_CLOEXEC) < 0) {
		perror("pairs: pipe");
		exit(2);
	}
	t = now_ms();
	pid = start(c->argv, pipefd[1]);
	if (until_first) {
		close(pipefd[1]);
		if (read(pipefd[0], &byte, 1) != 1)
			c->failures++;
		t = now_ms() - t;
		close(pipefd[0]);
	}
	wait4(pid, &status, 0, &u);
	if (!until_first)
		t = now_ms() - t;
	if (status != 0)
		c->failures++;
	if (u.ru_maxrss > c->rss)
		c->rss = u.ru_maxrss;
	*cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
	return t;
}

/* Starts a second with `at_once` of them running all the time. */
static double run_many(struct command *c, int runs, int at_once)
{
	int started = 0, ended = 0, status;
	double t = now_ms();

	while (ended < runs) {
		while (started < runs && started - ended < at_once) {
			start(c->argv, null_fd);
			started++;
		}
		if (wait(&status) < 0)
			break;
		if (status != 0)
			c->failures++;
		ended++;
	}
	return runs / (now_ms() - t) * 1e3;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), ascending);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static int usage(void)
{
	fprintf(stderr, "usage: pairs [-n ROUNDS] [-w WARMUP] [-j AT_ONCE | -f] -- NAME CMD ARG... [-- NAME "
			"CMD ARG...]...\n");
	return 2;
}

static int parse_commands(char **argv)
{
	while (*argv) {
		struct command *c = &commands[n_commands];

		if (n_commands == MAX_COMMANDS || !argv[0] || !argv[1])
			return -1;
		c->name = *argv++;
		c->argv = argv;
		while (*argv && strcmp(*argv, "--") != 0)
			argv++;
		if (*argv)
			*argv++ = NULL;
		n_commands++;
	}
	return n_commands ? 0 : -1;
}

int main(int argc, char **argv)
{
	int rounds = 40, warmup = 5, at_once = 0, opt;

	while ((opt = getopt(argc, argv, "+n:w:j:f")) != -1) {
		long v = optarg ? strtol(optarg, NULL, 10) : 0;

		if (opt == '?' || v < 0 || v > MAX_ROUNDS)
			return usage();
		if (opt == 'f')
			until_first = true;
		else
			*(opt == 'n' ? &rounds : opt == 'w' ? &warmup : &at_once) = (int)v;
	}
	if (rounds < 1 || parse_commands(argv + optind) < 0)
		return usage();
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < n_commands; i++) {
		commands[i].wall = calloc((size_t)rounds, sizeof(double));
		commands[i].cpu = calloc((size_t)rounds, sizeof(double));
		commands[i].ratio = calloc((size_t)rounds, sizeof(double));
	}
	for (int r = -warmup; r < rounds; r++) {
		double base = 0;

		for (int i = 0; i < n_commands; i++) {
			struct command *c = &commands[i];
			double cpu = 0, v = at_once ? run_many(c, at_once * 8, at_once) : run_once(c, &cpu);

			if (i == 0)
				base = v;
			if (r < 0)
				continue;
			c->wall[r] = v;
			c->cpu[r] = cpu;
			c->ratio[r] = v / base;
		}
	}
	for (int i = 0; i < n_commands; i++) {
		struct command *c = &commands[i];
		double mid = median(c->wall, rounds);

		printf("%s\t%.2f\t%.2f\t%.3f\t%.2f\t%ld\t%d\n", c->name, mid,
			at_once ? c->wall[rounds - 1] : c->wall[0], median(c->ratio, rounds),
			median(c->cpu, rounds), c->rss, c->failures);
	}
	return 0;
}
