/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seccomp against the kernel: flags, installing a program, handing on its listener (see seccomp.h). Without
 * libseccomp.
 */
#include "security/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "security/seccomp_internal.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

const char *const seccomp_known_flags[] = {
	"SECCOMP_FILTER_FLAG_TSYNC",
	"SECCOMP_FILTER_FLAG_SPEC_ALLOW",
	"SECCOMP_FILTER_FLAG_LOG",
	"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
	NULL,
};

/* In the order of the names. */
static const unsigned int flag_values[] = {
	SECCOMP_FILTER_FLAG_TSYNC,
	SECCOMP_FILTER_FLAG_SPEC_ALLOW,
	SECCOMP_FILTER_FLAG_LOG,
	SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
};
_Static_assert(ARRAY_SIZE(seccomp_known_flags) == ARRAY_SIZE(flag_values) + 1, "one value for each flag");

int sysf_flag_from_name(const char *name, unsigned int *flag)
{
	for (size_t i = 0; seccomp_known_flags[i]; i++) {
		if (str_eq(seccomp_known_flags[i], name)) {
			*flag = flag_values[i];
			return 0;
		}
	}
	return -EINVAL;
}

bool sysf_flag_supported(unsigned int flag)
{
	/* This one is refused where there is no listener to wait for. */
	if (flag == SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
		flag |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	/*
	 * The kernel looks at the flags before the program: EFAULT says that it knows them, EINVAL that it
	 * does not.
	 */
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag, NULL) < 0 && errno == EFAULT;
}

int seccomp_supported_flags(const char *out[8])
{
	int n = 0;

	for (size_t i = 0; seccomp_known_flags[i]; i++) {
		if (sysf_flag_supported(flag_values[i]))
			out[n++] = seccomp_known_flags[i];
	}
	out[n] = NULL;
	return n;
}

/* --- what a program says ---------------------------------------------------------------------- */

/* The value that a seccomp_data has for the kernel's own kind of system calls; 0: not known here. */
#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE AUDIT_ARCH_RISCV64
#elif defined(__s390x__)
#define NATIVE AUDIT_ARCH_S390X
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NATIVE AUDIT_ARCH_PPC64LE
#else
#define NATIVE 0
#endif

static bool jumps(const struct sock_filter *i, uint32_t a)
{
	switch (BPF_OP(i->code)) {
	case BPF_JEQ:
		return a == i->k;
	case BPF_JGT:
		return a > i->k;
	case BPF_JGE:
		return a >= i->k;
	default:
		return (a & i->k) != 0;
	}
}

static uint32_t run_program(const struct sock_filter *code, size_t n, const struct seccomp_data *d)
{
	uint32_t a = 0;

	/* Jumps are forward and of unsigned distance: this ends. */
	for (size_t pc = 0; pc < n; pc++) {
		const struct sock_filter *i = &code[pc];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (i->k > sizeof(*d) - sizeof(a))
				return SECCOMP_RET_KILL_PROCESS;
			memcpy(&a, (const char *)d + i->k, sizeof(a));
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
		case BPF_JMP | BPF_JGT | BPF_K:
		case BPF_JMP | BPF_JGE | BPF_K:
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += jumps(i, a) ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			return SECCOMP_RET_KILL_PROCESS;
		}
	}
	return SECCOMP_RET_KILL_PROCESS;
}

uint32_t seccomp_verdict(const struct seccomp_prog *p, int nr, const uint64_t args[6])
{
	struct seccomp_data d = { .nr = nr, .arch = NATIVE };

	if (p->n == 0)
		return SECCOMP_RET_ALLOW;
	if (!NATIVE)
		return SECCOMP_RET_KILL_PROCESS;
	memcpy(d.args, args, sizeof(d.args));
	return run_program(p->insns, p->n, &d);
}

/* --- installing ------------------------------------------------------------------------------- */

int seccomp_install(const struct seccomp_prog *p, int *listener, struct err *e)
{
	struct sock_fprog prog = { .len = (unsigned short)p->n, .filter = p->insns };
	unsigned int flags = p->flags;
	long r;
	int code;

	if (p->n == 0) {
		*listener = -1;
		return 0;
	}
	if (p->n > BPF_MAXINSNS)
		return err_text(e, E2BIG, "seccomp: the filter has %zu instructions, the kernel takes %d",
			p->n, BPF_MAXINSNS);
	if (p->has_notify)
		flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	if (r >= 0) {
		*listener = p->has_notify ? (int)r : -1; /* the kernel makes it O_CLOEXEC */
		return 0;
	}
	code = errno;
	err_set(e, code, "seccomp: install the filter (%zu instructions, flags %#x)", p->n, flags);
	if (code == EACCES)
		err_hint(e, "it needs process.noNewPrivileges or CAP_SYS_ADMIN");
	else if (code == EBUSY && p->has_notify)
		err_hint(e, "a filter with SCMP_ACT_NOTIFY is in force already, and the kernel allows one "
			    "listener");
	else if (code == ENOMEM)
		err_hint(e, "all filters of a process together may have 32768 instructions");
	return -code;
}

/* Not with the text of ENOENT, which engines take for a missing command. */
static int no_agent(const char *path, int code, struct err *e)
{
	if (code == ENOENT || code == ECONNREFUSED)
		return err_text(e, code,
			"linux.seccomp.listenerPath: nobody listens on %s; start the seccomp agent first",
			path);
	return err_set(e, code, "linux.seccomp.listenerPath: connect to %s", path);
}

/*
 * The agent is promised one message a connection (config-linux.md, "Seccomp"), so a connection to try it out
 * would be one that breaks the promise. But a socket of another type is refused with EPROTOTYPE by a path
 * that a living socket is bound to, and with something else by any other, after all checks of permission and
 * before the owner could notice (unix_find_other() in net/unix/af_unix.c).
 */
int seccomp_probe_agent(const char *path, struct err *e)
{
	_cleanup_close_ int sock = fd_connect_unix(AT_FDCWD, path, SOCK_DGRAM);

	if (sock == -EPROTOTYPE)
		return 0;
	if (sock >= 0)
		return err_text(e, EPROTOTYPE,
			"linux.seccomp.listenerPath: %s is a datagram socket; an agent's is a stream socket",
			path);
	return no_agent(path, -sock, e);
}

int seccomp_send_listener(const char *path, const char *process_state_json, int listener, struct err *e)
{
	_cleanup_close_ int sock = -EBADF;
	int r;

	sock = fd_connect_unix(AT_FDCWD, path, SOCK_STREAM);
	if (sock < 0)
		return no_agent(path, -sock, e);
	r = fd_send(sock, process_state_json, strlen(process_state_json), &listener, 1);
	if (r < 0)
		return err_set(e, -r, "linux.seccomp.listenerPath: send the seccomp listener to %s", path);
	return 0;
}

void seccomp_prog_free(struct seccomp_prog *p)
{
	if (p->unknown) {
		for (char **s = p->unknown; *s; s++)
			free(*s);
	}
	free(p->unknown);
	free(p->map);
	*p = (struct seccomp_prog){ 0 };
}
