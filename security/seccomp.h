/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seccomp: a section of config.json to a BPF program, and back from a cache. seccomp.c is the only file that
 * uses libseccomp.
 *
 * Theory of operation
 *   libseccomp takes some 20 ms for Docker's default profile. So the parent compiles once and keeps the
 *   program in a directory of its own (0700), in a file named after a hash of: the section's text, the kernel
 *   release, libseccomp's version, this program's version, and the architecture. The file holds the whole key
 *   and the hit compares it, so a collision of the (fast, not cryptographic) hash cannot swap filters. A file
 *   is written whole and renamed; one that is short, foreign-owned, writable by others or otherwise odd is
 *   ignored and replaced. A cache that cannot be written is no error. A hit is six system calls.
 *
 *   What the kernel does with a program on every start (check, translate, and run it for each system call it
 *   knows, to learn which are always allowed) grows with its length. So what libseccomp writes, one
 *   comparison for each system call, is turned into ranges first (seccomp_shrink.c).
 *
 *   The child installs the program with seccomp(2) directly and never runs libseccomp.
 */
#ifndef SECURITY_SECCOMP_H
#define SECURITY_SECCOMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "spec/spec.h"

struct seccomp_prog {
	void *insns;	    /* struct sock_filter[] */
	size_t n;	    /* number of instructions; 0: no filter asked for */
	unsigned int flags; /* SECCOMP_FILTER_FLAG_* for seccomp(2) */
	bool has_notify;    /* a SCMP_ACT_NOTIFY rule is in it: the listener goes to listener_path */
	char **unknown;	    /* names in the profile that this libseccomp does not know; NULL on a cache hit */
	void *map;	    /* private */
	size_t map_len;
};

struct seccomp_options {
	int cache_dirfd;   /* -1: no cache */
	bool fail_unknown; /* annotation run.oci.seccomp_fail_unknown_syscall */
};

/*
 * Checks and compiles. Refused by name: unknown actions, operators, architectures, flags; errnoRet with an
 * action that takes none; an argument index over 5; listenerMetadata without listenerPath; NOTIFY without
 * listenerPath, as default action, or on write(2) (the runtime itself must write after the filter is on).
 * With an ERRNO default action, system calls newer than the newest the profile names get ENOSYS, so that
 * libc's fallbacks work (runc does the same).
 */
int seccomp_prepare(const struct spec_seccomp *s, const struct seccomp_options *o, struct seccomp_prog *out,
	struct err *e);
void seccomp_prog_free(struct seccomp_prog *p);

/*
 * What the program says (SECCOMP_RET_*) to a system call of our own architecture: whether one that is still
 * to be made can be made once it is installed. Without a filter everything is allowed; of what is not
 * understood the answer is to kill.
 */
uint32_t seccomp_verdict(const struct seccomp_prog *p, int nr, const uint64_t args[6]);

/*
 * Installs it in the calling thread. *listener gets the notify fd (O_CLOEXEC, the caller's) if has_notify,
 * else -1. Needs no_new_privs or CAP_SYS_ADMIN.
 */
int seccomp_install(const struct seccomp_prog *p, int *listener, struct err *e);

/*
 * Whether an agent is there to get a listener: before anything is made. It notices nothing of it. An error
 * says why not.
 */
int seccomp_probe_agent(const char *path, struct err *e);

/*
 * Sends the listener to an agent: connect(2) to the listenerPath, one message of the containerProcessState
 * JSON with the fd attached. The fd stays the caller's. For the parent half, which has the host's paths.
 */
int seccomp_send_listener(const char *path, const char *process_state_json, int listener, struct err *e);

/* For `features`: NULL-terminated name lists, and which flags this kernel supports. */
extern const char *const seccomp_actions[], *const seccomp_operators[];
extern const char *const seccomp_archs[], *const seccomp_known_flags[];
int seccomp_supported_flags(const char *out[8]);
const char *seccomp_library_version(void);

#endif
