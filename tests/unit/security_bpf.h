/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests: runs a classic BPF program over a struct seccomp_data as the kernel would; runs a function in a
 * child.
 */
#ifndef TESTS_UNIT_SECURITY_BPF_H
#define TESTS_UNIT_SECURITY_BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Aborts on a program that runs out or does what the filters never do, so that a broken one cannot pass for a
 * verdict.
 */
static inline uint32_t bpf_run(const struct sock_filter *code, size_t n, const struct seccomp_data *data)
{
	uint32_t a = 0, word;

	for (size_t pc = 0; pc < n; pc++) {
		const struct sock_filter *i = &code[pc];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (i->k > sizeof(*data) - 4 || i->k % 4)
				abort();
			memcpy(&word, (const char *)data + i->k, 4);
			a = word;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += a > i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += (a & i->k) ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			abort();
		}
	}
	abort();
}

static inline uint32_t bpf_ask(
	const struct sock_filter *code, size_t n, uint32_t arch, uint32_t nr, uint64_t arg0, uint64_t arg1)
{
	struct seccomp_data data = { .arch = arch, .nr = (int)nr, .args = { arg0, arg1 } };

	return bpf_run(code, n, &data);
}

/* The exit status of `f(arg)` in a child; 1000 + signal if it was killed. */
static inline int in_child(int (*f)(void *), void *arg)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		abort();
	if (pid == 0) {
		/* cmocka catches these and would go on with its other tests, in the child. */
		static const int caught[] = { SIGSYS, SIGSEGV, SIGBUS, SIGILL, SIGFPE };

		for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
			signal(caught[i], SIG_DFL);
		/* Bare: a sanitizer's _exit() wants more system calls than a filter under test may leave. */
		syscall(SYS_exit_group, f(arg));
	}
	if (waitpid(pid, &status, 0) != pid)
		abort();
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

#endif
