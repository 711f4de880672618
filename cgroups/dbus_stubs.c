/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two functions of libsystemd that a static libdbus asks for, because its bus daemon can be started by
 * systemd with an open socket. A client never gets there, and libsystemd has no static library. Weak: where
 * libsystemd is linked, its own are taken.
 */
#include "cgroups/internal.h"

#include <errno.h>

int sd_listen_fds(int unset_environment);
int sd_is_socket(int fd, int family, int type, int listening);

__attribute__((weak)) int sd_listen_fds(int unset_environment)
{
	return 0;
}

__attribute__((weak)) int sd_is_socket(int fd, int family, int type, int listening)
{
	return -ENOSYS;
}
