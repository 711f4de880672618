/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts of new file systems: proc, sysfs, tmpfs, devpts, mqueue, overlay, … (see mount_state.h). */
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/mount_state.h"

/* mount(2) copies one page of data, the NUL included, and cuts off the rest without a word. */
#define DATA_MAX 4095

#ifndef MQUEUE_MAGIC
#define MQUEUE_MAGIC 0x19800202 /* ipc/mqueue.c */
#endif

/* --- by descriptor -------------------------------------------------------------------------------------- */

/*
 * What the kernel says about a refused parameter or superblock ("e tmpfs: Bad value for 'size'"), if
 * anything.
 */
const char *mnt_fs_said(int fs, char *buf, size_t size)
{
	ssize_t n = read(fs, buf, size - 1);

	if (n <= 0)
		return NULL;
	while (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return buf + (n > 2 && buf[1] == ' ' ? 2 : 0);
}

static int fs_error(int fs, int code, const char *type, struct err *e)
{
	char buf[300];
	const char *said = mnt_fs_said(fs, buf, sizeof(buf));

	return said ? err_set(e, -code, "make a file system of type %s: the kernel says \"%s\"", type, said)
		    : err_set(e, -code, "make a file system of type %s", type);
}

/* Each "key=value" or "flag" of a mount(2) data string. */
static int fs_parameters(int fs, const char *data)
{
	char word[DATA_MAX + 1];

	for (const char *p = data; p && *p;) {
		size_t n = strcspn(p, ",");
		char *eq;
		int r;

		if (n > DATA_MAX)
			return -EINVAL;
		memcpy(word, p, n);
		word[n] = '\0';
		eq = strchr(word, '=');
		if (eq)
			*eq++ = '\0';
		r = !n ? 0 : sys_fsconfig(fs, eq ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, word, eq);
		if (r < 0)
			return r;
		p += n;
		p += *p == ',';
	}
	return 0;
}

static int fs_flags(int fs, unsigned long flags)
{
	static const struct {
		unsigned long ms;
		const char *name;
	} table[] = {
		{ MS_RDONLY, "ro" },
		{ MS_SYNCHRONOUS, "sync" },
		{ MS_DIRSYNC, "dirsync" },
		{ MS_MANDLOCK, "mand" },
		{ MS_LAZYTIME, "lazytime" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		int r = (flags & table[i].ms) ? sys_fsconfig(fs, FSCONFIG_SET_FLAG, table[i].name, NULL) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

int mnt_fs_new(const char *type, const char *source, const char *data, unsigned long flags, uint64_t attr,
	const char *context, struct err *e)
{
	/* Not closed on success: it is done with, and goes with the exec as all of the child's descriptors
	 * do. */
	_cleanup_close_ int fs = sys_fsopen(type);
	int r = 0;

	if (fs == -ENODEV)
		return err_text(e, ENODEV, "the kernel has no file system type \"%s\"", type);
	if (fs < 0)
		return err_set(e, -fs, "open a file system of type %s", type);
	if (source)
		r = sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", source);
	if (r == 0)
		r = fs_flags(fs, flags);
	if (r == 0)
		r = fs_parameters(fs, data);
	if (r == 0 && context) {
		/* As one parameter: a label's commas need no quotes then. */
		const char *eq = strchr(context, '=');
		char key[32];

		snprintf(key, sizeof(key), "%.*s", (int)(eq - context), context);
		r = sys_fsconfig(fs, FSCONFIG_SET_STRING, key, eq + 1);
	}
	if (r == 0)
		r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL);
	if (r == 0)
		r = sys_fsmount(fs, (unsigned int)attr);
	if (r < 0)
		return fs_error(fs, r, type, e);
	TAKE_FD(fs);
	return r;
}

/* --- data ----------------------------------------------------------------------------------------------- */

const char *mnt_label_of(struct mnt_ctx *c, const char *type)
{
	static const char *const without[] = { "proc", "sysfs", "mqueue", "cgroup", "cgroup2", NULL };
	const char *label = c->spec->mount_label;
	struct statfs fs;

	if (!label || !*label || strv_has((char *const *)without, type))
		return NULL;
	/* A config may carry a label to a host without SELinux; there it means nothing. */
	if (statfs("/sys/fs/selinux", &fs) < 0 || fs.f_type != SELINUX_MAGIC)
		return NULL;
	return arena_printf(
		c->state->arena, "%s=%s", c->mount_context_type ? c->mount_context_type : "context", label);
}

/* A message queue's root takes its label as an attribute only, of the mount that is there now. */
static int label_mqueue(struct mnt_ctx *c, const struct mnt_entry *m, struct err *e)
{
	const char *label = c->spec->mount_label;
	_cleanup_close_ int fd = -EBADF;
	char path[FD_PATH_MAX];
	struct statfs fs;

	if (!label || !*label || statfs("/sys/fs/selinux", &fs) < 0 || fs.f_type != SELINUX_MAGIC)
		return 0;
	fd = path_open(c->state->root, m->m->destination, O_PATH, 0, 0);
	if (fd < 0)
		return err_set(e, -fd, "open %s to label it", m->m->destination);
	/* The way there is the image's: what it leads to by now may be something else, of the host even. */
	if (fstatfs(fd, &fs) < 0 || fs.f_type != MQUEUE_MAGIC)
		return err_text(e, EPERM, "label %s: it is no message queue any more", m->m->destination);
	if (setxattr(fd_path(path, fd), "security.selinux", label, strlen(label), 0) < 0 &&
		errno != EOPNOTSUPP)
		return err_set(e, errno, "label %s", m->m->destination);
	return 0;
}

static bool has_word(const char *data, const char *key)
{
	for (const char *p = data; p && *p;) {
		if (str_starts(p, key))
			return true;
		p += strcspn(p, ",");
		p += *p == ',';
	}
	return false;
}

/*
 * A tmpfs over a directory that was there keeps that directory's mode, unless the config says another (as
 * runc and crun do).
 */
static int keep_mode(struct mnt_ctx *c, const struct mnt_place *p, const char **data, struct err *e)
{
	struct stat st;

	if (!p->existed || has_word(*data, "mode="))
		return 0;
	if (fstatat(p->dir, p->name, &st, AT_SYMLINK_NOFOLLOW | (*p->name ? 0 : AT_EMPTY_PATH)) < 0)
		return err_set(e, errno, "look at a tmpfs mount's destination");
	*data = arena_printf(
		c->state->arena, "%s%smode=%o", *data ? *data : "", *data ? "," : "", st.st_mode & 07777);
	return *data ? 0 : err_set(e, ENOMEM, "mount options");
}

/* --- errors --------------------------------------------------------------------------------------------- */

static int explain(struct mnt_ctx *c, const struct mnt_entry *m, int code, struct err *e)
{
	const char *type = m->m->type;
	int r = -code;

	if (code == ENODEV)
		return r;
	if (code == EPERM && c->user_ns && str_eq(type, "proc"))
		err_hint(e, "a user namespace may mount proc only with a pid namespace of its own, and where "
			    "the host's /proc is not covered");
	else if (code == EPERM && c->user_ns && (str_eq(type, "mqueue") || str_eq(type, "sysfs")))
		err_hint(e, "a user namespace may mount %s only with a%s namespace of its own", type,
			str_eq(type, "mqueue") ? "n ipc" : " network");
	else if (code == EPERM && c->user_ns)
		err_hint(e, "the kernel does not let a user namespace mount %s", type);
	else if (code == EINVAL && c->user_ns && m->o.data && has_word(m->o.data, "gid="))
		err_hint(e,
			"a gid= that the user namespace does not map is refused; `ringfence spec --rootless` "
			"writes a config.json without");
	else if (code == EINVAL && m->o.data)
		err_hint(e, "options that are not for every mount go to the file system: does %s know these?",
			type);
	return r;
}

/* Part of them may be the caller's to write, by delegation, and so the partition's (CVE-2023-25809). */
static int cover_cgroups(int sysfs, const struct mnt_entry *m, struct err *e)
{
	struct mnt_place p = { .dir = sysfs, .name = "fs/cgroup", .own = -EBADF };
	char path[MNT_PLACE_PATH];

	if (mount("tmpfs", mnt_place_path(&p, path), "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		    "mode=555,nr_inodes=1") < 0 &&
		errno != ENOENT)
		return err_set(e, errno, "cover the host's cgroups in %s", m->m->destination);
	return 0;
}

/*
 * sysfs shows one network namespace and is refused to a user namespace that does not own it. The host's /sys
 * then stands in, with all the flags that were asked for on every mount of it: what was to be read-only stays
 * so. Where that cannot be had (before Linux 5.12 only the topmost mount can be changed, which is the sysfs
 * itself), or was not asked for, the host's cgroups below it are covered.
 */
static int sysfs_instead(struct mnt_ctx *c, size_t i, struct err *e)
{
	const struct mnt_entry *m = &c->state->entries[i];
	_cleanup_place_ struct mnt_place p = MNT_PLACE_INIT;
	_cleanup_close_ int tree = -EBADF;
	bool early = mnt_attr_detached();
	uint64_t set, clr;
	int r;

	tree = sys_clone_tree(AT_FDCWD, "/sys", AT_RECURSIVE);
	if (tree < 0)
		return err_set(e, -tree, "bind the host's /sys, since sysfs cannot be mounted");
	mnt_flags_to_attr(m->o.set & ~(unsigned long)(MS_NOATIME | MS_STRICTATIME | MS_RELATIME), &set, &clr);
	set |= m->o.rec_set;
	r = mnt_place_find(c, i, MNT_WANT_DIR, &p, e);
	if (r < 0)
		return r;
	r = early ? mnt_attr(tree, "", AT_RECURSIVE, set, 0, 0) : 0;
	if (r < 0)
		return err_set(e, -r, "set the mount flags of %s", m->m->destination);
	r = sys_attach(tree, p.dir, p.name);
	if (r < 0)
		return err_set(e, -r, "bind the host's /sys on %s", m->m->destination);
	r = early ? 0 : mnt_attr(tree, "", 0, set, 0, 0);
	if (r < 0)
		return err_set(e, -r, "set the mount flags of %s", m->m->destination);
	return early && (set & MOUNT_ATTR_RDONLY) ? 0 : cover_cgroups(tree, m, e);
}

/* --- the mounts ----------------------------------------------------------------------------------------- */

static int remount(struct mnt_ctx *c, const struct mnt_entry *m, struct err *e)
{
	/* A symlink of the image must not turn it to /proc, or to the root. */
	_cleanup_place_ struct mnt_place p = MNT_PLACE_INIT;
	int r = mnt_place_open(
		c->state->root, m->m->destination, MNT_WANT_ANY, m->o.dest_nofollow, false, &p, e);
	unsigned long flags = MS_REMOUNT | (m->o.bind ? MS_BIND : 0);
	char path[MNT_PLACE_PATH];
	uint64_t set, clr, take, unused;

	if (r == -ENOENT)
		return err_set(e, ENOENT, "remount %s", m->m->destination);
	if (r < 0)
		return err_wrap(e, "remount");
	if (m->o.bind) {
		mnt_flags_to_attr(m->o.set, &set, &clr);
		mnt_flags_to_attr(m->o.clear & ~m->o.set, &take, &unused);
		r = mnt_attr(p.dir, "", 0, set, clr | (take & ~(uint64_t)MOUNT_ATTR__ATIME), 0);
		return r < 0 ? err_set(e, -r, "remount %s", m->m->destination) : 0;
	}
	if (mount(m->m->source, mnt_place_path(&p, path), m->m->type, flags | m->o.set, m->o.data) < 0)
		return err_set(e, errno, "remount %s", m->m->destination);
	return 0;
}

/*
 * Single directories of the root that become a base: attached by name in the root, where the last component
 * is never followed.
 */
static bool base_place(struct mnt_ctx *c, const struct mnt_entry *m, struct mnt_place *p)
{
	const char *at = m->m->destination;

	if (strchr(at + 1, '/'))
		return false;
	p->dir = c->state->root;
	p->name = at + 1;
	return true;
}

static int attach(struct mnt_ctx *c, size_t i, int fd, struct mnt_place *p, struct err *e)
{
	const struct mnt_entry *m = &c->state->entries[i];
	struct stat st;
	int r;

	r = sys_attach(fd, p->dir, p->name);
	if (r == -ENOENT && p->dir == c->state->root && mkdirat(p->dir, p->name, 0755) == 0)
		r = sys_attach(fd, p->dir, p->name);
	if (r < 0 && *p->name && fstatat(p->dir, p->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		!S_ISDIR(st.st_mode))
		return err_text(e, ELOOP, "mount destination %s must be a real directory, but it is a %s",
			m->m->destination, S_ISLNK(st.st_mode) ? "symlink" : "file");
	return r < 0 ? err_set(e, -r, "mount %s on %s", m->m->type, m->m->destination) : 0;
}

/* template.c has these. */
static bool is_as_in_template(uint64_t attr)
{
	return (attr & ~(uint64_t)MOUNT_ATTR__ATIME) ==
	       (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

/*
 * With fsopen(2): for what is held, has propagation words, is filled before it is shown, or has recursive
 * flags.
 */
static int fs_by_fd(
	struct mnt_ctx *c, size_t i, struct mnt_place *p, const char *data, bool hold, struct err *e)
{
	const struct mnt_entry *m = &c->state->entries[i];
	bool tmpfs = str_eq(m->m->type, "tmpfs"), late_ro = false;
	_cleanup_close_ int fd = -EBADF, under = -EBADF;
	unsigned long sb_flags = m->o.set;
	uint64_t attr, clr;
	int r;

	mnt_flags_to_attr(m->o.set, &attr, &clr);
	attr = (attr & ~m->o.rec_clear) | m->o.rec_set;
	/* A read-only superblock of the kernel's own, or of a tmpfs that is still to be filled, is no use. */
	if (hold || tmpfs)
		sb_flags &= ~(unsigned long)MS_RDONLY;
	if ((attr & MOUNT_ATTR_RDONLY) && tmpfs && (hold || m->o.tmpcopyup)) {
		attr &= ~(uint64_t)MOUNT_ATTR_RDONLY;
		late_ro = true;
	}
	if (hold && str_eq(m->m->type, "sysfs") && c->template_sysfs > 0 && is_as_in_template(attr)) {
		fd = c->template_sysfs;
		c->template_sysfs = 0;
	} else {
		fd = mnt_fs_new(m->m->type, m->m->source ? m->m->source : m->m->type, data, sb_flags, attr,
			mnt_label_of(c, m->m->type), e);
	}
	if (fd < 0)
		return fd;
	if (m->o.tmpcopyup && p->existed) {
		under = openat(
			p->dir, *p->name ? p->name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = under < 0 ? err_set(e, errno, "open %s for tmpcopyup", m->m->destination)
			      : mnt_copy_up(under, fd, m->m->destination, e);
		if (r < 0)
			return r;
	}
	r = attach(c, i, fd, p, e);
	for (int n = 0; r == 0 && n < m->o.n_propagation; n++) {
		r = mnt_attr(fd, "", (m->o.propagation[n] & MS_REC) ? AT_RECURSIVE : 0, 0, 0,
			m->o.propagation[n] & ~(unsigned long)MS_REC);
		if (r < 0)
			err_set(e, -r, "set the propagation of %s", m->m->destination);
	}
	if (r == 0 && late_ro && !hold) {
		r = mnt_attr(fd, "", 0, MOUNT_ATTR_RDONLY, 0, 0);
		if (r < 0)
			err_set(e, -r, "set %s read-only", m->m->destination);
	}
	if (r < 0)
		return r;
	if (hold) {
		c->state->dev_readonly |= late_ro;
		mnt_base_hold(c->state, m->m->destination, TAKE_FD(fd), tmpfs, i);
	}
	return 0;
}

/*
 * Relative paths in what is mounted, overlay's lowerdir say, are the bundle's, as with crun. The
 * kernel's own file systems know no paths.
 */
static const char *target_of(
	struct mnt_ctx *c, const struct mnt_place *p, const char *type, char buf[MNT_PLACE_PATH])
{
	static const char *const plain[] = { "proc", "sysfs", "tmpfs", "devpts", "mqueue", NULL };

	if (strv_has((char *const *)plain, type))
		return mnt_place_here(c, p, buf);
	/* Where a user namespace cannot go there, such paths are found nowhere. */
	if (chdir(c->bundle) < 0 && chdir("/") < 0)
		return NULL;
	c->state->here = -EBADF;
	return mnt_place_path(p, buf);
}

/* The plain way: one call. */
static int fs_by_path(struct mnt_ctx *c, const struct mnt_entry *m, const struct mnt_place *p,
	const char *data, struct err *e)
{
	const char *source = m->m->source ? m->m->source : m->m->type, *label = mnt_label_of(c, m->m->type),
		   *eq;
	char buf[MNT_PLACE_PATH];
	const char *path = target_of(c, p, m->m->type, buf);

	if (!path)
		return err_set(e, errno, "enter the bundle %s", c->bundle);
	if (label) {
		eq = strchr(label, '=');
		data = arena_printf(c->state->arena, "%s%s%.*s=\"%s\"", data ? data : "", data ? "," : "",
			(int)(eq - label), label, eq + 1);
		if (!data)
			return err_set(e, ENOMEM, "mount options");
	}
	if (data && strlen(data) > DATA_MAX)
		return err_text(e, E2BIG,
			"mount %s: its options are longer than the one page that the kernel takes",
			m->m->destination);
	if (mount(source, path, m->m->type, m->o.set, data) < 0) {
		if (errno == ENODEV)
			return err_text(e, ENODEV, "mount %s: the kernel has no file system type \"%s\"",
				m->m->destination, m->m->type);
		return err_set(e, errno, "mount %s on %s%s%s", m->m->type, m->m->destination,
			data ? " with " : "", data ? data : "");
	}
	return str_eq(m->m->type, "mqueue") ? label_mqueue(c, m, e) : 0;
}

int mnt_fs(struct mnt_ctx *c, size_t i, struct err *e)
{
	const struct mnt_entry *m = &c->state->entries[i];
	_cleanup_place_ struct mnt_place p = MNT_PLACE_INIT;
	const char *type = m->m->type, *at = m->m->destination, *data = m->o.data;
	bool tmpfs, hold, by_fd;
	int r;

	if (m->o.remount)
		return remount(c, m, e);
	if (!type || !*type || str_eq(type, "none"))
		return err_text(e, EINVAL,
			"mount %s: it has no type, and neither \"bind\" nor \"rbind\" among its options", at);
	tmpfs = str_eq(type, "tmpfs");
	hold = (str_eq(type, "proc") && str_eq(at, "/proc")) ||
	       (str_eq(type, "sysfs") && str_eq(at, "/sys")) ||
	       (tmpfs && str_eq(at, "/dev") && !m->o.tmpcopyup);
	/* What a later tmpfs does not say, it takes from the directory: then that must be looked at. */
	if (hold && (!tmpfs || has_word(data, "mode=")) && base_place(c, m, &p)) {
		r = 0;
	} else {
		r = tmpfs && !has_word(data, "mode=") ? mnt_place_find(c, i, MNT_WANT_ANY, &p, e) : -ENOENT;
		if (r == -ENOENT)
			r = mnt_place_find(c, i, MNT_WANT_DIR, &p, e);
		if (r == 0 && tmpfs)
			r = keep_mode(c, &p, &data, e);
	}
	if (r < 0)
		return r;
	by_fd = hold || m->o.n_propagation || m->o.tmpcopyup || m->o.rec_set || m->o.rec_clear ||
		m->o.nosymfollow;
	r = by_fd ? fs_by_fd(c, i, &p, data, hold, e) : fs_by_path(c, m, &p, data, e);
	if (r == -EPERM && c->user_ns && str_eq(type, "sysfs"))
		return sysfs_instead(c, i, e);
	return r < 0 ? explain(c, m, -r, e) : 0;
}
