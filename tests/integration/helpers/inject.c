/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults at a place of one's choice: the N-th system call of a command and of all that it starts, counted in
 * the order in which they come, fails or is the last one. What is executed by anybody but the command itself
 * (payload, hooks) is let go.
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rft.h"

struct injection {
	pid_t main;
	long n, seen;	/* which one, and how many there have been */
	int code;	/* to fail with; 0: kill */
	bool kill_main; /* … the command, whoever it was that made the call */
	bool started, done;
	pid_t failing; /* it is in the call that is to fail */
};

static const struct {
	const char *name;
	int code;
} codes[] = { { "ENOMEM", ENOMEM }, { "EPERM", EPERM }, { "ENOSYS", ENOSYS }, { "EIO", EIO },
	{ "EINTR", EINTR }, { "EAGAIN", EAGAIN }, { "ENOSPC", ENOSPC }, { "EINVAL", EINVAL },
	{ "EACCES", EACCES }, { "EMFILE", EMFILE } };

static int code_of(const char *how)
{
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (!strcmp(codes[i].name, how))
			return codes[i].code;
	return -1;
}

#ifdef __x86_64__

static void set_result(pid_t pid, bool number, long value)
{
	struct user_regs_struct regs;
	struct iovec io = { &regs, sizeof regs };

	if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &io))
		return;
	if (number)
		regs.orig_rax = (unsigned long long)value;
	else
		regs.rax = (unsigned long long)value;
	ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &io);
}

/* What the kernel cannot refuse, or does all the same: no caller has to expect it. Not counted if it is to
 * fail. */
static bool never_fails(unsigned long long nr)
{
	static const unsigned long long list[] = { SYS_close, SYS_rt_sigprocmask, SYS_umask, SYS_rt_sigaction,
		SYS_rt_sigreturn, SYS_exit, SYS_exit_group, SYS_munmap, SYS_getpid, SYS_getuid, SYS_geteuid,
		SYS_getgid, SYS_getegid, SYS_gettid };

	for (size_t i = 0; i < sizeof list / sizeof *list; i++)
		if (list[i] == nr)
			return true;
	return false;
}

static void strike(struct injection *in, pid_t pid, unsigned long long nr)
{
	in->done = true;
	printf("injected call=%llu by=%s\n", nr, pid == in->main ? "main" : "child");
	fflush(stdout);
	if (in->code) {
		set_result(pid, true, -1);
		in->failing = pid;
	} else {
		kill(in->kill_main ? in->main : pid, SIGKILL);
	}
}

static void at_syscall(struct injection *in, pid_t pid)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_EXIT && in->failing == pid) {
		set_result(pid, false, -in->code);
		in->failing = 0;
	}
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY || in->done || !in->started)
		return;
	if (in->code && never_fails(info.entry.nr))
		return;
	if (++in->seen == in->n)
		strike(in, pid, info.entry.nr);
}

/* Which signal it goes on with; -1: it was let go. */
static int at_stop(struct injection *in, pid_t pid, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16;

	if (sig == (SIGTRAP | 0x80)) {
		at_syscall(in, pid);
		return 0;
	}
	if (event == PTRACE_EVENT_EXEC && (pid != in->main)) {
		ptrace(PTRACE_DETACH, pid, 0, 0);
		return -1;
	}
	if (event == PTRACE_EVENT_EXEC)
		in->started = true;
	/* SIGSTOP is how a new process comes. */
	return event || sig == SIGSTOP || sig == SIGTRAP ? 0 : sig;
}

/* Whoever is left goes on without us: also one who has just come, and who would stay in the stop that it came
 * with. */
static void let_go(void)
{
	int status;

	for (int i = 0; i < 40; i++) {
		pid_t pid = waitpid(-1, &status, __WALL | WNOHANG);

		if (pid < 0)
			return;
		if (pid > 0 && WIFSTOPPED(status))
			ptrace(PTRACE_DETACH, pid, 0,
				WSTOPSIG(status) == SIGSTOP || WSTOPSIG(status) & 0x80 || status >> 16 ||
						WSTOPSIG(status) == SIGTRAP
					? 0
					: WSTOPSIG(status));
		if (pid == 0)
			usleep(5000);
	}
}

static int follow(struct injection *in)
{
	int status, sig;
	pid_t pid;

	for (;;) {
		pid = waitpid(-1, &status, __WALL);
		if (pid < 0)
			die("waitpid");
		if (pid == in->main && !WIFSTOPPED(status))
			break;
		if (!WIFSTOPPED(status))
			continue;
		sig = at_stop(in, pid, status);
		if (sig >= 0)
			ptrace(in->done && !in->failing ? PTRACE_CONT : PTRACE_SYSCALL, pid, 0, sig);
	}
	if (!in->done)
		printf("total=%ld\n", in->seen);
	else
		let_go();
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* rft inject N kill|kill-main|ERRNO COMMAND…: exits as the command does. */
int cmd_inject(int argc, char **argv)
{
	struct injection in = { 0 };
	int status;

	if (argc < 4)
		return 2;
	in.n = (long)number(argv[1]);
	in.kill_main = !strcmp(argv[2], "kill-main");
	in.code = in.kill_main || !strcmp(argv[2], "kill") ? 0 : code_of(argv[2]);
	if (in.code < 0)
		return 2;
	in.main = fork();
	if (in.main == 0) {
		/* What the command says is the caller's to see, and what we say is in the file of that
		 * number. */
		if (ptrace(PTRACE_TRACEME, 0, 0, 0))
			die("ptrace");
		raise(SIGSTOP);
		execvp(argv[3], argv + 3);
		die("%s", argv[3]);
	}
	/* Its own words go to descriptor 9. */
	dup2(9, 1);
	close(9);
	if (waitpid(in.main, &status, 0) != in.main || !WIFSTOPPED(status))
		die("waitpid");
	ptrace(PTRACE_SETOPTIONS, in.main, 0,
		PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
			PTRACE_O_TRACEEXEC);
	ptrace(PTRACE_SYSCALL, in.main, 0, 0);
	return follow(&in);
}

#else

int cmd_inject(int argc, char **argv)
{
	return 2;
}

#endif
