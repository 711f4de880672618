/* SPDX-License-Identifier: Apache-2.0 */
/* Partitions that share one sandbox (see pod.h). */
#include "sandbox/pod.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "namespaces/mount_calls.h"
#include "runtime/files.h"
#include "sandbox/engine.h"
#include "sandbox/share.h"

/* --- annotations -------------------------------------------------------------------------------------------
 */

static const struct {
	const char *type, *pod;
} dialects[] = {
	{ "io.kubernetes.cri.container-type", "io.kubernetes.cri.sandbox-id" },
	{ "io.kubernetes.cri-o.ContainerType", "io.kubernetes.cri-o.SandboxID" },
};

enum vm_role vm_role(const struct spec *s, const char **pod)
{
	const char *manager;

	for (size_t i = 0; i < ARRAY_SIZE(dialects); i++) {
		const char *type = spec_annotation(s, dialects[i].type), *id;

		if (type && str_eq(type, "sandbox"))
			return VM_POD;
		id = type && str_eq(type, "container") ? spec_annotation(s, dialects[i].pod) : NULL;
		if (id && *id) {
			if (pod)
				*pod = id;
			return VM_MEMBER;
		}
	}
	/* podman says what is a member, and of whom; not that the one that it names is a pod's first. */
	manager = spec_annotation(s, "io.container.manager");
	return manager && str_eq(manager, "libpod") ? VM_POD : VM_ALONE;
}

uint64_t vm_pod_memory(const struct spec *s)
{
	const char *text = spec_annotation(s, "io.kubernetes.cri.sandbox-memory");
	uint64_t bytes;

	return text && str_to_u64(text, &bytes) == 0 ? bytes : 0;
}

bool vm_pod_cpu(const struct spec *s, uint64_t *quota, uint64_t *period)
{
	const char *q = spec_annotation(s, "io.kubernetes.cri.sandbox-cpu-quota"),
		   *p = spec_annotation(s, "io.kubernetes.cri.sandbox-cpu-period");

	return q && p && str_to_u64(q, quota) == 0 && str_to_u64(p, period) == 0 && *quota > 0 && *period > 0;
}

/* --- the pod -----------------------------------------------------------------------------------------------
 */

static int open_partition(int rootfd, const char *id, struct rt_partition **out)
{
	char root[64];
	struct rt_ctx ctx = { .root = root };
	struct err ignored = ERR_INIT;

	snprintf(root, sizeof(root), "/proc/self/fd/%d", rootfd);
	return rt_partition_open(&ctx, id, RT_UNLOCKED, out, &ignored);
}

static bool has_network(const struct rt_partition *p, int netns)
{
	struct stat theirs, given;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)p->pid);
	return netns >= 0 && stat(path, &theirs) == 0 && fstat(netns, &given) == 0 &&
	       theirs.st_dev == given.st_dev && theirs.st_ino == given.st_ino;
}

/* "/proc/PID/ns/net" */
static pid_t network_of(const struct spec *s)
{
	const char *path = s->ns[SPEC_NS_NETWORK].path;
	int pid, end = 0;

	if (!path || sscanf(path, "/proc/%d/ns/net%n", &pid, &end) != 1 || end == 0 || path[end])
		return 0;
	return pid;
}

bool vm_pod_wanted(const struct spec *s)
{
	return s->ns[SPEC_NS_NETWORK].path && (vm_role(s, NULL) == VM_MEMBER || network_of(s) > 0);
}

/* The sandbox whose recorded process that is. */
static int find_by_pid(int rootfd, pid_t pid, struct rt_partition **out)
{
	char root[64];
	struct rt_ctx ctx = { .root = root };
	struct err ignored = ERR_INIT;
	struct rt_info *list = NULL;
	size_t n = 0;
	int r;

	snprintf(root, sizeof(root), "/proc/self/fd/%d", rootfd);
	r = rt_list(&ctx, &list, &n, &ignored);
	for (size_t i = 0; i < n; i++) {
		if (r == 0 && !*out && list[i].pid == pid)
			r = open_partition(rootfd, list[i].id, out);
		rt_info_free(&list[i]);
	}
	free(list);
	return r == 0 && !*out ? -ENOENT : r;
}

/* Who asks for a member's network gets to the pod whose it is. */
static int pod_of(struct rt_partition **p)
{
	struct rt_partition *member = *p;
	const char *id = NULL;
	int r = -ENOENT;

	*p = NULL;
	for (size_t i = 0; i < member->n_annotations; i++)
		if (str_eq(member->annotations[i].key, VM_POD_ANNOTATION))
			id = member->annotations[i].value;
	if (id && rt_alive(member))
		r = open_partition(member->rootfd, id, p);
	rt_partition_free(member);
	return r;
}

int vm_pod_open(const struct rt_partition *member, int netns, struct vm_pod *out, struct err *e)
{
	struct rt_partition *p = NULL;
	const char *id = NULL;
	int r;

	*out = (struct vm_pod){ 0 };
	if (vm_role(member->spec, &id) == VM_MEMBER)
		r = open_partition(member->rootfd, id, &p);
	else
		r = find_by_pid(member->rootfd, network_of(member->spec), &p);
	if (r == 0 && p->engine == &vm_member_engine)
		r = pod_of(&p);
	if (r == -ENOMEM)
		return err_set(e, ENOMEM, "find the pod of container \"%s\"", member->id);
	if (r < 0)
		return 0;
	/* Of the process that was recorded, not of one that has got its number since. */
	if (p->engine != &vm_engine || p->damaged || !has_network(p, netns) || !rt_alive(p) ||
		rt_partition_spec(p, NULL) < 0) {
		rt_partition_free(p);
		return 0;
	}
	out->p = p;
	return 1;
}

void vm_pod_instance(int dirfd, char text[VM_INSTANCE_MAX])
{
	struct statx st = { 0 };

	(void)!statx(dirfd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st);
	snprintf(text, VM_INSTANCE_MAX, "%llu.%lld.%u", (unsigned long long)st.stx_ino,
		(long long)st.stx_btime.tv_sec, st.stx_btime.tv_nsec);
}

void vm_pod_close(struct vm_pod *pod)
{
	pod->p = rt_partition_free(pod->p);
}

/* By the pod's process, or by the path that the pod itself has it from (CRI-O makes them beforehand). */
static bool is_the_pods(const struct vm_pod *pod, enum spec_ns kind, const char *path)
{
	const char *own = pod->p->spec->ns[kind].path;
	char text[64];

	snprintf(text, sizeof(text), "/proc/%d/ns/%s", (int)pod->p->pid, spec_ns_proc_names[kind]);
	return str_eq(path, text) || (own && str_eq(path, own));
}

void vm_pod_take_namespaces(struct vm_pod *pod, struct spec *s)
{
	static const enum spec_ns shared[] = { SPEC_NS_IPC, SPEC_NS_UTS, SPEC_NS_PID, SPEC_NS_USER };

	for (size_t i = 0; i < ARRAY_SIZE(shared); i++) {
		struct spec_ns_entry *ns = &s->ns[shared[i]];

		if (!ns->path || !is_the_pods(pod, shared[i], ns->path))
			continue;
		pod->join |= 1U << shared[i];
		ns->path = NULL;
	}
}

/* --- files -------------------------------------------------------------------------------------------------
 */

/* The server is the child of the monitor's that is not QEMU. */
static int server_namespace(const struct rt_partition *pod, struct err *e)
{
	char path[96], text[4096], name[32], *at = text, *end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pod->pid, (int)pod->pid);
	n = fd_get_at(AT_FDCWD, path, text, sizeof(text));
	if (n < 0)
		return err_set(e, (int)-n, "read %s", path);
	for (;; at = end) {
		long pid = strtol(at, &end, 10);

		if (end == at || pid <= 1)
			return err_text(
				e, ESRCH, "the server of directories of pod \"%s\" has ended", pod->id);
		snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
		if (fd_get_at(AT_FDCWD, path, name, sizeof(name)) < 0 || !str_starts(name, VM_FILES_NAME))
			continue;
		snprintf(path, sizeof(path), "/proc/%ld/ns/mnt", pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		return fd < 0 ? err_set(e, errno, "open %s", path) : fd;
	}
}

struct files {
	const char *id;
	const struct vm_share *list; /* NULL: to be taken away */
	size_t n;
};

/* In the server's mount namespace, whose root nobody in there can write to. */
static int change_files(int ns, const struct files *f, struct err *e)
{
	struct mount_attr writable = { .attr_clr = MOUNT_ATTR_RDONLY };
	_cleanup_close_ int dir = -EBADF;
	char path[NAME_MAX + 16];
	int r;

	if (setns(ns, CLONE_NEWNS) < 0)
		return err_set(e, errno, "enter the mount namespace of the pod's server of directories");
	/* The same place by another mount, which we may write to. */
	dir = sys_clone_tree(AT_FDCWD, "/" VM_POD_DIR, AT_SYMLINK_NOFOLLOW);
	if (dir == -ENOENT && !f->list)
		return 0;
	if (dir < 0)
		return err_set(e, -dir,
			"the sandbox whose network it is to share was made without a place for the files of "
			"others");
	r = sys_mount_setattr(dir, "", 0, &writable);
	if (r < 0)
		return err_set(e, -r, "make a place for the files of a member");
	snprintf(path, sizeof(path), "/" VM_POD_DIR "/%s", f->id);
	if (!f->list) {
		if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
			return err_set(e, errno, "unmount the files of container \"%s\" in its pod", f->id);
		return unlinkat(dir, f->id, AT_REMOVEDIR) < 0 && errno != ENOENT
			       ? err_set(e, errno, "remove the files of container \"%s\" in its pod", f->id)
			       : 0;
	}
	/* What a create that was killed has left. */
	if (mkdirat(dir, f->id, 0700) < 0 && errno == EEXIST)
		umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
	else if (faccessat(dir, f->id, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(e, errno, "make a place for the files of container \"%s\" in its pod", f->id);
	return vm_share_attach(f->list, f->n, path, e);
}

/* By a process of its own: a mount namespace is entered for good. */
static int in_server(const struct rt_partition *pod, const struct files *f, struct err *e)
{
	_cleanup_close_ int ns = server_namespace(pod, e);
	struct err why = ERR_INIT;
	int said[2], status;
	pid_t pid;
	ssize_t n;

	if (ns < 0)
		return ns;
	if (pipe2(said, O_CLOEXEC) < 0)
		return err_set(e, errno, "make a pipe");
	pid = fork();
	if (pid == 0) {
		/* What is half done when we are killed, the next one puts in order; but not meanwhile. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		change_files(ns, f, &why);
		_exit(write(said[1], &why, sizeof(why)) != (ssize_t)sizeof(why));
	}
	close(said[1]);
	n = pid < 0 ? -1 : read(said[0], &why, sizeof(why));
	close(said[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0 || n != (ssize_t)sizeof(why))
		return err_text(e, ECANCELED, "the process that handles a pod's files could not do it");
	if (why.code)
		*e = why;
	return -why.code;
}

int vm_pod_attach(
	const struct vm_pod *pod, const char *id, const struct vm_share *list, size_t n, struct err *e)
{
	const struct files f = { id, list, n };
	const struct files none = { id, NULL, 0 };
	int r = in_server(pod->p, &f, e);

	if (r < 0)
		in_server(pod->p, &none, &(struct err)ERR_INIT);
	return r;
}

int vm_pod_detach(const struct rt_partition *member, struct err *e)
{
	const struct files none = { member->id, NULL, 0 };
	struct rt_partition *p = NULL;
	const char *id = NULL;
	int r;

	/* As its state says; or as its config does, where its creator did not come to that. */
	for (size_t i = 0; i < member->n_annotations; i++)
		if (str_eq(member->annotations[i].key, VM_POD_ANNOTATION))
			id = member->annotations[i].value;
	if (!id && member->spec)
		vm_role(member->spec, &id);
	if (!id || open_partition(member->rootfd, id, &p) < 0)
		return 0;
	r = p->engine == &vm_engine && !p->damaged && rt_alive(p) ? in_server(p, &none, e) : 0;
	/* It ends just now, and all of it with it. */
	if (r < 0 && (e->code == ESRCH || !rt_alive(p)))
		r = 0;
	rt_partition_free(p);
	return r;
}
