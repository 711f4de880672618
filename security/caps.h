/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities of the process to be. caps.c is the only file that uses libcap. */
#ifndef SECURITY_CAPS_H
#define SECURITY_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "spec/spec.h"

/*
 * The sets that this kernel knows, and that this process may grant: asked of the kernel once. Bit n is
 * capability n.
 */
struct caps_host {
	int last_cap;
	uint64_t known, grantable;
};
int caps_host(struct caps_host *out, struct err *e);

/*
 * Clips the sets to what the host can grant (config.md: what cannot be granted is a warning, not an error)
 * and to what the kernel allows (ambient within permitted and inheritable, effective within permitted).
 * *dropped gets the bits that were asked for and are not given.
 */
void caps_clip(const struct spec_caps *wanted, const struct caps_host *host, struct spec_caps *out,
	uint64_t *dropped);

/*
 * In the child, in this order around the change of user:
 *   caps_bound()   drops the bounding set to caps->bounding;
 *   caps_keep()    PR_SET_KEEPCAPS, where the user changes from root to another (the next execve(2) clears
 * it); caps_narrow()  after setresuid(), where the last step has to wait: all but what the process will have
 * in the end, and `keep`, which is made effective (the change of user has cleared that set); caps_apply()
 * permitted, effective, inheritable, then ambient. `caps` has been clipped. Few system calls: only
 * capabilities that are really in a set are dropped or raised.
 */
int caps_bound(const struct spec_caps *caps, const struct caps_host *host, struct err *e);
int caps_keep(struct err *e);
int caps_narrow(const struct spec_caps *caps, uint64_t keep, struct err *e);
int caps_apply(const struct spec_caps *caps, struct err *e);

#endif
