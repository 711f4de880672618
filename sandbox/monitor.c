/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's life (see monitor.h). */
#include "sandbox/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "namespaces/mount_calls.h"
#include "namespaces/net.h"
#include "namespaces/rootfs.h"
#include "runtime/sync.h"
#include "sandbox/confine.h"
#include "sandbox/dns.h"
#include "sandbox/fate.h"
#include "sandbox/initrd.h"
#include "sandbox/net.h"
#include "sandbox/p9.h"
#include "sandbox/plan.h"
#include "sandbox/qemu.h"
#include "sandbox/share.h"
#include "sandbox/terminal.h"
#include "security/proc_attrs.h"

/* For a guest to come up and build its partition. */
#define BOOT_MS	    60000
#define BOOT_MS_TCG 180000
#define OFF_MS	    3000
#define FULL_MS	    100 /* before the next try to accept who calls, for want of descriptors or memory */
#define CMDLINE	    "console=ttyS0 quiet random.trust_cpu=on dummy.numdummies=0 percpu_alloc=page"

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- the end ----------------------------------------------------------------------------------------------
 */

static void end_children(struct monitor *m)
{
	if (m->qemu > 0)
		kill(m->qemu, SIGKILL);
	/* It is root's, and no longer ours to kill once we are confined; it ends with its socket. */
	if (m->server > 0 && !m->confined)
		kill(m->server, SIGKILL);
}

void monitor_exit(struct monitor *m, int status)
{
	for (struct monitor_client *c = m->clients; c; c = c->next)
		if (c->proc)
			monitor_client_exit(m, c, c->proc->exited ? c->proc->status : 128 + SIGKILL);
	end_children(m);
	_exit(status);
}

/* What the guest's kernel said last, if it says why. */
static void add_console(struct monitor *m, struct err *e)
{
	size_t from = m->said_len > 300 ? m->said_len - 300 : 0, n = 0;
	char text[301];

	for (size_t i = from; i < m->said_len; i++) {
		char c = m->said[i];

		if (c == '\n' || c == '\r')
			c = ' ';
		if ((unsigned char)c >= ' ' && c < 0x7f && !(c == ' ' && n && text[n - 1] == ' '))
			text[n++] = c;
	}
	text[n] = '\0';
	if (n > 1)
		err_hint(e, "the guest's kernel said last: %s", text);
}

void monitor_fail(struct monitor *m, const struct err *e)
{
	struct err told = *e;

	/* What the agent refuses it has reasons for; where the machine failed, its kernel may know. */
	if (e->code == ECONNRESET || e->code == EPIPE || e->code == ETIMEDOUT)
		add_console(m, &told);
	if (m->phase < MON_CREATED)
		sync_send_err(m->sync, SYNC_ERROR, &told);
	else if (m->phase < MON_ENDED)
		vm_fate_write(m->b->fate, m->oom_kills, told.text);
	monitor_exit(m, m->phase >= MON_ENDED ? m->status : 128 + SIGKILL);
}

static void fail_early(const struct monitor_birth *b, const struct err *e)
{
	sync_send_err(b->sync, SYNC_ERROR, e);
	_exit(1);
}

/* --- with the host's rights
 * --------------------------------------------------------------------------------- */

static int enter_network(const struct monitor_birth *b, struct err *e)
{
	if (b->netns >= 0)
		return setns(b->netns, CLONE_NEWNET) < 0 ? err_set(e, errno, "enter the network namespace")
							 : 0;
	if (unshare(CLONE_NEWNET) < 0)
		return err_set(e, errno, "make a network namespace");
	return net_loopback_up(e);
}

/*
 * The server of directories: the one process that keeps powers over files, in a place with nothing else in it
 * but, held open, its own /proc/self/fd, in a pid namespace where there is nobody else.
 */
static int own_fds(struct err *e)
{
	_cleanup_close_ int fs = sys_fsopen("proc"), root = -EBADF;
	int r = fs < 0 ? fs : sys_fsconfig(fs, FSCONFIG_SET_STRING, "subset", "pid"), fd;

	if (r == 0)
		r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL);
	if (r == 0)
		root = sys_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (r < 0 || root < 0)
		return err_set(
			e, r < 0 ? -r : -root, "make a proc file system for the server of directories");
	fd = openat(root, "self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(e, errno, "open the server's /proc/self/fd") : fd;
}

static int serve_files(struct monitor_birth *b, const int *socks, unsigned n, struct err *e)
{
	/* A root file system of disks is not here. */
	const char *const dirs[VM_SHARES] = { b->ask->root.disk ? "/" : "/" VM_SHARE_ROOT, "/" };
	struct p9_export exports[VM_SHARES];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), fds, r;

	for (int i = 0; i < 3; i++)
		if (null < 0 || dup2(null, i) < 0)
			return err_set(e, errno, "set up the server's standard streams");
	r = confine_namespaces(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET, e);
	if (r < 0)
		return r;
	fds = own_fds(e);
	if (fds < 0)
		return fds;
	r = vm_share_enter(b->ask->shares, b->ask->n_shares, b->ask->pod, e);
	vm_share_close(b->ask->shares, b->ask->n_shares);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < n; i++) {
		exports[i] = (struct p9_export){ .sock = socks[i],
			.fd = open(dirs[i], O_PATH | O_DIRECTORY | O_CLOEXEC) };
		if (exports[i].fd < 0)
			return err_set(e, errno, "open a directory that is served");
	}
	r = confine_server(e);
	if (r < 0)
		return r;
	/* From here on nobody hears why; and the creator is to notice the monitor's end. */
	b->sync = fd_close(b->sync);
	return p9_serve(exports, n, fds, true, e);
}

static int start_server(struct monitor *m, const int *socks, const int *others, unsigned n, struct err *e)
{
	struct clone_args args = { .flags = CLONE_NEWPID, .exit_signal = SIGCHLD };
	struct monitor_birth *b = m->b;
	struct err why = ERR_INIT;
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid < 0)
		return err_set(e, errno, "make the server of directories");
	if (pid == 0) {
		int keep[VM_SHARES + 1] = { b->sync };

		for (unsigned i = 0; i < n; i++) {
			fd_close(others[i]);
			keep[1 + i] = socks[i];
		}
		prctl(PR_SET_NAME, VM_FILES_NAME);
		confine_keep(keep, n + 1, b->ask->shares, b->ask->n_shares);
		fd_cloexec(b->sync, true);
		if (serve_files(b, socks, n, &why) < 0)
			sync_send_err(b->sync, SYNC_ERROR, &why);
		_exit(why.code ? 1 : 0);
	}
	m->server = pid;
	return 0;
}

static int run_hooks(struct monitor_birth *b, struct err *e)
{
	if (!b->has_hooks)
		return 0;
	if (sync_send(b->sync, SYNC_HOOKS, 0, NULL, -1) < 0)
		_exit(1);
	sync_expect(b->sync, SYNC_GO);
	return 0;
}

static int pair(int fds[2], struct err *e)
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0
		       ? err_set(e, errno, "make a socket pair")
		       : 0;
}

/* The server's end may block: it has nothing else to do. */
static int pair_of(int *ours, int *theirs, struct err *e)
{
	int fds[2], r = pair(fds, e);

	if (r < 0)
		return r;
	*ours = fds[0];
	*theirs = fds[1];
	return fcntl(fds[1], F_SETFL, 0) < 0 ? err_set(e, errno, "set up a socket") : 0;
}

/* The SETUP document, and the machine's network cards. */
static int write_setup(struct monitor *m, unsigned n_shares, struct vm_config *c, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	char resolver[VM_DNS_ADDRESS];
	struct timespec t;
	const char *text;
	int r;

	if (!w)
		return err_set(e, ENOMEM, "write the plan of the sandbox");
	clock_gettime(CLOCK_REALTIME, &t);
	json_open_object(w, NULL);
	json_put_i64(w, "time", (int64_t)t.tv_sec * 1000000000 + t.tv_nsec);
	if (vm_dns_wanted(m->b->p->spec, resolver)) {
		m->dns = vm_dns_connect(resolver, e);
		if (m->dns < 0)
			return m->dns;
		json_put_string(w, "resolver", resolver);
	}
	json_open_array(w, "shares");
	for (unsigned i = 0; i < n_shares; i++) {
		json_open_object(w, NULL);
		json_put_string(w, "tag", vm_share_links[i].tag);
		if (m->b->ask->accel != VM_ACCEL_KVM)
			json_put_string(w, "port", vm_share_links[i].port);
		json_put_string(w, "target", vm_share_links[i].target);
		json_put_bool(w, "exclusive", vm_share_links[i].exclusive);
		json_close_object(w);
	}
	json_close_array(w);
	vm_disks_write_setup(w, m->b->ask->disks, m->b->ask->n_disks);
	json_open_object(w, "network");
	r = vm_net_connect(c->nics, &c->n_nics, w, e);
	json_close_object(w);
	json_close_object(w);
	if (r < 0)
		return r;
	text = json_writer_text(w, NULL);
	m->setup = text ? strdup(text) : NULL;
	return m->setup ? 0 : err_set(e, ENOMEM, "write the plan of the sandbox");
}

static int make_machine(struct monitor *m, struct vm_config *c, struct err *e)
{
	const struct vm_ask *ask = m->b->ask;
	_cleanup_free_ char *cmdline = NULL;
	int serial[2], r;

	r = pair(serial, e);
	if (r < 0)
		return r;
	m->serial = serial[0];
	c->serial = serial[1];
	if (asprintf(&cmdline, CMDLINE "%s%s", ask->kernel_args ? " " : "",
		    ask->kernel_args ? ask->kernel_args : "") < 0)
		return err_set(e, ENOMEM, "the guest's command line");
	c->cmdline = cmdline;
	c->kernel = ask->kernel;
	c->initrd = vm_initrd_make(ask->guest, e);
	if (c->initrd < 0)
		return c->initrd;
	c->memory = ask->memory;
	c->vcpus = ask->vcpus;
	for (size_t i = 0; i < ask->n_disks; i++) {
		struct vm_disk *d = &c->disks[c->n_disks++];

		d->fd = ask->disks[i].fd;
		d->readonly = ask->disks[i].readonly;
		snprintf(d->serial, sizeof(d->serial), "d%u", (unsigned)i);
	}
	if (ask->accel == VM_ACCEL_KVM) {
		r = vm_create(c, ask->kvm, &m->vm, e);
	} else {
		r = qemu_start(c, ask->accel == VM_ACCEL_QEMU, &m->qemu, e);
		for (unsigned i = 0; i < c->n_ports; i++)
			fd_close(c->ports[i].fd);
		for (unsigned i = 0; i < c->n_nics; i++)
			fd_close(c->nics[i].fd);
		for (unsigned i = 0; i < c->n_disks; i++)
			fd_close(c->disks[i].fd);
		fd_close(c->serial);
	}
	fd_close(c->initrd);
	return r;
}

static int own_terminal(struct monitor *m, struct err *e)
{
	struct monitor_birth *b = m->b;

	if (b->slave < 0)
		return 0;
	for (int i = 0; i < 3; i++)
		if (dup2(b->slave, i) < 0)
			return err_set(e, errno, "take the terminal as standard input and output");
	if (ioctl(0, TIOCSCTTY, 0) < 0)
		return err_set(e, errno, "take the terminal as ours");
	return 0;
}

/* Whoever reads what the payload writes is to see its end, which is not ours. */
static int leave_streams(struct err *e)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; i < 3; i++)
		if (null < 0 || dup2(null, i) < 0)
			return err_set(e, errno, "open /dev/null");
	if (null > 2)
		close(null);
	return 0;
}

static int take_signals(struct monitor *m, struct err *e)
{
	sigset_t set;

	/* Those of a fault of our own, too: the kernel does not let them wait. */
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	m->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return m->signals < 0 ? err_set(e, errno, "make a signal descriptor") : 0;
}

/* In a vCPU's thread, before it runs anything of the guest's. */
static int confine_vcpu(void *arg)
{
	const struct vm_filters *f = arg;

	return vm_filter_install(&f->vcpu, NULL);
}

/* Of the host's memory it is us who take it, and those that we make. */
static int own_oom_score(const struct spec *s, struct err *e)
{
	_cleanup_close_ int procfd = -EBADF;

	if (!s->has_process || !s->process.has_oom_score_adj)
		return 0;
	procfd = mnt_procfs(e);
	return procfd < 0 ? procfd : sec_set_oom_score_adj(procfd, s->process.oom_score_adj, false, e);
}

/* An exec takes four of them. */
static void all_descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

static int set_up(struct monitor *m, struct err *e)
{
	struct monitor_birth *b = m->b;
	struct vm_config c = { .kernel = -EBADF, .initrd = -EBADF, .serial = -EBADF };
	unsigned n = vm_share_links_needed(b->ask->shares, b->ask->n_shares, b->ask->pod);
	int control[2], ours[VM_SHARES], theirs[VM_SHARES], r;

	setsid();
	all_descriptors();
	r = b->p->cgroup ? cgrp_join_self(b->p->cgroup, e) : 0;
	if (r == 0)
		r = own_oom_score(b->p->spec, e);
	if (r == 0)
		r = own_terminal(m, e);
	if (r == 0)
		r = take_signals(m, e);
	if (r == 0)
		r = enter_network(b, e);
	if (r == 0)
		r = pair(control, e);
	for (unsigned i = 0; r == 0 && i < n; i++)
		r = pair_of(&ours[i], &theirs[i], e);
	if (r == 0)
		r = start_server(m, theirs, ours, n, e);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < n; i++)
		close(theirs[i]);
	vm_share_close(b->ask->shares, b->ask->n_shares);
	r = run_hooks(b, e);
	if (r == 0)
		r = write_setup(m, n, &c, e);
	if (r < 0)
		return r;
	c.ports[0] = (struct vm_port){ PROTO_PORT, control[1] };
	c.n_ports = 1;
	/* microvm's own 9p device would have QEMU open the files itself. */
	for (unsigned i = 0; i < n; i++)
		if (b->ask->accel == VM_ACCEL_KVM)
			c.trees[c.n_trees++] = (struct vm_tree){ vm_share_links[i].tag, ours[i] };
		else
			c.ports[c.n_ports++] = (struct vm_port){ vm_share_links[i].port, ours[i] };
	r = make_machine(m, &c, e);
	if (r < 0)
		return r;
	proto_open(&m->guest, control[0]);
	if (!monitor_proc_new(m, terminal_own(0), terminal_own(1), b->slave >= 0 ? -1 : terminal_own(2)))
		return err_set(e, ENOMEM, "the sandbox's streams");
	r = b->slave >= 0 ? 0 : leave_streams(e);
	if (r < 0)
		return r;
	m->confined = true;
	r = confine_monitor(e);
	if (r == 0 && m->vm)
		r = vm_start(m->vm, confine_vcpu, b->filters, e);
	return r < 0 ? r : vm_filter_install(&b->filters->loop, e);
}

/* --- the loop
 * ----------------------------------------------------------------------------------------------- */

static void serve_serial(struct monitor *m)
{
	char text[512];
	ssize_t n = 1;
	int budget = 16;

	/* A guest that does nothing but write there is not to keep us from all else. */
	while (budget-- > 0 && (n = read(m->serial, text, sizeof(text))) > 0) {
		size_t keep = sizeof(m->said) - (size_t)n;

		if (m->said_len > keep) {
			memmove(m->said, m->said + m->said_len - keep, keep);
			m->said_len = keep;
		}
		memcpy(m->said + m->said_len, text, (size_t)n);
		m->said_len += (size_t)n;
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		m->serial = fd_close(m->serial);
}

static void machine_ended(struct monitor *m)
{
	struct err e = ERR_INIT;

	if (m->phase >= MON_ENDED)
		monitor_exit(m, m->status);
	err_text(&e, ECONNRESET, "the sandbox's machine ended by itself");
	monitor_fail(m, &e);
}

static void reap(struct monitor *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == m->qemu) {
			m->qemu = 0;
			machine_ended(m);
		} else if (pid == m->server) {
			m->server = 0;
		}
	}
}

static void serve_signals(struct monitor *m)
{
	struct signalfd_siginfo info;

	while (read(m->signals, &info, sizeof(info)) == sizeof(info)) {
		int sig = (int)info.ssi_signo;
		/* By somebody, and thus meant for the payload, rather than by the kernel, meant for us. One
		 * that waits hides a second one, so those of the kernel's are always looked after. */
		bool sent = info.ssi_code <= 0;

		if (sig == SIGCHLD)
			reap(m);
		if (sig == SIGWINCH && m->b->slave >= 0)
			monitor_send_size(m, 0, 0);
		if (sig == SIGHUP && m->b->slave >= 0 && !sent) {
			/* Our terminal's other end is gone: it is the payload's terminal that hangs up.
			 * Before there is one, reading will tell. */
			struct monitor_proc *first = monitor_proc_find(m, 0);

			if (first && m->phase >= MON_CREATED)
				monitor_proc_input_ends(m, first);
		}
		if (sent && m->phase >= MON_CREATED && m->phase <= MON_UP)
			monitor_send_signal(m, 0, sig, false, 0);
	}
}

/* The creator: once it has recorded us it says so; before that its end is ours. */
static void serve_sync(struct monitor *m)
{
	struct sync_frame f;
	int fd, msg = sync_recv(m->sync, &f, &fd);

	fd_close(fd);
	if (msg == SYNC_GO) {
		m->committed = true;
		return;
	}
	if (!m->committed && !m->started && m->phase < MON_UP)
		monitor_exit(m, 1);
	m->sync = fd_close(m->sync);
}

void monitor_kill(struct monitor *m)
{
	if (m->killed || m->phase >= MON_OFF)
		return;
	m->killed = true;
	m->deadline = now_ms() + MONITOR_KILL_MS;
}

static void check_end(struct monitor *m)
{
	struct monitor_proc *first = monitor_proc_find(m, 0);

	for (struct monitor_proc *p = m->procs, *next; p; p = next) {
		next = p->next;
		if (p->id == 0 || !monitor_proc_done(p))
			continue;
		if (p->owner) {
			monitor_client_exit(m, p->owner, p->status);
			p->owner->proc = NULL;
		}
		monitor_proc_free(m, p);
	}
	if (m->phase == MON_ENDED && (!first || !first->exited || monitor_proc_done(first))) {
		m->phase = MON_OFF;
		m->deadline = now_ms() + OFF_MS;
		proto_send(&m->guest, PROTO_OFF, 0, 0, 0, NULL, 0);
	}
	if (m->deadline && now_ms() >= m->deadline) {
		struct err e = ERR_INIT;

		if (m->phase == MON_OFF)
			monitor_exit(m, m->status);
		if (m->killed)
			monitor_exit(m, 128 + SIGKILL);
		err_text(&e, ETIMEDOUT, "the sandbox's guest did not come up in time");
		monitor_fail(m, &e);
	}
}

struct polls {
	struct pollfd *at;
	size_t n, room;
};

static struct pollfd *add(struct monitor *m, struct polls *p, size_t n)
{
	struct err e = ERR_INIT;

	if (p->n + n > p->room) {
		size_t room = p->room ? p->room * 2 : 16;
		struct pollfd *bigger = realloc(p->at, room * sizeof(*bigger));

		if (!bigger) {
			err_set(&e, ENOMEM, "wait for the sandbox's streams and callers");
			monitor_fail(m, &e);
		}
		p->at = bigger;
		p->room = room;
	}
	p->n += n;
	return p->at + p->n - n;
}

enum { P_SIGNALS, P_SYNC, P_LISTENER, P_GUEST, P_SERIAL, P_VM, P_DNS, P_FIXED };

static void fill(struct monitor *m, struct polls *p)
{
	p->n = 0;
	memcpy(add(m, p, P_FIXED),
		(struct pollfd[P_FIXED]){
			[P_SIGNALS] = { .fd = m->signals, .events = POLLIN },
			[P_SYNC] = { .fd = m->sync, .events = POLLIN },
			[P_LISTENER] = { .fd = m->phase >= MON_CREATED && !m->full ? m->listener : -1,
				.events = POLLIN },
			[P_GUEST] = { .fd = m->guest.fd,
				.events = (short)(POLLIN | (proto_waits(&m->guest) ? POLLOUT : 0)) },
			[P_SERIAL] = { .fd = m->serial, .events = POLLIN },
			[P_VM] = { .fd = m->vm ? vm_poll_fd(m->vm) : -1, .events = POLLIN },
			[P_DNS] = { .fd = monitor_guest_takes(m) ? m->dns : -1, .events = POLLIN },
		},
		P_FIXED * sizeof(struct pollfd));
	for (struct monitor_proc *q = m->procs; q; q = q->next)
		monitor_proc_poll(m, q, add(m, p, MONITOR_POLLS));
	for (struct monitor_client *c = m->clients; c; c = c->next)
		*add(m, p, 1) = (struct pollfd){ .fd = c->gone ? -1 : c->proto.fd,
			.events = (short)(POLLIN | (proto_waits(&c->proto) ? POLLOUT : 0)) };
}

static void serve(struct monitor *m, const struct polls *p)
{
	const struct pollfd *at = p->at + P_FIXED;
	struct err e = ERR_INIT;
	enum vm_end end = VM_RUNS;
	int r = 0;

	/* In the order of the list, before anything changes it. */
	for (struct monitor_proc *q = m->procs; q && r == 0; q = q->next, at += MONITOR_POLLS)
		r = monitor_proc_serve(m, q, at);
	for (struct monitor_client *c = m->clients; c && r == 0; c = c->next, at++)
		if (at->revents)
			r = monitor_client_serve(m, c);
	if (r == 0 && p->at[P_DNS].revents)
		r = monitor_dns_serve(m);
	if (r < 0)
		err_set(&e, -r, "talk to the sandbox's agent");
	if (r == 0 && p->at[P_VM].revents) {
		r = vm_serve(m->vm, &end, &e);
		if (r == 0 && end != VM_RUNS)
			machine_ended(m);
	}
	if (p->at[P_SERIAL].revents)
		serve_serial(m);
	if (r == 0 && (p->at[P_GUEST].revents || proto_waits(&m->guest) || m->more))
		r = monitor_guest_serve(m, &e);
	/* With the machine gone, so is the channel; its end is what counts. */
	if (r < 0 && m->phase >= MON_ENDED)
		monitor_exit(m, m->status);
	if (r < 0)
		monitor_fail(m, &e);
	if (p->at[P_SYNC].revents)
		serve_sync(m);
	if (p->at[P_LISTENER].revents)
		monitor_welcome(m);
	if (p->at[P_SIGNALS].revents)
		serve_signals(m);
}

static int how_long(const struct monitor *m)
{
	int64_t left = m->deadline ? m->deadline - now_ms() : -1;

	/* In our own memory, of which poll(2) knows nothing. */
	if (m->more)
		return 0;
	if (m->deadline && left < 0)
		left = 0;
	/* Until somebody who calls can be let in. */
	if (m->full && (left < 0 || left > FULL_MS))
		left = FULL_MS;
	return (int)left;
}

static void loop(struct monitor *m)
{
	struct polls p = { 0 };

	m->deadline = now_ms() + (m->vm ? BOOT_MS : BOOT_MS_TCG);
	if (m->b->slave >= 0)
		monitor_send_size(m, 0, 0);
	for (;;) {
		int timeout;

		fill(m, &p);
		timeout = how_long(m);
		m->full = false;
		if (poll(p.at, p.n, timeout) >= 0)
			serve(m, &p);
		monitor_clients_reap(m);
		check_end(m);
	}
}

void monitor_main(struct monitor_birth *b)
{
	static struct monitor m;
	struct err e = ERR_INIT;

	m = (struct monitor){ .b = b,
		.sync = b->sync,
		.listener = b->listener,
		.serial = -EBADF,
		.dns = -EBADF,
		.signals = -EBADF,
		.next_serial = 16,
		.guest = { .fd = -EBADF } };
	prctl(PR_SET_NAME, "ringfence-vm");
	if (set_up(&m, &e) < 0) {
		end_children(&m);
		fail_early(b, &e);
	}
	loop(&m);
	_exit(1);
}
