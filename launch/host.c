/* SPDX-License-Identifier: Apache-2.0 */
/* What is in the root of the zone "host" (host.h). What a zone changes goes to its upper directory, as with
 * an image. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "launch/config_internal.h"
#include "launch/host.h"

#define COPY_FILE_MAX  (64 << 20)
#define COPY_DEPTH_MAX 16

static const struct {
	const char *name;
	mode_t mode;
} directories[] = {
	{ "dev", 0755 },
	{ "etc", 0755 },
	{ "etc/profile.d", 0755 },
	{ "etc/ssl", 0755 },
	{ "home", 0755 },
	{ "mnt", 0755 },
	{ "opt", 0755 },
	{ "proc", 0555 },
	{ "root", 0700 },
	{ "run", 0755 },
	{ "srv", 0755 },
	{ "sys", 0555 },
	{ "tmp", 01777 },
	{ "usr", 0755 },
	{ "var", 0755 },
	{ "var/cache", 0755 },
	{ "var/lib", 0755 },
	{ "var/local", 0755 },
	{ "var/log", 0755 },
	{ "var/mail", 0755 },
	{ "var/opt", 0755 },
	{ "var/spool", 0755 },
	{ "var/tmp", 01777 },
};

static const char *const links[][2] = {
	{ "var/run", "../run" },
	{ "var/lock", "../run/lock" },
	{ "etc/os-release", "../usr/lib/os-release" },
	{ "etc/mtab", "../proc/self/mounts" },
};

/* Debian's and others' merged /usr. */
const char *const host_into_usr[] = { "bin", "sbin", "lib", "lib32", "lib64", "libx32", NULL };

const char *const host_copied[] = { "alternatives", "bash.bashrc", "ca-certificates.conf", "debian_version",
	"inputrc", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "protocols",
	"services", "shells", "ssl/certs", "ssl/openssl.cnf", "terminfo", "pki/tls/certs", "pki/ca-trust",
	NULL };

static const char nsswitch[] =
	"passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n"
	"services: files\nprotocols: files\n";
static const char profile[] = "PATH=" CFG_PATH "\nexport PATH\n"
			      "PS1='\\[\\e[1;32m\\]\\h\\[\\e[0m\\]:\\[\\e[1;34m\\]\\w\\[\\e[0m\\]\\$ '\n"
			      "alias ls='ls --color=auto' ll='ls -l'\n"
			      "for f in /etc/profile.d/*.sh; do [ ! -r \"$f\" ] || . \"$f\"; done\n"
			      "unset f\n";

const char *const host_texts[] = { nsswitch, profile, launch_zone_passwd, launch_zone_group, NULL };

/* --- copying ------------------------------------------------------------------------------------ */

struct copy {
	int entries;
};

static int copy_file(int from, const char *name, int to, const struct stat *st)
{
	_cleanup_close_ int in = -EBADF, out = -EBADF;
	off_t left = st->st_size;

	if (st->st_size > COPY_FILE_MAX)
		return 0;
	in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (in < 0)
		return -errno;
	out = openat(to, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	while (left > 0) {
		ssize_t n = sendfile(out, in, NULL, (size_t)left);

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		left -= n;
	}
	return fchmod(out, st->st_mode & 0777) < 0 ? -errno : 0;
}

static int copy_link(int from, const char *name, int to)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	return symlinkat(target, to, name) < 0 && errno != EEXIST ? -errno : 0;
}

static int copy_one(struct copy *c, int from, const char *name, int to, int depth);

static int copy_dir(struct copy *c, int from, const char *name, int to, int depth)
{
	_cleanup_close_ int target = -EBADF;
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *d;
	int fd;

	if (depth > COPY_DEPTH_MAX)
		return 0;
	if (mkdirat(to, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	target = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0 || fchmod(target, 0755) < 0)
		return -errno;
	fd = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while ((d = readdir(dir))) {
		int r;

		if (str_eq(d->d_name, ".") || str_eq(d->d_name, ".."))
			continue;
		r = copy_one(c, dirfd(dir), d->d_name, target, depth + 1);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Files, directories, links; nothing else belongs into /etc. What we may not read is left out. */
static int copy_one(struct copy *c, int from, const char *name, int to, int depth)
{
	struct stat st;
	int r = 0;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (++c->entries > HOST_ENTRIES_MAX)
		return -E2BIG;
	if (S_ISREG(st.st_mode))
		r = copy_file(from, name, to, &st);
	else if (S_ISLNK(st.st_mode))
		r = copy_link(from, name, to);
	else if (S_ISDIR(st.st_mode))
		r = copy_dir(c, from, name, to, depth);
	return r == -EACCES || r == -ENOENT ? 0 : r;
}

static int copy_etc(int etc, struct err *e)
{
	_cleanup_close_ int host = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct copy c = { 0 };

	if (host < 0)
		return err_set(e, errno, "open /etc");
	for (size_t k = 0; host_copied[k]; k++) {
		_cleanup_close_ int from = -EBADF, to = -EBADF;
		const char *name;
		struct stat st;
		int r;

		if (fstatat(host, host_copied[k], &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		from = path_open_parent(host, host_copied[k], false, &name);
		to = path_open_parent(etc, host_copied[k], true, &name);
		r = from < 0 ? from : to < 0 ? to : copy_one(&c, from, name, to, 0);
		if (r < 0)
			return err_set(e, -r, "copy /etc/%s into the zone", host_copied[k]);
	}
	/* Parents of what Fedora has; where there are none, none are made. */
	fchmodat(etc, "pki", 0755, 0);
	fchmodat(etc, "pki/tls", 0755, 0);
	return 0;
}

/* --- the root ----------------------------------------------------------------------------------- */

static int link_usr(int root, struct err *e)
{
	for (size_t k = 0; host_into_usr[k]; k++) {
		char path[16], target[PATH_MAX];
		struct stat st;
		ssize_t n;

		snprintf(path, sizeof(path), "/%s", host_into_usr[k]);
		if (lstat(path, &st) < 0)
			continue;
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			return err_text(e, EOPNOTSUPP,
				"%s is no link into /usr: this host's /usr is not merged, and \"host\" needs "
				"that; launch an "
				"image",
				path);
		target[n] = '\0';
		if (symlinkat(target, root, host_into_usr[k]) < 0 && errno != EEXIST)
			return err_set(e, errno, "link %s in the zone", path);
	}
	return 0;
}

static int write_etc(int root, struct err *e)
{
	const struct {
		const char *name, *text;
	} files[] = {
		{ "passwd", launch_zone_passwd },
		{ "group", launch_zone_group },
		{ "nsswitch.conf", nsswitch },
		{ "profile", profile },
		/* Bound over, but a file that is there needs none to be made. */
		{ "hosts", "" },
		{ "hostname", "" },
		{ "resolv.conf", "" },
	};
	_cleanup_close_ int etc = openat(root, "etc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (etc < 0)
		return err_set(e, errno, "open the zone's /etc");
	for (size_t k = 0; k < ARRAY_SIZE(files); k++) {
		int r = fd_replace_at(etc, files[k].name, 0644, files[k].text, strlen(files[k].text), e);

		if (r < 0)
			return r;
		if (fchmodat(etc, files[k].name, 0644, 0) < 0)
			return err_set(e, errno, "write /etc/%s of the zone", files[k].name);
	}
	return copy_etc(etc, e);
}

int launch_host_write(int root, struct err *e)
{
	int r;

	/* Whatever the umask is. */
	if (fchmod(root, 0755) < 0)
		return err_set(e, errno, "make the zone's root");
	for (size_t k = 0; k < ARRAY_SIZE(directories); k++)
		if ((mkdirat(root, directories[k].name, 0755) < 0 && errno != EEXIST) ||
			fchmodat(root, directories[k].name, directories[k].mode, 0) < 0)
			return err_set(e, errno, "make /%s of the zone", directories[k].name);
	for (size_t k = 0; k < ARRAY_SIZE(links); k++)
		if (symlinkat(links[k][1], root, links[k][0]) < 0 && errno != EEXIST)
			return err_set(e, errno, "link /%s of the zone", links[k][0]);
	r = link_usr(root, e);
	return r < 0 ? r : write_etc(root, e);
}
