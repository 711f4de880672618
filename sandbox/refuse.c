/* SPDX-License-Identifier: Apache-2.0 */
/* What a sandbox cannot do (see ask.h). */
#include "sandbox/refuse.h"

#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/str.h"
#include "namespaces/mount_options.h"
#include "runtime/notify.h"
#include "runtime/payload.h"

static int no(struct err *e, const char *what)
{
	return err_text(e, EOPNOTSUPP,
		"%s; a sandbox cannot do that: leave it out, or use --isolation partition", what);
}

/* Its interfaces would be the guest's and no longer the host's. */
static bool is_our_network(const char *path)
{
	struct stat own, st;

	return path && stat("/proc/self/ns/net", &own) == 0 && stat(path, &st) == 0 &&
	       st.st_dev == own.st_dev && st.st_ino == own.st_ino;
}

static int check_namespaces(const struct spec *s, struct err *e)
{
	static const enum spec_ns not_shared[] = { SPEC_NS_USER, SPEC_NS_MOUNT, SPEC_NS_PID, SPEC_NS_CGROUP,
		SPEC_NS_TIME };

	if (!s->ns[SPEC_NS_NETWORK].present)
		return no(e, "linux.namespaces lists no network namespace, so the partition would have the "
			     "host's network");
	if (is_our_network(s->ns[SPEC_NS_NETWORK].path))
		return no(e, "linux.namespaces: the network namespace to join is the host's own");
	for (size_t i = 0; i < ARRAY_SIZE(not_shared); i++)
		if (s->ns[not_shared[i]].path)
			return err_text(e, EOPNOTSUPP,
				"linux.namespaces: the %s namespace at %s belongs to processes of another "
				"kernel than "
				"the sandbox's; a sandbox cannot share it: leave the path out, or use "
				"--isolation "
				"partition",
				spec_ns_names[not_shared[i]], s->ns[not_shared[i]].path);
	return 0;
}

/* Those that every kernel has, and the two that the guest's has as well. */
static bool guest_has(const struct spec_device *d)
{
	static const struct {
		char type;
		int64_t major, minor;
	} known[] = { { 'c', 1, 3 }, { 'c', 1, 5 }, { 'c', 1, 7 }, { 'c', 1, 8 }, { 'c', 1, 9 },
		{ 'c', 5, 0 }, { 'c', 5, 2 }, { 'c', 10, 229 }, { 'c', 10, 200 } };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (d->type == known[i].type && d->major == known[i].major && d->minor == known[i].minor)
			return true;
	/* Block devices it has as disks (disk.h). */
	return d->type == 'p' || d->type == 'b';
}

static int check_devices(const struct spec *s, struct err *e)
{
	for (size_t i = 0; i < s->n_devices; i++) {
		const struct spec_device *d = &s->devices[i];

		if (!guest_has(d))
			return err_text(e, EOPNOTSUPP,
				"linux.devices: %s (%c %lld:%lld) is a device of the host's kernel; a "
				"sandbox has a "
				"kernel of its own: leave it out, or use --isolation partition",
				d->path, d->type, (long long)d->major, (long long)d->minor);
	}
	if (s->n_net_devices)
		return no(e, "linux.netDevices moves network devices of the host");
	return 0;
}

static int check_hooks(const struct spec *s, struct err *e)
{
	if (s->hooks.n[SPEC_HOOK_CREATE_CONTAINER])
		return no(e,
			"hooks.createContainer runs programs of the host in the partition's mount namespace");
	return 0;
}

static int check_mounts(const struct spec *s, struct arena *a, struct err *e)
{
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct spec_mount *m = &s->mounts[i];
		struct mnt_options o;
		int r = mnt_options_parse(a, m, &o, e);

		if (r < 0)
			return r;
		if (o.idmap != SPEC_IDMAP_NONE)
			return err_text(e, EOPNOTSUPP,
				"mount %s: idmap: a sandbox cannot map the ids of what is the host's: leave "
				"it out, "
				"or use --isolation partition",
				m->destination);
		for (int k = 0; k < o.n_propagation; k++)
			if (o.propagation[k] & MS_SHARED)
				return err_text(e, EOPNOTSUPP,
					"mount %s: shared propagation: mounts do not go from a sandbox to "
					"the host: use "
					"private or slave, or --isolation partition",
					m->destination);
	}
	if (s->rootfs_propagation == SPEC_PROPAGATION_SHARED)
		return no(e, "linux.rootfsPropagation shared lets mounts go to the host");
	return 0;
}

/* Which processor of the host's a vCPU runs on is no matter of the guest's, nor of who execs there. */
static int check_affinity(const struct spec *s, struct err *e)
{
	const struct spec_process *proc = &s->process;
	int r = s->has_process ? payload_check_affinity(proc, e) : 0;

	if (r == 0 && s->has_process && (proc->cpu_affinity_initial || proc->cpu_affinity_final))
		log_warn("process.execCPUAffinity is not applied: the processors of a sandbox are its own");
	return r;
}

int vm_refuse(const struct rt_partition *p, const struct rt_create_opts *o, struct err *e)
{
	const struct spec *s = p->spec;
	const char *listen_fds = getenv("LISTEN_FDS");
	int r;

	if (p->rootless)
		return err_text(e, EOPNOTSUPP,
			"a sandbox needs root: its network, its directories and its monitor's confinement "
			"are made with "
			"root's powers; run as root, or use --isolation partition");
	if (o->preserve_fds > 0 || (listen_fds && *listen_fds && !str_eq(listen_fds, "0")))
		return no(e, "--preserve-fds and LISTEN_FDS hand descriptors of the host's kernel to the "
			     "partition");
	if (notify_wanted())
		return no(e, "NOTIFY_SOCKET is a socket of the host's kernel");
	if (s->seccomp.listener_path)
		return no(e, "linux.seccomp.listenerPath hands system calls to an agent of the host");
	if (s->intel_rdt.present)
		return no(e, "linux.intelRdt");
	if (s->memory_policy.present)
		return no(e, "linux.memoryPolicy names memory nodes of the host");
	r = check_namespaces(s, e);
	if (r == 0)
		r = check_devices(s, e);
	if (r == 0)
		r = check_hooks(s, e);
	if (r == 0)
		r = check_affinity(s, e);
	return r < 0 ? r : check_mounts(s, p->arena, e);
}
