/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence spec: a config.json to begin with. */
#include "cli/cli.h"

#include <fcntl.h>

#include "base/fd.h"

struct spec_options {
	const char *bundle, *file;
	bool rootless;
};

#define AT(field) offsetof(struct spec_options, field)
static const struct opt options[] = {
	{ "bundle", 'b', OPT_STRING, AT(bundle), "DIR",
		"where to write it (default: the working directory)" },
	{ "file", 'f', OPT_STRING, AT(file), "FILE", "its name (default: config.json)" },
	{ "rootless", 0, OPT_BOOL, AT(rootless), NULL, "for a user who is not root: map the caller to root" },
	{ 0 },
};
#undef AT

static int run(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	const struct spec_options *o = values;
	const char *dir = o->bundle ? o->bundle : ".", *name = o->file ? o->file : "config.json";
	_cleanup_free_ char *text = spec_default(o->rootless, e);
	_cleanup_close_ int dirfd = -EBADF, fd = -EBADF;
	int r;

	if (!text)
		return -(e->code ? e->code : ENOMEM);
	dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return err_set(e, errno, "open bundle %s", dir);
	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0 && errno == EEXIST)
		return err_text(e, EEXIST, "%s exists already in %s; remove it first", name, dir);
	if (fd < 0)
		return err_set(e, errno, "create %s in %s", name, dir);
	r = fd_write_all(fd, text, strlen(text));
	if (r < 0) {
		unlinkat(dirfd, name, 0);
		return err_set(e, r, "write %s in %s", name, dir);
	}
	return 0;
}

const struct cli_verb verb_spec = {
	.name = "spec",
	.summary = "Write a config.json to begin with",
	.options = options,
	.size = sizeof(struct spec_options),
	.run = run,
};
