/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp.c and seccomp_install.c with SCMP_ACT_NOTIFY: the listener, its agent, and what a profile must
 * leave alone. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <linux/audit.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "security/seccomp.h"
#include "tests/unit/security_bpf.h"

#define NAMES(...) ((char *[]){ __VA_ARGS__, NULL })
#define RULES(...)                                            \
	.rules = (struct spec_seccomp_rule[]){ __VA_ARGS__ }, \
	.n_rules = sizeof((struct spec_seccomp_rule[]){ __VA_ARGS__ }) / sizeof(struct spec_seccomp_rule)
static const struct seccomp_options no_cache = { .cache_dirfd = -1 };

static void prepare(const struct spec_seccomp *s, struct seccomp_prog *p)
{
	struct err e = ERR_INIT;

	if (seccomp_prepare(s, &no_cache, p, &e) < 0)
		fail_msg("%s", e.text);
}

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#else
#error "name the architecture"
#endif

static void refused(const struct spec_seccomp *s, const char *text)
{
	struct seccomp_prog p = { .n = 4711 };
	struct err e = ERR_INIT;

	assert_int_equal(seccomp_prepare(s, &no_cache, &p, &e), -EINVAL);
	assert_string_equal(e.text, text);
	assert_int_equal(p.n, 4711);
}

static int install(const struct seccomp_prog *p)
{
	int listener = -1;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || seccomp_install(p, &listener, NULL) < 0)
		return -errno;
	return listener;
}

struct agent {
	int sock;
	char json[256];
	int cloexec;
	const char *path; /* of the notified mkdirat, as the agent saw its number */
	int calls;
	char why[128];
};

static int serve(struct agent *a, int listener)
{
	for (;;) {
		struct pollfd pfd = { .fd = listener, .events = POLLIN };
		struct seccomp_notif req = { 0 };
		struct seccomp_notif_resp resp = { 0 };

		/* POLLHUP: nobody is left whom the filter concerns. */
		if (poll(&pfd, 1, 10000) <= 0)
			return -1;
		if (!(pfd.revents & POLLIN))
			return 0;
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &req) < 0)
			return -1;
		if (req.data.nr != SYS_mkdirat || req.data.arch != NATIVE)
			return -1;
		resp.id = req.id;
		if (a->calls++ == 0)
			resp.error = -EMLINK;
		else
			resp.val = 4242;
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp) < 0)
			return -1;
	}
}

static void *agent_thread(void *arg)
{
	struct agent *a = arg;
	_cleanup_close_ int conn = accept4(a->sock, NULL, NULL, SOCK_CLOEXEC);
	_cleanup_close_ int listener = -EBADF;
	size_t n = 1;
	ssize_t len;

	len = fd_recv(conn, a->json, sizeof(a->json) - 1, &listener, &n);
	if (len <= 0 || n != 1) {
		snprintf(a->why, sizeof(a->why), "received %zd bytes, %zu descriptors", len, n);
		return NULL;
	}
	if (recv(conn, a->json + len, 1, 0) != 0)
		snprintf(a->why, sizeof(a->why), "more than one message");
	else if (serve(a, listener) < 0)
		snprintf(a->why, sizeof(a->why), "the listener: %s", strerror(errno));
	return NULL;
}

struct notified {
	struct seccomp_prog p;
	const char *path;
};

static int asks_the_agent(void *arg)
{
	struct notified *t = arg;
	int listener = install(&t->p);

	if (listener < 0 || !(fcntl(listener, F_GETFD) & FD_CLOEXEC))
		return 1;
	if (seccomp_send_listener(t->path, "{\"pid\":42}", listener, NULL) < 0)
		return 2;
	if (close(listener) < 0) /* still ours */
		return 3;
	if (syscall(SYS_mkdirat, AT_FDCWD, "/nonexistent/x", 0755) != -1 || errno != EMLINK)
		return 4;
	if (syscall(SYS_mkdirat, AT_FDCWD, "/nonexistent/y", 0755) != 4242)
		return 5;
	return 0;
}

static void an_agent_answers(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/rf-seccomp-XXXXXX", path[64];
	struct notified t = { .path = path };
	struct agent a = { 0 };
	pthread_t thread;
	struct spec_seccomp s = { .present = true,
		.default_action = "SCMP_ACT_ALLOW",
		.listener_path = path,
		RULES({ .names = NAMES("mkdirat"), .action = "SCMP_ACT_NOTIFY" }) };

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/agent", dir);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	a.sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(a.sock, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(a.sock, 1), 0);
	prepare(&s, &t.p);
	assert_true(t.p.has_notify);
	assert_int_equal(pthread_create(&thread, NULL, agent_thread, &a), 0);
	assert_int_equal(in_child(asks_the_agent, &t), 0);
	pthread_join(thread, NULL);
	close(a.sock);
	unlink(path);
	rmdir(dir);
	seccomp_prog_free(&t.p);
	assert_string_equal(a.why, "");
	assert_string_equal(a.json, "{\"pid\":42}");
	assert_int_equal(a.calls, 2);
}

static void no_agent_is_an_error(void **state)
{
	struct err e = ERR_INIT;

	static const char text[] = "linux.seccomp.listenerPath: nobody listens on /nonexistent/agent; start "
				   "the seccomp agent first";

	assert_int_equal(seccomp_send_listener("/nonexistent/agent", "{}", 0, &e), -ENOENT);
	assert_string_equal(e.text, text);
	err_clear(&e);
	assert_int_equal(seccomp_probe_agent("/nonexistent/agent", &e), -ENOENT);
	assert_string_equal(e.text, text);
	/* No socket at all. */
	err_clear(&e);
	assert_int_equal(seccomp_probe_agent("/dev/null", &e), -ECONNREFUSED);
	assert_string_equal(e.text,
		"linux.seccomp.listenerPath: nobody listens on /dev/null; start the seccomp agent first");
}

/* Sockets of every kind at one path: what the probe says, and that its owner hears nothing of it. */
static void an_agent_is_probed(void **state)
{
	static const struct {
		int type, code;
	} kinds[] = { { SOCK_STREAM, 0 }, { SOCK_DGRAM, -EPROTOTYPE } };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/rf-seccomp-XXXXXX";

	assert_non_null(mkdtemp(dir));
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/agent", dir);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		int sock = socket(AF_UNIX, kinds[i].type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		struct err e = ERR_INIT;
		char byte;

		assert_int_equal(bind(sock, (struct sockaddr *)&addr, sizeof(addr)), 0);
		if (kinds[i].type == SOCK_STREAM)
			assert_int_equal(listen(sock, 1), 0);
		assert_int_equal(seccomp_probe_agent(addr.sun_path, &e), kinds[i].code);
		if (kinds[i].type == SOCK_STREAM)
			assert_int_equal(accept4(sock, NULL, NULL, SOCK_CLOEXEC), -1);
		else
			assert_int_equal(recv(sock, &byte, 1, 0), -1);
		assert_int_equal(errno, EAGAIN);
		close(sock);
		/* The file is still there, whoever listened is not. */
		assert_int_equal(seccomp_probe_agent(addr.sun_path, &e), -ECONNREFUSED);
		unlink(addr.sun_path);
	}
	rmdir(dir);
}

/* read and write: by the default, by a rule, under a condition; and not at all. */
static void a_hand_over_needs_calls(void **state)
{
	struct spec_seccomp_arg arg = { .index = 0, .value = 9, .op = "SCMP_CMP_EQ" };
	struct spec_seccomp s = { .present = true,
		.default_action = "SCMP_ACT_ERRNO",
		.listener_path = "/x",
		RULES({ .names = NAMES("mkdirat"), .action = "SCMP_ACT_NOTIFY" },
			{ .names = NAMES("read", "write"), .action = "SCMP_ACT_ALLOW" }) };
	struct seccomp_prog p;

	prepare(&s, &p);
	seccomp_prog_free(&p);
	s.rules[1].args = &arg;
	s.rules[1].n_args = 1;
	prepare(&s, &p);
	seccomp_prog_free(&p);
	s.rules[1] = (struct spec_seccomp_rule){ .names = NAMES("write"), .action = "SCMP_ACT_ALLOW" };
	refused(&s,
		"linux.seccomp: a profile with SCMP_ACT_NOTIFY has to allow read, which the process needs "
		"to have its listener handed over");
	s.default_action = "SCMP_ACT_LOG";
	prepare(&s, &p);
	seccomp_prog_free(&p);
	s.rules[1] = (struct spec_seccomp_rule){ .names = NAMES("write"), .action = "SCMP_ACT_KILL" };
	refused(&s, "linux.seccomp: a profile with SCMP_ACT_NOTIFY has to allow write, which the process "
		    "needs to have its listener handed over");
	/* Without a listener nobody asks. */
	s.rules[0].action = "SCMP_ACT_KILL";
	prepare(&s, &p);
	seccomp_prog_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_agent_answers),
		cmocka_unit_test(no_agent_is_an_error),
		cmocka_unit_test(an_agent_is_probed),
		cmocka_unit_test(a_hand_over_needs_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
