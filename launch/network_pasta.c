/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pasta(1): a network without privileges, by a process beside the partition.
 *
 * It goes into the background by itself when it is ready, and stays there when the partition is gone (the
 * versions of 2023 do), so it is known by pid and start time and ended by us. One whose pid was not written
 * down, because we were killed meanwhile, is found by the file that it was told to write its pid to, which
 * has the container's own id in its name.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"
#include "base/str.h"
#include "launch/network_internal.h"
#include "launch/record_internal.h"
#include "runtime/partition.h"

#define PASTA_SECONDS 30
#define PASTA_END_MS  5000
#define SAID_MAX      4096

/* --- the command line ------------------------------------------------------------------------- */

static const char *const places[] = { "/usr/local/bin/pasta", "/usr/bin/pasta", "/bin/pasta" };

const char *launch_network_pasta(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

/* Where it writes its pid; the name is also what it is found by. */
static const char *pid_file(int dir, const struct net_file *f, struct arena *a)
{
	char link[FD_PATH_MAX], path[PATH_MAX];
	ssize_t n = readlink(fd_path(link, dir), path, sizeof(path) - 1);

	if (n <= 0)
		return NULL;
	path[n] = '\0';
	return arena_printf(a, "%s/%s.pid", path, f->container);
}

struct args {
	char **list;
	size_t n, room;
};

static void put(struct args *args, const char *s)
{
	if (s && args->n + 1 < args->room)
		args->list[args->n++] = (char *)s;
}

/* "[ADDRESS/]HOST:PORT" (pasta(1), "-t"). */
static bool put_ports(struct args *args, const struct net_file *f, const char *option, const char *protocol,
	struct arena *a)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_ports; i++) {
		const struct launch_port *p = &f->ports[i];
		const char *text;

		if (!str_eq(p->protocol, protocol))
			continue;
		text = arena_printf(a, "%s/%u:%u", p->host_ip, (unsigned)p->host_port, (unsigned)p->port);
		if (!text)
			return false;
		put(args, option);
		put(args, text);
		n++;
	}
	if (!n) {
		put(args, option);
		put(args, "none");
	}
	return true;
}

/*
 * Nothing is forwarded but what was asked for: without -T and -U pasta would open whatever listens on the
 * host's loopback to the inside, and without --no-map-gw the host's loopback by the gateway's address.
 */
static int command_line(const struct net_file *f, const char *program, const char *pids, pid_t pid,
	struct arena *a, char ***out, struct err *e)
{
	struct args args = { .room = 32 + 2 * f->n_ports };
	static const char *const fixed[] = { "-q", "--config-net", "--no-map-gw", "--dns-forward",
		NET_PASTA_DNS, "-I", "eth0", "-T", "none", "-U", "none" };

	args.list = arena_calloc(a, args.room, sizeof(*args.list));
	if (!args.list || !pids)
		return err_set(e, ENOMEM, "run pasta");
	put(&args, program);
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		put(&args, fixed[i]);
	/* Else it becomes "nobody", who may not enter the partition's namespaces. It gives up all that it can
	 * all the same, in a user namespace of its own. */
	if (geteuid() == 0) {
		put(&args, "--runas");
		put(&args, "0");
	}
	put(&args, "-P");
	put(&args, pids);
	if (!put_ports(&args, f, "-t", "tcp", a) || !put_ports(&args, f, "-u", "udp", a))
		return err_set(e, ENOMEM, "run pasta");
	put(&args, "--userns");
	put(&args, arena_printf(a, "/proc/%d/ns/user", (int)pid));
	put(&args, "--netns");
	put(&args, arena_printf(a, "/proc/%d/ns/net", (int)pid));
	*out = args.list;
	return 0;
}

/* --- running it ------------------------------------------------------------------------------- */

static void child(char *const *args, int said, pid_t parent)
{
	static char *const env[] = { "PATH=/usr/bin:/bin", NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	/* Ctrl-C of a foreground partition is not for it. */
	setsid();
	if (null < 0 || dup2(null, 0) < 0 || dup2(said, 1) < 0 || dup2(said, 2) < 0)
		_exit(127);
	fd_cloexec_from(3);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(args[0], args, env);
	dprintf(2, "execute it: %s", strerror(errno));
	_exit(127);
}

/* What it says, on one line and without what it says of the system log. */
static void read_said(int fd, char *buf, size_t size)
{
	char text[SAID_MAX], *rest = text, *line;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	size_t len = 0;

	buf[0] = '\0';
	text[n > 0 ? n : 0] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		int more;

		if (!*line || strstr(line, "to syslog"))
			continue;
		more = snprintf(buf + len, size - len, "%s%s", len ? "; " : "", line);
		if (more < 0 || (size_t)more >= size - len)
			break;
		len += (size_t)more;
	}
	for (char *p = buf; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
}

static int failed(int status, int said_fd, struct err *e)
{
	char said[400];

	read_said(said_fd, said, sizeof(said));
	err_text(e, EIO, "pasta failed (exit status %d): %s",
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), said);
	if (strstr(said, "tun"))
		err_hint(e, "the user must be able to open /dev/net/tun");
	else if (strstr(said, "interface not usable"))
		err_hint(e,
			"it takes the addresses of the interface with the host's default route, and there is "
			"none");
	return -EIO;
}

/* Its first process ends when it is ready. */
static int run(char *const *args, struct err *e)
{
	_cleanup_close_ int said = memfd_create("pasta", MFD_CLOEXEC);
	int status = 0, waited = 0;
	pid_t pid, parent = getpid();

	if (said < 0)
		return err_set(e, errno, "run pasta");
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child(args, said, parent);
	if (pid < 0)
		return err_set(e, errno, "fork");
	for (;;) {
		pid_t r = waitpid(pid, &status, WNOHANG);

		if (r == pid)
			break;
		if (r < 0 && errno != EINTR)
			return err_set(e, errno, "wait for pasta");
		if (waited >= PASTA_SECONDS * 1000) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return err_text(
				e, ETIMEDOUT, "pasta was killed: it was not ready after %d s", PASTA_SECONDS);
		}
		poll(NULL, 0, 5);
		waited += 5;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : failed(status, said, e);
}

static int read_pid(const char *path, struct net_file *f, struct err *e)
{
	char text[32], state;
	int pid;

	if (fd_get_at(AT_FDCWD, path, text, sizeof(text)) <= 0 || str_to_int(text, &pid) < 0 || pid <= 1)
		return err_text(e, EIO, "pasta did not write its pid to %s", path);
	if (rt_proc_stat(pid, &f->pasta_start, &state) < 0)
		return err_text(e, EIO, "pasta ended as soon as it was ready");
	f->pasta = pid;
	return 0;
}

/* --- what it gave the partition ------------------------------------------------------------------ */

static int prefix_of(const struct sockaddr *mask)
{
	const struct sockaddr_in *m = (const void *)mask;

	return mask ? __builtin_popcount(m->sin_addr.s_addr) : 32;
}

/* In a child that has entered the partition's namespaces. */
static void tell_address(pid_t pid, int out)
{
	char path[48], text[INET_ADDRSTRLEN];
	struct ifaddrs *list, *i;
	int user, net;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	user = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	net = open(path, O_RDONLY | O_CLOEXEC);
	if (user < 0 || net < 0 || setns(user, CLONE_NEWUSER) < 0 || setns(net, CLONE_NEWNET) < 0 ||
		getifaddrs(&list) < 0)
		return;
	for (i = list; i; i = i->ifa_next) {
		const struct sockaddr_in *at = (const void *)i->ifa_addr;

		if (!at || at->sin_family != AF_INET || (i->ifa_flags & IFF_LOOPBACK))
			continue;
		dprintf(out, "%s/%d", inet_ntop(AF_INET, &at->sin_addr, text, sizeof(text)),
			prefix_of(i->ifa_netmask));
		return;
	}
}

static const char *ask_address(pid_t pid, struct arena *a)
{
	char text[64] = "";
	ssize_t n;
	int p[2];
	pid_t child;

	if (pipe2(p, O_CLOEXEC) < 0)
		return NULL;
	fflush(NULL);
	child = fork();
	if (child == 0) {
		tell_address(pid, p[1]);
		_exit(0);
	}
	fd_close(p[1]);
	n = child > 0 ? read(p[0], text, sizeof(text) - 1) : -1;
	fd_close(p[0]);
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return n > 0 ? arena_strndup(a, text, (size_t)n) : NULL;
}

/* --- up and down ------------------------------------------------------------------------------ */

/* pasta enters a user namespace and then the network namespace that belongs to it. */
static int check_userns(pid_t pid, struct err *e)
{
	struct stat ours, its;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	if (stat(path, &its) < 0 || stat("/proc/self/ns/user", &ours) < 0)
		return err_set(e, errno, "look at %s", path);
	if (its.st_ino == ours.st_ino && its.st_dev == ours.st_dev)
		return err_text(e, EINVAL,
			"network \"pasta\" needs a user namespace of the partition's own: launch without "
			"--userns host, or with network \"bridge\"");
	return 0;
}

int net_pasta_up(int dir, struct net_file *f, pid_t pid, struct arena *a, struct err *e)
{
	const char *program = launch_network_pasta(), *pids = pid_file(dir, f, a);
	char **args = NULL;
	int r;

	if (!program)
		return err_text(e, ENOENT,
			"network \"pasta\" needs the program pasta, which is not in /usr/bin; install it "
			"(Debian: passt)");
	r = check_userns(pid, e);
	if (r == 0)
		r = command_line(f, program, pids, pid, a, &args, e);
	if (r == 0)
		r = run(args, e);
	if (r == 0)
		r = read_pid(pids, f, e);
	if (r < 0)
		return r;
	unlink(pids);
	f->pasta_address = ask_address(pid, a);
	return net_file_write(dir, f, e);
}

/* Does one of its arguments say so? */
static bool has_argument(pid_t pid, const char *wanted)
{
	_cleanup_free_ char *text = NULL;
	char path[48];
	size_t len = 0;
	_cleanup_close_ int fd = -EBADF;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fd_read_all(fd, 1024 * 1024, &text, &len) < 0)
		return false;
	for (const char *p = text; p < text + len; p += strlen(p) + 1)
		if (str_eq(p, wanted))
			return true;
	return false;
}

/* The start time is looked at again when we hold the process, which may end at any time. */
static int end_process(pid_t pid, uint64_t start, struct err *e)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (!launch_process_lives(pid, start))
		return 0;
	/* Nothing in it is worth a farewell: its device goes with its descriptors. */
	if (fd >= 0 ? syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) < 0 : kill(pid, SIGKILL) < 0)
		return errno == ESRCH ? 0 : err_set(e, errno, "end pasta (%d)", (int)pid);
	if (fd >= 0 && poll(&p, 1, PASTA_END_MS) == 0)
		return err_text(e, ETIMEDOUT, "pasta (%d) does not end", (int)pid);
	return 0;
}

/* Those that run with our pid file. */
static int end_unknown(const char *pids, struct err *e)
{
	_cleanup_closedir_ DIR *d = opendir("/proc");
	struct dirent *entry;
	int r = 0, pid;

	while (d && r == 0 && (entry = readdir(d))) {
		uint64_t start;
		char state;

		if (!isdigit((unsigned char)entry->d_name[0]) || str_to_int(entry->d_name, &pid) < 0)
			continue;
		if (rt_proc_stat(pid, &start, &state) == 0 && has_argument(pid, pids))
			r = end_process(pid, start, e);
	}
	return r;
}

int net_pasta_down(int dir, const struct net_file *f, struct arena *a, struct err *e)
{
	const char *pids = pid_file(dir, f, a);
	int r = 0;

	if (!str_eq(f->boot_id, launch_boot_id()))
		r = 0;
	else if (f->pasta)
		r = end_process(f->pasta, f->pasta_start, e);
	else if (pids)
		r = end_unknown(pids, e);
	if (r == 0 && pids)
		unlink(pids);
	return r;
}
