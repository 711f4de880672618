/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays the monitor to a guest's agent, case by case.
 *
 *   driver [--setup JSON] [--create JSON] CASE --agent PROGRAM [ARGUMENT…]   over a socket pair
 *   driver [--setup JSON] [--create JSON] CASE --connect SOCKET              a chardev of QEMU's
 *   driver --share DIRECTORY SOCKET                        serves it to a chardev, until that is closed
 *   driver --list
 *
 * --create: members of CREATE ("root": …).
 */
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "sandbox/p9.h"
#include "tests/sandbox/driver.h"

static struct proto port;
static const char *setup = "{}";
const char *create_members = "\"root\":\"/\"";
static pid_t agent;
static uint32_t serial;

struct seen seen[IDS];
bool oomed;
static bool crowd; /* many requests are under way */

struct answer answer;

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- the connection --------------------------------------------------------------------------------- */

static void say(
	enum proto_type type, uint16_t flags, uint32_t id, uint32_t with, const void *data, size_t len)
{
	CHECK(proto_send(&port, type, flags, id, with, data, len) == 0, "frame of type %d", type);
}

void put(uint32_t id, const void *data, size_t len)
{
	say(PROTO_STDIN, 0, id, 0, data, len);
	seen[id].input_room -= (uint32_t)len;
}

static void give_credit(uint32_t id, uint16_t stream, uint32_t n)
{
	uint8_t data[4];

	proto_put_u32(data, n);
	say(PROTO_CREDIT, stream, id, 0, data, sizeof(data));
}

static void output(struct seen *s, const struct proto_msg *m)
{
	bool is_out = m->type == PROTO_STDOUT;
	bool *over = is_out ? &s->out_over : &s->err_over;

	CHECK(!*over && !s->exited, "output of %u after its end", m->id);
	if (m->len == 0)
		*over = true;
	strbuf_add(is_out ? &s->out : &s->err, (const char *)m->data, m->len);
	if (m->len && !s->hold)
		give_credit(m->id, is_out ? 1 : 2, (uint32_t)m->len);
}

static void receive(const struct proto_msg *m)
{
	struct seen *s = &seen[m->id];

	CHECK(m->id < IDS, "id %u", m->id);
	switch (m->type) {
	case PROTO_STDOUT:
	case PROTO_STDERR:
		output(s, m);
		break;
	case PROTO_EXIT:
		CHECK(s->out_over && s->err_over && !s->exited, "EXIT of %u came too early", m->id);
		s->exited = true;
		s->status = proto_u32(m, 0);
		break;
	case PROTO_CREDIT:
		s->input_room += proto_u32(m, 0);
		CHECK(s->input_room <= PROTO_WINDOW, "credit for input");
		break;
	case PROTO_OOM:
		oomed = true;
		break;
	case PROTO_LOG:
		fprintf(stderr, "driver: log: %.*s\n", (int)m->len, (const char *)m->data);
		break;
	case PROTO_DONE:
	case PROTO_ERROR:
		if (crowd) {
			CHECK(m->type == PROTO_DONE && m->serial == 1000 + m->id, "answer to %u", m->serial);
			break;
		}
		CHECK(m->serial == serial, "answer to %u, not %u", m->serial, serial);
		answer.there = true;
		answer.failed = m->type == PROTO_ERROR;
		answer.exec_failed = answer.failed && proto_u32(m, 4) == PROTO_EXEC_FAILED;
		if (answer.failed)
			proto_error(m, &answer.error);
		strbuf_add(&answer.data, (const char *)m->data, m->len);
		break;
	default:
		CHECK(false, "frame of type %d", m->type);
	}
}

/* Takes what comes until *what is true. False: it did not within ms. */
bool pump(const bool *what, int ms)
{
	int64_t until = now_ms() + ms;
	struct proto_msg m;

	while (!*what) {
		int64_t left = until - now_ms();
		int r = proto_wait(&port, &m, left > 0 ? (int)left : 0);

		if (r == -ETIMEDOUT)
			return false;
		CHECK(r == 0, "the connection: %s", strerror(-r));
		receive(&m);
	}
	return true;
}

void ask(enum proto_type type, uint32_t id, const void *data, size_t len)
{
	serial++;
	answer.there = answer.failed = answer.exec_failed = false;
	err_clear(&answer.error);
	strbuf_reset(&answer.data);
	say(type, 0, id, serial, data, len);
	CHECK(pump(&answer.there, WAIT_MS), "no answer to a request of type %d", type);
}

void must(enum proto_type type, uint32_t id, const char *text)
{
	ask(type, id, text, text ? strlen(text) : 0);
	CHECK(!answer.failed, "request of type %d: %s", type, answer.error.text);
}

void wait_exit(uint32_t id, uint32_t status)
{
	CHECK(pump(&seen[id].exited, WAIT_MS), "process %u does not end; it said \"%s\" \"%s\"", id,
		seen[id].out.s, seen[id].err.s);
	CHECK(seen[id].status == status, "process %u: %u instead of %u; it said \"%s\" \"%s\"", id,
		seen[id].status, status, seen[id].out.s ? seen[id].out.s : "",
		seen[id].err.s ? seen[id].err.s : "");
}

bool said(const struct strbuf *b, const char *text)
{
	return str_eq(b->s ? b->s : "", text);
}

void wait_said(uint32_t id, const char *text)
{
	const bool never = false;
	int64_t until = now_ms() + WAIT_MS;

	while (!said(&seen[id].out, text) && now_ms() < until)
		pump(&never, 20);
	CHECK(said(&seen[id].out, text), "%u: \"%s\"", id, seen[id].out.s);
}

static int connected(const char *path, int flags)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	CHECK(strlen(path) < sizeof(at.sun_path), "%s is too long", path);
	memcpy(at.sun_path, path, strlen(path) + 1);
	for (int i = 0; connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0; i++) {
		CHECK(i < 1000, "connect to %s", path);
		usleep(10000);
	}
	return fd;
}

static int share(const char *dir, const char *path)
{
	struct p9_export x = { .fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC),
		.sock = connected(path, 0) };
	struct err e = ERR_INIT;

	CHECK(x.fd >= 0, "open %s", dir);
	CHECK(p9_serve(&x, 1, -1, false, &e) == 0, "%s", e.text);
	return 0;
}

static void start_agent(char **argv)
{
	char number[16];
	char *args[10] = { argv[0], (char *)"--socket", number };
	int pair[2], n = 3;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
	while (*++argv && n < 9)
		args[n++] = *argv;
	agent = fork();
	if (agent == 0) {
		int fd = dup(pair[1]);

		snprintf(number, sizeof(number), "%d", fd);
		execv(args[0], args);
		err(127, "%s", args[0]);
	}
	close(pair[1]);
	proto_open(&port, pair[0]);
}

static void hear_ready(void)
{
	struct proto_msg m;
	int r = proto_wait(&port, &m, WAIT_MS);

	CHECK(r == 0 && m.type == PROTO_READY && proto_u32(&m, 0) == PROTO_VERSION, "READY: %s",
		strerror(-r));
	for (int i = 0; i < IDS; i++)
		seen[i].input_room = PROTO_WINDOW;
	must(PROTO_SETUP, 0, setup);
}

/* --- a partition --------------------------------------------------------------------------------------- */

static const char config[] =
	"{\"ociVersion\":\"1.0.2\",\"hostname\":\"inside\",\"root\":{\"path\":\"/"
	"nowhere\"},\"process\":{\"terminal\":%s,"
	"\"user\":{\"uid\":0,\"gid\":0},\"cwd\":\"/\",\"env\":[\"PATH=/bin\",\"TERM=linux\"],\"args\":%s,"
	"\"apparmorProfile\":\"of-the-host\"},"
	"\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
	"{\"destination\":\"/"
	"dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\",\"mode=755\"]},"
	"{\"destination\":\"/dev/"
	"pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":[\"newinstance\","
	"\"ptmxmode=0666\",\"mode=0620\"]},"
	"{\"destination\":\"/sys/fs/"
	"cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\",\"options\":[\"ro\"]}],"
	"\"hooks\":{\"prestart\":[{\"path\":\"/nowhere\"}],\"poststop\":[{\"path\":\"/nowhere\"}]},"
	"\"linux\":{\"cgroupsPath\":\"/of/the/host\",\"resources\":{\"cpu\":{\"cpus\":\"900\"}%s},"
	"\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"ipc\",\"path\":\"/"
	"nowhere\"},{\"type\":\"uts\"},"
	"{\"type\":\"network\",\"path\":\"/nowhere\"},{\"type\":\"cgroup\"}]}}";

static void create_from(const char *text, size_t len)
{
	char plan[2048];
	int n = snprintf(plan, sizeof(plan), "{\"id\":\"test\",%s}", create_members);

	say(PROTO_CONFIG, 0, 0, 0, text, len);
	ask(PROTO_CREATE, 0, plan, (size_t)n);
}

size_t config_text(char *text, size_t size, const char *args, bool terminal, const char *limits)
{
	int n = snprintf(text, size, config, terminal ? "true" : "false", args, limits);

	CHECK(n < (int)size, "config");
	return (size_t)n;
}

static void create(const char *args, bool terminal, const char *limits)
{
	char text[4096];
	size_t n = config_text(text, sizeof(text), args, terminal, limits);

	create_from(text, n);
}

void run(const char *args)
{
	create(args, false, "");
	CHECK(!answer.failed, "CREATE: %s", answer.error.text);
	must(PROTO_START, 0, NULL);
}

void exec_first(uint32_t id, const char *script)
{
	char text[2048];

	snprintf(text, sizeof(text), "{\"args\":[\"sh\",\"-c\",\"%s\"]}", script);
	must(PROTO_EXEC, id, text);
}

void kill_it(uint32_t id, uint32_t sig, uint32_t flags)
{
	uint8_t data[8];

	proto_put_u32(data, sig);
	proto_put_u32(data + 4, flags);
	ask(PROTO_SIGNAL, id, data, sizeof(data));
}

/* --- cases ------------------------------------------------------------------------------------------------
 */

static void case_basic(void)
{
	run("[\"sh\",\"-c\",\"cat; echo problem >&2; hostname; exit 7\"]");
	put(0, "hello\n", 6);
	put(0, NULL, 0);
	wait_exit(0, 7);
	CHECK(said(&seen[0].out, "hello\ninside\n"), "\"%s\"", seen[0].out.s);
	CHECK(said(&seen[0].err, "problem\n"), "\"%s\"", seen[0].err.s);
	CHECK(seen[0].input_room == PROTO_WINDOW, "credit for input: %u", seen[0].input_room);
}

/* Many at once, which end in no order. */
static void case_execs(void)
{
	char text[300];

	run("[\"sleep\",\"1000\"]");
	for (uint32_t id = 1; id <= 100; id++) {
		snprintf(text, sizeof(text), "read x; echo $x; exit %u", id);
		exec_first(id, text);
	}
	for (uint32_t id = 100; id >= 1; id--) {
		snprintf(text, sizeof(text), "this is %u\n", id);
		put(id, text, strlen(text));
	}
	for (uint32_t id = 1; id <= 100; id++) {
		wait_exit(id, id);
		snprintf(text, sizeof(text), "this is %u\n", id);
		CHECK(said(&seen[id].out, text), "%u: \"%s\"", id, seen[id].out.s);
	}
	must(PROTO_EXEC, 101,
		"{\"process\":{\"cwd\":\"/bin\",\"user\":{\"uid\":5,\"gid\":6},\"args\":[\"sh\",\"-c\",\"id "
		"-u; id -g; pwd\"],"
		"\"env\":[\"PATH=/bin\"],\"apparmorProfile\":\"of-the-host\"}}");
	wait_exit(101, 0);
	CHECK(said(&seen[101].out, "5\n6\n/bin\n"), "\"%s\"", seen[101].out.s);
	must(PROTO_EXEC, 102,
		"{\"args\":[\"sh\",\"-c\",\"echo $A; pwd; id -u\"],\"env\":[\"A=b "
		"c\"],\"cwd\":\"/bin\",\"user\":\"7:8\","
		"\"stdin\":false}");
	wait_exit(102, 0);
	CHECK(said(&seen[102].out, "b c\n/bin\n7\n"), "\"%s\"", seen[102].out.s);
}

/* More than the agent does at once. */
static void case_crowd(void)
{
	static const char what[] = "{\"args\":[\"true\"]}";

	run("[\"sleep\",\"1000\"]");
	/* All of them fit into the agent's buffer, and we say nothing after that. */
	crowd = true;
	for (uint32_t id = 1; id <= 150; id++)
		say(PROTO_EXEC, 0, id, 1000 + id, what, sizeof(what) - 1);
	for (uint32_t id = 1; id <= 150; id++)
		wait_exit(id, 0);
	crowd = false;
}

static void case_signals(void)
{
	run("[\"sh\",\"-c\",\"trap 'echo got it' USR1; echo ready; while :; do sleep 0.1; done\"]");
	wait_said(0, "ready\n");
	exec_first(1, "echo ready; exec sleep 1000");
	wait_said(1, "ready\n");
	kill_it(0, SIGUSR1, 0);
	CHECK(!answer.failed, "%s", answer.error.text);
	wait_said(0, "ready\ngot it\n");
	kill_it(1, SIGTERM, 0);
	CHECK(!answer.failed, "%s", answer.error.text);
	wait_exit(1, 128 + SIGTERM);
	kill_it(1, SIGTERM, 0);
	CHECK(answer.failed && answer.error.code == ESRCH, "\"%s\"", answer.error.text);
	exec_first(2, "sleep 1000");
	kill_it(0, SIGKILL, PROTO_ALL);
	CHECK(!answer.failed, "%s", answer.error.text);
	wait_exit(2, 128 + SIGKILL);
	wait_exit(0, 128 + SIGKILL);
}

static void case_kill_created(void)
{
	create("[\"sleep\",\"1000\"]", false, "");
	CHECK(!answer.failed, "CREATE: %s", answer.error.text);
	kill_it(0, SIGKILL, 0);
	CHECK(!answer.failed, "%s", answer.error.text);
	wait_exit(0, 128 + SIGKILL);
	ask(PROTO_START, 0, NULL, 0);
	CHECK(answer.failed, "started what is dead");
}

static void case_terminal(void)
{
	static const uint8_t size[8] = { 33, 0, 101, 0 }, other[8] = { 44, 0, 55, 0 };

	create("[\"sh\",\"-c\",\"stty size; read x; stty size; tty; exit 3\"]", true, "");
	CHECK(!answer.failed, "CREATE: %s", answer.error.text);
	say(PROTO_WINSIZE, 0, 0, 0, size, sizeof(size));
	must(PROTO_START, 0, NULL);
	must(PROTO_EXEC, 1, "{\"args\":[\"sh\",\"-c\",\"read x; stty size\"],\"tty\":true}");
	say(PROTO_WINSIZE, 0, 1, 0, other, sizeof(other));
	put(1, "\n", 1);
	wait_exit(1, 0);
	CHECK(strstr(seen[1].out.s, "44 55\r\n"), "\"%s\"", seen[1].out.s);
	say(PROTO_WINSIZE, 0, 0, 0, other, sizeof(other));
	put(0, "\n", 1);
	wait_exit(0, 3);
	CHECK(strstr(seen[0].out.s, "33 101\r\n") && strstr(seen[0].out.s, "44 55\r\n") &&
			strstr(seen[0].out.s, "/dev/"),
		"\"%s\"", seen[0].out.s);
}

static void case_errors(void)
{
	uint8_t nothing = 0;

	ask(PROTO_START, 0, NULL, 0);
	CHECK(answer.failed, "START before CREATE");
	ask(PROTO_EXEC, 5, "{}", 2);
	CHECK(answer.failed, "EXEC before CREATE");
	create("[\"no-such-program\"]", false, "");
	CHECK(answer.failed && strstr(answer.error.text, "no-such-program"), "\"%s\"", answer.error.text);
	create("[\"sleep\",\"1000\"", false, "");
	CHECK(answer.failed && strstr(answer.error.text, "config.json"), "\"%s\"", answer.error.text);
	ask(PROTO_CREATE, 0, "{", 1);
	CHECK(answer.failed, "half a plan");
	/* After all these it can still be done right. */
	run("[\"sleep\",\"1000\"]");
	ask(PROTO_EXEC, 1, "{\"args\":[\"no-such-program\"]}", strlen("{\"args\":[\"no-such-program\"]}"));
	CHECK(answer.failed && answer.exec_failed && strstr(answer.error.text, "no-such-program"), "\"%s\"",
		answer.error.text);
	ask(PROTO_EXEC, 2, "{\"args\":[]}", strlen("{\"args\":[]}"));
	CHECK(answer.failed && !answer.exec_failed, "nothing to execute");
	ask(PROTO_EXEC, 0, "{\"args\":[\"true\"]}", strlen("{\"args\":[\"true\"]}"));
	CHECK(answer.failed, "id 0 twice");
	ask(PROTO_START, 0, NULL, 0);
	CHECK(answer.failed, "START twice");
	ask((enum proto_type)99, 0, &nothing, 1);
	CHECK(answer.failed && answer.error.code == EOPNOTSUPP, "\"%s\"", answer.error.text);
	exec_first(3, "exit 4");
	wait_exit(3, 4);
}

#define MUCH (10 << 20)

static void feed(uint32_t id, const char *data, size_t len)
{
	struct proto_msg m;
	size_t at = 0;

	while (at < len) {
		size_t n = len - at < 30000 ? len - at : 30000;
		int r = 0;

		n = n < seen[id].input_room ? n : seen[id].input_room;
		if (n) {
			put(id, data + at, n);
			at += n;
		}
		r = proto_wait(&port, &m, n ? 0 : WAIT_MS);
		CHECK(r == 0 || (n && r == -ETIMEDOUT), "feed: %s", strerror(-r));
		if (r == 0)
			receive(&m);
	}
	put(id, NULL, 0);
}

static void case_much(void)
{
	char *data = malloc(MUCH);
	uint64_t x = 88172645463325252ULL;

	for (size_t i = 0; i + 8 <= MUCH; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(data + i, &x, 8);
	}
	run("[\"cat\"]");
	feed(0, data, MUCH);
	wait_exit(0, 0);
	CHECK(seen[0].out.len == MUCH && memcmp(seen[0].out.s, data, MUCH) == 0, "%zu of %d bytes, or others",
		seen[0].out.len, MUCH);
	free(data);
}

/* One that nobody reads holds up nothing but itself, and loses nothing. */
static void case_stalled(void)
{
	const bool never = false;

	run("[\"sleep\",\"1000\"]");
	seen[1].hold = true;
	exec_first(1, "head -c 3000000 /dev/zero");
	exec_first(2, "sleep 1000");
	for (uint32_t id = 3; id < 10; id++) {
		exec_first(id, "head -c 300000 /dev/zero");
		wait_exit(id, 0);
		CHECK(seen[id].out.len == 300000, "%u: %zu bytes", id, seen[id].out.len);
	}
	pump(&never, 300);
	CHECK(seen[1].out.len == PROTO_WINDOW, "%zu bytes without credit", seen[1].out.len);
	/* Nor is anything lost of one that has ended meanwhile. */
	seen[20].hold = true;
	exec_first(20, "head -c 180000 /dev/zero");
	pump(&never, 500);
	CHECK(seen[20].out.len == PROTO_WINDOW && !seen[20].exited, "%zu bytes", seen[20].out.len);
	seen[20].hold = seen[1].hold = false;
	give_credit(20, 1, PROTO_WINDOW);
	give_credit(1, 1, PROTO_WINDOW);
	wait_exit(20, 0);
	CHECK(seen[20].out.len == 180000, "%zu bytes", seen[20].out.len);
	wait_exit(1, 0);
	CHECK(seen[1].out.len == 3000000, "%zu bytes", seen[1].out.len);
}

/* Input for one that does not read. */
static void case_full_input(void)
{
	static char data[PROTO_WINDOW];
	const bool never = false;

	run("[\"sleep\",\"1000\"]");
	exec_first(1, "sleep 1; wc -c");
	put(1, data, 60000);
	put(1, data, PROTO_WINDOW - 60000);
	put(1, NULL, 0);
	exec_first(2, "echo quick");
	wait_exit(2, 0);
	CHECK(!seen[1].exited, "it did not wait");
	wait_exit(1, 0);
	CHECK(said(&seen[1].out, "131072\n"), "\"%s\"", seen[1].out.s);
	exec_first(3, "exec <&-; sleep 1");
	put(3, data, 60000);
	wait_exit(3, 0);
	pump(&never, 50);
	CHECK(seen[3].input_room == PROTO_WINDOW, "%u: what nobody reads is credited, too",
		seen[3].input_room);
}

/* What a process leaves behind keeps its output open. */
static void case_background(void)
{
	int64_t since;

	run("[\"sleep\",\"1000\"]");
	since = now_ms();
	exec_first(1, "sleep 30 & echo said");
	wait_exit(1, 0);
	CHECK(said(&seen[1].out, "said\n"), "\"%s\"", seen[1].out.s);
	exec_first(2, "yes & echo said >&2");
	wait_exit(2, 0);
	CHECK(said(&seen[2].err, "said\n"), "\"%s\"", seen[2].err.s);
	CHECK(now_ms() - since < 20000, "it waited");
}

static void case_words(void)
{
	run("[\"sleep\",\"1000\"]");
	must(PROTO_STATS, 0, NULL);
	CHECK(answer.data.s[0] == '{' && strstr(answer.data.s, "\"cpu\"") &&
			strstr(answer.data.s, "\"network_interfaces\""),
		"\"%s\"", answer.data.s);
	must(PROTO_PIDS, 0, NULL);
	CHECK(answer.data.s[0] == '[' && strlen(answer.data.s) > 2, "\"%s\"", answer.data.s);
	must(PROTO_UPDATE, 0, "{\"pids\":{\"limit\":50},\"cpu\":{\"cpus\":\"800\"}}");
	exec_first(1, "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null");
	CHECK(pump(&seen[1].exited, WAIT_MS), "cat");
	CHECK(said(&seen[1].out, "50\n"), "\"%s\"", seen[1].out.s);
	ask(PROTO_UPDATE, 0, "{\"pids\":17}", 11);
	CHECK(answer.failed, "nonsense for resources");
}

static void case_memory(void)
{
	const char *eat = "[\"sh\",\"-c\",\"x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done\"]";

	create(eat, false, ",\"memory\":{\"limit\":8388608,\"swap\":8388608}");
	CHECK(!answer.failed, "CREATE: %s", answer.error.text);
	must(PROTO_START, 0, NULL);
	wait_exit(0, 128 + SIGKILL);
	CHECK(oomed, "OOM was not told");
}

/* The whole connection ends for whoever does not keep to its rules. */
static void expect_end(void)
{
	struct proto_msg m;
	int r;

	while ((r = proto_wait(&port, &m, WAIT_MS)) == 0)
		;
	CHECK(r == -EPIPE || r == -ECONNRESET, "it lives on: %s", strerror(-r));
}

static void case_hostile_header(void)
{
	CHECK(write(port.fd, "\xff\xff\xff\xff\x01\x00\x00\x00zzzzzzzzzzzzzzzzzzzz", 28) == 28, "write");
	expect_end();
}

static void case_hostile_input(void)
{
	static char data[60000];

	run("[\"sleep\",\"1000\"]");
	for (int i = 0; i < 5; i++)
		proto_send(&port, PROTO_STDIN, 0, 0, 0, data, sizeof(data));
	expect_end();
}

static void case_hostile_credit(void)
{
	run("[\"sleep\",\"1000\"]");
	give_credit(0, 1, 1);
	expect_end();
}

/* None of these may hurt. */
static void case_hostile_frames(void)
{
	static const uint8_t types[] = { PROTO_START, PROTO_SIGNAL, PROTO_UPDATE, PROTO_STATS, PROTO_PIDS,
		PROTO_EXEC, PROTO_SETUP, PROTO_CREATE };

	say(PROTO_WINSIZE, 0, 77, 0, "x", 1);
	say(PROTO_STDIN, 0, 77, 0, "x", 1);
	say(PROTO_CREDIT, 1, 77, 0, NULL, 0);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		ask((enum proto_type)types[i], 3, "[\x01", 2);
		CHECK(answer.failed, "type %u", types[i]);
	}
	run("[\"sleep\",\"1000\"]");
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (types[i] == PROTO_STATS || types[i] == PROTO_PIDS)
			continue;
		ask((enum proto_type)types[i], 3, "[\x01", 2);
		CHECK(answer.failed, "type %u", types[i]);
	}
	say(PROTO_WINSIZE, 0, 0, 0, "xxxxxxxxx", 9);
	exec_first(4, "echo well");
	wait_exit(4, 0);
	CHECK(said(&seen[4].out, "well\n"), "\"%s\"", seen[4].out.s);
}

static void case_off(void)
{
	run("[\"sleep\",\"1000\"]");
	exec_first(1, "sleep 1000");
	say(PROTO_OFF, 0, 0, 0, NULL, 0);
	expect_end();
}

/* For looking at a guest by hand. */
static void case_shell(void)
{
	const char *script = getenv("DRIVER_SCRIPT"), *file = getenv("DRIVER_CONFIG");
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (file) {
		CHECK(fd_read_at(AT_FDCWD, file, 1 << 20, &text, &len) == 0, "read %s", file);
		create_from(text, len);
		CHECK(!answer.failed, "CREATE: %s", answer.error.text);
		must(PROTO_START, 0, NULL);
	} else {
		run("[\"sleep\",\"1000\"]");
	}
	exec_first(1, script ? script : "free");
	CHECK(pump(&seen[1].exited, WAIT_MS), "it does not end");
	printf("%s%s", seen[1].out.s ? seen[1].out.s : "", seen[1].err.s ? seen[1].err.s : "");
}

static const struct {
	const char *name;
	void (*run)(void);
	bool ends; /* … the agent by itself */
} cases[] = {
	{ "basic", case_basic, false },
	{ "execs", case_execs, false },
	{ "crowd", case_crowd, false },
	{ "signals", case_signals, false },
	{ "kill_created", case_kill_created, false },
	{ "terminal", case_terminal, false },
	{ "errors", case_errors, false },
	{ "much", case_much, false },
	{ "stalled", case_stalled, false },
	{ "full_input", case_full_input, false },
	{ "background", case_background, false },
	{ "words", case_words, false },
	{ "memory", case_memory, false },
	{ "pod", case_pod, false },
	{ "pod_late", case_pod_late, false },
	{ "pod_many", case_pod_many, false },
	{ "hostile_header", case_hostile_header, true },
	{ "hostile_input", case_hostile_input, true },
	{ "hostile_credit", case_hostile_credit, true },
	{ "hostile_frames", case_hostile_frames, false },
	{ "off", case_off, true },
	{ "shell", case_shell, false },
};

static void finish(bool ends)
{
	int status = 0;

	if (!ends) {
		say(PROTO_OFF, 0, 0, 0, NULL, 0);
		expect_end();
	}
	if (agent > 0) {
		waitpid(agent, &status, 0);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the agent ended with %x",
			(unsigned)status);
	}
}

int main(int argc, char **argv)
{
	const char *name = NULL;

	signal(SIGPIPE, SIG_IGN);
	for (int i = 1; i < argc; i++) {
		if (str_eq(argv[i], "--list")) {
			/* The last is for hands. */
			for (size_t k = 0; k < ARRAY_SIZE(cases) - 1; k++)
				puts(cases[k].name);
			return 0;
		} else if (str_eq(argv[i], "--share") && i + 2 < argc) {
			return share(argv[i + 1], argv[i + 2]);
		} else if (str_eq(argv[i], "--setup") && i + 1 < argc) {
			setup = argv[++i];
		} else if (str_eq(argv[i], "--create") && i + 1 < argc) {
			create_members = argv[++i];
		} else if (str_eq(argv[i], "--connect") && i + 1 < argc) {
			proto_open(&port, connected(argv[++i], SOCK_NONBLOCK));
		} else if (str_eq(argv[i], "--agent") && i + 1 < argc) {
			start_agent(argv + i + 1);
			break;
		} else {
			name = argv[i];
		}
	}
	for (size_t k = 0; name && k < ARRAY_SIZE(cases); k++) {
		if (!str_eq(name, cases[k].name))
			continue;
		hear_ready();
		cases[k].run();
		finish(cases[k].ends);
		return 0;
	}
	errx(2, "no case \"%s\"; see --list", name ? name : "");
}
