/* SPDX-License-Identifier: Apache-2.0 */
/* What plays the monitor to a guest's agent (driver.c): its means, for the files that its cases are in. */
#ifndef TESTS_SANDBOX_DRIVER_H
#define TESTS_SANDBOX_DRIVER_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/str.h"
#include "sandbox/proto.h"

#define IDS	400
#define WAIT_MS 60000

#define CHECK(cond, ...)                                                                   \
	do {                                                                               \
		if (!(cond)) {                                                             \
			fprintf(stderr, "driver: line %d: not so: %s: ", __LINE__, #cond); \
			fprintf(stderr, "" __VA_ARGS__);                                   \
			fprintf(stderr, "\n");                                             \
			exit(1);                                                           \
		}                                                                          \
	} while (0)

/* What is known of each process. */
struct seen {
	struct strbuf out, err;
	bool out_over, err_over, exited, hold; /* hold: no credit is given */
	uint32_t status, input_room;
};
extern struct seen seen[IDS];
extern bool oomed;

/* Of the last request. */
struct answer {
	bool there, failed, exec_failed;
	struct err error;
	struct strbuf data;
};
extern struct answer answer;

/* Members of CREATE: where the root file system is. */
extern const char *create_members;
/* A config.json. args: a JSON array; limits: members of linux.resources after the first. Its length. */
size_t config_text(char *text, size_t size, const char *args, bool terminal, const char *limits);

/* Serves the connection until *until, or so many ms. */
bool pump(const bool *until, int ms);
/* A request, whose answer is in `answer`; one that must not be refused. */
void ask(enum proto_type type, uint32_t id, const void *data, size_t len);
void must(enum proto_type type, uint32_t id, const char *text);
void put(uint32_t id, const void *data, size_t len);
void wait_exit(uint32_t id, uint32_t status);
bool said(const struct strbuf *b, const char *text);
void wait_said(uint32_t id, const char *text);
/* The first partition, from CREATE to START; a shell's script in it. */
void run(const char *args);
void exec_first(uint32_t id, const char *script);
void kill_it(uint32_t id, uint32_t sig, uint32_t flags);

/* driver_pod.c */
void case_pod(void);
void case_pod_late(void);
void case_pod_many(void);

#endif
