/* SPDX-License-Identifier: Apache-2.0 */
/* A pty on the host for a terminal in a guest (see terminal.h). */
#include "sandbox/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"

int terminal_open(const struct spec_process *proc, int console_socket, int *master, int *slave, struct err *e)
{
	static const char name[] = "/dev/pts";
	_cleanup_close_ int m = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), s = -EBADF;
	struct winsize ws = { .ws_row = proc->console_height, .ws_col = proc->console_width };
	struct termios t;
	int unlock = 0, r;

	if (m < 0 || ioctl(m, TIOCSPTLCK, &unlock) < 0)
		return err_set(e, errno, "open a terminal");
	s = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (s < 0 || tcgetattr(s, &t) < 0)
		return err_set(e, errno, "open a terminal");
	cfmakeraw(&t);
	if (tcsetattr(s, TCSANOW, &t) < 0 || (proc->has_console_size && ioctl(m, TIOCSWINSZ, &ws) < 0))
		return err_set(e, errno, "set up a terminal");
	if (console_socket >= 0) {
		r = fd_send(console_socket, name, strlen(name), &m, 1);
		if (r < 0)
			return err_set(e, -r, "hand out the terminal");
	} else {
		*master = TAKE_FD(m);
	}
	*slave = TAKE_FD(s);
	return 0;
}

int terminal_own(int fd)
{
	int flags = fcntl(fd, F_GETFL), own = -1;
	struct stat st;
	char path[64];

	/* Not a file: its place and O_APPEND are shared for a reason, and it never makes anybody wait. */
	if (flags >= 0 && fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || isatty(fd))) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		own = open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	return own >= 0 ? own : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}
