/* SPDX-License-Identifier: Apache-2.0 */
/* rft: dispatch and what all commands share. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rft.h"

void die(const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	fprintf(stderr, "rft: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(saved));
	exit(1);
}

long long number(const char *s)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(s, &end, 0);
	if (errno || end == s || *end) {
		errno = EINVAL;
		die("number \"%s\"", s);
	}
	return v;
}

double number_fraction(const char *s)
{
	char *end;
	double v = strtod(s, &end);

	if (end == s || *end) {
		errno = EINVAL;
		die("number \"%s\"", s);
	}
	return v;
}

void sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

int link_of(const char *path, char *buf, size_t size)
{
	ssize_t n = readlink(path, buf, size - 1);

	buf[n < 0 ? 0 : n] = 0;
	return n < 0 ? -1 : 0;
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "inspect", cmd_inspect },
	{ "fds", cmd_fds },
	{ "pause", cmd_pause },
	{ "threads", cmd_threads },
	{ "alloc", cmd_alloc },
	{ "sys", cmd_sys },
	{ "int80", cmd_int80 },
	{ "winsize", cmd_winsize },
	{ "console", cmd_console },
	{ "recv-pidfd", cmd_recv_pidfd },
	{ "sink", cmd_sink },
	{ "agent", cmd_agent },
	{ "sd-notify", cmd_sd_notify },
	{ "sd-recv", cmd_sd_recv },
	{ "reap", cmd_reap },
	{ "bundle", cmd_bundle },
	{ "links", cmd_links },
	{ "exchange", cmd_exchange },
	{ "tiocsti", cmd_tiocsti },
	{ "steal-exe", cmd_steal_exe },
	{ "watch-procs", cmd_watch_procs },
	{ "trace-joins", cmd_trace_joins },
	{ "keyring", cmd_keyring },
	{ "inject", cmd_inject },
	{ "can", cmd_can },
	{ "pty", cmd_pty },
	{ "sched", cmd_sched },
	{ "resolver", cmd_resolver },
};

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (!strcmp(commands[i].name, name))
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "rft: unknown command \"%s\"\n", name);
	return 2;
}
