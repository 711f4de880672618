/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that knows libcgroup: the statistics of v1 controllers, read through it. */
#include "cgroups/internal.h"

#include <libcgroup.h>

#include "base/log.h"
#include "base/str.h"

static void log_line(void *userdata, int level, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

static void log_line(void *userdata, int level, const char *fmt, va_list ap)
{
	char text[512];

	vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\n")] = '\0';
	log_debug("libcgroup: %s", text);
}

/* Reads the host's mount table, about 1 ms: so not before the first statistics are wanted. */
static int init(void)
{
	static bool done;
	int r;

	if (done)
		return 0;
	/* Its default logger writes to stderr, which belongs to cli/. */
	cgroup_set_logger(log_line, CGROUP_LOG_ERROR, NULL);
	r = cgroup_init();
	if (r != 0) {
		log_debug("libcgroup: cgroup_init: %s", cgroup_strerror(r));
		return -EIO;
	}
	done = true;
	return 0;
}

int cg_lines_v1(const struct cg_node *n, const char *file, void (*fn)(char *line, void *arg), void *arg)
{
	char controller[32], name[64], line[16384];
	void *handle = NULL;
	int r = init();

	if (r < 0)
		return r;
	/* "cpuacct.usage" is a file of the controller "cpuacct". */
	if (strlen(file) >= sizeof(name) || strcspn(file, ".") >= sizeof(controller))
		return -ENAMETOOLONG;
	snprintf(controller, sizeof(controller), "%.*s", (int)strcspn(file, "."), file);
	snprintf(name, sizeof(name), "%s", file);
	r = cgroup_read_value_begin(controller, n->path, name, &handle, line, sizeof(line));
	if (r != 0 && r != ECGEOF)
		return r == ECGROUPNOTEXIST || r == ECGROUPVALUENOTEXIST ? -ENOENT : -EIO;
	while (r == 0) {
		line[strcspn(line, "\n")] = '\0';
		fn(line, arg);
		r = cgroup_read_value_next(&handle, line, sizeof(line));
	}
	cgroup_read_value_end(&handle);
	return 0;
}
