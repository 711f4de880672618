/* SPDX-License-Identifier: Apache-2.0 */
/* The network namespace: loopback and statistics (see net.h); devices are in netdev.c. */
#include "namespaces/net.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/json.h"

/* A line is under 300 bytes: room for thousands of interfaces. */
#define NET_DEV_MAX (1024 * 1024)

int net_loopback_up(struct err *e)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	/*
	 * Interface ioctls work on sockets of any family; this one is there in every kernel and cheapest to
	 * make.
	 */
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sock < 0 || ioctl(sock, SIOCSIFFLAGS, &ifr) < 0)
		return err_set(e, errno, "set the loopback interface up");
	return 0;
}

/*
 * Columns of /proc/net/dev: bytes packets errs drop fifo frame compressed multicast, and the same again for
 * transmission.
 */
static void put_interface(struct json_writer *w, const char *name, const uint64_t v[16])
{
	json_open_object(w, NULL);
	json_put_string(w, "Name", name);
	json_put_u64(w, "RxBytes", v[0]);
	json_put_u64(w, "RxPackets", v[1]);
	json_put_u64(w, "RxErrors", v[2]);
	json_put_u64(w, "RxDropped", v[3]);
	json_put_u64(w, "TxBytes", v[8]);
	json_put_u64(w, "TxPackets", v[9]);
	json_put_u64(w, "TxErrors", v[10]);
	json_put_u64(w, "TxDropped", v[11]);
	json_close_object(w);
}

static int parse_line(char *line, const char **name, uint64_t v[16])
{
	char *colon = strrchr(line, ':'), *p;

	if (!colon)
		return -EINVAL;
	*colon = '\0';
	*name = line + strspn(line, " ");
	p = colon + 1;
	for (int i = 0; i < 16; i++) {
		char *end;

		errno = 0;
		v[i] = strtoull(p, &end, 10);
		if (end == p || errno)
			return -EINVAL;
		p = end;
	}
	return 0;
}

int net_stats(pid_t pid, struct json_writer *w, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	char path[40], *line, *next;
	uint64_t v[16];
	const char *name;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/net/dev", (int)pid);
	r = fd_read_at(AT_FDCWD, path, NET_DEV_MAX, &text, NULL);
	if (r < 0)
		return err_set(e, -r, "read %s", path);
	json_open_array(w, "network_interfaces");
	for (line = text; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		/* The two heading lines have no number after their colon, or no colon. */
		if (parse_line(line, &name, v) == 0 && strcmp(name, "lo") != 0)
			put_interface(w, name, v);
	}
	json_close_array(w);
	return 0;
}

int net_usage(pid_t pid, uint64_t *rx, uint64_t *tx, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	uint64_t v[16], in = 0, out = 0;
	char path[40], *save;
	const char *name;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/net/dev", (int)pid);
	r = fd_read_at(AT_FDCWD, path, NET_DEV_MAX, &text, NULL);
	if (r < 0)
		return err_set(e, -r, "read %s", path);
	save = text;
	for (char *line; (line = strsep(&save, "\n"));) {
		if (parse_line(line, &name, v) < 0 || strcmp(name, "lo") == 0)
			continue;
		in += v[0];
		out += v[8];
	}
	*rx = in;
	*tx = out;
	return 0;
}
