/* SPDX-License-Identifier: Apache-2.0 */
/* The agent with several partitions in one guest. */
#include <signal.h>
#include <string.h>

#include "tests/sandbox/driver.h"

/* A further partition, as those of a pod are. */
static void join(uint32_t id, const char *name, const char *args, const char *limits)
{
	char text[4096], plan[6144];
	/* What is written over a disk is the first one's. */
	const char *root =
		strstr(create_members, "overlay") ? "\"root\":\"/run/ringfence-guest/d0\"" : create_members;

	config_text(text, sizeof(text), args, false, limits);
	snprintf(plan, sizeof(plan), "{\"id\":\"%s\",%s,\"join\":[\"uts\",\"ipc\"],\"config\":%s}", name,
		root, text);
	must(PROTO_CREATE, id, plan);
}

static void exec_in(uint32_t id, uint32_t partition, const char *script)
{
	char text[2048];

	snprintf(text, sizeof(text), "{\"partition\":%u,\"args\":[\"sh\",\"-c\",\"%s\"]}", partition, script);
	must(PROTO_EXEC, id, text);
}

void case_pod(void)
{
	const char *eat = "[\"sh\",\"-c\",\"x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done\"]";
	const char *wait = "[\"sh\",\"-c\",\"echo here; cat\"]";
	const char *early = "{\"id\":\"early\",\"config\":{}}";
	const char *nonsense = "{\"id\":\"x\",\"root\":\"/\",\"join\":[\"nonsense\"],\"config\":{}}";
	bool never = false;

	ask(PROTO_CREATE, 5, early, strlen(early));
	CHECK(answer.failed, "a second partition before the first");
	run("[\"sh\",\"-c\",\"cat\"]");
	/* Names are the host's business: two of them are the same here. */
	join(5, "test", wait, "");
	join(6, "test", wait, ",\"memory\":{\"limit\":67108864}");
	ask(PROTO_CREATE, 5, early, strlen(early));
	CHECK(answer.failed, "the same number twice");
	ask(PROTO_CREATE, 7, nonsense, strlen(nonsense));
	CHECK(answer.failed, "nonsense joined");
	must(PROTO_START, 5, NULL);
	must(PROTO_START, 6, NULL);
	wait_said(5, "here\n");
	wait_said(6, "here\n");
	/* Namespaces: pid of its own, uts and ipc the first one's. */
	exec_in(22, 5, "readlink /proc/self/ns/ipc; readlink /proc/self/ns/uts");
	exec_first(23, "readlink /proc/self/ns/ipc; readlink /proc/self/ns/uts");
	exec_in(24, 6, "readlink /proc/self/ns/pid");
	exec_in(25, 5, "readlink /proc/self/ns/pid");
	wait_exit(22, 0);
	wait_exit(23, 0);
	wait_exit(24, 0);
	wait_exit(25, 0);
	CHECK(said(&seen[22].out, seen[23].out.s), "\"%s\" \"%s\"", seen[22].out.s, seen[23].out.s);
	CHECK(!said(&seen[24].out, seen[25].out.s), "one pid namespace for two: \"%s\"", seen[24].out.s);
	/* One stands still, the other does not. */
	must(PROTO_PAUSE, 5, NULL);
	put(5, "5\n", 2);
	put(6, "6\n", 2);
	wait_said(6, "here\n6\n");
	pump(&never, 200);
	CHECK(said(&seen[5].out, "here\n"), "\"%s\"", seen[5].out.s);
	must(PROTO_RESUME, 5, NULL);
	wait_said(5, "here\n5\n");
	must(PROTO_STATS, 6, NULL);
	must(PROTO_PIDS, 6, NULL);
	must(PROTO_UPDATE, 6, "{\"pids\":{\"limit\":55}}");
	/* Their ends are their own, and leave nothing behind. */
	exec_in(26, 5, "sleep 1000");
	kill_it(5, SIGKILL, PROTO_ALL);
	CHECK(!answer.failed, "%s", answer.error.text);
	wait_exit(26, 128 + SIGKILL);
	wait_exit(5, 128 + SIGKILL);
	ask(PROTO_PIDS, 5, NULL, 0);
	CHECK(answer.failed, "what has ended has processes");
	put(6, NULL, 0);
	wait_exit(6, 0);
	/* Out of memory: one's own. */
	join(8, "test", eat, ",\"memory\":{\"limit\":8388608,\"swap\":8388608}");
	must(PROTO_START, 8, NULL);
	wait_exit(8, 128 + SIGKILL);
	CHECK(oomed, "OOM was not told");
	/* Killed before it was started. */
	join(9, "test", wait, "");
	kill_it(9, SIGKILL, PROTO_ALL);
	wait_exit(9, 128 + SIGKILL);
	/* The first one's end finds one that lives. */
	join(10, "test", wait, "");
	must(PROTO_START, 10, NULL);
	put(0, NULL, 0);
	wait_exit(0, 0);
}

/* Who hears that something failed finds nothing left of it: the number is free again. */
void case_pod_late(void)
{
	const char *wait = "[\"sh\",\"-c\",\"echo here; cat\"]";
	const char *nowhere = "{\"id\":\"x\",\"root\":\"/nowhere\",\"config\":{\"ociVersion\":\"1.0.0\"}}";

	run("[\"sh\",\"-c\",\"cat\"]");
	join(5, "test", "[\"/bin/broken\"]", "");
	ask(PROTO_START, 5, NULL, 0);
	CHECK(answer.failed, "what has no interpreter has been started");
	ask(PROTO_CREATE, 5, nowhere, strlen(nowhere));
	CHECK(answer.failed, "a root that is not there");
	join(5, "test", wait, "");
	must(PROTO_START, 5, NULL);
	wait_said(5, "here\n");
	kill_it(5, SIGKILL, PROTO_ALL);
	wait_exit(5, 128 + SIGKILL);
	put(0, NULL, 0);
	wait_exit(0, 0);
}

/* One after another: each leaves what it found. */
void case_pod_many(void)
{
	run("[\"sh\",\"-c\",\"cat\"]");
	for (uint32_t id = 5; id < 35; id++) {
		join(id, "test", "[\"sh\",\"-c\",\"exit 3\"]", "");
		must(PROTO_START, id, NULL);
		wait_exit(id, 3);
	}
	put(0, NULL, 0);
	wait_exit(0, 0);
}
