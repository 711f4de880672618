/* SPDX-License-Identifier: Apache-2.0 */
/* What a config asks of a sandbox (see ask.h). */
#include "sandbox/ask.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "runtime/program.h"
#include "sandbox/pod.h"
#include "sandbox/refuse.h"
#include "sandbox/share.h"

#define KERNEL_BUILT "/var/cache/ringfence/guest-kernel/current/vmlinux"
#define MIB	     (1ULL << 20)
/* What the monitor and the server of directories take, beside the guest's memory; QEMU, its translated code
 * and tables. */
#define HOST_OWN_KVM  (64 * MIB)
#define HOST_OWN_QEMU (384 * MIB)
#define HOST_PIDS     64
#define MEMORY_MAX    (1ULL << 44)

const char *const vm_accel_names[] = { "auto", "kvm", "tcg", "qemu", NULL };

static struct {
	bool sandbox, partition;
	enum vm_accel accel;
} preferred;

int vm_prefer(const char *isolation, const char *accel, struct err *e)
{
	if (isolation && !str_eq(isolation, "sandbox") && !str_eq(isolation, "partition"))
		return err_text(e, EINVAL, "option --isolation must be partition or sandbox, not \"%.100s\"",
			isolation);
	if (isolation) {
		preferred.sandbox = str_eq(isolation, "sandbox");
		preferred.partition = !preferred.sandbox;
	}
	if (!accel)
		return 0;
	for (int i = 0; vm_accel_names[i]; i++)
		if (str_eq(accel, vm_accel_names[i])) {
			preferred.accel = (enum vm_accel)i;
			return 0;
		}
	return err_text(e, EINVAL, "option --accel must be auto, kvm, tcg or qemu, not \"%.100s\"", accel);
}

bool vm_wanted(const struct spec *s)
{
	const char *isolation = spec_annotation(s, "io.ringfence.isolation");

	if (preferred.sandbox || preferred.partition)
		return preferred.sandbox;
	return isolation && str_eq(isolation, "sandbox");
}

/* --- size ------------------------------------------------------------------------------------------------
 */

static uint64_t round_up(uint64_t bytes)
{
	return (bytes + 2 * MIB - 1) & ~(2 * MIB - 1);
}

static int ask_memory(const struct spec *s, struct vm_ask *ask, struct err *e)
{
	const char *text = spec_annotation(s, VM_ANNOTATION "memory");
	const struct spec_i64 *limit = &s->resources.mem_limit;
	bool limited = limit->has && limit->v > 0 && limit->v < INT64_MAX / 2;
	int64_t size;

	if (text) {
		if (str_to_size(text, &size) < 0 || size <= 0)
			return err_text(e, EINVAL,
				"annotation " VM_ANNOTATION "memory: \"%.100s\" is no size such as 256M",
				text);
		ask->memory = (uint64_t)size;
		/* Engines copy annotations out of images: the operator's limit is not an image's to raise. */
		if (limited && ask->memory > (uint64_t)limit->v + VM_GUEST_OWN)
			return err_text(e, EINVAL,
				"annotation " VM_ANNOTATION
				"memory: %.100s is more than linux.resources.memory.limit leaves "
				"(%llu MiB, %llu MiB of them for the guest's kernel)",
				text, (unsigned long long)(((uint64_t)limit->v + VM_GUEST_OWN) / MIB),
				(unsigned long long)(VM_GUEST_OWN / MIB));
	} else if (limited) {
		ask->memory = (uint64_t)limit->v + VM_GUEST_OWN;
	} else if (ask->pod && vm_pod_memory(s)) {
		ask->memory =
			vm_pod_memory(s) < MEMORY_MAX ? vm_pod_memory(s) + VM_GUEST_OWN : MEMORY_MAX + 1;
	} else {
		ask->memory = VM_MEMORY_DEFAULT;
	}
	/* Far from where sums of sizes overflow; annotations may be an image's. */
	if (ask->memory > MEMORY_MAX)
		return err_text(e, EINVAL, "a sandbox of %llu MiB: more than any machine has",
			(unsigned long long)(ask->memory / MIB));
	ask->memory = round_up(ask->memory);
	return 0;
}

/* How little works depends on the machine. */
static void at_least(struct vm_ask *ask)
{
	uint64_t least = ask->accel == VM_ACCEL_KVM ? VM_MEMORY_LEAST : VM_MEMORY_LEAST_QEMU;

	if (ask->memory < least)
		ask->memory = least;
}

static int ask_vcpus(const struct spec *s, struct vm_ask *ask, struct err *e)
{
	const char *text = spec_annotation(s, VM_ANNOTATION "vcpus");
	const struct spec_resources *r = &s->resources;
	uint64_t period = r->cpu_period.has && r->cpu_period.v ? r->cpu_period.v : 100000;
	uint64_t n = 1, quota;
	cpu_set_t ours;

	if (text && (str_to_u64(text, &n) < 0 || n < 1 || n > VM_VCPUS_MAX))
		return err_text(e, EINVAL,
			"annotation " VM_ANNOTATION "vcpus must be a number from 1 to %d, not \"%.100s\"",
			VM_VCPUS_MAX, text);
	if (!text && r->cpu_quota.has && r->cpu_quota.v > 0)
		n = ((uint64_t)r->cpu_quota.v + period - 1) / period;
	else if (!text && ask->pod && vm_pod_cpu(s, &quota, &period))
		n = quota / period + (quota % period != 0);
	/* More than the host has would only wait for each other. */
	if (!text && sched_getaffinity(0, sizeof(ours), &ours) == 0 && n > (uint64_t)CPU_COUNT(&ours))
		n = (uint64_t)CPU_COUNT(&ours);
	ask->vcpus = n < 1 ? 1 : n > VM_VCPUS_MAX ? VM_VCPUS_MAX : (unsigned)n;
	return 0;
}

/* --- kernel, agent, KVM -----------------------------------------------------------------------------------
 */

static int open_file(const char *path, const char *what, struct err *e)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return err_set(e, errno, "open %s %s", what, path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_text(e, EINVAL, "%s %s is not a regular file", what, path);
	}
	/* It may be changed while it is used. */
	if ((st.st_uid != 0 && st.st_uid != rt_caller()) || st.st_mode & (S_IWGRP | S_IWOTH)) {
		close(fd);
		return err_text(e, EPERM,
			"%s %s could be changed by others than root: chown it to root, chmod go-w", what,
			path);
	}
	return fd;
}

const char *vm_kernel_default(void)
{
	const char *env = secure_getenv("RINGFENCE_GUEST_KERNEL");

	return env && *env ? env : KERNEL_BUILT;
}

void vm_agent_default(char *path, size_t size)
{
	const char *env = secure_getenv("RINGFENCE_GUEST_AGENT");

	if (env && *env)
		snprintf(path, size, "%s", env);
	else
		rt_companion("ringfence-guest", path, size);
}

static int open_kernel(const struct spec *s, struct vm_ask *ask, struct err *e)
{
	const char *path = spec_annotation(s, VM_ANNOTATION "kernel");

	ask->kernel_args = spec_annotation(s, VM_ANNOTATION "kernel-args");
	if (!path)
		path = s->vm.kernel_path;
	if (!path)
		path = vm_kernel_default();
	ask->kernel_path = path;
	if (path[0] != '/')
		return err_text(e, EINVAL, "the guest's kernel: \"%.200s\" must be an absolute path", path);
	ask->kernel = open_file(path, "the guest's kernel", e);
	if (ask->kernel == -ENOENT && str_eq(path, KERNEL_BUILT))
		err_hint(e, "\"./bootstrap kernel\" builds it, or name one with the annotation " VM_ANNOTATION
			    "kernel");
	return ask->kernel < 0 ? ask->kernel : 0;
}

static int open_agent(struct vm_ask *ask, struct err *e)
{
	char path[PATH_MAX];

	vm_agent_default(path, sizeof(path));
	ask->guest = open_file(path, "the guest's agent", e);
	return ask->guest < 0 ? ask->guest : 0;
}

static int choose_accel(const struct spec *s, struct vm_ask *ask, struct err *e)
{
	const char *text = spec_annotation(s, VM_ANNOTATION "accel");
	enum vm_accel wanted = preferred.accel;
	enum vm_kvm found = VM_KVM_NONE;

	for (int i = 0; text && wanted == VM_ACCEL_AUTO; i++) {
		if (!vm_accel_names[i])
			return err_text(e, EINVAL,
				"annotation " VM_ANNOTATION
				"accel must be auto, kvm, tcg or qemu, not \"%.100s\"",
				text);
		if (str_eq(text, vm_accel_names[i])) {
			wanted = (enum vm_accel)i;
			break;
		}
	}
	if (wanted != VM_ACCEL_TCG)
		found = vm_kvm_probe("/dev/kvm", ask->why);
	else
		snprintf(ask->why, sizeof(ask->why), "software emulation was asked for");
	if ((wanted == VM_ACCEL_KVM || wanted == VM_ACCEL_QEMU) && found != VM_KVM_NATIVE)
		return err_text(e, EOPNOTSUPP,
			"--accel %s: KVM cannot run a guest's kernel here: %s; with --accel auto the "
			"sandbox runs under "
			"software emulation",
			vm_accel_names[wanted], ask->why);
	if (found != VM_KVM_NATIVE)
		ask->accel = VM_ACCEL_TCG;
	else
		ask->accel = wanted == VM_ACCEL_QEMU ? VM_ACCEL_QEMU : VM_ACCEL_KVM;
	/* QEMU opens its own. */
	if (ask->accel != VM_ACCEL_KVM)
		return 0;
	ask->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	return ask->kvm < 0 ? err_set(e, errno, "open /dev/kvm") : 0;
}

/* --- the whole ---------------------------------------------------------------------------------------------
 */

int vm_ask(struct rt_partition *p, const struct rt_create_opts *o, struct vm_ask *out, struct err *e)
{
	const struct spec *s = p->spec;
	int r;

	*out = (struct vm_ask){ .pod = vm_role(s, NULL) == VM_POD,
		.kvm = -EBADF,
		.kernel = -EBADF,
		.guest = -EBADF,
		.root = { .scratch = -EBADF } };
	r = vm_refuse(p, o, e);
	if (r == 0)
		r = ask_memory(s, out, e);
	if (r == 0)
		r = ask_vcpus(s, out, e);
	if (r == 0)
		r = open_kernel(s, out, e);
	if (r == 0)
		r = open_agent(out, e);
	if (r == 0)
		r = choose_accel(s, out, e);
	at_least(out);
	if (r == 0)
		r = vm_root_choose(p, &out->root, e);
	if (r == 0)
		r = vm_share_open(p, !out->root.disk, &out->shares, &out->n_shares, e);
	if (r == 0)
		r = vm_disks_open(p, &out->root, out->shares, out->n_shares, &out->disks, &out->n_disks, e);
	/* It costs nothing where there are binds: so others may have its network. */
	if (r == 0 && vm_share_links_needed(out->shares, out->n_shares, false) == VM_SHARES)
		out->pod = true;
	if (r < 0)
		vm_ask_free(out);
	return r;
}

void vm_ask_free(struct vm_ask *ask)
{
	fd_close(ask->kvm);
	fd_close(ask->kernel);
	fd_close(ask->guest);
	vm_share_close(ask->shares, ask->n_shares);
	vm_root_close(&ask->root);
	vm_disks_close(ask->disks, ask->n_disks);
	ask->kvm = ask->kernel = ask->guest = -EBADF;
	ask->n_shares = ask->n_disks = 0;
}

/* Also the devices that the machine is made of: a list of rules that does not name them would keep them from
 * us. */
static int allow_devices(struct arena *a, struct spec_resources *r, struct err *e)
{
	static const struct spec_dev_rule ours[] = {
		{ .allow = true,
			.type = 'c',
			.major = 10,
			.minor = 232,
			.access = SPEC_DEV_READ | SPEC_DEV_WRITE },
		{ .allow = true,
			.type = 'c',
			.major = 10,
			.minor = 200,
			.access = SPEC_DEV_READ | SPEC_DEV_WRITE },
	};
	struct spec_dev_rule *all = arena_calloc(a, r->n_devices + ARRAY_SIZE(ours), sizeof(*all));

	if (!all)
		return err_set(e, ENOMEM, "the sandbox's device rules");
	if (r->n_devices)
		memcpy(all, r->devices, r->n_devices * sizeof(*all));
	memcpy(all + r->n_devices, ours, sizeof(ours));
	r->devices = all;
	r->n_devices += ARRAY_SIZE(ours);
	return 0;
}

int vm_host_resources(
	const struct rt_partition *p, const struct vm_ask *ask, struct spec_resources *out, struct err *e)
{
	int64_t own = (int64_t)(ask->accel == VM_ACCEL_KVM ? HOST_OWN_KVM : HOST_OWN_QEMU);

	*out = p->spec->resources;
	if (out->mem_limit.has && out->mem_limit.v > 0) {
		int64_t more = (int64_t)ask->memory + own - out->mem_limit.v;

		out->mem_limit.v += more;
		if (out->mem_swap.has && out->mem_swap.v > 0)
			out->mem_swap.v = more > 0 && out->mem_swap.v > INT64_MAX - more
						  ? INT64_MAX
						  : out->mem_swap.v + more;
	}
	/* What swaps the guest's memory is the guest's business; what counts processes in there, too. */
	if (out->pids_limit.has && out->pids_limit.v >= 0 && out->pids_limit.v < HOST_PIDS)
		out->pids_limit.v = HOST_PIDS;
	return allow_devices(p->arena, out, e);
}

void vm_stand_in_resources(const struct rt_partition *p, struct spec_resources *out)
{
	*out = p->spec->resources;
	if (out->pids_limit.has && out->pids_limit.v >= 0 && out->pids_limit.v < HOST_PIDS)
		out->pids_limit.v = HOST_PIDS;
}

static void put_source(struct json_writer *w, const char *dir, const struct vm_share *share, bool shared)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", dir, share->name);
	json_open_object(w, NULL);
	json_put_i64(w, "index", share->mount);
	if (share->kind == VM_SHARE_SHM)
		json_put_u64(w, shared ? "shm" : "tmpfs", share->shm_size);
	else if (share->kind == VM_SHARE_CGROUP)
		json_put_bool(w, "cgroup", true);
	else
		json_put_string(w, "source", path);
	json_close_object(w);
}

static void put_join(struct json_writer *w, unsigned join)
{
	json_open_array(w, "join");
	for (int i = 0; i < SPEC_NS_KINDS; i++)
		if (join & (1U << i))
			json_put_string(w, NULL, spec_ns_names[i]);
	json_close_array(w);
}

/* Of disks: those that SETUP has mounted. */
static void put_root(struct json_writer *w, const struct vm_ask *ask)
{
	char path[64];

	if (!ask->root.disk)
		return;
	json_open_object(w, "overlay");
	json_open_array(w, "lower");
	for (size_t i = 0; i < ask->root.n; i++)
		json_put_string(w, NULL, vm_disk_target((unsigned)i, path));
	json_close_array(w);
	if (ask->root.writable)
		json_put_string(w, "upper", vm_disk_target((unsigned)ask->root.n, path));
	json_put_bool(w, "readonly", ask->root.readonly);
	json_close_object(w);
}

char *vm_create_document(
	const struct rt_partition *p, const struct vm_ask *ask, bool member, unsigned join, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	const char *binds = vm_share_links[VM_SHARES_BINDS].target, *text;
	char own[NAME_MAX + 64], root[NAME_MAX + 80], *copy;

	if (!w) {
		err_set(e, ENOMEM, "write the plan of the sandbox");
		return NULL;
	}
	snprintf(own, sizeof(own), "%s/" VM_POD_DIR "/%s", binds, p->id);
	snprintf(root, sizeof(root), "%s/" VM_SHARE_ROOT, own);
	json_open_object(w, NULL);
	json_put_string(w, "id", p->id);
	json_put_bool(w, "stdin", true);
	for (size_t i = 0; i < ask->n_shares; i++)
		if (ask->shares[i].mount < 0)
			json_put_string(w, "root", member ? root : vm_share_links[VM_SHARES_ROOT].target);
	if (!member)
		put_root(w, ask);
	json_open_array(w, "sources");
	for (size_t i = 0; i < ask->n_shares; i++)
		if (ask->shares[i].mount >= 0 && ask->shares[i].kind != VM_SHARE_DISK)
			put_source(w, member ? own : binds, &ask->shares[i],
				member ? join & (1U << SPEC_NS_IPC) : ask->pod);
	json_close_array(w);
	vm_disks_write(w, ask->disks, ask->n_disks);
	if (member) {
		put_join(w, join);
		json_put_json(w, "config", p->spec->json);
	}
	json_close_object(w);
	text = json_writer_text(w, NULL);
	copy = text ? strdup(text) : NULL;
	if (!copy)
		err_set(e, ENOMEM, "write the plan of the sandbox");
	return copy;
}
