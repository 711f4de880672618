/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd's manager over D-Bus. The only file that knows libdbus, and of that only the messages.
 *
 * The connection is our own few lines instead of libdbus's: its authentication names a user id, which in a
 * user namespace (rootless engines run us in one) is not the id that the bus sees in the socket's
 * credentials, and the bus refuses. "EXTERNAL" with an empty identity means "look at the credentials", and
 * works in both. Every wait here is bounded.
 */
#include "cgroups/internal.h"

#ifdef HAVE_SYSTEMD

#include <dbus/dbus.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

#define MANAGER	      "org.freedesktop.systemd1"
#define MANAGER_PATH  "/org/freedesktop/systemd1"
#define MANAGER_IFACE "org.freedesktop.systemd1.Manager"

enum {
	CALL_MS = 25000,
	START_MS = 30000, /* a busy pid 1 takes seconds: hundreds of units starting at once */
	STOP_MS = 5000,
	MESSAGE_MAX = 1 << 20,
	JOBS_MAX = 16,
};

struct job {
	char path[128], result[32];
};

struct sd_bus_conn {
	int fd;
	uint32_t serial;
	char *buf; /* received, not yet a whole message */
	size_t len, room;
	struct job done[JOBS_MAX]; /* JobRemoved may come before the reply that tells the job's name */
	size_t n_done;
};

static void unref(DBusMessage **m)
{
	if (*m)
		dbus_message_unref(*m);
}
#define _cleanup_message_ _cleanup_(unref)

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "D-Bus message");
}

/* --- bytes ----------------------------------------------------------------------------------- */

static int wait_for(struct sd_bus_conn *b, short events, uint64_t deadline, struct err *e)
{
	for (;;) {
		struct pollfd p = { .fd = b->fd, .events = events };
		uint64_t now = cg_now();
		int r;

		if (now >= deadline)
			return err_text(e, ETIMEDOUT, "systemd does not answer over D-Bus");
		r = poll(&p, 1, (int)((deadline - now) / 1000000) + 1);
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return err_set(e, errno, "wait for the D-Bus connection");
	}
}

static int send_bytes(struct sd_bus_conn *b, const char *p, size_t len, uint64_t deadline, struct err *e)
{
	while (len > 0) {
		ssize_t n = send(b->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			int r = wait_for(b, POLLOUT, deadline, e);

			if (r < 0)
				return r;
			continue;
		}
		if (n < 0 && errno != EINTR)
			return err_set(e, errno, "write to the D-Bus connection");
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static int receive_bytes(struct sd_bus_conn *b, uint64_t deadline, struct err *e)
{
	ssize_t n;
	int r = wait_for(b, POLLIN, deadline, e);

	if (r < 0)
		return r;
	if (b->room - b->len < 4096) {
		char *more = b->room < MESSAGE_MAX ? realloc(b->buf, b->room + 65536) : NULL;

		if (!more)
			return no_memory(e);
		b->buf = more;
		b->room += 65536;
	}
	n = recv(b->fd, b->buf + b->len, b->room - b->len, MSG_DONTWAIT);
	if (n == 0)
		return err_text(e, ECONNRESET, "the bus closed the D-Bus connection");
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return err_set(e, errno, "read from the D-Bus connection");
	if (n > 0)
		b->len += (size_t)n;
	return 0;
}

static void consume(struct sd_bus_conn *b, size_t n)
{
	b->len -= n;
	memmove(b->buf, b->buf + n, b->len);
}

/* --- connecting ------------------------------------------------------------------------------ */

/* One line of the authentication dialogue, which must start with `want`. */
static int expect(struct sd_bus_conn *b, const char *want, uint64_t deadline, struct err *e)
{
	for (;;) {
		char *end = b->len > 0 ? memchr(b->buf, '\n', b->len) : NULL;

		if (end) {
			bool good = (size_t)(end - b->buf) >= strlen(want) &&
				    memcmp(b->buf, want, strlen(want)) == 0;

			if (!good)
				return err_text(e, EACCES, "the bus refuses us: %.*s",
					(int)(end - b->buf > 60 ? 60 : end - b->buf), b->buf);
			consume(b, (size_t)(end - b->buf) + 1);
			return 0;
		}
		if (b->len > 4096)
			return err_text(e, EPROTO, "that is no D-Bus server");
		int r = receive_bytes(b, deadline, e);

		if (r < 0)
			return r;
	}
}

static int authenticate(struct sd_bus_conn *b, uint64_t deadline, struct err *e)
{
	static const char hello[] = "\0AUTH EXTERNAL\r\n";
	int r = send_bytes(b, hello, sizeof(hello) - 1, deadline, e);

	if (r == 0)
		r = expect(b, "DATA", deadline, e);
	if (r == 0)
		r = send_bytes(b, "DATA\r\n", 6, deadline, e);
	if (r == 0)
		r = expect(b, "OK", deadline, e);
	return r < 0 ? r : send_bytes(b, "BEGIN\r\n", 7, deadline, e);
}

static int connect_entry(DBusAddressEntry *entry)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = CALL_MS / 1000 };
	const char *path = dbus_address_entry_get_value(entry, "path"),
		   *abstract = dbus_address_entry_get_value(entry, "abstract");
	const char *name = path ? path : abstract;
	_cleanup_close_ int fd = -EBADF;
	size_t len;

	if (!str_eq(dbus_address_entry_get_method(entry), "unix") || !name)
		return -EOPNOTSUPP;
	len = strlen(name);
	if (len + 2 > sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path + !path, name, len);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A bus that accepts nobody would hold connect() for good. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&addr,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + !path + len + (path ? 1 : 0))) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int connect_address(const char *address, struct err *e)
{
	DBusAddressEntry **entries;
	DBusError why = DBUS_ERROR_INIT;
	int n, fd = -EOPNOTSUPP;

	if (!dbus_parse_address(address, &entries, &n, &why)) {
		err_text(e, EINVAL, "D-Bus address '%.200s': %s", address, why.message);
		dbus_error_free(&why);
		return -EINVAL;
	}
	for (int i = 0; i < n && fd < 0; i++)
		fd = connect_entry(entries[i]);
	dbus_address_entries_free(entries);
	if (fd < 0) {
		err_set(e, -fd, "connect to the D-Bus at %.200s", address);
		return err_hint(e, "the systemd cgroup manager needs it; --cgroup-manager cgroupfs does not");
	}
	return fd;
}

/* --- messages -------------------------------------------------------------------------------- */

static void note_signal(struct sd_bus_conn *b, DBusMessage *m)
{
	const char *job, *unit, *result;
	dbus_uint32_t id;
	struct job *j;

	if (!dbus_message_is_signal(m, MANAGER_IFACE, "JobRemoved") ||
		!dbus_message_get_args(m, NULL, DBUS_TYPE_UINT32, &id, DBUS_TYPE_OBJECT_PATH, &job,
			DBUS_TYPE_STRING, &unit, DBUS_TYPE_STRING, &result, DBUS_TYPE_INVALID))
		return;
	if (b->n_done == JOBS_MAX)
		memmove(b->done, b->done + 1, --b->n_done * sizeof(*b->done));
	j = &b->done[b->n_done++];
	snprintf(j->path, sizeof(j->path), "%s", job);
	snprintf(j->result, sizeof(j->result), "%s", result);
}

static int receive(struct sd_bus_conn *b, uint64_t deadline, DBusMessage **out, struct err *e)
{
	for (;;) {
		DBusError why = DBUS_ERROR_INIT;
		int need = b->len > 0 ? dbus_message_demarshal_bytes_needed(b->buf, (int)b->len) : 0, r;
		DBusMessage *m;

		if (need < 0 || need > MESSAGE_MAX)
			return err_text(e, EPROTO, "the D-Bus connection delivers no D-Bus messages");
		if (need == 0 || (size_t)need > b->len) {
			r = receive_bytes(b, deadline, e);
			if (r < 0)
				return r;
			continue;
		}
		m = dbus_message_demarshal(b->buf, need, &why);
		consume(b, (size_t)need);
		if (!m) {
			err_text(e, EPROTO, "D-Bus message: %s", why.message);
			dbus_error_free(&why);
			return -EPROTO;
		}
		*out = m;
		return 0;
	}
}

/* What a D-Bus error means to us, where we act on it. */
static int error_code(const char *name)
{
	if (str_eq(name, "org.freedesktop.systemd1.UnitExists"))
		return EEXIST;
	if (str_eq(name, "org.freedesktop.systemd1.NoSuchUnit"))
		return ENOENT;
	if (str_eq(name, DBUS_ERROR_ACCESS_DENIED) || str_ends(name, "InteractiveAuthorizationRequired"))
		return EACCES;
	return str_eq(name, DBUS_ERROR_SERVICE_UNKNOWN) ? ENXIO : EREMOTEIO;
}

static int call(struct sd_bus_conn *b, DBusMessage *m, uint64_t deadline, DBusMessage **reply, struct err *e)
{
	const char *member = dbus_message_get_member(m), *text = "";
	uint32_t serial = ++b->serial;
	char *bytes;
	int len, r;

	dbus_message_set_serial(m, serial);
	if (!dbus_message_marshal(m, &bytes, &len))
		return no_memory(e);
	r = send_bytes(b, bytes, (size_t)len, deadline, e);
	dbus_free(bytes);
	while (r == 0) {
		_cleanup_message_ DBusMessage *in = NULL;
		int type;

		r = receive(b, deadline, &in, e);
		if (r < 0)
			break;
		type = dbus_message_get_type(in);
		if (type == DBUS_MESSAGE_TYPE_SIGNAL)
			note_signal(b, in);
		if ((type != DBUS_MESSAGE_TYPE_METHOD_RETURN && type != DBUS_MESSAGE_TYPE_ERROR) ||
			dbus_message_get_reply_serial(in) != serial)
			continue;
		if (type == DBUS_MESSAGE_TYPE_ERROR) {
			dbus_message_get_args(in, NULL, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
			return err_text(e, error_code(dbus_message_get_error_name(in)),
				"systemd: %s: %s (%s)", member, text, dbus_message_get_error_name(in));
		}
		if (reply)
			*reply = TAKE_PTR(in);
		return 0;
	}
	return r < 0 ? err_wrap(e, "systemd: %s", member) : r;
}

static DBusMessage *manager_call(const char *member)
{
	return dbus_message_new_method_call(MANAGER, MANAGER_PATH, MANAGER_IFACE, member);
}

static uint64_t in_ms(unsigned int ms)
{
	return cg_now() + ms * (uint64_t)1000000;
}

int sd_open(bool user, struct sd_bus_conn **out, struct err *e)
{
	_cleanup_(sd_closep) struct sd_bus_conn *b = calloc(1, sizeof(*b));
	_cleanup_message_ DBusMessage *hello = NULL;
	const char *address = getenv(user ? "DBUS_SESSION_BUS_ADDRESS" : "DBUS_SYSTEM_BUS_ADDRESS"), *dir;
	uint64_t deadline = in_ms(CALL_MS);
	char text[512];
	int r;

	if (!b)
		return no_memory(e);
	b->fd = -EBADF;
	if (!address || !*address) {
		dir = getenv("XDG_RUNTIME_DIR");
		if (user && (!dir || !*dir))
			return err_text(e, ENXIO,
				"the systemd cgroup manager needs the user's D-Bus, and neither "
				"DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is "
				"set");
		snprintf(text, sizeof(text), "unix:path=%s", "/run/dbus/system_bus_socket");
		if (user) {
			char *escaped = dbus_address_escape_value(dir);

			if (!escaped)
				return no_memory(e);
			snprintf(text, sizeof(text), "unix:path=%s/bus", escaped);
			dbus_free(escaped);
		}
		address = text;
	}
	b->fd = connect_address(address, e);
	if (b->fd < 0)
		return b->fd;
	r = authenticate(b, deadline, e);
	if (r < 0)
		return err_wrap(e, "D-Bus at %.200s", address);
	hello = dbus_message_new_method_call(DBUS_SERVICE_DBUS, DBUS_PATH_DBUS, DBUS_INTERFACE_DBUS, "Hello");
	if (!hello)
		return no_memory(e);
	r = call(b, hello, deadline, NULL, e);
	if (r < 0)
		return r;
	*out = TAKE_PTR(b);
	return 0;
}

void sd_close(struct sd_bus_conn *b)
{
	if (!b)
		return;
	fd_close(b->fd);
	free(b->buf);
	free(b);
}

/* --- properties ------------------------------------------------------------------------------ */

static bool put_array(DBusMessageIter *variant, const struct sd_prop *x)
{
	const char *type = x->type == 'S' ? "s" : x->type == 'B' ? "y" : x->type == 'U' ? "u" : "(ss)";
	DBusMessageIter array, pair;
	bool ok = dbus_message_iter_open_container(variant, DBUS_TYPE_ARRAY, type, &array);

	if (!ok)
		return false;
	for (size_t i = 0; ok && i < x->n; i++) {
		const char *s;
		dbus_uint32_t u;
		unsigned char y;

		switch (x->type) {
		case 'S':
			s = x->strv[i];
			ok = dbus_message_iter_append_basic(&array, DBUS_TYPE_STRING, &s);
			break;
		case 'B':
			y = x->bytes[i];
			ok = dbus_message_iter_append_basic(&array, DBUS_TYPE_BYTE, &y);
			break;
		case 'U':
			u = x->u32s[i];
			ok = dbus_message_iter_append_basic(&array, DBUS_TYPE_UINT32, &u);
			break;
		default:
			ok = dbus_message_iter_open_container(&array, DBUS_TYPE_STRUCT, NULL, &pair) &&
			     dbus_message_iter_append_basic(&pair, DBUS_TYPE_STRING, &x->pairs[i].a) &&
			     dbus_message_iter_append_basic(&pair, DBUS_TYPE_STRING, &x->pairs[i].b) &&
			     dbus_message_iter_close_container(&array, &pair);
		}
	}
	return ok && dbus_message_iter_close_container(variant, &array);
}

static bool put_value(DBusMessageIter *variant, const struct sd_prop *x)
{
	dbus_uint32_t u = (dbus_uint32_t)x->u;
	dbus_int32_t i = (dbus_int32_t)x->u;
	dbus_bool_t b = x->u != 0;

	switch (x->type) {
	case 's':
		return dbus_message_iter_append_basic(variant, DBUS_TYPE_STRING, &x->s);
	case 'b':
		return dbus_message_iter_append_basic(variant, DBUS_TYPE_BOOLEAN, &b);
	case 't':
		return dbus_message_iter_append_basic(variant, DBUS_TYPE_UINT64, &x->u);
	case 'x':
		return dbus_message_iter_append_basic(variant, DBUS_TYPE_INT64, &x->u);
	case 'u':
		return dbus_message_iter_append_basic(variant, DBUS_TYPE_UINT32, &u);
	case 'i':
		return dbus_message_iter_append_basic(variant, DBUS_TYPE_INT32, &i);
	case 'd':
		return dbus_message_iter_append_basic(variant, DBUS_TYPE_DOUBLE, &x->d);
	default:
		return put_array(variant, x);
	}
}

static const char *signature(char type)
{
	static const char *const arrays[] = { "as", "ay", "au", "a(ss)" };
	static const char basic[][2] = { "s", "b", "t", "x", "u", "i", "d" };

	for (size_t i = 0; i < ARRAY_SIZE(basic); i++)
		if (basic[i][0] == type)
			return basic[i];
	return arrays[type == 'S' ? 0 : type == 'B' ? 1 : type == 'U' ? 2 : 3];
}

/* a(sv) */
static bool put_props(DBusMessageIter *to, const struct sd_props *p)
{
	DBusMessageIter array, item, variant;
	bool ok = dbus_message_iter_open_container(to, DBUS_TYPE_ARRAY, "(sv)", &array);

	for (size_t i = 0; ok && i < p->n; i++) {
		const struct sd_prop *x = &p->list[i];

		ok = dbus_message_iter_open_container(&array, DBUS_TYPE_STRUCT, NULL, &item) &&
		     dbus_message_iter_append_basic(&item, DBUS_TYPE_STRING, &x->name) &&
		     dbus_message_iter_open_container(
			     &item, DBUS_TYPE_VARIANT, signature(x->type), &variant) &&
		     put_value(&variant, x) && dbus_message_iter_close_container(&item, &variant) &&
		     dbus_message_iter_close_container(&array, &item);
	}
	return ok && dbus_message_iter_close_container(to, &array);
}

/* --- jobs ------------------------------------------------------------------------------------ */

/* Before the job is made, or its end could be missed. Only this unit's jobs: others' come by the hundred on a
 * busy host. */
static int watch_jobs(struct sd_bus_conn *b, const char *unit, uint64_t deadline, struct err *e)
{
	_cleanup_message_ DBusMessage *match = NULL, *subscribe = manager_call("Subscribe");
	char rule[512];
	const char *text = rule;
	int r;

	snprintf(rule, sizeof(rule),
		"type='signal',sender='" MANAGER "',path='" MANAGER_PATH "',interface='" MANAGER_IFACE
		"',member='JobRemoved',arg2='%.256s'",
		unit);
	match = dbus_message_new_method_call(
		DBUS_SERVICE_DBUS, DBUS_PATH_DBUS, DBUS_INTERFACE_DBUS, "AddMatch");
	if (!match || !subscribe ||
		!dbus_message_append_args(match, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID))
		return no_memory(e);
	r = call(b, match, deadline, NULL, e);
	return r < 0 ? r : call(b, subscribe, deadline, NULL, e);
}

static int wait_job(
	struct sd_bus_conn *b, DBusMessage *reply, const char *unit, uint64_t deadline, struct err *e)
{
	const char *job;

	if (!dbus_message_get_args(reply, NULL, DBUS_TYPE_OBJECT_PATH, &job, DBUS_TYPE_INVALID))
		return err_text(e, EPROTO, "systemd's reply names no job");
	for (;;) {
		_cleanup_message_ DBusMessage *m = NULL;
		int r;

		for (size_t i = 0; i < b->n_done; i++) {
			if (!str_eq(b->done[i].path, job))
				continue;
			if (str_eq(b->done[i].result, "done") || str_eq(b->done[i].result, "skipped"))
				return 0;
			return err_text(e, EREMOTEIO,
				"systemd's job for %s ended as '%s'; see systemctl status %s", unit,
				b->done[i].result, unit);
		}
		r = receive(b, deadline, &m, e);
		if (r < 0)
			return err_wrap(e, "wait for systemd's job for %s", unit);
		note_signal(b, m);
	}
}

static int unit_call(struct sd_bus_conn *b, const char *member, const char *unit, const char *mode,
	uint64_t deadline, DBusMessage **reply, struct err *e)
{
	_cleanup_message_ DBusMessage *m = manager_call(member);

	if (!m || !dbus_message_append_args(m, DBUS_TYPE_STRING, &unit, DBUS_TYPE_INVALID) ||
		(mode && !dbus_message_append_args(m, DBUS_TYPE_STRING, &mode, DBUS_TYPE_INVALID)))
		return no_memory(e);
	return call(b, m, deadline, reply, e);
}

static int start_once(struct sd_bus_conn *b, const char *unit, const struct sd_props *p, uint64_t deadline,
	DBusMessage **reply, struct err *e)
{
	_cleanup_message_ DBusMessage *m = manager_call("StartTransientUnit");
	const char *mode = "replace";
	DBusMessageIter args, aux;

	if (!m)
		return no_memory(e);
	dbus_message_iter_init_append(m, &args);
	if (!dbus_message_iter_append_basic(&args, DBUS_TYPE_STRING, &unit) ||
		!dbus_message_iter_append_basic(&args, DBUS_TYPE_STRING, &mode) || !put_props(&args, p) ||
		!dbus_message_iter_open_container(&args, DBUS_TYPE_ARRAY, "(sa(sv))", &aux) ||
		!dbus_message_iter_close_container(&args, &aux))
		return no_memory(e);
	return call(b, m, deadline, reply, e);
}

/*
 * Properties younger than some systemds in use. One that is refused by name is left out: what it says is
 * written to the cgroup's own files afterwards anyway.
 */
static bool drop_refused(struct sd_props *p, const struct err *e)
{
	static const char *const young[] = { "CPUQuotaPeriodUSec", "AllowedCPUs", "AllowedMemoryNodes",
		"CollectMode", "MemorySwapMax", "MemoryMin", "CPUWeight", "IOWeight", "BlockIOAccounting" };

	for (size_t i = 0; i < p->n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(young); k++)
			if (str_eq(p->list[i].name, young[k]) && strstr(e->text, young[k])) {
				log_debug("%s: tried again without it", e->text);
				memmove(&p->list[i], &p->list[i + 1], (p->n - i - 1) * sizeof(p->list[0]));
				p->n--;
				return true;
			}
	return false;
}

int sd_start_transient(struct sd_bus_conn *b, const char *unit, const struct sd_props *props, struct err *e)
{
	_cleanup_message_ DBusMessage *reply = NULL;
	uint64_t deadline = in_ms(START_MS);
	struct sd_props p = *props;
	struct err why = ERR_INIT;
	bool reset = false;
	int r = watch_jobs(b, unit, deadline, e);

	if (r < 0)
		return r;
	for (;;) {
		r = start_once(b, unit, &p, deadline, &reply, &why);
		if (r == 0)
			return wait_job(b, reply, unit, deadline, e);
		/* A failed unit of that name may be all there is. A living one stays, and is somebody else's.
		 */
		if (r == -EEXIST && !reset) {
			reset = true;
			unit_call(b, "ResetFailedUnit", unit, NULL, deadline, NULL, NULL);
			continue;
		}
		if (r != -EREMOTEIO || !drop_refused(&p, &why))
			break;
	}
	if (e)
		*e = why;
	return r == -EEXIST ? err_hint(e, "another partition uses the unit; choose another linux.cgroupsPath")
			    : r;
}

int sd_set_properties(struct sd_bus_conn *b, const char *unit, const struct sd_props *props, struct err *e)
{
	uint64_t deadline = in_ms(CALL_MS);
	dbus_bool_t runtime = TRUE;
	struct sd_props p = *props;
	struct err why = ERR_INIT;
	int r;

	do {
		_cleanup_message_ DBusMessage *m = manager_call("SetUnitProperties");
		DBusMessageIter args;

		if (p.n == 0)
			return 0;
		if (!m)
			return no_memory(e);
		dbus_message_iter_init_append(m, &args);
		if (!dbus_message_iter_append_basic(&args, DBUS_TYPE_STRING, &unit) ||
			!dbus_message_iter_append_basic(&args, DBUS_TYPE_BOOLEAN, &runtime) ||
			!put_props(&args, &p))
			return no_memory(e);
		r = call(b, m, deadline, NULL, &why);
	} while (r == -EREMOTEIO && drop_refused(&p, &why));
	if (r < 0 && e)
		*e = why;
	return r;
}

int sd_stop_unit(struct sd_bus_conn *b, const char *unit, struct err *e)
{
	_cleanup_message_ DBusMessage *reply = NULL;
	uint64_t deadline = in_ms(STOP_MS);
	int r = watch_jobs(b, unit, deadline, e);

	if (r == 0)
		r = unit_call(b, "StopUnit", unit, "replace", deadline, &reply, e);
	if (r == 0)
		r = wait_job(b, reply, unit, deadline, e);
	if (r == -ENOENT) {
		err_clear(e);
		r = 0;
	}
	/* Or a unit that ended as "failed" keeps its name. It is an error if there is none, and that is all
	 * right. */
	unit_call(b, "ResetFailedUnit", unit, NULL, in_ms(STOP_MS), NULL, NULL);
	return r;
}

int sd_control_group(struct sd_bus_conn *b, const char *unit, char *buf, size_t size, struct err *e)
{
	_cleanup_message_ DBusMessage *found = NULL, *get = NULL, *reply = NULL;
	const char *path, *iface = "org.freedesktop.systemd1.Slice", *name = "ControlGroup", *value;
	uint64_t deadline = in_ms(CALL_MS);
	DBusMessageIter top, variant;
	int r = unit_call(b, "GetUnit", unit, NULL, deadline, &found, e);

	if (r < 0)
		return r;
	if (!dbus_message_get_args(found, NULL, DBUS_TYPE_OBJECT_PATH, &path, DBUS_TYPE_INVALID))
		return err_text(e, EPROTO, "systemd's reply names no unit");
	get = dbus_message_new_method_call(MANAGER, path, DBUS_INTERFACE_PROPERTIES, "Get");
	if (!get || !dbus_message_append_args(
			    get, DBUS_TYPE_STRING, &iface, DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID))
		return no_memory(e);
	r = call(b, get, deadline, &reply, e);
	if (r < 0)
		return r;
	if (!dbus_message_iter_init(reply, &top) || dbus_message_iter_get_arg_type(&top) != DBUS_TYPE_VARIANT)
		return err_text(e, EPROTO, "systemd tells no ControlGroup of %s", unit);
	dbus_message_iter_recurse(&top, &variant);
	if (dbus_message_iter_get_arg_type(&variant) != DBUS_TYPE_STRING)
		return err_text(e, EPROTO, "systemd tells no ControlGroup of %s", unit);
	dbus_message_iter_get_basic(&variant, &value);
	if (*value != '/' || strlen(value) >= size)
		return err_text(e, EPROTO, "systemd's ControlGroup of %s is '%.100s'", unit, value);
	snprintf(buf, size, "%s", value);
	return 0;
}

#endif
