/* SPDX-License-Identifier: Apache-2.0 */
/* From open layers to an overlay mount that is attached nowhere (see overlay.h). */
#include <linux/capability.h>
#include <stdio.h>
#include <sys/fsuid.h>

#include "base/fd.h"
#include "base/str.h"
#include "namespaces/mount_state.h"
#include "namespaces/overlay.h"

#define PAGE 4096 /* what mount(2) takes of data, the NUL included */

/*
 * Upper directories become layers themselves: nothing may be left in them that only the same stack of layers
 * can explain (redirects, files without their data, the index of inodes). With userxattr the first two are
 * off, and must not be named.
 */
static const char *const always[][2] = { { "index", "off" } };
static const char *const trusted[][2] = { { "redirect_dir", "off" }, { "metacopy", "off" } };

/* --- errors ------------------------------------------------------------------------------------- */

static int explain(
	const struct mnt_overlay *o, const struct mnt_layers *l, int code, const char *said, struct err *e)
{
	static const char *const unfit[] = { "overlay", "nfs", "fuse", "9p", "cifs", "afs", "ceph", NULL };
	char buf[16];
	const char *fs = l->upper >= 0 ? mnt_fs_name(l->upper, buf, sizeof(buf)) : "";
	int r = err_set(e, -code, "make the root file system of %zu layers%s%s%s", o->n_lower,
		said ? ": the kernel says \"" : "", said ? said : "", said ? "\"" : "");

	if (code == -ENOENT || code == -EPERM || code == -EACCES || code == -ENOMEM)
		return r;
	if (l->upper >= 0 && strv_has((char *const *)unfit, fs))
		return err_hint(e,
			"upperdir %s is on a file system of type %s, which overlayfs cannot write to: put it "
			"on ext4, xfs, btrfs or tmpfs",
			o->upper, fs);
	if (code == -EBUSY)
		return err_hint(
			e, "upperdir %s or workdir %s is in use by another overlay", o->upper, o->work);
	if (o->is_volatile && code == -EINVAL)
		return err_hint(e,
			"what was volatile once is not taken again: if %s was, empty it and upperdir",
			o->work);
	if (l->upper >= 0 && (code == -EXDEV || code == -EINVAL))
		return err_hint(e, "upperdir and workdir must be two directories of one mount, neither "
				   "inside the other, "
				   "and on a file system with extended attributes");
	return r;
}

/* --- who makes it ------------------------------------------------------------------------------- */

struct maker {
	uid_t uid;
	gid_t gid;
	bool changed;
};

/*
 * Other ids for the file system alone. With them the kernel takes away what root may do to files, and
 * overlayfs keeps the powers of its maker: they are taken back. (The way back gives them by itself.)
 */
static int become_maker(const struct mnt_layers *l, struct maker *old)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

	*old = (struct maker){ .changed = l->as_root_inside };
	if (!l->as_root_inside)
		return 0;
	if (syscall(SYS_capget, &head, caps) < 0)
		return -errno;
	old->gid = (gid_t)setfsgid(l->gid);
	old->uid = (uid_t)setfsuid(l->uid);
	return syscall(SYS_capset, &head, caps) < 0 ? -errno : 0;
}

static void be_oneself(const struct maker *old)
{
	if (!old->changed)
		return;
	setfsuid(old->uid);
	setfsgid(old->gid);
}

static int create(int fs, const struct mnt_layers *l)
{
	struct maker old;
	int r = become_maker(l, &old);

	if (r == 0)
		r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL);
	be_oneself(&old);
	return r;
}

static int create_at(const char *target, const char *data, const struct mnt_layers *l)
{
	struct maker old;
	int r = become_maker(l, &old);

	if (r == 0 && mount("overlay", target, "overlay", 0, data) < 0)
		r = -errno;
	be_oneself(&old);
	return r;
}

/* --- by descriptor ------------------------------------------------------------------------------ */

static int set_fd(int fs, const char *key, int fd)
{
	return syscall(SYS_fsconfig, fs, FSCONFIG_SET_FD, key, NULL, fd) < 0 ? -errno : 0;
}

/* *way is what the kernel is known to take; the first layer finds that out. */
static int set_layer(int fs, const char *key, int fd, enum mnt_overlay_way *way)
{
	char path[FD_PATH_MAX];
	int r;

	if (*way == MNT_OVERLAY_FD) {
		r = set_fd(fs, key, fd);
		/* Linux 6.13 has it, but for O_PATH descriptors only 6.15. */
		if (r != -EINVAL && r != -EBADF)
			return r;
		*way = MNT_OVERLAY_PATH;
	}
	return sys_fsconfig(fs, FSCONFIG_SET_STRING, key, fd_path(path, fd));
}

static int set_words(int fs, const char *const (*words)[2], size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = sys_fsconfig(fs, FSCONFIG_SET_STRING, words[i][0], words[i][1]);
	return r;
}

static int set_rest(int fs, const struct mnt_overlay *o, const char *context)
{
	int r = set_words(fs, always, ARRAY_SIZE(always));

	if (r == 0)
		r = o->userxattr ? sys_fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL)
				 : set_words(fs, trusted, ARRAY_SIZE(trusted));
	if (r == 0 && o->is_volatile)
		r = sys_fsconfig(fs, FSCONFIG_SET_FLAG, "volatile", NULL);
	if (r == 0 && context) {
		char key[32];

		snprintf(key, sizeof(key), "%.*s", (int)strcspn(context, "="), context);
		r = sys_fsconfig(fs, FSCONFIG_SET_STRING, key, strchr(context, '=') + 1);
	}
	return r;
}

int mnt_overlay_new(
	const struct mnt_overlay *o, const struct mnt_layers *l, const char *context, struct err *e)
{
	_cleanup_close_ int fs = sys_fsopen("overlay");
	enum mnt_overlay_way way = MNT_OVERLAY_FD;
	char said[300];
	int r = fs < 0 ? fs : 0;

	if (r == -ENODEV)
		return err_text(e, ENODEV,
			"mounts: the root file system is of layers, and this kernel has no overlayfs; load "
			"the "
			"module \"overlay\"");
	for (size_t i = 0; i < l->n && r == 0; i++) {
		r = set_layer(fs, "lowerdir+", l->lower[i], &way);
		/* Before Linux 6.7 overlayfs does not know the word. */
		if (r == -EINVAL && i == 0)
			return -ENOTSUP;
	}
	if (r == 0 && l->upper >= 0) {
		r = set_layer(fs, "upperdir", l->upper, &way);
		if (r == 0)
			r = set_layer(fs, "workdir", l->work, &way);
	}
	if (r == 0)
		r = set_rest(fs, o, context);
	if (r == 0)
		r = create(fs, l);
	if (r == 0)
		r = sys_fsmount(fs, (unsigned int)o->attr);
	return r < 0 ? explain(o, l, r, fs < 0 ? NULL : mnt_fs_said(fs, said, sizeof(said)), e) : r;
}

/* --- by mount(2) -------------------------------------------------------------------------------- */

static void put_words(struct strbuf *b, const char *const (*words)[2], size_t n)
{
	for (size_t i = 0; i < n; i++)
		strbuf_printf(b, ",%s=%s", words[i][0], words[i][1]);
}

/* Layers are names in the working directory, /proc/self/fd: some hundreds fit. */
static int make_data(const struct mnt_overlay *o, const struct mnt_layers *l, const char *context,
	struct strbuf *b, struct err *e)
{
	size_t fit = l->n;

	strbuf_puts(b, "lowerdir=");
	for (size_t i = 0; i < l->n; i++) {
		strbuf_printf(b, "%s%d", i ? ":" : "", l->lower[i]);
		/* With room for the rest. */
		if (fit == l->n && b->len > PAGE - 160 - (context ? strlen(context) + 1 : 0))
			fit = i;
	}
	if (l->upper >= 0)
		strbuf_printf(b, ",upperdir=%d,workdir=%d", l->upper, l->work);
	put_words(b, always, ARRAY_SIZE(always));
	if (o->userxattr)
		strbuf_puts(b, ",userxattr");
	else
		put_words(b, trusted, ARRAY_SIZE(trusted));
	if (o->is_volatile)
		strbuf_puts(b, ",volatile");
	if (context)
		strbuf_printf(
			b, ",%.*s=\"%s\"", (int)strcspn(context, "="), context, strchr(context, '=') + 1);
	if (b->failed)
		return err_set(e, ENOMEM, "make the root file system");
	return b->len < PAGE
		       ? 0
		       : err_text(e, E2BIG,
				 "the root file system has %zu layers, of which this kernel's mount(2) takes "
				 "%zu; Linux 6.7 takes %d",
				 l->n, fit, MNT_LAYERS_MAX);
}

int mnt_overlay_new_at(const struct mnt_overlay *o, const struct mnt_layers *l, const char *context,
	const char *target, struct err *e)
{
	_cleanup_strbuf_ struct strbuf data = { 0 };
	_cleanup_close_ int tree = -EBADF;
	int r = make_data(o, l, context, &data, e);

	if (r < 0)
		return r;
	if (chdir("/proc/self/fd") < 0)
		return err_set(e, errno, "enter /proc/self/fd");
	r = create_at(target, data.s, l);
	if (r < 0)
		return explain(o, l, r, NULL, e);
	tree = sys_clone_tree(AT_FDCWD, target, 0);
	/* The atime bits are one field, which is cleared as a whole or not at all. */
	r = tree < 0 ? tree
		     : mnt_attr(tree, "", 0, o->attr, o->attr & MOUNT_ATTR__ATIME ? MOUNT_ATTR__ATIME : 0, 0);
	if (umount2(target, MNT_DETACH) < 0 && r == 0)
		r = -errno;
	return r < 0 ? err_set(e, -r, "make the root file system") : TAKE_FD(tree);
}
