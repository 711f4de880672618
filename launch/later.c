/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What rm.c and info.c bring: this file goes away with them. Weak, so that the real ones take precedence, and
 * without their headers, which they may change.
 */
#include <errno.h>

int launch_rm(void);
int launch_list(void);
int launch_remove(void);

__attribute__((weak)) int launch_rm(void)
{
	return -ENOSYS;
}

__attribute__((weak)) int launch_list(void)
{
	return -ENOSYS;
}

__attribute__((weak)) int launch_remove(void)
{
	return -ENOSYS;
}
