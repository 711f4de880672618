/* SPDX-License-Identifier: Apache-2.0 */
/* What of the host's files a sandbox sees (see share.h). */
#include "sandbox/share.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "namespaces/mount_calls.h"
#include "namespaces/rootfs.h"
#include "sandbox/pod.h"

const struct vm_share_link vm_share_links[VM_SHARES] = {
	[VM_SHARES_ROOT] = { "s0", "ringfence.s0", PLAN_DIR "/s0", true },
	[VM_SHARES_BINDS] = { "s1", "ringfence.s1", PLAN_DIR "/s1", false },
};

unsigned vm_share_links_needed(const struct vm_share *list, size_t n, bool pod)
{
	if (pod)
		return VM_SHARES;
	for (size_t i = 0; i < n; i++)
		if (list[i].mount >= 0 && list[i].kind == VM_SHARE_FILES)
			return VM_SHARES;
	return VM_SHARES_ROOT + 1;
}

/* Nothing in it but what is mounted; unreadable is not empty. */
static bool is_empty(int tree)
{
	int fd = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool empty = d != NULL;

	if (!d && fd >= 0)
		close(fd);
	while (d && (entry = readdir(d)))
		if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
			empty = false;
	if (d)
		closedir(d);
	return empty;
}

/* What the guest has of its own. */
static void look(struct vm_share *s, const struct spec *spec)
{
	const char *at = s->mount < 0 ? "" : spec->mounts[s->mount].destination;
	struct statfs fs;
	struct stat st;

	if (!s->is_dir && fstat(s->fd, &st) == 0 && S_ISBLK(st.st_mode)) {
		s->kind = VM_SHARE_DISK;
		s->rdev = st.st_rdev;
		s->fd = fd_close(s->fd);
	}
	if (!s->is_dir || fstatfs(s->fd, &fs) < 0)
		return;
	if (str_eq(at, "/dev/shm") && fs.f_type == TMPFS_MAGIC && is_empty(s->fd)) {
		s->kind = VM_SHARE_SHM;
		s->shm_size = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
	} else if (str_eq(at, "/sys/fs/cgroup/systemd") &&
		   (fs.f_type == CGROUP_SUPER_MAGIC || fs.f_type == CGROUP2_SUPER_MAGIC)) {
		s->kind = VM_SHARE_CGROUP;
	}
	if (s->kind != VM_SHARE_FILES)
		s->fd = fd_close(s->fd);
}

int vm_share_open(struct rt_partition *p, bool root, struct vm_share **list, size_t *n, struct err *e)
{
	struct mnt_ctx c = { .spec = p->spec, .bundle = p->bundle, .rootfs = p->rootfs };
	struct mnt_export *out = arena_calloc(p->arena, p->spec->n_mounts + 1, sizeof(*out));
	struct vm_share *shares = arena_calloc(p->arena, p->spec->n_mounts + 1, sizeof(*shares));
	size_t count = 0;
	int r;

	if (!out || !shares)
		return err_set(e, ENOMEM, "open the directories of the sandbox");
	r = mnt_init(&c, e);
	if (r < 0)
		return r;
	r = mnt_export(&c, root, out, &count, e);
	mnt_free(&c);
	for (size_t i = 0; i < count; i++) {
		shares[i] = (struct vm_share){
			.fd = out[i].tree, .is_dir = out[i].is_dir, .mount = out[i].mount
		};
		if (out[i].mount < 0)
			snprintf(shares[i].name, sizeof(shares[i].name), VM_SHARE_ROOT);
		else
			snprintf(shares[i].name, sizeof(shares[i].name), "m%d", out[i].mount);
		look(&shares[i], p->spec);
	}
	if (r < 0) {
		vm_share_close(shares, count);
		return r;
	}
	*list = shares;
	*n = count;
	return 0;
}

void vm_share_close(struct vm_share *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		list[i].fd = fd_close(list[i].fd);
}

static int attach(int root, const struct vm_share *s, struct err *e)
{
	_cleanup_close_ int file = -EBADF;
	int r;

	if (s->is_dir && mkdirat(root, s->name, 0700) < 0)
		return err_set(e, errno, "make a mount point for the sandbox");
	if (!s->is_dir) {
		file = openat(root, s->name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
		if (file < 0)
			return err_set(e, errno, "make a mount point for the sandbox");
	}
	r = sys_attach(s->fd, root, s->name);
	return r < 0 ? err_set(e, -r, "mount a directory for the sandbox") : 0;
}

/* An empty file system at `path`, and a descriptor of its root. */
static int mount_empty(int dirfd, const char *path, struct err *e)
{
	_cleanup_close_ int fs = sys_fsopen("tmpfs"), root = -EBADF;
	int r = fs < 0 ? fs : sys_fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755");

	if (r == 0)
		r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL);
	if (r == 0)
		root = sys_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (r < 0 || root < 0)
		return err_set(e, r < 0 ? -r : -root, "make an empty file system");
	r = sys_attach(root, dirfd, path);
	return r < 0 ? err_set(e, -r, "mount an empty file system") : TAKE_FD(root);
}

static int fill(int root, const struct vm_share *list, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		int r = list[i].kind == VM_SHARE_FILES ? attach(root, &list[i], e) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

static int make_readonly(int root, struct err *e)
{
	struct mount_attr readonly = { .attr_set = MOUNT_ATTR_RDONLY };
	int r = sys_mount_setattr(root, "", 0, &readonly);

	return r < 0 ? err_set(e, -r, "make the empty file system read-only") : 0;
}

int vm_share_attach(const struct vm_share *list, size_t n, const char *path, struct err *e)
{
	_cleanup_close_ int root = mount_empty(AT_FDCWD, path, e);
	int r = root < 0 ? root : fill(root, list, n, e);

	return r < 0 ? r : make_readonly(root, e);
}

/* Read-only as all of it; who enters this namespace from outside mounts here (pod.c). */
static int make_pod(int root, struct err *e)
{
	_cleanup_close_ int own = -EBADF;

	if (mkdirat(root, VM_POD_DIR, 0755) < 0)
		return err_set(e, errno, "make a mount point for the sandbox");
	own = mount_empty(root, VM_POD_DIR, e);
	return own < 0 ? own : make_readonly(own, e);
}

int vm_share_enter(const struct vm_share *list, size_t n, bool pod, struct err *e)
{
	/* Any directory will do: nobody sees it any more in a moment. */
	_cleanup_close_ int root = mount_empty(AT_FDCWD, "/", e);
	int r = root < 0 ? root : fill(root, list, n, e);

	if (r == 0 && pod)
		r = make_pod(root, e);
	if (r < 0)
		return r;
	if (fchdir(root) < 0)
		return err_set(e, errno, "enter the empty file system");
	r = make_readonly(root, e);
	if (r < 0)
		return r;
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return err_set(e, errno, "leave the host's file systems");
	return 0;
}
