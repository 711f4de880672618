/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection to a D-Bus. Only this file and dbus_manager.c know libdbus, and of that only the messages.
 *
 * The connection is our own few lines instead of libdbus's: its authentication names a user id, which in a
 * user namespace (rootless engines run us in one) is not the id that the bus sees in the socket's
 * credentials, and the bus refuses. "EXTERNAL" with an empty identity means "look at the credentials", and
 * works in both. Every wait here is bounded.
 */
#include "cgroups/internal.h"

#ifdef HAVE_SYSTEMD

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/str.h"
#include "cgroups/dbus.h"

int bus_no_memory(struct err *e)
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
			return bus_no_memory(e);
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

void bus_note_signal(struct sd_bus_conn *b, DBusMessage *m)
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

int bus_receive(struct sd_bus_conn *b, uint64_t deadline, DBusMessage **out, struct err *e)
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

int bus_call(struct sd_bus_conn *b, DBusMessage *m, uint64_t deadline, DBusMessage **reply, struct err *e)
{
	const char *member = dbus_message_get_member(m), *text = "";
	uint32_t serial = ++b->serial;
	char *bytes;
	int len, r;

	dbus_message_set_serial(m, serial);
	if (!dbus_message_marshal(m, &bytes, &len))
		return bus_no_memory(e);
	r = send_bytes(b, bytes, (size_t)len, deadline, e);
	dbus_free(bytes);
	while (r == 0) {
		_cleanup_message_ DBusMessage *in = NULL;
		int type;

		r = bus_receive(b, deadline, &in, e);
		if (r < 0)
			break;
		type = dbus_message_get_type(in);
		if (type == DBUS_MESSAGE_TYPE_SIGNAL)
			bus_note_signal(b, in);
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

uint64_t bus_in_ms(unsigned int ms)
{
	return cg_now() + ms * (uint64_t)1000000;
}

int sd_open(bool user, struct sd_bus_conn **out, struct err *e)
{
	_cleanup_(sd_closep) struct sd_bus_conn *b = calloc(1, sizeof(*b));
	_cleanup_message_ DBusMessage *hello = NULL;
	const char *address = getenv(user ? "DBUS_SESSION_BUS_ADDRESS" : "DBUS_SYSTEM_BUS_ADDRESS"), *dir;
	uint64_t deadline = bus_in_ms(CALL_MS);
	char text[512];
	int r;

	if (!b)
		return bus_no_memory(e);
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
				return bus_no_memory(e);
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
		return bus_no_memory(e);
	r = bus_call(b, hello, deadline, NULL, e);
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

#endif
