/* SPDX-License-Identifier: Apache-2.0 */
/* Files and block devices of the host's as disks of a sandbox (see disk.h). */
#include "sandbox/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/str.h"
#include "namespaces/mount_calls.h"
#include "namespaces/mount_options.h"
#include "sandbox/plan.h"
#include "sandbox/root.h"
#include "sandbox/share.h"

#define SECTOR 512

bool vm_disk_is_type(const char *type)
{
	/* More than our own guest's kernel has: another's may. It says so itself if it has not. */
	static const char *const known[] = { "ext2", "ext3", "ext4", "erofs", "xfs", "btrfs", "f2fs",
		"squashfs", "iso9660", "udf", "vfat", "exfat", "ntfs3", NULL };

	return type && strv_has((char *const *)known, type);
}

uint8_t vm_disk_access(const struct spec_dev_rule *rules, size_t n, dev_t rdev)
{
	uint8_t access = SPEC_DEV_READ | SPEC_DEV_WRITE | SPEC_DEV_MKNOD;

	for (size_t i = 0; i < n; i++) {
		const struct spec_dev_rule *r = &rules[i];
		uint8_t bits = r->access ? r->access : SPEC_DEV_READ | SPEC_DEV_WRITE | SPEC_DEV_MKNOD;

		if ((r->type != 'b' && r->type != 'a') || (r->major >= 0 && r->major != major(rdev)) ||
			(r->minor >= 0 && r->minor != minor(rdev)))
			continue;
		access = (uint8_t)(r->allow ? access | bits : access & ~bits);
	}
	return access;
}

/* --- one of them ------------------------------------------------------------------------------------------
 */

struct opening {
	struct vm_disk_ask *d;
	char what[300]; /* "mount /data: disk image /srv/data.img" */
};

/*
 * By its numbers, on a file system of our own: a name in /dev may be another's by now, and in a container
 * there may be none. Exclusive as to whoever else claims it, which the host's mounts do.
 */
static int open_device(struct opening *o, struct err *e)
{
	struct vm_disk_ask *d = o->d;
	_cleanup_close_ int fs = sys_fsopen("tmpfs"), root = -EBADF;
	int r = fs < 0 ? fs : sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL);

	if (r == 0)
		root = sys_fsmount(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	if (r < 0 || root < 0)
		return err_set(e, r < 0 ? -r : -root, "%s: make an empty file system", o->what);
	if (mknodat(root, "disk", S_IFBLK | 0600, d->rdev) < 0)
		return err_set(e, errno, "%s: make a node for block device %u:%u", o->what, major(d->rdev),
			minor(d->rdev));
	/* Who only reads a file system may do so beside others who do, and not beside one who writes. */
	if (d->readonly && d->volume)
		d->fd = openat(root, "disk", O_RDONLY | O_EXCL | O_CLOEXEC);
	if (d->fd >= 0 || !d->readonly || !d->volume) {
		fd_close(d->fd);
		d->fd = openat(root, "disk", (d->readonly ? O_RDONLY : O_RDWR | O_EXCL) | O_CLOEXEC);
	}
	if (d->fd < 0 && errno == EBUSY)
		return err_text(e, EBUSY,
			"%s: block device %u:%u is in use on the host: it is mounted, or another sandbox has "
			"it; a device with two users at once would be destroyed",
			o->what, major(d->rdev), minor(d->rdev));
	if (d->fd < 0 && !d->readonly && (errno == EACCES || errno == EROFS))
		return err_hint((err_set(e, errno, "%s: open block device %u:%u to write", o->what,
					 major(d->rdev), minor(d->rdev)),
					e),
			"it is read-only on the host: have it read-only here, too");
	if (d->fd < 0)
		return err_set(
			e, errno, "%s: open block device %u:%u", o->what, major(d->rdev), minor(d->rdev));
	return 0;
}

/* `path` is held by its node already: what is opened is what was looked at. */
static int open_image(struct opening *o, int node, struct err *e)
{
	struct vm_disk_ask *d = o->d;
	char proc[FD_PATH_MAX];

	d->fd = open(fd_path(proc, node), (d->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (d->fd < 0)
		return err_set(e, errno, "%s: open it to %s", o->what, d->readonly ? "read" : "write");
	if (flock(d->fd, (d->readonly ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return err_text(e, EBUSY,
			"%s: another sandbox has it, %s; two that mount it at once would destroy what is in "
			"it",
			o->what, d->readonly ? "writable" : "or this one twice");
	return err_set(e, errno, "%s: lock it", o->what);
}

static int check_size(const struct opening *o, struct err *e)
{
	struct stat st;
	uint64_t size = 0;

	if (fstat(o->d->fd, &st) < 0)
		return err_set(e, errno, "%s: look at it", o->what);
	if (S_ISREG(st.st_mode))
		size = (uint64_t)st.st_size;
	else if (ioctl(o->d->fd, BLKGETSIZE64, &size) < 0)
		return err_set(e, errno, "%s: get its size", o->what);
	if (size < SECTOR)
		return err_text(e, EINVAL, "%s: it has %llu bytes, and a disk at least a sector of %d",
			o->what, (unsigned long long)size, SECTOR);
	return 0;
}

/* Of a path. -EINVAL: what is there is no disk. */
static int open_path(struct opening *o, struct err *e)
{
	struct vm_disk_ask *d = o->d;
	_cleanup_close_ int node = open(d->path, O_PATH | O_NOFOLLOW | O_CLOEXEC), target = -EBADF;
	struct stat st;
	int r;

	if (node < 0 || fstat(node, &st) < 0)
		return err_set(e, errno, "%s: open it", o->what);
	/* udev names devices by links. Any other link leads somewhere else when whoever can write there
	 * likes. */
	if (S_ISLNK(st.st_mode)) {
		if (st.st_uid != 0 || !str_starts(d->path, "/dev/"))
			return err_text(e, ELOOP,
				"%s: it is a symlink, and only root's in /dev are followed: name what it "
				"leads to",
				o->what);
		target = open(d->path, O_PATH | O_CLOEXEC);
		if (target < 0 || fstat(target, &st) < 0)
			return err_set(e, errno, "%s: open what it links to", o->what);
		if (!S_ISBLK(st.st_mode))
			return err_text(e, ELOOP,
				"%s: it is a symlink, and to no block device: name the image itself",
				o->what);
	}
	if (S_ISBLK(st.st_mode)) {
		d->rdev = st.st_rdev;
		r = open_device(o, e);
	} else if (S_ISREG(st.st_mode)) {
		r = open_image(o, node, e);
	} else {
		return err_text(e, EINVAL, "%s: it is a %s, and a disk is a regular file or a block device",
			o->what,
			S_ISDIR(st.st_mode)    ? "directory"
			: S_ISFIFO(st.st_mode) ? "FIFO"
					       : "device of another kind, or a socket");
	}
	return r < 0 ? r : check_size(o, e);
}

/* --- what the config has ----------------------------------------------------------------------------------
 */

struct finding {
	const struct spec *s;
	struct arena *a;
	struct vm_disk_ask *list;
	size_t n;
};

static struct opening next(struct finding *f, int mount, int device, const char *path)
{
	struct vm_disk_ask *d = &f->list[f->n++];

	*d = (struct vm_disk_ask){ .fd = -EBADF, .mount = mount, .device = device, .path = path };
	return (struct opening){ .d = d };
}

static int too_many(const struct finding *f, struct err *e)
{
	return f->n < VM_DISKS_MAX
		       ? 0
		       : err_text(e, E2BIG,
				 "a sandbox has at most %d disks, and config.json has more mounts "
				 "and devices that would be some",
				 VM_DISKS_MAX);
}

/* A file system of a disk. */
static int add_volume(struct finding *f, int i, const struct mnt_options *o, struct err *e)
{
	const struct spec_mount *m = &f->s->mounts[i];
	struct opening op;

	if (!m->source || m->source[0] != '/')
		return err_text(e, EINVAL,
			"mount %s: its type is %s, so its source must be the absolute path of an image or "
			"block device, not \"%.200s\"",
			m->destination, m->type, m->source ? m->source : "");
	op = next(f, i, -1, m->source);
	op.d->volume = true;
	op.d->readonly = (o->set & MS_RDONLY) != 0;
	snprintf(op.what, sizeof(op.what), "mount %.100s: %.150s", m->destination, m->source);
	return open_path(&op, e);
}

/* The node of a block device: by its numbers, read-only as the bind or the rules have it. */
static int add_device(struct finding *f, struct opening *o, dev_t rdev, bool readonly, struct err *e)
{
	int r;

	o->d->rdev = rdev;
	o->d->readonly =
		readonly ||
		!(vm_disk_access(f->s->resources.devices, f->s->resources.n_devices, rdev) & SPEC_DEV_WRITE);
	r = open_device(o, e);
	return r < 0 ? r : check_size(o, e);
}

static const struct vm_share *share_of(const struct vm_share *shares, size_t n, int mount)
{
	for (size_t i = 0; i < n; i++)
		if (shares[i].mount == mount && shares[i].kind == VM_SHARE_DISK)
			return &shares[i];
	return NULL;
}

static int find_mounts(struct finding *f, const struct vm_share *shares, size_t n_shares, struct err *e)
{
	for (size_t i = 0; i < f->s->n_mounts; i++) {
		const struct spec_mount *m = &f->s->mounts[i];
		const struct vm_share *share = share_of(shares, n_shares, (int)i);
		struct mnt_options o;
		int r = 0;

		if (!share && !vm_disk_is_type(m->type))
			continue;
		r = mnt_options_parse(f->a, m, &o, e);
		if (r < 0)
			return r;
		if (!share && (o.bind || o.remount))
			continue;
		r = too_many(f, e);
		if (r == 0 && !share)
			r = add_volume(f, (int)i, &o, e);
		if (r == 0 && share) {
			struct opening op = next(f, (int)i, -1, m->source);

			snprintf(op.what, sizeof(op.what), "mount %.100s: %.150s", m->destination,
				m->source ? m->source : "");
			r = add_device(f, &op, share->rdev, (o.set & MS_RDONLY) != 0, e);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int find_devices(struct finding *f, struct err *e)
{
	for (size_t i = 0; i < f->s->n_devices; i++) {
		const struct spec_device *d = &f->s->devices[i];
		struct opening op;
		int r;

		if (d->type != 'b')
			continue;
		r = too_many(f, e);
		if (r < 0)
			return r;
		op = next(f, -1, (int)i, d->path);
		snprintf(op.what, sizeof(op.what), "linux.devices: %.200s", d->path);
		r = add_device(f, &op, makedev((unsigned)d->major, (unsigned)d->minor), false, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Layers may be many, and so no room be left for other disks. */
static int find_root(struct finding *f, struct vm_root *root, struct err *e)
{
	struct vm_disk_ask *d;
	int r;

	for (size_t i = 0; i < root->n; i++) {
		struct opening op;

		r = too_many(f, e);
		if (r < 0)
			return r;
		op = next(f, -1, -1, root->images[i]);
		op.d->readonly = true;
		op.d->fs = "erofs";
		snprintf(op.what, sizeof(op.what), "the root file system: %.200s", root->images[i]);
		r = open_path(&op, e);
		if (r < 0)
			return r;
	}
	if (!root->writable)
		return 0;
	r = too_many(f, e);
	if (r < 0)
		return r;
	d = next(f, -1, -1, "what is written to the root file system").d;
	d->fd = TAKE_FD(root->scratch);
	d->fs = "ext4";
	return 0;
}

int vm_disks_open(struct rt_partition *p, struct vm_root *root, const struct vm_share *shares,
	size_t n_shares, struct vm_disk_ask **list, size_t *n, struct err *e)
{
	struct finding f = { .s = p->spec, .a = p->arena };
	int r;

	f.list = arena_calloc(p->arena, VM_DISKS_MAX, sizeof(*f.list));
	if (!f.list)
		return err_set(e, ENOMEM, "open the disks of the sandbox");
	r = root->disk ? find_root(&f, root, e) : 0;
	if (r == 0)
		r = find_mounts(&f, shares, n_shares, e);
	if (r == 0)
		r = find_devices(&f, e);
	if (r < 0) {
		vm_disks_close(f.list, f.n);
		return r;
	}
	*list = f.list;
	*n = f.n;
	return 0;
}

int vm_disks_none(struct rt_partition *p, const struct vm_share *shares, size_t n_shares, struct err *e)
{
	const struct spec *s = p->spec;
	const char *what = NULL, *how = spec_annotation(s, VM_ROOT_ANNOTATION);

	for (size_t i = 0; i < s->n_mounts && !what; i++) {
		struct mnt_options o;

		if (share_of(shares, n_shares, (int)i)) {
			what = s->mounts[i].destination;
		} else if (vm_disk_is_type(s->mounts[i].type)) {
			int r = mnt_options_parse(p->arena, &s->mounts[i], &o, e);

			if (r < 0)
				return r;
			what = o.bind || o.remount ? NULL : s->mounts[i].destination;
		}
	}
	if (how && str_eq(how, "disk"))
		what = "annotation " VM_ROOT_ANNOTATION "=disk";
	for (size_t i = 0; i < s->n_devices && !what; i++)
		what = s->devices[i].type == 'b' ? s->devices[i].path : NULL;
	if (!what)
		return 0;
	return err_text(e, EOPNOTSUPP,
		"%s: it would be a disk, and the disks of a pod's sandbox are fixed when that is made, "
		"before its "
		"containers are known: leave it out, mount it on the host and bind that, or use --isolation "
		"partition",
		what);
}

void vm_disks_close(struct vm_disk_ask *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		list[i].fd = fd_close(list[i].fd);
}

const char *vm_disk_target(unsigned n, char buf[64])
{
	snprintf(buf, 64, PLAN_DIR "/d%u", n);
	return buf;
}

void vm_disks_write_setup(struct json_writer *w, const struct vm_disk_ask *list, size_t n)
{
	char path[64];

	json_open_array(w, "disks");
	for (size_t i = 0; i < n && list[i].fs; i++) {
		json_open_object(w, NULL);
		json_put_string(w, "fs", list[i].fs);
		json_put_string(w, "target", vm_disk_target((unsigned)i, path));
		json_put_bool(w, "readonly", list[i].readonly);
		json_close_object(w);
	}
	json_close_array(w);
}

void vm_disks_write(struct json_writer *w, const struct vm_disk_ask *list, size_t n)
{
	json_open_array(w, "disks");
	for (size_t i = 0; i < n; i++) {
		if (list[i].fs)
			continue;
		json_open_object(w, NULL);
		json_put_u64(w, "disk", i);
		if (list[i].mount >= 0)
			json_put_i64(w, "mount", list[i].mount);
		if (list[i].volume)
			json_put_bool(w, "volume", true);
		if (list[i].device >= 0)
			json_put_i64(w, "device", list[i].device);
		if (list[i].rdev) {
			json_put_u64(w, "major", major(list[i].rdev));
			json_put_u64(w, "minor", minor(list[i].rdev));
		}
		json_close_object(w);
	}
	json_close_array(w);
}
