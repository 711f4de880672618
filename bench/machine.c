/* SPDX-License-Identifier: Apache-2.0 */
/* What machine it is that measures: with the results, so that they can be judged later. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "bench/bench.h"

#define VULNERABILITIES "/sys/devices/system/cpu/vulnerabilities"

/* The value of "NAME<blanks>: VALUE" in a text of such lines, into out. */
static bool line_value(const char *text, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);

	for (const char *p = text; p && *p; p = strchr(p, '\n'), p += p != NULL) {
		const char *v;

		if (strncmp(p, name, n) != 0)
			continue;
		v = p + n + strspn(p + n, " \t");
		if (*v != ':')
			continue;
		v++;
		v += strspn(v, " \t");
		snprintf(out, size, "%.*s", (int)strcspn(v, "\n"), v);
		return true;
	}
	return false;
}

void machine_meminfos(const char *const *names, double *values, size_t n)
{
	_cleanup_close_ int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	static char text[16384];
	char value[64];
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	text[len > 0 ? len : 0] = '\0';
	for (size_t i = 0; i < n; i++)
		values[i] = line_value(text, names[i], value, sizeof(value))
				    ? (double)strtoull(value, NULL, 10) * 1024
				    : 0;
}

uint64_t machine_meminfo(const char *name)
{
	double v;

	machine_meminfos(&name, &v, 1);
	return (uint64_t)v;
}

static void add_file(struct result *r, const char *name, const char *path)
{
	char text[4096];

	if (fd_get_at(AT_FDCWD, path, text, sizeof(text)) >= 0)
		pairs_add(r, &r->machine, name, "%s", text);
}

static void add_cpu(struct result *r)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
	char value[4096];

	if (fd < 0 || fd_read_all(fd, 16 << 20, &text, NULL) < 0)
		return;
	if (line_value(text, "model name", value, sizeof(value)))
		pairs_add(r, &r->machine, "cpu", "%s", value);
	if (line_value(text, "flags", value, sizeof(value)))
		pairs_add(r, &r->machine, "virtual",
			strstr(value, " hypervisor") ? "a virtual machine itself" : "no hypervisor seen");
}

static void add_mitigations(struct result *r)
{
	_cleanup_closedir_ DIR *d = opendir(VULNERABILITIES);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		char path[512], name[300];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), VULNERABILITIES "/%s", entry->d_name);
		snprintf(name, sizeof(name), "vulnerability %s", entry->d_name);
		add_file(r, name, path);
	}
}

/* What plan looks for the first limit in. */
static void add_limits(struct result *r)
{
	static const char *const limits[] = { "/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max",
		"/proc/sys/user/max_mnt_namespaces", "/proc/sys/user/max_net_namespaces",
		"/proc/sys/user/max_pid_namespaces", "/proc/sys/vm/max_map_count" };

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		add_file(r, strrchr(limits[i], '/') + 1, limits[i]);
}

int machine_describe(struct result *r, struct err *e)
{
	struct utsname u;

	if (uname(&u) == 0) {
		pairs_add(r, &r->machine, "kernel", "%s", u.release);
		pairs_add(r, &r->machine, "architecture", "%s", u.machine);
	}
	add_cpu(r);
	pairs_add(r, &r->machine, "cpus", "%ld", sysconf(_SC_NPROCESSORS_ONLN));
	pairs_add(r, &r->machine, "memory", "%.1f GiB", (double)machine_meminfo("MemTotal") / (1u << 30));
	pairs_add(r, &r->machine, "memory bytes", "%llu", (unsigned long long)machine_meminfo("MemTotal"));
	pairs_add(r, &r->machine, "available bytes", "%llu",
		(unsigned long long)machine_meminfo("MemAvailable"));
	add_file(r, "load", "/proc/loadavg");
	add_file(r, "governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
	add_file(r, "huge pages", "/sys/kernel/mm/transparent_hugepage/enabled");
	pairs_add(r, &r->machine, "cgroups",
		access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0 ? "v2"
		: access("/sys/fs/cgroup/unified", F_OK) == 0	       ? "mixed"
								       : "v1");
	add_limits(r);
	add_mitigations(r);
	return r->machine.n ? 0 : err_set(e, ENOMEM, "describe the machine");
}

/* --- processors --------------------------------------------------------------------------------------- */

static int parse_cpus(const char *list, cpu_set_t *set, struct err *e)
{
	_cleanup_free_ char *text = strdup(list);
	char *next = text;

	CPU_ZERO(set);
	if (!text)
		return err_set(e, ENOMEM, "read --pin");
	while (next && *next) {
		char *word = next, *dash;
		int from, to;

		next = strchr(word, ',');
		if (next)
			*next++ = '\0';
		dash = strchr(word, '-');
		if (dash)
			*dash++ = '\0';
		if (str_to_int(word, &from) < 0 || str_to_int(dash ? dash : word, &to) < 0 || from < 0 ||
			to < from || to >= CPU_SETSIZE)
			return err_text(e, EINVAL, "--pin takes processors as 0,2-3, not \"%s\"", list);
		for (; from <= to; from++)
			CPU_SET(from, set);
	}
	return 0;
}

int machine_pin(const char *list, char **text, struct err *e)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	cpu_set_t set;
	int r = list ? parse_cpus(list, &set, e) : 0;

	if (r < 0)
		return r;
	if (list && sched_setaffinity(0, sizeof(set), &set) < 0)
		return err_set(e, errno, "run on the processors %s", list);
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return err_set(e, errno, "ask for our processors");
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			strbuf_printf(&out, "%s%d", out.len ? "," : "", i);
	*text = out.s ? strdup(out.s) : NULL;
	return *text ? 0 : err_set(e, ENOMEM, "list processors");
}
