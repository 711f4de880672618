/* SPDX-License-Identifier: Apache-2.0 */
/* systemd's manager over D-Bus: transient units, their properties, and the jobs that start and stop them. */
#include "cgroups/internal.h"

#ifdef HAVE_SYSTEMD

#include <stdio.h>

#include "base/log.h"
#include "base/str.h"
#include "cgroups/dbus.h"

enum {
	START_MS = 30000, /* a busy pid 1 takes seconds: hundreds of units starting at once */
	STOP_MS = 5000,
};

static DBusMessage *manager_call(const char *member)
{
	return dbus_message_new_method_call(MANAGER, MANAGER_PATH, MANAGER_IFACE, member);
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
		return bus_no_memory(e);
	r = bus_call(b, match, deadline, NULL, e);
	return r < 0 ? r : bus_call(b, subscribe, deadline, NULL, e);
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
		r = bus_receive(b, deadline, &m, e);
		if (r < 0)
			return err_wrap(e, "wait for systemd's job for %s", unit);
		bus_note_signal(b, m);
	}
}

static int unit_call(struct sd_bus_conn *b, const char *member, const char *unit, const char *mode,
	uint64_t deadline, DBusMessage **reply, struct err *e)
{
	_cleanup_message_ DBusMessage *m = manager_call(member);

	if (!m || !dbus_message_append_args(m, DBUS_TYPE_STRING, &unit, DBUS_TYPE_INVALID) ||
		(mode && !dbus_message_append_args(m, DBUS_TYPE_STRING, &mode, DBUS_TYPE_INVALID)))
		return bus_no_memory(e);
	return bus_call(b, m, deadline, reply, e);
}

static int start_once(struct sd_bus_conn *b, const char *unit, const struct sd_props *p, uint64_t deadline,
	DBusMessage **reply, struct err *e)
{
	_cleanup_message_ DBusMessage *m = manager_call("StartTransientUnit");
	const char *mode = "replace";
	DBusMessageIter args, aux;

	if (!m)
		return bus_no_memory(e);
	dbus_message_iter_init_append(m, &args);
	if (!dbus_message_iter_append_basic(&args, DBUS_TYPE_STRING, &unit) ||
		!dbus_message_iter_append_basic(&args, DBUS_TYPE_STRING, &mode) || !put_props(&args, p) ||
		!dbus_message_iter_open_container(&args, DBUS_TYPE_ARRAY, "(sa(sv))", &aux) ||
		!dbus_message_iter_close_container(&args, &aux))
		return bus_no_memory(e);
	return bus_call(b, m, deadline, reply, e);
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
	uint64_t deadline = bus_in_ms(START_MS);
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
	uint64_t deadline = bus_in_ms(CALL_MS);
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
			return bus_no_memory(e);
		dbus_message_iter_init_append(m, &args);
		if (!dbus_message_iter_append_basic(&args, DBUS_TYPE_STRING, &unit) ||
			!dbus_message_iter_append_basic(&args, DBUS_TYPE_BOOLEAN, &runtime) ||
			!put_props(&args, &p))
			return bus_no_memory(e);
		r = bus_call(b, m, deadline, NULL, &why);
	} while (r == -EREMOTEIO && drop_refused(&p, &why));
	if (r < 0 && e)
		*e = why;
	return r;
}

int sd_stop_unit(struct sd_bus_conn *b, const char *unit, struct err *e)
{
	_cleanup_message_ DBusMessage *reply = NULL;
	uint64_t deadline = bus_in_ms(STOP_MS);
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
	unit_call(b, "ResetFailedUnit", unit, NULL, bus_in_ms(STOP_MS), NULL, NULL);
	return r;
}

int sd_control_group(struct sd_bus_conn *b, const char *unit, char *buf, size_t size, struct err *e)
{
	_cleanup_message_ DBusMessage *found = NULL, *get = NULL, *reply = NULL;
	const char *path, *iface = "org.freedesktop.systemd1.Slice", *name = "ControlGroup", *value;
	uint64_t deadline = bus_in_ms(CALL_MS);
	DBusMessageIter top, variant;
	int r = unit_call(b, "GetUnit", unit, NULL, deadline, &found, e);

	if (r < 0)
		return r;
	if (!dbus_message_get_args(found, NULL, DBUS_TYPE_OBJECT_PATH, &path, DBUS_TYPE_INVALID))
		return err_text(e, EPROTO, "systemd's reply names no unit");
	get = dbus_message_new_method_call(MANAGER, path, DBUS_INTERFACE_PROPERTIES, "Get");
	if (!get || !dbus_message_append_args(
			    get, DBUS_TYPE_STRING, &iface, DBUS_TYPE_STRING, &name, DBUS_TYPE_INVALID))
		return bus_no_memory(e);
	r = bus_call(b, get, deadline, &reply, e);
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
