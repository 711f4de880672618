/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json as it is run in a guest: what names things of the host is replaced by what stands for them
 * here, or is dropped where the host has seen to it itself. What neither can do, the host's side has refused.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "namespaces/mount_options.h"
#include "namespaces/rootfs.h"
#include "namespaces/sysctl.h"
#include "sandbox/guest/guest.h"

int guest_plan_parse(const struct guest *g, const char *text, size_t len, struct arena *a,
	struct guest_plan *out, struct err *e)
{
	struct guest_plan p = { .g = g };
	int r = json_parse(a, text, len, "CREATE", &p.json, e);

	if (r == 0 && !json_get(p.json, "id"))
		return err_text(e, EINVAL, "CREATE: id is missing");
	if (r == 0)
		r = json_as_string(json_get(p.json, "id"), "id", &p.id, e);
	if (r == 0 && json_get(p.json, "root"))
		r = json_as_string(json_get(p.json, "root"), "root", &p.root, e);
	else if (r == 0 && json_get(p.json, "overlay"))
		p.root = GUEST_ROOT;
	if (r < 0)
		return r;
	*out = p;
	return 0;
}

/* --- mounts ----------------------------------------------------------------------------------------------
 */

/* A tmpfs of the guest's instead of one of the host's, as read-only and private as that was. */
static int own_tmpfs(struct spec *s, struct spec_mount *m, const struct json *j, struct err *e)
{
	static const char *const keep[] = { "ro", "private", "rprivate", "slave", "rslave", "unbindable",
		"runbindable", NULL };
	size_t n = 0, given = 0;
	char **options, size[40];
	uint64_t bytes;
	int r = json_as_u64(j, "sources: tmpfs", &bytes, e);

	if (r < 0)
		return r;
	while (m->options && m->options[given])
		given++;
	options = arena_calloc(s->arena, given + 6, sizeof(*options));
	if (!options)
		return err_set(e, ENOMEM, "sources");
	for (size_t i = 0; i < given; i++)
		if (strv_has((char *const *)keep, m->options[i]))
			options[n++] = m->options[i];
	options[n++] = (char *)"nosuid";
	options[n++] = (char *)"nodev";
	options[n++] = (char *)"noexec";
	options[n++] = (char *)"mode=1777";
	snprintf(size, sizeof(size), "size=%llu", (unsigned long long)bytes);
	if (bytes > 0 && !(options[n++] = arena_strdup(s->arena, size)))
		return err_set(e, ENOMEM, "sources");
	m->type = "tmpfs";
	m->source = "shm";
	m->options = options;
	m->n_uid_map = m->n_gid_map = 0;
	return 0;
}

/* A cgroup mount is one of systemd's: it may make some of its own. */
static void writable_cgroups(struct spec *s)
{
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct spec_mount *m = &s->mounts[i];
		size_t n = 0;

		if (!m->type || !str_starts(m->type, "cgroup"))
			continue;
		for (size_t k = 0; m->options && m->options[k]; k++)
			if (!str_eq(m->options[k], "ro"))
				m->options[n++] = m->options[k];
		if (m->options)
			m->options[n] = NULL;
	}
}

static int replace_source(struct spec *s, const struct json *j, bool *drop, struct err *e)
{
	const struct json *index = json_get(j, "index"), *source = json_get(j, "source"),
			  *own = json_get(j, "tmpfs"), *cgroup = json_get(j, "cgroup"),
			  *shm = json_get(j, "shm");
	uint64_t i;
	int r;

	if (!index || (!source && !own && !cgroup && !shm))
		return err_text(e, EINVAL, "CREATE: sources: index or source is missing");
	r = json_as_u64(index, "sources: index", &i, e);
	if (r == 0 && i >= s->n_mounts)
		r = err_text(e, EINVAL, "CREATE: sources: config.json has only %zu mounts", s->n_mounts);
	if (r < 0)
		return r;
	if (source)
		return json_as_string(source, "sources: source", &s->mounts[i].source, e);
	if (own)
		return own_tmpfs(s, &s->mounts[i], own, e);
	if (shm) {
		s->mounts[i].source = GUEST_SHM;
		return 0;
	}
	return json_as_bool(cgroup, "sources: cgroup", &drop[i], e);
}

static int replace_sources(struct spec *s, const struct guest_plan *plan, struct err *e)
{
	bool *drop = arena_calloc(s->arena, s->n_mounts + 1, sizeof(*drop));
	const struct json *j;
	size_t n = 0;

	if (!drop)
		return err_set(e, ENOMEM, "sources");
	json_each (j, json_get(plan->json, "sources")) {
		int r = replace_source(s, j, drop, e);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < s->n_mounts; i++)
		if (!drop[i])
			s->mounts[n++] = s->mounts[i];
	if (n < s->n_mounts)
		writable_cgroups(s);
	s->n_mounts = n;
	return 0;
}

static bool is_overlay_root(const struct spec_mount *m)
{
	return m->type && str_eq(m->type, "overlay") && str_eq(m->destination, "/");
}

/* "lowerdir=A:B", what overlayfs takes for a separator escaped. */
static char *lower_option(struct arena *a, const struct json *list, struct err *e)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	const struct json *j;
	const char *path;

	strbuf_puts(&b, "lowerdir=");
	json_each (j, list) {
		if (json_as_string(j, "overlay: lower", &path, e) < 0)
			return NULL;
		if (j != list->first)
			strbuf_puts(&b, ":");
		for (; *path; path++) {
			if (*path == ':' || *path == '\\')
				strbuf_puts(&b, "\\");
			strbuf_add(&b, path, 1);
		}
	}
	if (b.failed)
		err_set(e, ENOMEM, "overlay: lower");
	return b.failed ? NULL : arena_strdup(a, b.s);
}

/* The root file system of layers, as the runtime knows it: the first of the mounts. */
static int set_root(struct spec *s, const struct guest_plan *plan, struct err *e)
{
	const struct json *overlay = json_get(plan->json, "overlay"),
			  *readonly = json_get(overlay, "readonly");
	size_t skip = s->n_mounts && is_overlay_root(&s->mounts[0]), n = 4;
	char **given = skip ? s->mounts[0].options : NULL, **options;
	struct spec_mount *mounts;

	if (plan->root) {
		s->has_root = true;
		s->root_path = plan->root;
	}
	if (!overlay) {
		/* The host has made it already. */
		if (plan->root && skip) {
			s->mounts++;
			s->n_mounts--;
		}
		return 0;
	}
	mounts = arena_calloc(s->arena, s->n_mounts + 1 - skip, sizeof(*mounts));
	options = arena_calloc(s->arena, 5 + strv_len(given), sizeof(*options));
	if (!mounts || !options)
		return err_set(e, ENOMEM, "overlay");
	options[0] = lower_option(s->arena, json_get(overlay, "lower"), e);
	if (!options[0])
		return e->code ? -e->code : -ENOMEM;
	options[1] = (char *)"upperdir=" GUEST_UPPER "/data";
	options[2] = (char *)"workdir=" GUEST_UPPER "/work";
	/* Nothing of it outlives the guest: no need to sync. */
	options[3] = (char *)"volatile";
	/* What is not of its layers: nosuid, noatime … */
	for (; given && *given; given++)
		if (strv_has((char *const *)mnt_option_names, *given))
			options[n++] = *given;
	if (readonly) {
		bool yes;
		int r = json_as_bool(readonly, "overlay: readonly", &yes, e);

		if (r < 0)
			return r;
		s->root_readonly |= yes;
	}
	mounts[0] = (struct spec_mount){ .destination = "/", .type = "overlay", .options = options };
	if (s->n_mounts > skip)
		memcpy(mounts + 1, s->mounts + skip, (s->n_mounts - skip) * sizeof(*mounts));
	s->n_mounts += 1 - skip;
	s->mounts = mounts;
	return 0;
}

int guest_make_upper(const struct guest_plan *plan, struct err *e)
{
	const struct json *overlay = json_get(plan->json, "overlay"), *lower = json_get(overlay, "lower");
	const struct json *upper = json_get(overlay, "upper");
	const char *top, *on = NULL;
	struct stat st;
	int r;

	if (!overlay)
		return 0;
	if (plan->number != 0)
		return err_text(e, EINVAL, "CREATE: overlay: only for the sandbox's own partition");
	if (!lower || !lower->first)
		return err_text(e, EINVAL, "CREATE: overlay: lower is missing");
	r = json_as_string(lower->first, "overlay: lower", &top, e);
	if (r == 0)
		r = path_make(GUEST_ROOT, 0755, e);
	if (r == 0)
		r = path_make(GUEST_UPPER, 0755, e);
	if (r < 0)
		return r;
	r = upper ? json_as_string(upper, "overlay: upper", &on, e) : 0;
	if (r < 0)
		return r;
	if (on && mount(on, GUEST_UPPER, NULL, MS_BIND, NULL) < 0)
		return err_set(e, errno, "bind %s on " GUEST_UPPER, on);
	/* Of its own: a payload that fills it must not fill the agent's, too. */
	if (!on && mount("tmpfs", GUEST_UPPER, "tmpfs", MS_NOATIME, "mode=755") < 0)
		return err_set(e, errno, "mount a tmpfs on " GUEST_UPPER);
	/* The root directory of an overlay has the owner and mode of the topmost one. */
	if (stat(top, &st) < 0)
		return err_set(e, errno, "overlay: lower: look at %s", top);
	if (mkdir(GUEST_UPPER "/data", 0755) < 0 || mkdir(GUEST_UPPER "/work", 0755) < 0 ||
		chown(GUEST_UPPER "/data", st.st_uid, st.st_gid) < 0 ||
		chmod(GUEST_UPPER "/data", st.st_mode & 07777) < 0)
		return err_set(e, errno, "make directories in " GUEST_UPPER);
	return 0;
}

int guest_make_shm(const struct guest_plan *plan, struct err *e)
{
	const struct json *j;
	char size[40];
	uint64_t bytes;
	int r;

	json_each (j, json_get(plan->json, "sources")) {
		if (!json_get(j, "shm"))
			continue;
		r = json_as_u64(json_get(j, "shm"), "sources: shm", &bytes, e);
		if (r < 0)
			return r;
		if (mkdir(GUEST_SHM, 01777) < 0)
			return errno == EEXIST ? 0 : err_set(e, errno, "make " GUEST_SHM);
		snprintf(size, sizeof(size), "mode=1777,size=%llu", (unsigned long long)bytes);
		if (mount("shm", GUEST_SHM, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, size) < 0) {
			r = err_set(e, errno, "mount a tmpfs on " GUEST_SHM);
			rmdir(GUEST_SHM);
			return r;
		}
	}
	return 0;
}

/* --- namespaces, sysctl ------------------------------------------------------------------------------------
 */

static int join_pod(struct spec *s, const struct guest_plan *plan, struct err *e)
{
	const struct json *j;
	const char *name;
	char path[64];

	json_each (j, json_get(plan->json, "join")) {
		int kind = 0, r = json_as_string(j, "join", &name, e);

		if (r < 0)
			return r;
		while (kind < SPEC_NS_KINDS && !str_eq(spec_ns_names[kind], name))
			kind++;
		if (kind == SPEC_NS_KINDS || plan->number == 0 || plan->first <= 0)
			return err_text(e, EINVAL, "CREATE: join: there is no \"%.50s\" to be joined", name);
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)plan->first, spec_ns_proc_names[kind]);
		s->ns[kind].present = true;
		s->ns[kind].path = arena_strdup(s->arena, path);
		if (!s->ns[kind].path)
			return err_set(e, ENOMEM, "join");
	}
	return 0;
}

static int adapt_namespaces(struct spec *s, const struct guest_plan *plan, struct err *e)
{
	if (s->ns[SPEC_NS_USER].path && !s->n_uid_map)
		return err_text(e, EOPNOTSUPP,
			"linux.namespaces: a user namespace that is joined by path cannot be had in a "
			"sandbox "
			"without its uidMappings and gidMappings");
	/* Of a kind that is there: those to join are another kernel's. */
	for (int i = 0; i < SPEC_NS_KINDS; i++)
		s->ns[i].path = NULL;
	s->ns[SPEC_NS_MOUNT].present = true;
	/* The guest's own is the partition's. */
	s->ns[SPEC_NS_NETWORK] = (struct spec_ns_entry){ 0 };
	return join_pod(s, plan, e);
}

static int own_cgroup(struct spec *s, const struct guest_plan *plan, struct err *e)
{
	size_t size = strlen(plan->g->cgroup) + 16;
	char *path = arena_calloc(s->arena, 1, size);

	if (!path)
		return err_set(e, ENOMEM, "cgroupsPath");
	if (plan->number == 0)
		snprintf(path, size, "%s", plan->g->cgroup);
	else
		snprintf(path, size, "%s-%u", plan->g->cgroup, plan->number);
	s->cgroups_path = path;
	return 0;
}

static bool is_network(const struct spec_sysctl *c)
{
	return str_starts(c->key, "net.") || str_starts(c->key, "net/");
}

/* The network's are the guest's, since its network namespace is the partition's. */
static int adapt_sysctl(struct spec *s, const struct guest_plan *plan, struct err *e)
{
	struct spec network = *s;
	_cleanup_close_ int procfd = -EBADF;
	size_t n = 0;

	network.sysctl = arena_calloc(s->arena, s->n_sysctl + 1, sizeof(*s->sysctl));
	if (!network.sysctl)
		return err_set(e, ENOMEM, "linux.sysctl");
	network.n_sysctl = 0;
	for (size_t i = 0; i < s->n_sysctl; i++) {
		if (is_network(&s->sysctl[i]))
			network.sysctl[network.n_sysctl++] = s->sysctl[i];
		else
			s->sysctl[n++] = s->sysctl[i];
	}
	s->n_sysctl = n;
	if (network.n_sysctl == 0 || !plan->creating || !plan->g->machine)
		return 0;
	network.ns[SPEC_NS_NETWORK].present = true;
	if (sysctl_check(&network, e) < 0)
		return -e->code;
	procfd = mnt_procfs(e);
	return procfd < 0 ? procfd : sysctl_apply(&network, procfd, e);
}

/* --- resources
 * ---------------------------------------------------------------------------------------------- */

/* Memory, processor time and the number of processes are limited here, too: the payload sees it, and is told
 * of by the right messages. All else names devices and processors of the host. */
void guest_adapt_resources(struct spec_resources *r)
{
	r->mem_swap = r->mem_swappiness = r->mem_kernel = r->mem_kernel_tcp = (struct spec_i64){ 0 };
	r->has_disable_oom_killer = r->has_use_hierarchy = false;
	r->cpu_rt_period = (struct spec_u64){ 0 };
	r->cpu_rt_runtime = (struct spec_i64){ 0 };
	r->cpus = r->mems = NULL;
	r->block_weight = r->block_leaf_weight = (struct spec_u64){ 0 };
	r->n_block_weights = 0;
	for (int i = 0; i < SPEC_BLOCK_THROTTLES; i++)
		r->n_block_rates[i] = 0;
	r->n_hugepages = r->n_priorities = r->n_rdma = r->n_unified = 0;
	r->has_class_id = false;
}

/* --- annotations, process
 * ------------------------------------------------------------------------------------ */

static void drop_annotations(struct spec *s)
{
	static const char *const hosts[] = { "run.oci.pidfd_receiver", "run.oci.hooks.stdout",
		"run.oci.hooks.stderr", "run.oci.systemd.subgroup", "run.oci.mount_context_type", NULL };
	size_t n = 0;

	for (size_t i = 0; i < s->n_annotations; i++)
		if (!strv_has((char *const *)hosts, s->annotations[i].key))
			s->annotations[n++] = s->annotations[i];
	s->n_annotations = n;
}

/* Labels are of the host's security modules; processors are the host's. */
static const char *const host_process[] = { "apparmorProfile", "selinuxLabel", "execCPUAffinity", NULL };

static void adapt_process(struct spec_process *p)
{
	p->apparmor_profile = p->selinux_label = NULL;
	p->cpu_affinity_initial = p->cpu_affinity_final = NULL;
}

char *guest_adapt_process(const struct json *process)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	const struct json *j;
	const char *text;

	if (!w)
		return NULL;
	json_open_object(w, NULL);
	json_each (j, process)
		if (!strv_has((char *const *)host_process, j->key))
			json_put_json(w, j->key, j);
	json_close_object(w);
	text = json_writer_text(w, NULL);
	return text ? strdup(text) : NULL;
}

int guest_adapt(struct spec *s, void *arg, struct err *e)
{
	static const enum spec_hook_kind hosts[] = { SPEC_HOOK_PRESTART, SPEC_HOOK_CREATE_RUNTIME,
		SPEC_HOOK_CREATE_CONTAINER, SPEC_HOOK_POSTSTART, SPEC_HOOK_POSTSTOP };
	const struct guest_plan *plan = arg;
	int r;

	if (s->seccomp.listener_path)
		return err_text(e, EOPNOTSUPP,
			"linux.seccomp.listenerPath: a sandbox has no descriptors to hand to an agent of the "
			"host");
	r = guest_adapt_disks(s, plan, e);
	if (r == 0)
		r = replace_sources(s, plan, e);
	if (r == 0)
		r = set_root(s, plan, e);
	if (r == 0)
		r = adapt_namespaces(s, plan, e);
	if (r == 0)
		r = own_cgroup(s, plan, e);
	if (r == 0)
		r = adapt_sysctl(s, plan, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		s->hooks.n[hosts[i]] = 0;
	s->n_net_devices = 0;
	s->intel_rdt.present = false;
	s->memory_policy.present = false;
	s->vm.present = false;
	s->mount_label = NULL;
	adapt_process(&s->process);
	drop_annotations(s);
	guest_adapt_resources(&s->resources);
	return 0;
}
