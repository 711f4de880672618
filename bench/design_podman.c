/* SPDX-License-Identifier: Apache-2.0 */
/*
 * podman with conmon, on the payload's root file system, without an image and without a network: what an
 * engine costs beside its runtime (design.h). Its store, state and locks lie in the run's directory.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "bench/design.h"

/* podman takes 50 bytes at most for --runroot. */
static void add_runroot(const struct design *d, struct words *w)
{
	const char *slash = d->parameter ? strrchr(d->parameter, '/') : NULL;

	words_add(w, "--runroot");
	words_add(w, "%s/r-%.12s", d->env->site->path,
		slash	       ? slash + 1
		: d->parameter ? d->parameter
			       : "podman");
}

static void add_globals(const struct design *d, struct words *w)
{
	words_add(w, "%s", d->program);
	words_add(w, "--root");
	words_add(w, "%s/root", d->state);
	add_runroot(d, w);
	words_add(w, "--tmpdir");
	words_add(w, "%s/tmp", d->state);
	words_add(w, "--storage-driver");
	words_add(w, "vfs");
	words_add(w, "--cgroup-manager");
	words_add(w, "cgroupfs");
	if (d->parameter) {
		words_add(w, "--runtime");
		words_add(w, "%s", d->parameter);
	}
}

static int prepare(struct design *d, struct err *e)
{
	int r = design_make_dirs(d, e);

	return r < 0 ? r : design_find(d, "podman", "podman", e);
}

/* Not more than anybody may: podman asks for a million of each, which takes CAP_SYS_RESOURCE. */
static void add_limit(struct words *w, const char *name, int resource)
{
	struct rlimit limit = { 0, 0 };
	unsigned long long n = 16384;

	if (getrlimit(resource, &limit) == 0 && limit.rlim_max < n)
		n = limit.rlim_max;
	words_add(w, "--ulimit");
	words_add(w, "%s=%llu:%llu", name, n, n);
}

static int command(struct design *d, enum design_verb verb, const char *id, const char *const *payload,
	struct words *w, struct err *e)
{
	_cleanup_free_ char *root = NULL;
	bool makes = verb == DESIGN_RUN || verb == DESIGN_HOLD;
	int r = makes ? design_rootfs(d, &root, e) : 0;

	if (r < 0)
		return r;
	add_globals(d, w);
	words_add(w, "%s", makes ? "run" : verb == DESIGN_EXEC ? "exec" : "rm");
	if (verb == DESIGN_RUN)
		words_add(w, "--rm");
	if (verb == DESIGN_HOLD)
		words_add(w, "--detach");
	if (verb == DESIGN_STOP) {
		words_add(w, "--force");
		words_add(w, "--time");
		words_add(w, "0");
	}
	if (makes) {
		static const char *const options[] = { "--network", "none", "--log-driver", "none",
			"--read-only", "--read-only-tmpfs=false", NULL };

		words_add_all(w, options);
		words_add(w, "--env");
		words_add(w, "RINGFENCE_BENCH_RUN=%s", d->env->site->id);
		add_limit(w, "nofile", RLIMIT_NOFILE);
		add_limit(w, "nproc", RLIMIT_NPROC);
		/* Under a name of ours, or podman's own would stay. */
		words_add(w, "--cgroup-parent");
		words_add(w, "/rfb-%s-podman", d->env->site->id);
		words_add(w, "--name");
		words_add(w, "%s", id);
		words_add(w, "--rootfs");
		words_add(w, "%s", root);
	} else {
		words_add(w, "%s", id);
	}
	if (verb != DESIGN_STOP) {
		words_add(w, "/payload");
		words_add_all(w, payload);
	}
	return 0;
}

static void list(struct design *d, void (*each)(struct design *d, const char *id))
{
	_cleanup_strbuf_ struct strbuf out = { 0 };
	_cleanup_words_ struct words w = { 0 };

	add_globals(d, &w);
	words_add(&w, "ps");
	words_add(&w, "--all");
	words_add(&w, "--format");
	words_add(&w, "{{.Names}}");
	if (proc_run(&w, 30000, &out, NULL, NULL) != 0)
		return;
	for (char *p = out.s; p && *p;) {
		size_t n = strcspn(p, "\n");
		bool last = p[n] == '\0';

		p[n] = '\0';
		if (*p)
			each(d, p);
		p += n + !last;
	}
}

const struct design_kind design_podman = { .name = "podman",
	.title = "podman, with conmon",
	.says_on_return = true,
	.prepare = prepare,
	.command = command,
	.list = list };
