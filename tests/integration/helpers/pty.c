/* SPDX-License-Identifier: Apache-2.0 */
/* rft pty: a terminal for an attached run or exec, as a person has it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rft.h"

static pid_t spawn(const char *slave, char **argv)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	setsid();
	for (int i = 0; i < 3; i++)
		close(i);
	if (open(slave, O_RDWR) != 0 || dup(0) != 1 || dup(0) != 2 || ioctl(0, TIOCSCTTY, 0))
		_exit(126);
	execvp(argv[0], argv);
	_exit(127);
}

/*
 * rft pty ROWS COLS WAIT TEXT COMMAND…: runs the command on a terminal of that size; types TEXT once WAIT has
 * been printed. "@ROWSxCOLS" as TEXT resizes the terminal instead. Copies what the terminal says to stdout;
 * exits as the command does.
 */
int cmd_pty(int argc, char **argv)
{
	struct winsize w = { .ws_row = (unsigned short)number(argv[1]),
		.ws_col = (unsigned short)number(argv[2]) };
	const char *wait_for = argv[3], *text = argv[4];
	char slave[64], seen[65536];
	size_t n_seen = 0;
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), status;
	pid_t pid;

	if (argc < 6)
		return 2;
	if (master < 0 || grantpt(master) || unlockpt(master) || ptsname_r(master, slave, sizeof slave))
		die("/dev/ptmx");
	ioctl(master, TIOCSWINSZ, &w);
	pid = spawn(slave, argv + 5);
	for (;;) {
		ssize_t n = read(master, seen + n_seen, sizeof seen - 1 - n_seen);

		if (n <= 0)
			break; /* EIO: the last one has closed it */
		if (write(1, seen + n_seen, (size_t)n) < 0)
			break;
		n_seen += (size_t)n;
		seen[n_seen] = 0;
		if (!text || !strstr(seen, wait_for)) {
			if (n_seen >= sizeof seen - 1)
				n_seen = 0;
			continue;
		}
		if (sscanf(text, "@%hux%hu", &w.ws_row, &w.ws_col) == 2)
			ioctl(master, TIOCSWINSZ, &w);
		else if (write(master, text, strlen(text)) < 0)
			die("write");
		text = NULL;
	}
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
