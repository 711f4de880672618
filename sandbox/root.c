/* SPDX-License-Identifier: Apache-2.0 */
/* Of what a sandbox's root file system is made (see root.h). */
#include "sandbox/root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "namespaces/rootfs.h"
#include "runtime/files.h"

#define MKE2FS	     "/sbin/mke2fs"
#define EROFS_AT     1024
#define EROFS_MAGIC  0xE0F5E1E2U
#define SCRATCH_MAX  (16ULL << 30) /* bytes; a file with holes, so it costs what is written */
#define SCRATCH_MIN  (64ULL << 20)
#define SCRATCH_UNIT (1ULL << 20)

/* --- what there is ---------------------------------------------------------------------------------------
 */

/* `path` is looked at again, and opened for good, by disk.c. */
static int check_image(const char *path, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	uint8_t magic[4];
	struct stat st;

	if (fd < 0)
		return err_set(e, errno, "open the root file system's image %s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_text(e, EINVAL, "%s is a directory or the like, and no EROFS image", path);
	if (pread(fd, magic, sizeof(magic), EROFS_AT) != sizeof(magic) ||
		((uint32_t)magic[0] | (uint32_t)magic[1] << 8 | (uint32_t)magic[2] << 16 |
			(uint32_t)magic[3] << 24) != EROFS_MAGIC)
		return err_text(e, EINVAL, "%s is no EROFS image", path);
	return 0;
}

/* What is written there already is on the host: by another kind of root, or by cp. */
static bool is_empty_dir(const char *path)
{
	_cleanup_closedir_ DIR *d = opendir(path);
	const struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
			return false;
	return d != NULL;
}

/* 0: it can be; out->images and out->readonly are set. */
static int find_images(struct rt_partition *p, bool asked, const struct mnt_root_layers *l,
	struct vm_root *out, struct err *e)
{
	const struct spec *s = p->spec;
	const char *image = spec_annotation(s, VM_ROOT_IMAGE_ANNOTATION), **one;
	int r = 0;

	if (!l->n)
		return err_text(e, EINVAL,
			"the root file system is the directory %s, and no overlay of layers on \"/\"",
			p->rootfs);
	if (!l->plain)
		return err_text(e, EINVAL,
			"the overlay on \"/\" has option userxattr or idmap, which the guest's would not "
			"have");
	out->images = l->lower;
	out->n = l->n;
	if (image) {
		one = arena_calloc(p->arena, 1, sizeof(*one));
		if (!one)
			return err_set(e, ENOMEM, "the root file system's image");
		*one = image;
		out->images = one;
		out->n = 1;
	}
	for (size_t i = 0; i < out->n && r == 0; i++)
		r = out->images[i][0] == '/'
			    ? check_image(out->images[i], e)
			    : err_text(e, EINVAL, "\"%.200s\" must be an absolute path", out->images[i]);
	if (r < 0)
		return r;
	out->readonly = l->readonly || !l->upper;
	if (l->upper && !is_empty_dir(l->upper))
		return err_text(
			e, EINVAL, "there is something in %s already, which a disk would not show", l->upper);
	/* Only an annotation says that what is written need not be kept. */
	if (!asked && !image && !out->readonly && !s->root_readonly)
		return err_text(e, EINVAL, "what is written to it is to be kept");
	return 0;
}

/* --- what is written --------------------------------------------------------------------------------------
 */

static int make_ext4(int fd, struct err *e)
{
	/* Nobody looks at it after a crash: no journal. Tables are made when they are used. */
	char *argv[] = { (char *)MKE2FS, (char *)"-q", (char *)"-F", (char *)"-t", (char *)"ext4",
		(char *)"-m", (char *)"0", (char *)"-O", (char *)"^has_journal,^resize_inode", (char *)"-E",
		(char *)"lazy_itable_init=1,nodiscard,packed_meta_blocks=1,root_owner=0:0",
		(char *)"/proc/self/fd/3", NULL };
	char *env[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int status = 0, r;
	pid_t pid;

	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return err_set(e, r, "run " MKE2FS);
	posix_spawnattr_init(&attr);
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, 0, 1);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, 0, 2);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, fd, 3);
	if (r == 0)
		r = posix_spawn(&pid, MKE2FS, &actions, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	if (r)
		return err_hint(
			(err_set(e, r, "run " MKE2FS " for what is written to the root file system"), e),
			"the package is called e2fsprogs");
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(e, errno, "wait for " MKE2FS);
	return status ? err_text(
				e, EIO, MKE2FS " failed to make a file system of what is written to the root")
		      : 0;
}

/* In the overlay's workdir, which is on the file system that what is written would be on, too. */
static int make_scratch(const char *work, struct vm_root *out, struct err *e)
{
	_cleanup_close_ int fd = open(work, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), at3 = -EBADF;
	struct statvfs fs;
	uint64_t size;
	int r;

	if (fd < 0 || fstatvfs(fd, &fs) < 0)
		return err_set(
			e, errno, "make a file in %s for what is written to the root file system", work);
	size = (uint64_t)fs.f_bavail * fs.f_frsize;
	size = size > SCRATCH_MAX ? SCRATCH_MAX : size & ~(SCRATCH_UNIT - 1);
	if (size < SCRATCH_MIN)
		return err_text(e, ENOSPC,
			"%s: no %llu MiB are free for what is written to the root file system", work,
			SCRATCH_MIN / SCRATCH_UNIT);
	if (ftruncate(fd, (off_t)size) < 0)
		return err_set(
			e, errno, "make a file in %s for what is written to the root file system", work);
	/* dup2(3, 3) would leave it to be closed by exec. */
	at3 = fd == 3 ? fcntl(fd, F_DUPFD_CLOEXEC, 4) : -EBADF;
	r = make_ext4(at3 >= 0 ? at3 : fd, e);
	if (r < 0)
		return r;
	out->scratch = TAKE_FD(fd);
	out->writable = true;
	return 0;
}

/* Whoever looks for it in the upper directory is told by a file beside it. */
static int mark(const char *work, bool elsewhere, struct err *e)
{
	_cleanup_close_ int dir = open(work, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), fd = -EBADF;

	if (!elsewhere) {
		if (dir >= 0)
			unlinkat(dir, RT_WRITTEN_ELSEWHERE, 0);
		return 0;
	}
	fd = dir < 0 ? -EBADF
		     : openat(dir, RT_WRITTEN_ELSEWHERE, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? err_set(e, errno, "make %s/" RT_WRITTEN_ELSEWHERE, work) : 0;
}

/* --- the choice --------------------------------------------------------------------------------------------
 */

static int choose(struct rt_partition *p, bool asked, const struct mnt_root_layers *l, struct vm_root *out,
	struct err *e)
{
	int r = find_images(p, asked, l, out, e);

	if (r == 0 && !out->readonly && !p->spec->root_readonly) {
		r = make_scratch(l->work, out, e);
		if (r == 0)
			r = mark(l->work, true, e);
		if (r < 0)
			out->scratch = fd_close(out->scratch);
	}
	out->disk = r == 0;
	return r;
}

int vm_root_choose(struct rt_partition *p, struct vm_root *out, struct err *e)
{
	const char *how = spec_annotation(p->spec, VM_ROOT_ANNOTATION);
	bool asked = how && str_eq(how, "disk");
	struct mnt_root_layers l;
	struct err why = ERR_INIT;
	int r;

	*out = (struct vm_root){ .scratch = -EBADF };
	if (how && !asked && !str_eq(how, "share") && !str_eq(how, "auto"))
		return err_text(e, EINVAL,
			"annotation " VM_ROOT_ANNOTATION " must be disk, share or auto, not \"%.100s\"", how);
	r = mnt_root_layers(p->arena, p->spec, p->bundle, &l, e);
	if (r < 0)
		return r;
	if (how && str_eq(how, "share"))
		return l.work ? mark(l.work, false, e) : 0;
	r = choose(p, asked, &l, out, &why);
	if (r == 0)
		return 0;
	if (asked) {
		*e = why;
		return err_wrap(e, "annotation " VM_ROOT_ANNOTATION "=disk");
	}
	log_debug("the root file system of sandbox \"%s\" comes by 9p: %s", p->id, why.text);
	*out = (struct vm_root){ .scratch = -EBADF };
	return l.work ? mark(l.work, false, e) : 0;
}

void vm_root_close(struct vm_root *root)
{
	root->scratch = fd_close(root->scratch);
}
