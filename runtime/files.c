/* SPDX-License-Identifier: Apache-2.0 */
/* Pid file, pidfd socket, console socket (see files.h). */
#include "runtime/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

int files_write_pid(const char *path, pid_t pid, struct err *e)
{
	char dir[PATH_MAX], text[16];
	_cleanup_close_ int dirfd = -EBADF;
	const char *name;
	size_t len;
	int r;

	if (!path)
		return 0;
	name = strrchr(path, '/');
	len = name ? (size_t)(name - path) + 1 : 0;
	name = name ? name + 1 : path;
	if (len >= sizeof(dir) || !*name)
		return err_set(e, *name ? ENAMETOOLONG : EISDIR, "write pid file %s", path);
	memcpy(dir, path, len);
	dir[len] = '\0';
	dirfd = open(len ? dir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return err_set(e, errno, "write pid file %s: open its directory", path);
	snprintf(text, sizeof(text), "%d", (int)pid);
	r = fd_replace_at(dirfd, name, 0644, text, strlen(text), e);
	return r < 0 ? err_wrap(e, "write pid file %s", path) : 0;
}

int files_send_pidfd(const char *path, pid_t pid, struct err *e)
{
	_cleanup_close_ int sock = -EBADF, pidfd = -EBADF;
	int r;

	if (!path)
		return 0;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return err_set(e, errno, "open a pidfd of process %d", (int)pid);
	sock = fd_connect_unix(AT_FDCWD, path, SOCK_STREAM);
	if (sock < 0)
		return err_set(e, -sock, "connect to the pidfd socket %s", path);
	r = fd_send(sock, "pidfd", 5, &pidfd, 1);
	return r < 0 ? err_set(e, -r, "send a pidfd to %s", path) : 0;
}

int files_console(const char *path, bool terminal, bool detached, int *fd, struct err *e)
{
	int sock;

	*fd = -EBADF;
	if (terminal && detached && !path)
		return err_text(e, EINVAL,
			"cannot allocate tty if ringfence will detach without setting console socket: give "
			"--console-socket, or set "
			"process.terminal to false");
	if (path && !(terminal && detached))
		return err_text(e, EINVAL,
			"cannot use console socket if ringfence will not detach or allocate tty: leave out "
			"--console-socket");
	if (!path)
		return 0;
	sock = fd_connect_unix(AT_FDCWD, path, SOCK_STREAM);
	if (sock < 0)
		return err_set(e, -sock, "connect to the console socket %s", path);
	*fd = sock;
	return 0;
}
