/* SPDX-License-Identifier: Apache-2.0 */
/* Device rules into a v1 devices cgroup. */
#include "cgroups/internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

static int open_file(const struct cg_node *n, const char *file, struct err *e)
{
	char path[CG_FILE_MAX];
	int fd = open(cg_file(path, n, file), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? err_set(e, errno, "open %s", path) : fd;
}

static int put(int fd, const struct cg_node *n, const char *file, const char *text, struct err *e)
{
	int r = fd_write_once(fd, text, strlen(text));

	if (r == 0)
		return 0;
	err_set(e, -r, "write '%s' to %s of cgroup %s", text, file, n->path);
	if (r == -EPERM)
		err_hint(e, "a cgroup cannot allow more than its parent does");
	return r;
}

/* The kernel takes one rule a write, so the file stays open for all of them. */
static int put_all(
	const struct cg_node *n, const char *file, const struct spec_dev_rule *v, size_t count, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	char text[64];
	int r = 0;

	if (count == 0)
		return 0;
	fd = open_file(n, file, e);
	if (fd < 0)
		return fd;
	for (size_t i = 0; r == 0 && i < count; i++) {
		cg_dev_text(&v[i], text, sizeof(text));
		r = put(fd, n, file, text, e);
	}
	return r;
}

static int parse_number(const char *s, int64_t *out)
{
	if (str_eq(s, "*")) {
		*out = -1;
		return 0;
	}
	return str_to_i64(s, out);
}

/* One line of devices.list: "c 1:3 rwm". */
static int parse_line(char *line, struct spec_dev_rule *r)
{
	char *numbers = strchr(line, ' '), *access = numbers ? strchr(numbers + 1, ' ') : NULL, *colon;

	if (!access || numbers != line + 1)
		return -EINVAL;
	*access++ = '\0';
	colon = strchr(++numbers, ':');
	if (!colon)
		return -EINVAL;
	*colon++ = '\0';
	*r = (struct spec_dev_rule){ .allow = true, .type = line[0] };
	if (parse_number(numbers, &r->major) < 0 || parse_number(colon, &r->minor) < 0)
		return -EINVAL;
	for (; *access; access++)
		r->access |= *access == 'r'   ? SPEC_DEV_READ
			     : *access == 'w' ? SPEC_DEV_WRITE
					      : SPEC_DEV_MKNOD;
	return 0;
}

static bool same_device(const struct spec_dev_rule *a, const struct spec_dev_rule *b)
{
	return a->type == b->type && a->major == b->major && a->minor == b->minor;
}

/*
 * A living partition must not lose /dev/null for a moment while its list is made anew: what is new is allowed
 * first, then what is no longer on the list is denied.
 */
static int change_list(
	const struct cg_node *n, const struct spec_dev_rule *want, size_t count, bool *done, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -EBADF;
	char path[CG_FILE_MAX], rule[64];
	int r = fd_read_at(AT_FDCWD, cg_file(path, n, "devices.list"), 1U << 20, &text, NULL);

	if (r < 0)
		return err_set(e, -r, "read %s", path);
	/* "a *:* rwm": everything was allowed; then there is no list to compare with. */
	if (text[0] == 'a')
		return 0;
	*done = true;
	r = put_all(n, "devices.allow", want, count, e);
	for (char *line = text; r == 0 && *line;) {
		char *end = strchrnul(line, '\n');
		bool more = *end != '\0';
		struct spec_dev_rule old;

		*end = '\0';
		if (parse_line(line, &old) < 0)
			return err_text(e, EINVAL, "%s: '%s' is not understood", path, line);
		for (size_t i = 0; i < count; i++)
			if (same_device(&want[i], &old))
				old.access &= (uint8_t)~want[i].access;
		if (old.access) {
			if (fd < 0)
				fd = open_file(n, "devices.deny", e);
			if (fd < 0)
				return fd;
			cg_dev_text(&old, rule, sizeof(rule));
			r = put(fd, n, "devices.deny", rule, e);
		}
		line = end + more;
	}
	return r;
}

int cg_dev_v1(
	const struct cg_node *n, const struct spec_dev_rule *rules, size_t count, bool fresh, struct err *e)
{
	_cleanup_free_ struct spec_dev_rule *v = malloc(count * sizeof(*v));
	bool allow_all, done = false;
	int r;

	if (!v)
		return err_set(e, ENOMEM, "device rules");
	memcpy(v, rules, count * sizeof(*v));
	r = cg_dev_flatten(v, &count, &allow_all, e);
	if (r < 0)
		return r;
	if (!fresh && !allow_all) {
		r = change_list(n, v, count, &done, e);
		if (r < 0 || done)
			return r;
	}
	if (allow_all) {
		/* A new cgroup allows what its parent does; that is all there can be. */
		if (!fresh)
			r = cg_put(n, "devices.allow", "a", e);
		return r < 0 ? r : put_all(n, "devices.deny", v, count, e);
	}
	r = cg_put(n, "devices.deny", "a", e);
	return r < 0 ? r : put_all(n, "devices.allow", v, count, e);
}
