/* SPDX-License-Identifier: Apache-2.0 */
/* The words for the enums of launch.h. */
#include "launch/launch.h"

const char *const launch_restart_names[] = {
	[LAUNCH_RESTART_NO] = "no",
	[LAUNCH_RESTART_ON_FAILURE] = "on-failure",
	[LAUNCH_RESTART_ALWAYS] = "always",
	[LAUNCH_RESTART_UNLESS_STOPPED] = "unless-stopped",
};

const char *const launch_status_names[] = {
	[LAUNCH_CREATED] = "created",
	[LAUNCH_RUNNING] = "running",
	[LAUNCH_PAUSED] = "paused",
	[LAUNCH_RESTARTING] = "restarting",
	[LAUNCH_EXITED] = "exited",
	[LAUNCH_LOST] = "lost",
};
