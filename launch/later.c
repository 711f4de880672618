/* SPDX-License-Identifier: Apache-2.0 */
/* What the next commits bring: goes away with them. Weak, so that the real ones take precedence. */
#include "launch/launch.h"

__attribute__((weak)) int launch_rm(
	const struct launch_ctx *ctx, const char *name, bool force, bool volumes, struct err *e)
{
	return err_text(e, ENOSYS, "rm %s: not there yet", name);
}

__attribute__((weak)) int launch_list(
	const struct launch_ctx *ctx, struct arena *a, struct launch_info **out, size_t *n, struct err *e)
{
	return err_text(e, ENOSYS, "list: not there yet");
}

#include "launch/record_internal.h"
__attribute__((weak)) int launch_remove(
	const struct launch_ctx *ctx, struct launch_dir *d, bool volumes, struct arena *a, struct err *e)
{
	return err_text(e, ENOSYS, "remove: not there yet");
}
