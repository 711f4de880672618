/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of step times (see steps.h). */
#include "base/steps.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int steps_fd = -1;

void steps_open(void)
{
	const char *path = secure_getenv("RINGFENCE_STEP_TIMES");

	if (path && *path)
		steps_fd =
			open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
}

/* No stdio: the caller may be a process that borrows another's memory. */
void steps_write(const char *name)
{
	char line[128];
	struct timespec t;
	int n;

	clock_gettime(CLOCK_MONOTONIC, &t);
	n = snprintf(
		line, sizeof(line), "%d %lld%09ld %s\n", (int)getpid(), (long long)t.tv_sec, t.tv_nsec, name);
	if (n > 0 && (size_t)n < sizeof(line))
		(void)!write(steps_fd, line, (size_t)n);
}
