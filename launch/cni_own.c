/* SPDX-License-Identifier: Apache-2.0 */
/* Our own network: a bridge with addresses that nothing else on this host uses, and the lock of all. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "launch/cni.h"
#include "launch/record_internal.h"

#define BRIDGE	     "rf0"
#define RUN_DIR	     "/run/ringfence-network"
#define ROUTES_MAX   (16 * 1024 * 1024)
#define LOCK_SECONDS 90 /* others may be before us, each with three plugins to run */

/* --- the host's loopback ------------------------------------------------------------------------ */

/* Its exit status, or a negative errno. */
static int iptables(const char *program, const char *action)
{
	static char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	/* Before connection tracking: answers to what was published on 127.0.0.1 do not have that address
	 * yet. */
	char *args[] = { "iptables", "--wait", "-t", "raw", (char *)action, "PREROUTING", "-i", BRIDGE, "-d",
		"127.0.0.0/8", "-j", "DROP", NULL };
	int status = 0, null;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		for (int fd = 0; fd < 3; fd++)
			dup2(null, fd);
		fd_cloexec_from(3);
		execve(program, args, env);
		_exit(127);
	}
	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int cni_own_guard(struct err *e)
{
	static const char *const places[] = { "/usr/sbin/iptables", "/sbin/iptables",
		"/usr/local/sbin/iptables", "/usr/bin/iptables" };
	const char *program = NULL;
	int r;

	for (size_t i = 0; !program && i < ARRAY_SIZE(places); i++)
		if (access(places[i], X_OK) == 0)
			program = places[i];
	if (!program)
		return err_text(e, ENOENT,
			"network \"" CNI_OWN_NETWORK
			"\" needs iptables, which is not in /usr/sbin; install it "
			"(Debian: iptables)");
	if (iptables(program, "-C") == 0)
		return 0;
	r = iptables(program, "-I");
	if (r < 0)
		return err_set(e, -r, "run %s", program);
	return r == 0 ? 0
		      : err_text(e, EIO,
				"network \"" CNI_OWN_NETWORK "\": %s cannot close the host's loopback to it: "
				"\"iptables -t raw -I PREROUTING -i " BRIDGE
				" -d 127.0.0.0/8 -j DROP\" exits with %d",
				program, r);
}

/* --- where leases and the lock are -------------------------------------------------------------- */

static int make_dir(const char *path, struct err *e)
{
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(e, errno, "make %s", path);
	if (lstat(path, &st) < 0)
		return err_set(e, errno, "look at %s", path);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
		return err_text(e, EPERM, "%s is not a directory of our own that only we may write", path);
	return 0;
}

/*
 * Bridges and firewalls are of a network namespace, so leases are, too. On a tmpfs: after a boot there is no
 * partition that could hold one.
 */
int cni_run_dir(struct arena *a, const char **path, struct err *e)
{
	struct stat st;
	char *dir;
	int r;

	if (stat("/proc/self/ns/net", &st) < 0)
		return err_set(e, errno, "look at our network namespace");
	dir = arena_printf(a, RUN_DIR "/%ju", (uintmax_t)st.st_ino);
	if (!dir)
		return err_set(e, ENOMEM, "make " RUN_DIR);
	r = make_dir(RUN_DIR, e);
	if (r == 0)
		r = make_dir(dir, e);
	if (r == 0)
		*path = dir;
	return r;
}

int cni_lock(struct arena *a, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	const char *dir, *file;
	int r = cni_run_dir(a, &dir, e);

	if (r < 0)
		return r;
	file = arena_printf(a, "%s/lock", dir);
	if (!file)
		return err_set(e, ENOMEM, "lock the networks");
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(e, errno, "open %s", file);
	r = launch_lock(fd, LOCK_SECONDS * 1000);
	if (r < 0)
		return err_set(e, -r, "wait for other networks to be set up (%s)", file);
	return TAKE_FD(fd);
}

/* --- which addresses -------------------------------------------------------------------------- */

struct route {
	char device[32];
	unsigned int to, mask; /* as the kernel prints them: network byte order in a native number */
};

static bool next_route(const char **text, struct route *out)
{
	const char *line = *text;

	while (*line) {
		const char *end = strchr(line, '\n');
		int n = sscanf(line, "%31s %x %*x %*x %*d %*d %*d %x", out->device, &out->to, &out->mask);

		line = end ? end + 1 : line + strlen(line);
		*text = line;
		/* The heading is no route. */
		if (n == 3)
			return true;
	}
	return false;
}

static bool overlaps(const char *routes, const char *bridge, uint32_t subnet)
{
	struct route r;

	while (next_route(&routes, &r)) {
		uint32_t to = ntohl(r.to), mask = ntohl(r.mask), both = mask & 0xffff0000U;

		/* The default route goes everywhere. */
		if (mask && !str_eq(r.device, bridge) && ((to ^ subnet) & both) == 0)
			return true;
	}
	return false;
}

int cni_free_subnet(const char *routes, const char *bridge, uint32_t *out)
{
	for (uint32_t second = 89; second < 255; second++) {
		uint32_t subnet = 10U << 24 | second << 16;

		if (overlaps(routes, bridge, subnet))
			continue;
		*out = subnet;
		return 0;
	}
	return -EADDRNOTAVAIL;
}

/* The bridge's own network, if it is there and has one. */
static bool bridge_subnet(uint32_t *subnet, int *prefix)
{
	_cleanup_close_ int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq q = { .ifr_name = BRIDGE };
	struct sockaddr_in at;
	uint32_t address, mask;

	if (sock < 0 || ioctl(sock, SIOCGIFADDR, &q) < 0)
		return false;
	memcpy(&at, &q.ifr_addr, sizeof(at));
	address = ntohl(at.sin_addr.s_addr);
	if (ioctl(sock, SIOCGIFNETMASK, &q) < 0)
		return false;
	memcpy(&at, &q.ifr_netmask, sizeof(at));
	mask = ntohl(at.sin_addr.s_addr);
	*subnet = address & mask;
	*prefix = __builtin_popcount(mask);
	return *prefix > 0 && *prefix <= 30;
}

static int choose_subnet(uint32_t *subnet, int *prefix, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	_cleanup_free_ char *routes = NULL;
	int r;

	if (bridge_subnet(subnet, prefix))
		return 0;
	fd = open("/proc/self/net/route", O_RDONLY | O_CLOEXEC);
	r = fd < 0 ? -errno : fd_read_all(fd, ROUTES_MAX, &routes, NULL);
	if (r < 0)
		return err_set(e, -r, "read /proc/self/net/route");
	*prefix = 16;
	if (cni_free_subnet(routes, BRIDGE, subnet) < 0)
		return err_text(e, EADDRNOTAVAIL,
			"network \"" CNI_OWN_NETWORK "\": this host has routes into all of 10.89.0.0/16 to "
			"10.254.0.0/16; describe a network of your own in /etc/cni/net.d (bridge:NAME)");
	return 0;
}

int cni_own_conf(struct arena *a, const struct json **out, struct err *e)
{
	static const char form[] =
		"{\"cniVersion\":\"1.0.0\",\"name\":\"" CNI_OWN_NETWORK "\",\"plugins\":["
		"{\"type\":\"bridge\",\"bridge\":\"" BRIDGE "\",\"isGateway\":true,\"ipMasq\":true,"
		"\"hairpinMode\":true,\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"%s\","
		"\"ranges\":[[{\"subnet\":\"%s/%d\"}]],\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}},"
		"{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}},"
		"{\"type\":\"firewall\"}]}";
	struct in_addr at;
	uint32_t subnet = 0;
	char text[INET_ADDRSTRLEN];
	const char *dir, *conf;
	int prefix = 0, r;

	r = cni_run_dir(a, &dir, e);
	if (r == 0)
		r = choose_subnet(&subnet, &prefix, e);
	if (r < 0)
		return r;
	at.s_addr = htonl(subnet);
	conf = arena_printf(a, form, dir, inet_ntop(AF_INET, &at, text, sizeof(text)), prefix);
	return conf ? json_parse(a, conf, strlen(conf), "network", out, e)
		    : err_set(e, ENOMEM, "describe the network");
}
