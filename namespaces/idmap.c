/* SPDX-License-Identifier: Apache-2.0 */
/* Id maps of a user namespace: written directly, or through newuidmap(1) and newgidmap(1) (see ns.h). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "namespaces/ns.h"

/* user_namespaces(7): a map is written at once, in less than a page, and has at most 340 lines. */
#define MAP_TEXT_MAX  4096
#define MAP_LINES_MAX 340

int64_t ns_map_to_host(const struct spec_id_map *map, size_t n, uint32_t container_id)
{
	if (n == 0)
		return container_id;
	for (size_t i = 0; i < n; i++)
		if (container_id >= map[i].container_id && container_id - map[i].container_id < map[i].size)
			return (int64_t)map[i].host_id + (container_id - map[i].container_id);
	return -1;
}

static int write_map(pid_t pid, const char *file, const struct spec_id_map *map, size_t n, struct err *e)
{
	_cleanup_strbuf_ struct strbuf text = { 0 };
	char path[64];
	int r;

	for (size_t i = 0; i < n; i++)
		strbuf_printf(&text, "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", map[i].container_id,
			map[i].host_id, map[i].size);
	if (text.failed)
		return err_set(e, ENOMEM, "write %s", file);
	if (n > MAP_LINES_MAX || text.len >= MAP_TEXT_MAX)
		return err_text(e, EINVAL,
			"write %s: %zu mappings of %zu bytes are more than the kernel takes (340 in one "
			"page)",
			file, n, text.len);
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	r = fd_put_at(AT_FDCWD, path, text.s ? text.s : "");
	if (r < 0)
		err_set(e, -r,
			"write %s of the user namespace (%zu mappings, the first %" PRIu32 " %" PRIu32
			" %" PRIu32 ")",
			file, n, n ? map[0].container_id : 0, n ? map[0].host_id : 0, n ? map[0].size : 0);
	return r;
}

/*
 * Since Linux 3.19 whoever has no CAP_SETGID outside must give up setgroups(2) inside before he may map a
 * group.
 */
static int deny_setgroups(pid_t pid, struct err *e)
{
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/setgroups", (int)pid);
	r = fd_put_at(AT_FDCWD, path, "deny");
	return r < 0 ? err_set(e, -r, "deny setgroups in the user namespace") : 0;
}

static const char *find_helper(const char *name, char *buf, size_t size)
{
	/* Never by $PATH: the caller's environment must not choose a set-user-ID program's stand-in. */
	static const char *const dirs[] = { "/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin", "/sbin",
		"/run/wrappers/bin" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(buf, size, "%s/%s", dirs[i], name);
		if (access(buf, X_OK) == 0)
			return buf;
	}
	return NULL;
}

static void run_helper(const char *path, char *const *args, int out)
{
	static char *const no_env[] = { NULL };

	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execve(path, args, no_env);
	_exit(127);
}

/* PATH PID ID HOSTID SIZE …, as one allocation for the vector and one for the numbers. */
static char **helper_args(char *path, pid_t pid, const struct spec_id_map *map, size_t n, char **numbers)
{
	const size_t width = 12; /* ten digits, a NUL, and one to spare */
	char **args = calloc(n * 3 + 3, sizeof(char *));

	*numbers = calloc(n * 3 + 1, width);
	if (!args || !*numbers) {
		free(args);
		return NULL;
	}
	args[0] = path;
	args[1] = *numbers;
	snprintf(args[1], width, "%d", (int)pid);
	for (size_t i = 0; i < n * 3; i++) {
		const struct spec_id_map *m = &map[i / 3];

		args[i + 2] = *numbers + (i + 1) * width;
		snprintf(args[i + 2], width, "%" PRIu32,
			i % 3 == 0   ? m->container_id
			: i % 3 == 1 ? m->host_id
				     : m->size);
	}
	return args;
}

/* What the helper says, as one line. It is cut where the buffer ends. */
static void read_words(int fd, char *said, size_t size)
{
	size_t used = 0;

	while (used < size - 1) {
		ssize_t got = read(fd, said + used, size - 1 - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		used += (size_t)got;
	}
	while (used > 0 && said[used - 1] == '\n')
		used--;
	said[used] = '\0';
	for (char *p = said; *p; p++)
		if (*p == '\n')
			*p = ' ';
}

static int call_helper(const char *name, pid_t pid, const struct spec_id_map *map, size_t n, struct err *e)
{
	_cleanup_close_ int out = -EBADF, in = -EBADF;
	_cleanup_free_ char **args = NULL;
	_cleanup_free_ char *numbers = NULL;
	char path[64], said[400];
	int pipefd[2], status;
	pid_t child;

	if (!find_helper(name, path, sizeof(path)))
		return err_text(e, ENOENT,
			"%s is not installed (package uidmap or shadow-utils): without it only one's own id "
			"can be mapped",
			name);
	if (n > MAP_LINES_MAX)
		return err_text(e, EINVAL, "%s: %zu mappings are more than the kernel takes (340)", name, n);
	args = helper_args(path, pid, map, n, &numbers);
	if (!args)
		return err_set(e, ENOMEM, "run %s", name);
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_set(e, errno, "run %s", name);
	in = pipefd[0];
	out = pipefd[1];
	child = fork();
	if (child < 0)
		return err_set(e, errno, "run %s", name);
	if (child == 0)
		run_helper(path, args, out);
	out = fd_close(out);
	read_words(in, said, sizeof(said));
	in = fd_close(in);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(e, errno, "wait for %s", name);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_text(e, EPERM, "%s failed: %s; the ranges must be granted to the user in /etc/sub%cid",
		name, *said ? said : "no message", name[3]);
}

static bool is_own(const struct spec_id_map *map, size_t n, bool gid)
{
	return n == 1 && map[0].size == 1 && map[0].host_id == (gid ? getegid() : geteuid());
}

static int write_directly(pid_t pid, bool gid, const struct spec_id_map *map, size_t n, struct err *e)
{
	const char *file = gid ? "gid_map" : "uid_map";
	int r = write_map(pid, file, map, n, e);

	if (r == -EPERM && gid && is_own(map, n, gid)) {
		r = deny_setgroups(pid, e);
		if (r == 0)
			r = write_map(pid, file, map, n, e);
		if (r == 0)
			err_clear(e);
	}
	return r;
}

static int set_map(pid_t pid, bool gid, const struct spec_id_map *map, size_t n, bool settle, struct err *e)
{
	const char *helper = gid ? "newgidmap" : "newuidmap";
	char path[64];
	int r;

	if (n == 0)
		return 0;
	if (geteuid() == 0 || is_own(map, n, gid)) {
		r = write_directly(pid, gid, map, n, e);
		/* Root of a user namespace may be refused ranges that the helper has a grant for. */
		if (r != -EPERM || !find_helper(helper, path, sizeof(path)))
			return r;
	}
	r = call_helper(helper, pid, map, n, e);
	if (r == 0)
		err_clear(e);
	if (r == 0 || !settle || n == 1)
		return r;
	log_debug("%s; going on with one's own id alone", e ? e->text : helper);
	err_clear(e);
	return write_directly(pid, gid, map, 1, e);
}

bool ns_has_map_helpers(void)
{
	char path[64];

	return find_helper("newuidmap", path, sizeof(path)) && find_helper("newgidmap", path, sizeof(path));
}

int ns_write_maps(pid_t pid, const struct spec_id_map *uid, size_t n_uid, const struct spec_id_map *gid,
	size_t n_gid, bool settle, struct err *e)
{
	/* Groups first: root that is only root of the old namespace keeps its right to write either. */
	int r = set_map(pid, true, gid, n_gid, settle, e);

	return r < 0 ? r : set_map(pid, false, uid, n_uid, settle, e);
}
