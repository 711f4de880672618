/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line of /etc/hosts that has the partition's own address, which is known only when its network is up.
 *
 * The file is bound into the partition: what is in it now may be anything, of any size, for the program
 * inside may write to it. It is changed in place, since the mount is of this inode.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "launch/network_internal.h"

#define HOSTS_MAX (256 * 1024)
#define MARK	  "# its own address"

static int open_etc(const char *bundle)
{
	_cleanup_close_ int dir = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return dir < 0 ? -errno : openat(dir, "etc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* The first word of etc/hostname, if it can be a host's name. */
static bool read_name(int etc, char *buf, size_t size)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (fd_read_at(etc, "hostname", 4096, &text, NULL) < 0)
		return false;
	len = strcspn(text, "\n");
	text[len] = '\0';
	if (!len || len >= size)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '.' && text[i] != '_')
			return false;
	memcpy(buf, text, len + 1);
	return true;
}

/* All lines but the one that an earlier start wrote, and the one that stands for an address not yet known. */
static void keep_others(char *text, const char *name, struct strbuf *out)
{
	static const char unknown[] = "127.0.1.1\t";
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		if (str_starts(line, unknown) && str_eq(line + strlen(unknown), name))
			continue;
		if (!str_ends(line, MARK) && (*line || rest))
			strbuf_printf(out, "%s\n", line);
	}
}

int net_hosts_set(const char *bundle, const char *address, struct err *e)
{
	_cleanup_close_ int etc = open_etc(bundle), fd = -EBADF;
	_cleanup_strbuf_ struct strbuf out = { 0 };
	_cleanup_free_ char *text = NULL;
	char name[256];
	int r;

	if (etc < 0 || !read_name(etc, name, sizeof(name)))
		return 0;
	fd = openat(etc, "hosts", O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_set(e, errno, "open etc/hosts of the partition");
	r = fd_read_regular(fd, HOSTS_MAX, &text, NULL);
	/* What the payload has made of it is its own affair. */
	if (r == -EFBIG || r == -EINVAL)
		return 0;
	if (r < 0)
		return err_set(e, -r, "read etc/hosts of the partition");
	keep_others(text, name, &out);
	strbuf_printf(&out, "%.*s\t%s\t" MARK "\n", (int)strcspn(address, "/"), address, name);
	if (out.failed)
		return err_set(e, ENOMEM, "write etc/hosts of the partition");
	if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_set(e, errno, "write etc/hosts of the partition");
	r = fd_write_all(fd, out.s, out.len);
	return r < 0 ? err_set(e, -r, "write etc/hosts of the partition") : 0;
}
