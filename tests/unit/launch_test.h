/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of launch/'s config share: an image made of texts, and the document for given options. */
#ifndef TESTS_UNIT_LAUNCH_TEST_H
#define TESTS_UNIT_LAUNCH_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "launch/config.h"

#define STRV(...) ((char *[]){ __VA_ARGS__, NULL })

struct files {
	const char *passwd, *group;
	size_t passwd_len, group_len; /* 0: strlen() */
};

static inline int open_text(const struct launch_image *i, const char *path, struct err *e)
{
	const struct files *f = i->arg;
	bool passwd = str_eq(path, "/etc/passwd");
	const char *text = f ? (passwd ? f->passwd : f->group) : NULL;
	size_t len = f ? (passwd ? f->passwd_len : f->group_len) : 0;
	char name[64];
	FILE *out;
	int fd;

	if (!text)
		return err_text(e, ENOENT, "%s: not there", path);
	snprintf(name, sizeof(name), "/tmp/launch-test-XXXXXX");
	fd = mkostemp(name, O_CLOEXEC);
	assert_true(fd >= 0);
	unlink(name);
	out = fdopen(dup(fd), "w");
	assert_non_null(out);
	if (!len)
		len = strlen(text);
	assert_int_equal(fwrite(text, 1, len, out), len);
	fclose(out);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static const struct files usual_files = {
	.passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/var/www:/bin/false\n",
	.group = "root:x:0:\nwww:x:34:\nlog:x:4:web,other\nadm:x:5:other\nweb2:x:34:web\n",
};

static inline struct launch_image usual_image(void)
{
	static char *const lower[] = { "/store/l2", "/store/l1", NULL };
	static char *const env[] = { "LANG=C", NULL };
	static char *const cmd[] = { "sh", NULL };

	return (struct launch_image){ .name = "docker.io/library/debian:12",
		.lower = lower,
		.env = env,
		.cmd = cmd,
		.os = "linux",
		.architecture = "amd64",
		.open_file = open_text,
		.arg = &usual_files };
}

struct made {
	struct arena *a;
	struct launch_record r;
	struct spec *s;
	const char *text;
	size_t len;
	struct err e;
	int result;
};

struct setting {
	struct launch_opts o;
	struct launch_image i;
	struct launch_network_plan net;
	struct launch_record r;
	bool rootless;
};

static inline struct setting usual(void)
{
	return (struct setting){ .o = { .image = "debian:12", .stop_timeout = -1 },
		.i = usual_image(),
		.net = { .own = true },
		.r = { .name = "web-1", .network = "none", .ids = -1 } };
}

static inline struct made make(const struct setting *s)
{
	struct launch_places at = { .bundle = "/data/partitions/web-1",
		.host = "/data/host/0123456789abcdef",
		.volumes = "/data/volumes",
		.self = "/usr/bin/ringfence",
		.data = "/data",
		.rootless = s->rootless };
	struct made m = { .a = arena_new(), .r = s->r };

	assert_non_null(m.a);
	m.result = launch_config(&s->o, &s->i, &at, &s->net, &m.r, m.a, &m.text, &m.len, &m.e);
	if (m.result < 0)
		return m;
	assert_int_equal(m.len, strlen(m.text));
	assert_int_equal(m.text[m.len - 1], '\n');
	if (spec_parse(m.text, m.len, &m.s, &m.e) < 0)
		fail_msg("%s\nis refused by spec_parse(): %s", m.text, m.e.text);
	return m;
}

static inline struct made made(const struct setting *s)
{
	struct made m = make(s);

	if (m.result < 0)
		fail_msg("refused: %s", m.e.text);
	return m;
}

static inline void unmake(struct made *m)
{
	if (m->s)
		spec_free(m->s);
	arena_free(m->a);
}

static inline void refused(const struct setting *s, const char *part)
{
	struct made m = make(s);

	if (m.result >= 0)
		fail_msg("taken, but should be: %s", part);
	if (!strstr(m.e.text, part))
		fail_msg("refused with:  %s\nbut should be: %s", m.e.text, part);
	assert_true(strlen(m.e.text) < 700);
	assert_null(strchr(m.e.text, '\n'));
	unmake(&m);
}

/* The mount on that destination, NULL if there is none. */
static inline const struct spec_mount *mount_on(const struct made *m, const char *destination)
{
	const struct spec_mount *found = NULL;

	for (size_t k = 0; k < m->s->n_mounts; k++)
		if (str_eq(m->s->mounts[k].destination, destination)) {
			assert_null(found);
			found = &m->s->mounts[k];
		}
	return found;
}

static inline bool has_option(const struct spec_mount *m, const char *option)
{
	return m && strv_has(m->options, option);
}

#endif
