/* SPDX-License-Identifier: Apache-2.0 */
/* What the monitor does while it has the host's rights, until it gives them up (see monitor.h). */
#include "sandbox/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "namespaces/mount_calls.h"
#include "namespaces/net.h"
#include "namespaces/rootfs.h"
#include "runtime/sync.h"
#include "sandbox/confine.h"
#include "sandbox/dns.h"
#include "sandbox/initrd.h"
#include "sandbox/net.h"
#include "sandbox/p9.h"
#include "sandbox/qemu.h"
#include "sandbox/share.h"
#include "sandbox/terminal.h"
#include "security/proc_attrs.h"

/* The guest's kernel's, before what the machine and the caller add. */
#define CMDLINE "console=ttyS0 quiet random.trust_cpu=on dummy.numdummies=0 percpu_alloc=page"

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

int monitor_set_up(struct monitor *m, struct err *e)
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
