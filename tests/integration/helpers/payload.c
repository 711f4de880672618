/* SPDX-License-Identifier: Apache-2.0 */
/* Small payloads: wait for a signal, use memory, make one system call, look at the terminal. */
#include <errno.h>
#include <sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rft.h"

/*
 * rft pause [TEXT]: prints TEXT, then each signal that comes, by number; SIGTERM ends it with 0, SIGINT
 * with 3. Children are reaped. It has handlers for what a pid 1 would otherwise not even notice.
 */
int cmd_pause(int argc, char **argv)
{
	sigset_t set;

	sigemptyset(&set);
	for (int s = 1; s < 65; s++)
		if (s != SIGSEGV && s != SIGCHLD && s != SIGTTOU && s != SIGTTIN && s != SIGTSTP &&
			s != SIGCONT && s != SIGBUS && s != SIGILL && s != SIGFPE)
			sigaddset(&set, s);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGCHLD, SIG_IGN);
	if (argc > 1)
		printf("%s\n", argv[1]);
	for (;;) {
		int s = sigwaitinfo(&set, NULL);

		if (s == SIGTERM)
			return 0;
		if (s == SIGINT)
			return 3;
		if (s > 0)
			printf("signal %d\n", s);
	}
}

/* rft alloc MIB [SECONDS]: touches so much memory, says so, and keeps it. */
int cmd_alloc(int argc, char **argv)
{
	size_t size = (size_t)number(argv[1]) << 20;
	char *p = malloc(size);

	if (!p)
		die("malloc");
	memset(p, 1, size);
	printf("allocated %s\n", argv[1]);
	if (argc > 2)
		sleep_ms((long)(number_fraction(argv[2]) * 1000));
	return p[size / 2] != 1;
}

/* rft sys NUMBER|NAME [ARG…]: one system call; prints "ret errno-name" (or the number). ":TEXT" is a pointer
 * to TEXT. */
int cmd_sys(int argc, char **argv)
{
	static const struct {
		const char *name;
		long nr;
	} names[] = { { "getpid", SYS_getpid }, { "getppid", SYS_getppid }, { "kill", SYS_kill },
		{ "personality", SYS_personality }, { "mkdir", SYS_mkdir }, { "chmod", SYS_chmod },
		{ "unshare", SYS_unshare }, { "keyctl", SYS_keyctl }, { "ptrace", SYS_ptrace },
		{ "sethostname", SYS_sethostname }, { "setpriority", SYS_setpriority },
		{ "getpriority", SYS_getpriority }, { "syncfs", SYS_syncfs }, { "reboot", SYS_reboot },
		{ "umount2", SYS_umount2 }, { "add_key", SYS_add_key },
		{ "sched_setscheduler", SYS_sched_setscheduler } };
	long nr = -1, arg[6] = { 0 }, ret;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(argv[1], names[i].name))
			nr = names[i].nr;
	if (nr < 0)
		nr = (long)number(argv[1]);
	for (int i = 2; i < argc && i < 8; i++)
		arg[i - 2] = *argv[i] == ':' ? (long)(argv[i] + 1) : (long)number(argv[i]);
	errno = 0;
	ret = syscall(nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
	printf("ret=%ld errno=%s\n", ret,
		ret == -1 ? strerrorname_np(errno) ? strerrorname_np(errno) : "?" : "0");
	return 0;
}

/* rft int80: getpid by the 32-bit entry, which a filter sees as another architecture. */
int cmd_int80(int argc, char **argv)
{
	(void)argc;
	(void)argv;
#ifdef __x86_64__
	long ret = 20;

	__asm__ volatile("int $0x80" : "+a"(ret) : : "memory", "r8", "r9", "r10", "r11");
	printf("%s\n", ret < 0 ? "denied" : ret == getpid() ? "same" : "other");
	return ret != getpid();
#else
	return 2;
#endif
}

/* rft winsize [ROWS COLS]: of the terminal at stdin. */
int cmd_winsize(int argc, char **argv)
{
	struct winsize w = { 0 };

	if (argc > 2) {
		w.ws_row = (unsigned short)number(argv[1]);
		w.ws_col = (unsigned short)number(argv[2]);
		if (ioctl(0, TIOCSWINSZ, &w))
			die("TIOCSWINSZ");
	}
	if (ioctl(0, TIOCGWINSZ, &w))
		die("TIOCGWINSZ");
	printf("rows=%d cols=%d\n", w.ws_row, w.ws_col);
	return 0;
}

/* rft tiocsti: pushes a line into the terminal at stdin, as if it had been typed. */
int cmd_tiocsti(int argc, char **argv)
{
	static const char text[] = "echo injected\n";

	(void)argc;
	(void)argv;
	for (const char *c = text; *c; c++)
		if (ioctl(0, TIOCSTI, c)) {
			printf("tiocsti %s\n", strerrorname_np(errno));
			return 0;
		}
	printf("tiocsti done\n");
	return 0;
}

/* rft sched POLICY PRIORITY: may this process do that? */
int cmd_sched(int argc, char **argv)
{
	struct sched_param p = { .sched_priority = argc > 2 ? (int)number(argv[2]) : 0 };

	if (argc < 2 || sched_setscheduler(0, (int)number(argv[1]), &p))
		die("sched_setscheduler");
	return 0;
}

static void *idle(void *unused)
{
	for (;;)
		pause();
	return unused;
}

/* rft threads N: so many that do nothing, "ready" when they are there. */
int cmd_threads(int argc, char **argv)
{
	long n = argc > 1 ? (long)number(argv[1]) : 0;
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (long i = 0; i < n; i++) {
		int r = pthread_create(&t, &attr, idle, NULL);

		if (r) {
			printf("only %ld: %s\n", i, strerror(r));
			break;
		}
	}
	printf("ready\n");
	idle(NULL);
	return 0;
}
