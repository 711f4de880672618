/* SPDX-License-Identifier: Apache-2.0 */
/* A resolver on the loopback interface (see dns.h): the two ends. */
#include "sandbox/dns.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define FILE_MAX (64U << 10)

bool vm_dns_find(const char *text, char address[VM_DNS_ADDRESS])
{
	for (const char *line = text; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		struct in_addr a;
		char word[VM_DNS_ADDRESS];

		/* resolv.conf(5): the keyword begins the line. */
		if (!str_starts(line, "nameserver") || sscanf(line + 10, " %15[0-9.]", word) != 1 ||
			inet_pton(AF_INET, word, &a) != 1)
			continue;
		if (ntohl(a.s_addr) >> 24 != 127 || a.s_addr == htonl(INADDR_LOOPBACK))
			continue;
		snprintf(address, VM_DNS_ADDRESS, "%s", word);
		return true;
	}
	return false;
}

bool vm_dns_wanted(const struct spec *s, char address[VM_DNS_ADDRESS])
{
	_cleanup_free_ char *text = NULL;
	const char *source = NULL;

	for (size_t i = 0; i < s->n_mounts; i++)
		if (str_eq(s->mounts[i].destination, "/etc/resolv.conf"))
			source = s->mounts[i].source;
	return source && source[0] == '/' && fd_read_at(AT_FDCWD, source, FILE_MAX, &text, NULL) == 0 &&
	       vm_dns_find(text, address);
}

static int open_socket(const char *address, struct sockaddr_in *at, struct err *e)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(VM_DNS_PORT) };
	if (fd < 0)
		return err_set(e, errno, "make a socket for the resolver at %s", address);
	if (inet_pton(AF_INET, address, &at->sin_addr) == 1)
		return fd;
	close(fd);
	return err_text(e, EINVAL, "the resolver's address \"%.40s\" is none of IPv4", address);
}

int vm_dns_connect(const char *address, struct err *e)
{
	struct sockaddr_in at;
	_cleanup_close_ int fd = open_socket(address, &at, e);

	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return err_set(e, errno, "reach the resolver at %s", address);
	return TAKE_FD(fd);
}

int vm_dns_bind(const char *address, struct err *e)
{
	struct sockaddr_in at;
	_cleanup_close_ int fd = open_socket(address, &at, e);
	int yes = 1;

	if (fd < 0)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return err_set(e, errno, "stand in for the resolver at %s", address);
	return TAKE_FD(fd);
}
