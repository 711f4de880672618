/* SPDX-License-Identifier: Apache-2.0 */
/* System calls of the monitor (see filter.h). */
#include "sandbox/filter.h"

#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "sandbox/vm_confine.h"

/* The monitor's loop beside its devices: the control channel, streams, verbs, signals, children, memory. */
static const struct vm_syscall own[] = {
	{ "poll", -1, 0 },
	{ "read", -1, 0 },
	{ "write", -1, 0 },
	{ "pwrite64", -1, 0 },
	{ "close", -1, 0 },
	{ "recvmsg", -1, 0 },
	{ "sendmsg", -1, 0 },
	{ "sendto", -1, 0 },
	{ "accept4", -1, 0 },
	{ "fstat", -1, 0 },
	{ "newfstatat", -1, 0 },
	{ "ioctl", 1, TIOCGWINSZ },
	{ "wait4", -1, 0 },
	{ "clock_gettime", -1, 0 },
	{ "brk", -1, 0 },
	/* No memory that can be written can be executed: mmap(2) for the heap's sake only, mprotect(2) not at
	   all. */
	{ "mmap", 2, 3 /* PROT_READ | PROT_WRITE */ },
	{ "mremap", -1, 0 },
	{ "munmap", -1, 0 },
	{ "madvise", -1, 0 },
	{ "restart_syscall", -1, 0 },
	{ "rt_sigreturn", -1, 0 },
	{ "exit_group", -1, 0 },
	{ "exit", -1, 0 },
};

static void fill(struct spec_seccomp_rule *rules, struct spec_seccomp_arg *args, char *(*names)[2],
	const struct vm_syscall *calls, size_t n, size_t *at)
{
	for (size_t i = 0; i < n; i++, (*at)++) {
		names[*at][0] = (char *)calls[i].name;
		names[*at][1] = NULL;
		rules[*at] = (struct spec_seccomp_rule){ .names = names[*at], .action = "SCMP_ACT_ALLOW" };
		if (calls[i].arg < 0)
			continue;
		args[*at] = (struct spec_seccomp_arg){
			.index = (uint32_t)calls[i].arg, .value = calls[i].value, .op = "SCMP_CMP_EQ"
		};
		rules[*at].args = &args[*at];
		rules[*at].n_args = 1;
	}
}

/* `key`: what the compiled program is kept under; it has to change whenever the lists do. */
static int prepare(struct seccomp_prog *out, const char *key, const struct vm_syscall *a, size_t n_a,
	const struct vm_syscall *b, size_t n_b, int cache, struct err *e)
{
	_cleanup_free_ struct spec_seccomp_rule *rules = calloc(n_a + n_b, sizeof(*rules));
	_cleanup_free_ struct spec_seccomp_arg *args = calloc(n_a + n_b, sizeof(*args));
	_cleanup_free_ char *(*names)[2] = calloc(n_a + n_b, sizeof(*names));
	const struct seccomp_options o = { .cache_dirfd = cache };
	struct spec_seccomp s = { .present = true, .default_action = "SCMP_ACT_KILL_PROCESS" };
	_cleanup_strbuf_ struct strbuf text = { 0 };
	size_t n = 0;

	if (!rules || !args || !names)
		return err_set(e, ENOMEM, "the monitor's filter");
	fill(rules, args, names, a, n_a, &n);
	fill(rules, args, names, b, n_b, &n);
	strbuf_puts(&text, key);
	for (size_t i = 0; i < n; i++)
		strbuf_printf(&text, " %s:%d:%llx", names[i][0], rules[i].n_args ? (int)args[i].index : -1,
			rules[i].n_args ? (unsigned long long)args[i].value : 0ULL);
	if (text.failed)
		return err_set(e, ENOMEM, "the monitor's filter");
	s.rules = rules;
	s.n_rules = n;
	s.text = text.s;
	s.text_len = text.len;
	return seccomp_prepare(&s, &o, out, e);
}

int vm_filters_prepare(struct vm_filters *f, bool kvm, int cache_dirfd, struct err *e)
{
	int r;

	*f = (struct vm_filters){ 0 };
	r = prepare(&f->loop, "ringfence sandbox monitor", own, ARRAY_SIZE(own),
		kvm ? vm_loop_syscalls : NULL, kvm ? vm_loop_n_syscalls : 0, cache_dirfd, e);
	if (r == 0 && kvm)
		r = prepare(&f->vcpu, "ringfence sandbox vcpu", vm_vcpu_syscalls, vm_vcpu_n_syscalls, NULL, 0,
			cache_dirfd, e);
	if (r < 0)
		vm_filters_free(f);
	return r;
}

void vm_filters_free(struct vm_filters *f)
{
	seccomp_prog_free(&f->loop);
	seccomp_prog_free(&f->vcpu);
}

int vm_filter_install(const struct seccomp_prog *p, struct err *e)
{
/* Their run-time libraries do as they please. */
#if !defined(__SANITIZE_ADDRESS__)
	int listener = -1;

	return seccomp_install(p, &listener, e);
#else
	return 0;
#endif
}
