/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Only in a static build: libdbus-1.a refers to libsystemd's socket activation, for servers, and Debian has
 * no archive of that library. ringfence is a client only, so these are never called; they answer "no sockets
 * were passed".
 */
int sd_listen_fds(int unset_environment);
int sd_is_socket(int fd, int family, int type, int listening);

int sd_listen_fds(int unset_environment)
{
	return 0;
}

int sd_is_socket(int fd, int family, int type, int listening)
{
	return 0;
}
