/* SPDX-License-Identifier: Apache-2.0 */
/* The options that create and run share; the values are the fields of struct rt_create_opts. */
#ifndef CLI_CREATE_OPTIONS_H
#define CLI_CREATE_OPTIONS_H

#include "cli/cli.h"

#define CREATE_AT(field) offsetof(struct rt_create_opts, field)
/* clang-format off */
#define CREATE_OPTIONS \
	{ "bundle", 'b', OPT_STRING, CREATE_AT(bundle), "DIR", "the bundle (default: the working directory)" }, \
	{ "config", 'f', OPT_STRING, CREATE_AT(config), "FILE", "its configuration (default: config.json)" }, \
	{ "console-socket", 0, OPT_STRING, CREATE_AT(console_socket), "PATH", \
		"Unix socket that gets the terminal's master" }, \
	{ "pidfd-socket", 0, OPT_STRING, CREATE_AT(pidfd_socket), "PATH", \
		"Unix socket that gets a pidfd of the first process" }, \
	{ "pid-file", 0, OPT_STRING, CREATE_AT(pid_file), "FILE", "where to write the first process's pid" }, \
	{ "no-pivot", 0, OPT_BOOL, CREATE_AT(no_pivot), NULL, \
		"use MS_MOVE and chroot(2), for a host whose / is a ramdisk" }, \
	{ "no-new-keyring", 0, OPT_BOOL, CREATE_AT(no_new_keyring), NULL, "keep the caller's session keyring" }, \
	{ "no-subreaper", 0, OPT_BOOL, CREATE_AT(no_subreaper), NULL, \
		"do not become the reaper of orphans while attached" }, \
	{ "preserve-fds", 0, OPT_COUNT, CREATE_AT(preserve_fds), "N", "also hand on descriptors 3 to 3+N-1" }, \
	{ "isolation", 0, OPT_STRING, CREATE_AT(isolation), "KIND", "partition (default) or sandbox: a kernel of its own" }, \
	{ "accel", 0, OPT_STRING, CREATE_AT(accel), "KIND", "of a sandbox's machine: auto (default), kvm, tcg or qemu" }
/* clang-format on */

#endif
