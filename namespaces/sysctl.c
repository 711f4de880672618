/* SPDX-License-Identifier: Apache-2.0 */
/* linux.sysctl: an allow-list of namespaced keys, written through a checked procfs (see sysctl.h). */
#include "namespaces/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "namespaces/ns.h"

/* What belongs to a namespace and to which; a name that ends in '/' is a prefix. Anything else is the host's.
 */
static const struct {
	const char *name;
	enum spec_ns ns;
} allowed[] = {
	{ "kernel/msgmax", SPEC_NS_IPC },
	{ "kernel/msgmnb", SPEC_NS_IPC },
	{ "kernel/msgmni", SPEC_NS_IPC },
	{ "kernel/msg_next_id", SPEC_NS_IPC },
	{ "kernel/sem", SPEC_NS_IPC },
	{ "kernel/sem_next_id", SPEC_NS_IPC },
	{ "kernel/shmall", SPEC_NS_IPC },
	{ "kernel/shmmax", SPEC_NS_IPC },
	{ "kernel/shmmni", SPEC_NS_IPC },
	{ "kernel/shm_next_id", SPEC_NS_IPC },
	{ "kernel/shm_rmid_forced", SPEC_NS_IPC },
	{ "fs/mqueue/", SPEC_NS_IPC },
	{ "kernel/hostname", SPEC_NS_UTS },
	{ "kernel/domainname", SPEC_NS_UTS },
	{ "net/", SPEC_NS_NETWORK },
	{ "user/", SPEC_NS_USER },
};

/*
 * A key as the path below /proc/sys. As in sysctl.d(5): if the first separator is a slash the key is a path
 * already; else dots and slashes change places, so that "net.ipv4.conf.eth0/1.mtu" names the interface
 * eth0.1. Nothing that could climb out of the directory passes.
 */
static int key_to_path(const char *key, char *buf, size_t size)
{
	size_t len = strlen(key), first = strcspn(key, "./");
	bool swap = key[first] == '.';
	char absolute[NAME_MAX + 2];

	if (len == 0 || len >= size || len > NAME_MAX)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)key[i];

		if (c <= ' ' || c >= 0x7f || c == '=' || c == '+' || c == '\\')
			return -EINVAL;
		if (swap && (c == '.' || c == '/'))
			c = c == '.' ? '/' : '.';
		buf[i] = (char)c;
	}
	buf[len] = '\0';
	snprintf(absolute, sizeof(absolute), "/%s", buf);
	return path_is_normal(absolute) ? 0 : -EINVAL;
}

static int needed_namespace(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		const char *name = allowed[i].name;

		if (str_ends(name, "/") ? str_starts(path, name) : str_eq(path, name))
			return (int)allowed[i].ns;
	}
	return -1;
}

static int check_one(const struct spec *s, const struct spec_sysctl *c, struct err *e)
{
	char path[NAME_MAX + 1];
	int ns;

	if (key_to_path(c->key, path, sizeof(path)) < 0)
		return err_text(e, EINVAL, "linux.sysctl: \"%s\" is no valid key", c->key);
	/* One line is one value; what came after a newline would be a second write's (CVE-2022-0811). */
	if (strchr(c->value, '\n') || strlen(c->value) >= PATH_MAX)
		return err_text(
			e, EINVAL, "linux.sysctl %s: the value has a line break or is too long", c->key);
	ns = needed_namespace(path);
	if (ns < 0)
		return err_text(e, EINVAL,
			"linux.sysctl %s: not allowed, because it is not namespaced: it would change the "
			"whole host",
			c->key);
	if (ns_is_ours(s, (enum spec_ns)ns))
		return err_text(e, EINVAL,
			"linux.sysctl %s: not allowed without a %s namespace of the partition's own", c->key,
			spec_ns_names[ns]);
	if (s->hostname && str_eq(path, "kernel/hostname"))
		return err_text(e, EINVAL, "linux.sysctl %s conflicts with the property hostname", c->key);
	if (s->domainname && str_eq(path, "kernel/domainname"))
		return err_text(e, EINVAL, "linux.sysctl %s conflicts with the property domainname", c->key);
	return 0;
}

int sysctl_check(const struct spec *s, struct err *e)
{
	for (size_t i = 0; i < s->n_sysctl; i++) {
		int r = check_one(s, &s->sysctl[i], e);

		if (r < 0)
			return r;
	}
	return 0;
}

int sysctl_apply(const struct spec *s, int procfd, struct err *e)
{
	for (size_t i = 0; i < s->n_sysctl; i++) {
		const struct spec_sysctl *c = &s->sysctl[i];
		_cleanup_close_ int fd = -EBADF;
		char path[NAME_MAX + 8] = "sys/";
		int r = key_to_path(c->key, path + 4, sizeof(path) - 4);

		if (r < 0)
			return err_text(e, EINVAL, "linux.sysctl: \"%s\" is no valid key", c->key);
		/* Nothing may stand over a part of this procfs, nor lead out of it (CVE-2025-52881). */
		fd = path_open(procfd, path, O_WRONLY, 0, PATH_NO_SYMLINKS | PATH_NO_XDEV);
		if (fd < 0)
			return err_set(e, -fd, "linux.sysctl %s: open /proc/%s", c->key, path);
		r = fd_write_once(fd, c->value, strlen(c->value));
		if (r < 0)
			return err_set(e, -r, "linux.sysctl %s: write \"%s\"", c->key, c->value);
	}
	return 0;
}
