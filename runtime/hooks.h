/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks (config.md#posix-platform-hooks): programs run at named moments, with the state document on their
 * stdin.
 *
 * A hook gets exactly the environment that its entry lists and nothing of the image's (CVE-2025-23266), no
 * descriptor but 0, 1 and 2, default signal handling, and the bundle as working directory. What it prints is
 * kept, the first KiB of it, for the error message.
 */
#ifndef RUNTIME_HOOKS_H
#define RUNTIME_HOOKS_H

#include <stddef.h>

#include "base/err.h"
#include "spec/spec.h"

struct hooks_env {
	const char *state; /* the JSON document */
	const char *cwd;   /* NULL: stay */
	/* Annotations run.oci.hooks.stdout and .stderr: files that output is appended to; NULL: kept for the
	 * message. */
	const char *out_path, *err_path;
	/*
	 * Readable or hung up: nobody waits for the hook any more, and it is killed, with `stop_why` in the
	 * error. 0: there is none (stdin never is).
	 */
	int stop_fd;
	const char *stop_why;
	/* Called in the forked child before its exec: what the hook must not keep. May be NULL. Returns 0 or
	 * -errno. */
	int (*confine)(void *arg);
	void *arg;
};

/*
 * Runs them in order; the first that fails ends the run with an error that names it (its kind, index, path,
 * how it ended and what it said). `keep_going`: failures are logged as warnings instead and all are run
 * (poststop).
 */
int hooks_run(const struct spec_hooks *h, enum spec_hook_kind kind, const struct hooks_env *env,
	int keep_going, struct err *e);

#endif
