/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to a D-Bus: shared by dbus.c and what is said over it, dbus_manager.c. */
#ifndef CGROUPS_DBUS_H
#define CGROUPS_DBUS_H

#include <dbus/dbus.h>

#include "cgroups/internal.h"

#define MANAGER	      "org.freedesktop.systemd1"
#define MANAGER_PATH  "/org/freedesktop/systemd1"
#define MANAGER_IFACE "org.freedesktop.systemd1.Manager"

enum {
	CALL_MS = 25000,
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

static inline void bus_unref(DBusMessage **m)
{
	if (*m)
		dbus_message_unref(*m);
}
#define _cleanup_message_ _cleanup_(bus_unref)

int bus_no_memory(struct err *e);
/* The time, as cg_now(), so many ms from now. */
uint64_t bus_in_ms(unsigned int ms);
/* The next message, of any kind. */
int bus_receive(struct sd_bus_conn *b, uint64_t deadline, DBusMessage **out, struct err *e);
/* Sends m and waits for its reply, which goes to *reply if that is not NULL. */
int bus_call(struct sd_bus_conn *b, DBusMessage *m, uint64_t deadline, DBusMessage **reply, struct err *e);
/* Remembers the result if the message tells of a job's end. */
void bus_note_signal(struct sd_bus_conn *b, DBusMessage *m);

#endif
