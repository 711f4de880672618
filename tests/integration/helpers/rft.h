/* SPDX-License-Identifier: Apache-2.0 */
/* rft: one static program with everything that the integration suite needs inside and outside a partition. */
#ifndef RFT_H
#define RFT_H

#include <stddef.h>
#include <sys/types.h>

/* Prints "rft: TEXT: strerror" and exits with 1. */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *fmt, ...);
/* Decimal, hexadecimal or octal; dies on anything else. */
long long number(const char *s);
double number_fraction(const char *s);
void sleep_ms(long ms);
/* readlink(2) into buf, always terminated; 0 or -1. */
int link_of(const char *path, char *buf, size_t size);

/*
 * A Unix stream socket that listens at `path`. It appears there by rename(2), so whoever sees the path can
 * connect. Accepts one connection; dies after `seconds`.
 */
int accept_one(const char *path, int seconds);
/* One message with at most `max` descriptors; *n_fds gets how many came. The text is terminated; returns its
 * length. */
ssize_t receive(int sock, char *text, size_t size, int *fds, int max, int *n_fds);

int cmd_inspect(int argc, char **argv);
int cmd_fds(int argc, char **argv);
int cmd_pause(int argc, char **argv);
int cmd_threads(int argc, char **argv);
int cmd_alloc(int argc, char **argv);
int cmd_sys(int argc, char **argv);
int cmd_int80(int argc, char **argv);
int cmd_winsize(int argc, char **argv);
int cmd_console(int argc, char **argv);
int cmd_recv_pidfd(int argc, char **argv);
int cmd_sink(int argc, char **argv);
int cmd_agent(int argc, char **argv);
int cmd_sd_notify(int argc, char **argv);
int cmd_sd_recv(int argc, char **argv);
int cmd_reap(int argc, char **argv);
int cmd_bundle(int argc, char **argv);
int cmd_links(int argc, char **argv);
int cmd_exchange(int argc, char **argv);
int cmd_tiocsti(int argc, char **argv);
int cmd_steal_exe(int argc, char **argv);
int cmd_watch_procs(int argc, char **argv);
int cmd_trace_joins(int argc, char **argv);
int cmd_keyring(int argc, char **argv);
int cmd_inject(int argc, char **argv);
int cmd_can(int argc, char **argv);
int cmd_pty(int argc, char **argv);
int cmd_sched(int argc, char **argv);
int cmd_resolver(int argc, char **argv);

#endif
