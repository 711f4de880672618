/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal: a new pty, and its slave bound on /dev/console.
 *
 * Never by name: what is called /dev/pts/0 may have become something else before it is bound or opened
 * (CVE-2025-52565). The slave comes from the master itself (TIOCGPTPEER), the mount is made from that
 * descriptor, and /dev/console is created and opened without following anything (CVE-2026-88264).
 */
#include <linux/magic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/console.h"
#include "namespaces/mount_state.h"

/* Documentation/admin-guide/devices.txt. */
#define TTYAUX_MAJOR	       5
#define PTMX_MINOR	       2
#define UNIX98_PTY_SLAVE_MAJOR 136 /* to 143 */

static bool is_devpts(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == DEVPTS_SUPER_MAGIC;
}

static bool has_own_devpts(const struct mnt_ctx *c)
{
	for (size_t i = 0; i < c->state->n_entries; i++) {
		const char *at = c->state->entries[i].m->destination;

		if (str_eq(at, "/dev/pts") || (str_eq(at, "/dev") && c->state->dev_kind == MNT_DEV_HOST))
			return true;
	}
	return false;
}

/*
 * The multiplexer of the partition's own devpts, looked at before it is opened: it could be a FIFO, or
 * anybody's device.
 */
static int open_own_ptmx(struct mnt_ctx *c, struct err *e)
{
	_cleanup_close_ int at = path_open(c->state->root, "/dev/pts/ptmx", O_PATH, 0, PATH_NO_SYMLINKS);
	char path[FD_PATH_MAX];
	int fd;

	if (at < 0)
		return err_set(e, -at, "open /dev/pts/ptmx of the partition for its terminal");
	if (!is_devpts(at) || !mnt_is_device(at, S_IFCHR, TTYAUX_MAJOR, PTMX_MINOR))
		return err_text(e, EINVAL,
			"process.terminal: /dev/pts/ptmx of the partition is no terminal multiplexer");
	fd = open(fd_path(path, at), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno,
			"open /dev/pts/ptmx of the partition; does the devpts mount have ptmxmode=0666?");
	return fd;
}

/* The other end of an open master, unlocked, checked, owned and sized as the process wants it. */
static int open_peer(int m, const struct spec_process *p, int *slave, struct err *e)
{
	_cleanup_close_ int s = -EBADF;
	struct stat st;
	int unlock = 0;

	if (ioctl(m, TIOCSPTLCK, &unlock) < 0)
		return err_set(e, errno, "unlock the terminal");
	s = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (s < 0)
		return err_set(e, errno, "open the terminal's inner end");
	if (fstat(s, &st) < 0 || !is_devpts(s) || !S_ISCHR(st.st_mode) ||
		major(st.st_rdev) < UNIX98_PTY_SLAVE_MAJOR || major(st.st_rdev) >= UNIX98_PTY_SLAVE_MAJOR + 8)
		return err_text(e, EINVAL, "process.terminal: the terminal's inner end is no pty");
	/*
	 * The group stays: devpts gives it (gid=5, tty). A user that the namespace does not map keeps root's
	 * terminal.
	 */
	if (p->user.uid && fchown(s, p->user.uid, (gid_t)-1) < 0 && errno != EPERM && errno != EINVAL &&
		errno != EROFS)
		return err_set(e, errno, "give the terminal to user %u", p->user.uid);
	if (p->has_console_size) {
		struct winsize size = { .ws_row = p->console_height, .ws_col = p->console_width };

		if (ioctl(m, TIOCSWINSZ, &size) < 0)
			return err_set(e, errno, "set the terminal's size");
	}
	*slave = TAKE_FD(s);
	return 0;
}

static int open_pty(struct mnt_ctx *c, const struct spec_process *p, int *master, int *slave, struct err *e)
{
	_cleanup_close_ int m = -EBADF;
	int r;

	if (has_own_devpts(c)) {
		m = open_own_ptmx(c, e);
		if (m < 0)
			return m;
	} else {
		/* No devpts inside: the host's, whose node for it works in any mount of it. */
		m = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (m < 0)
			return err_set(e, errno,
				"open the host's /dev/ptmx, since the config mounts no devpts on /dev/pts");
	}
	r = open_peer(m, p, slave, e);
	if (r < 0)
		return r;
	*master = TAKE_FD(m);
	return 0;
}

int console_open(
	int rootfd, int host_ptmx, const struct spec_process *p, int *master, int *slave, struct err *e)
{
	/*
	 * O_NONBLOCK: it may be a FIFO. A device that is opened by this was allowed by the cgroup's device
	 * filter, which we are in.
	 */
	_cleanup_close_ int own =
		path_open(rootfd, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK, 0, PATH_NO_SYMLINKS);
	int m = own, r;

	if (m >= 0 && (!is_devpts(m) || !mnt_is_device(m, S_IFCHR, TTYAUX_MAJOR, PTMX_MINOR)))
		return err_text(
			e, EINVAL, "--tty: /dev/pts/ptmx of the container is no terminal multiplexer");
	if (m < 0)
		m = host_ptmx;
	if (m < 0)
		return err_set(e, -own, "--tty: open /dev/pts/ptmx of the container for a terminal");
	if (fcntl(m, F_SETFL, O_RDWR) < 0)
		return err_set(e, errno, "--tty: set up the terminal");
	r = open_peer(m, p, slave, e);
	if (r < 0)
		return r;
	*master = fcntl(m, F_DUPFD_CLOEXEC, 3);
	if (*master < 0) {
		r = err_set(e, errno, "--tty: keep the terminal");
		*slave = fd_close(*slave);
	}
	return r;
}

/*
 * /dev/console as something to mount on: an empty file of ours, or what is there if it is neither symlink nor
 * directory.
 */
static int bind_console(struct mnt_ctx *c, int slave, struct err *e)
{
	_cleanup_close_ int target = -EBADF, tree = -EBADF;
	struct stat st;
	int r = mnt_dev_open(c, e);

	if (r < 0)
		return r;
	if (mknodat(c->state->dev, "console", S_IFREG | 0600, 0) < 0 && errno != EEXIST)
		return err_set(e, errno, "create /dev/console");
	target = openat(c->state->dev, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0 || fstat(target, &st) < 0)
		return err_set(e, errno, "open /dev/console");
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
		return err_text(e, EEXIST,
			"/dev/console of the root file system is neither a file nor a device: refused");
	tree = sys_clone_tree(slave, "", 0);
	if (tree < 0)
		return err_set(e, -tree, "bind the terminal");
	r = sys_attach(tree, target, "");
	return r < 0 ? err_set(e, -r, "bind the terminal on /dev/console") : 0;
}

int mnt_console(struct mnt_ctx *c, const struct spec_process *p, int *master, int *slave, struct err *e)
{
	_cleanup_close_ int m = -EBADF, s = -EBADF;
	int r = open_pty(c, p, &m, &s, e);

	/* Without a mount namespace a bind would be the host's. */
	if (r == 0 && c->spec->ns[SPEC_NS_MOUNT].present)
		r = bind_console(c, s, e);
	if (r < 0)
		return r;
	*master = TAKE_FD(m);
	*slave = TAKE_FD(s);
	return 0;
}
