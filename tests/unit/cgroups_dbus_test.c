/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conversation with systemd, held with a stand-in for it on a private bus: a process of this test that
 * owns the name org.freedesktop.systemd1, checks what it is asked, and answers as it is told to. Needs
 * dbus-daemon.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cgroups/internal.h"

#ifdef HAVE_SYSTEMD

#include <dbus/dbus.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"

static char dir[] = "/tmp/ringfence-dbus-XXXXXX";
static char address[128], log_path[128];
static pid_t bus_pid;

/* How the stand-in behaves, by the unit's name: "exists.scope" exists, … */
static const char *signature_of(DBusMessage *m)
{
	return dbus_message_get_signature(m);
}

static void note(FILE *f, DBusMessage *m)
{
	DBusMessageIter i, array, item, variant;
	const char *name;

	fprintf(f, "%s %s\n", dbus_message_get_member(m), signature_of(m));
	if (!dbus_message_iter_init(m, &i))
		return;
	do {
		if (dbus_message_iter_get_arg_type(&i) != DBUS_TYPE_ARRAY ||
			dbus_message_iter_get_element_type(&i) != DBUS_TYPE_STRUCT)
			continue;
		dbus_message_iter_recurse(&i, &array);
		for (; dbus_message_iter_get_arg_type(&array) == DBUS_TYPE_STRUCT;
			dbus_message_iter_next(&array)) {
			char *sig;

			dbus_message_iter_recurse(&array, &item);
			dbus_message_iter_get_basic(&item, &name);
			dbus_message_iter_next(&item);
			if (dbus_message_iter_get_arg_type(&item) != DBUS_TYPE_VARIANT)
				continue;
			dbus_message_iter_recurse(&item, &variant);
			sig = dbus_message_iter_get_signature(&variant);
			fprintf(f, "  %s %s\n", name, sig);
			dbus_free(sig);
		}
	} while (dbus_message_iter_next(&i));
	fflush(f);
}

static void job_removed(DBusConnection *c, const char *unit, const char *result)
{
	DBusMessage *s = dbus_message_new_signal(
		"/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobRemoved");
	const char *job = "/org/freedesktop/systemd1/job/7";
	dbus_uint32_t id = 7;

	dbus_message_append_args(s, DBUS_TYPE_UINT32, &id, DBUS_TYPE_OBJECT_PATH, &job, DBUS_TYPE_STRING,
		&unit, DBUS_TYPE_STRING, &result, DBUS_TYPE_INVALID);
	dbus_connection_send(c, s, NULL);
	dbus_message_unref(s);
}

static DBusMessage *answer(DBusConnection *c, DBusMessage *m, const char *member, const char *unit, FILE *f)
{
	static bool reset;
	const char *job = "/org/freedesktop/systemd1/job/7", *text = "/test.slice";
	DBusMessage *r;

	if (str_eq(member, "ResetFailedUnit"))
		reset = true;
	if (str_eq(member, "StartTransientUnit")) {
		if (str_eq(unit, "exists.scope") || (str_eq(unit, "failed.scope") && !reset))
			return dbus_message_new_error(
				m, "org.freedesktop.systemd1.UnitExists", "Unit exists already.");
		if (str_eq(unit, "denied.scope"))
			return dbus_message_new_error(m, DBUS_ERROR_ACCESS_DENIED, "Permission denied");
		if (str_eq(unit, "old.scope")) {
			long here = ftell(f);
			char *all = calloc(1, (size_t)here + 1);
			bool again;

			/* Only the last call counts. */
			rewind(f);
			(void)!fread(all, 1, (size_t)here, f);
			fseek(f, here, SEEK_SET);
			for (char *last; (last = strstr(all + 1, "StartTransientUnit"));)
				memmove(all, last, strlen(last) + 1);
			again = strstr(all, "AllowedCPUs") != NULL;
			free(all);
			if (again)
				return dbus_message_new_error(m,
					"org.freedesktop.DBus.Error.PropertyReadOnly",
					"Cannot set property AllowedCPUs, or unknown property.");
		}
		if (str_eq(unit, "silent.scope"))
			return NULL;
		/* The signal may overtake the reply. */
		if (str_eq(unit, "early.scope"))
			job_removed(c, unit, "done");
	}
	if (str_eq(member, "StopUnit") && str_eq(unit, "gone.scope"))
		return dbus_message_new_error(
			m, "org.freedesktop.systemd1.NoSuchUnit", "Unit gone.scope not loaded.");
	r = dbus_message_new_method_return(m);
	if (str_eq(member, "StartTransientUnit") || str_eq(member, "StopUnit") || str_eq(member, "GetUnit"))
		dbus_message_append_args(r, DBUS_TYPE_OBJECT_PATH, &job, DBUS_TYPE_INVALID);
	if (str_eq(member, "Get")) {
		DBusMessageIter i, v;

		dbus_message_iter_init_append(r, &i);
		dbus_message_iter_open_container(&i, DBUS_TYPE_VARIANT, "s", &v);
		dbus_message_iter_append_basic(&v, DBUS_TYPE_STRING, &text);
		dbus_message_iter_close_container(&i, &v);
	}
	return r;
}

static void stand_in(int ready)
{
	DBusError why = DBUS_ERROR_INIT;
	DBusConnection *c = dbus_connection_open_private(address, &why);
	FILE *f = fopen(log_path, "w+");

	if (!c || !f || !dbus_bus_register(c, &why) ||
		dbus_bus_request_name(c, "org.freedesktop.systemd1", 0, &why) != 1)
		_exit(1);
	dbus_connection_set_exit_on_disconnect(c, FALSE);
	(void)!write(ready, "r", 1);
	while (dbus_connection_read_write(c, -1)) {
		DBusMessage *m;

		while ((m = dbus_connection_pop_message(c))) {
			const char *member = dbus_message_get_member(m), *unit = "";
			DBusMessage *r;

			if (dbus_message_get_type(m) != DBUS_MESSAGE_TYPE_METHOD_CALL) {
				dbus_message_unref(m);
				continue;
			}
			note(f, m);
			if (!str_eq(member, "Subscribe"))
				dbus_message_get_args(m, NULL, DBUS_TYPE_STRING, &unit, DBUS_TYPE_INVALID);
			r = answer(c, m, member, unit, f);
			if (r)
				dbus_connection_send(c, r, NULL);
			if (r && dbus_message_get_type(r) == DBUS_MESSAGE_TYPE_METHOD_RETURN &&
				(str_eq(member, "StartTransientUnit") || str_eq(member, "StopUnit")))
				job_removed(c, unit, str_eq(unit, "broken.scope") ? "failed" : "done");
			if (r)
				dbus_message_unref(r);
			dbus_message_unref(m);
			dbus_connection_flush(c);
		}
	}
	_exit(0);
}

static int group_setup(void **state)
{
	char config[128], text[64];
	int ready[2], announce[2];
	FILE *f;
	pid_t pid;

	if (!mkdtemp(dir) || pipe(ready) < 0 || pipe(announce) < 0)
		return -1;
	snprintf(config, sizeof(config), "%s/config", dir);
	snprintf(log_path, sizeof(log_path), "%s/log", dir);
	snprintf(address, sizeof(address), "unix:path=%s/bus", dir);
	f = fopen(config, "w");
	if (!f)
		return -1;
	fprintf(f,
		"<busconfig><type>session</type><listen>%s</listen><policy context='default'><allow "
		"send_destination='*' "
		"eavesdrop='true'/><allow eavesdrop='true'/><allow own='*'/></policy></busconfig>\n",
		address);
	fclose(f);
	bus_pid = fork();
	if (bus_pid == 0) {
		char option[160], fd[32];

		snprintf(option, sizeof(option), "--config-file=%s", config);
		snprintf(fd, sizeof(fd), "--print-address=%d", announce[1]);
		execlp("dbus-daemon", "dbus-daemon", "--nofork", option, fd, (char *)NULL);
		_exit(127);
	}
	close(announce[1]);
	if (read(announce[0], text, sizeof(text)) <= 0) {
		waitpid(bus_pid, NULL, 0);
		bus_pid = 0; /* no dbus-daemon here: the tests skip */
		return 0;
	}
	pid = fork();
	if (pid == 0)
		stand_in(ready[1]);
	close(ready[1]);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
	return read(ready[0], text, 1) == 1 ? 0 : -1;
}

static int group_teardown(void **state)
{
	static const char *const names[] = { "config", "log", "bus" };
	char path[160];

	if (bus_pid > 0) {
		kill(bus_pid, SIGTERM); /* the stand-in ends with its connection */
		waitpid(bus_pid, NULL, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

static struct err e;

static struct sd_bus_conn *connect_bus(void)
{
	struct sd_bus_conn *b = NULL;

	e = (struct err)ERR_INIT;
	if (sd_open(false, &b, &e) < 0)
		fail_msg("%s", e.text);
	return b;
}

#define NEED_BUS()                \
	do {                      \
		if (bus_pid == 0) \
			skip();   \
	} while (0)

static bool logged(const char *text)
{
	char buf[65536];
	int fd = open(log_path, O_RDONLY);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return strstr(buf, text) != NULL;
}

static int start(const char *unit)
{
	static const uint8_t mask[] = { 3 };
	static const uint32_t pid = 42;
	static const struct sd_pair device = { "/dev/char/1:3", "rw" };
	char *after[] = { (char *)"a.service", NULL };
	struct sd_props p = { .n = 0 };
	struct sd_bus_conn *b = connect_bus();
	int r;

	sd_add(&p, "Description", 's', "x", 0, NULL);
	sd_add(&p, "Delegate", 'b', NULL, 1, NULL);
	sd_add(&p, "MemoryMax", 't', NULL, 5, NULL);
	sd_add(&p, "KillSignal", 'i', NULL, 9, NULL);
	p.list[p.n++] = (struct sd_prop){ .name = "AllowedCPUs", .type = 'B', .bytes = mask, .n = 1 };
	p.list[p.n++] = (struct sd_prop){ .name = "PIDs", .type = 'U', .u32s = &pid, .n = 1 };
	p.list[p.n++] = (struct sd_prop){ .name = "After", .type = 'S', .strv = after, .n = 1 };
	p.list[p.n++] = (struct sd_prop){ .name = "DeviceAllow", .type = 'P', .pairs = &device, .n = 1 };
	r = sd_start_transient(b, unit, &p, &e);
	sd_close(b);
	return r;
}

static void test_start(void **state)
{
	NEED_BUS();
	assert_int_equal(start("good.scope"), 0);
	assert_true(logged("Subscribe"));
	assert_true(logged("StartTransientUnit ssa(sv)a(sa(sv))"));
	assert_true(logged("  Description s\n"));
	assert_true(logged("  Delegate b\n"));
	assert_true(logged("  MemoryMax t\n"));
	assert_true(logged("  KillSignal i\n"));
	assert_true(logged("  AllowedCPUs ay\n"));
	assert_true(logged("  PIDs au\n"));
	assert_true(logged("  After as\n"));
	assert_true(logged("  DeviceAllow a(ss)\n"));
	assert_int_equal(start("early.scope"), 0);
}

static void test_start_errors(void **state)
{
	NEED_BUS();
	assert_int_equal(start("failed.scope"), 0); /* reset, then tried again */
	assert_int_equal(start("exists.scope"), -EEXIST);
	assert_non_null(strstr(e.text, "another partition"));
	assert_int_equal(start("denied.scope"), -EACCES);
	assert_int_equal(start("broken.scope"), -EREMOTEIO);
	assert_non_null(strstr(e.text, "failed"));
	assert_int_equal(start("old.scope"), 0); /* without the property that it does not know */
}

static void test_others(void **state)
{
	struct sd_props p = { .n = 0 };
	struct sd_bus_conn *b;
	char path[64];

	NEED_BUS();
	b = connect_bus();
	sd_add(&p, "TasksMax", 't', NULL, 5, NULL);
	assert_int_equal(sd_set_properties(b, "good.scope", &p, &e), 0);
	assert_true(logged("SetUnitProperties sba(sv)"));
	assert_int_equal(sd_control_group(b, "test.slice", path, sizeof(path), &e), 0);
	assert_string_equal(path, "/test.slice");
	assert_int_equal(sd_stop_unit(b, "good.scope", &e), 0);
	assert_int_equal(sd_stop_unit(b, "gone.scope", &e), 0);
	assert_true(logged("ResetFailedUnit s"));
	sd_close(b);
}

static void test_no_bus(void **state)
{
	char *old = getenv("DBUS_SYSTEM_BUS_ADDRESS") ? strdup(getenv("DBUS_SYSTEM_BUS_ADDRESS")) : NULL;
	struct sd_bus_conn *b = NULL;

	e = (struct err)ERR_INIT;
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
	assert_int_equal(sd_open(false, &b, &e), -ENOENT);
	assert_non_null(strstr(e.text, "/nonexistent/bus"));
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "nonsense", 1);
	assert_true(sd_open(false, &b, &e) < 0);
	unsetenv("DBUS_SESSION_BUS_ADDRESS");
	unsetenv("XDG_RUNTIME_DIR");
	assert_int_equal(sd_open(true, &b, &e), -ENXIO);
	if (old)
		setenv("DBUS_SYSTEM_BUS_ADDRESS", old, 1);
	free(old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_start_errors),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_no_bus),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

#else

static void test_refused(void **state)
{
	struct cgrp_params p = { .manager = CGRP_SYSTEMD, .id = "x", .root_tag = "" };
	struct cgrp *c = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(cgrp_create(&p, &c, &e), -EOPNOTSUPP);
	assert_true(e.text[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_refused) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
