/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.json and state.json: one table for each says how a member of the struct is written and read. Reading
 * is strict, for a file that was damaged is to be seen as damaged and not half believed; members that are not
 * known are those of a newer ringfence and left alone.
 */
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "launch/record_internal.h"
#include "runtime/partition.h"

/* Command lines and labels are the caller's and the image's, each document at most 4 MiB (images/document.h).
 */
#define RECORD_MAX (16U << 20)

enum kind { STRING, NAMES, STRINGS, BOOL, INT, PID, I64, U32, U64, WORD, PORTS };

struct field {
	const char *name;
	size_t offset;
	enum kind kind;
	bool needed;
	int64_t min;
	const char *const *words; /* of WORD, an enum */
	size_t n_words;
};

static const char *const phases[] = {
	[LAUNCH_PHASE_STARTING] = "starting",
	[LAUNCH_PHASE_UP] = "up",
	[LAUNCH_PHASE_WAITING] = "waiting",
	[LAUNCH_PHASE_ENDED] = "ended",
};
static const char *const managers[] = {
	[CGRP_CGROUPFS] = "cgroupfs",
	[CGRP_SYSTEMD] = "systemd",
	[CGRP_DISABLED] = "disabled",
};

#define R(member) offsetof(struct launch_record, member)
static const struct field record_fields[] = {
	{ "name", R(name), STRING, true, 0, NULL, 0 },
	{ "image", R(image), STRING, true, 0, NULL, 0 },
	{ "imageName", R(image_name), STRING, false, 0, NULL, 0 },
	{ "target", R(target), STRING, false, 0, NULL, 0 },
	{ "imageId", R(image_id), STRING, false, 0, NULL, 0 },
	{ "created", R(created), STRING, true, 0, NULL, 0 },
	{ "runtimeRoot", R(rt_root), STRING, false, 0, NULL, 0 },
	{ "cgroupManager", R(manager), WORD, true, 0, managers, ARRAY_SIZE(managers) },
	{ "command", R(command), STRINGS, true, 0, NULL, 0 },
	{ "detach", R(detach), BOOL, false, 0, NULL, 0 },
	{ "interactive", R(interactive), BOOL, false, 0, NULL, 0 },
	{ "tty", R(tty), BOOL, false, 0, NULL, 0 },
	{ "rm", R(rm), BOOL, false, 0, NULL, 0 },
	{ "boot", R(boot), BOOL, false, 0, NULL, 0 },
	{ "restart", R(restart), WORD, true, 0, launch_restart_names, LAUNCH_RESTART_UNLESS_STOPPED + 1 },
	{ "restartMax", R(restart_max), INT, false, 0, NULL, 0 },
	{ "logMax", R(log_max), I64, false, 0, NULL, 0 },
	{ "stopSignal", R(stop_signal), STRING, true, 0, NULL, 0 },
	{ "stopTimeout", R(stop_timeout), INT, true, 0, NULL, 0 },
	{ "network", R(network), STRING, true, 0, NULL, 0 },
	{ "ports", R(ports), PORTS, false, 0, NULL, 0 },
	{ "dns", R(dns), STRINGS, false, 0, NULL, 0 },
	{ "ids", R(ids), I64, true, -1, NULL, 0 },
	{ "idCount", R(n_ids), U32, true, 0, NULL, 0 },
	{ "volumes", R(volumes), NAMES, false, 0, NULL, 0 },
	{ "anonymousVolumes", R(anonymous_volumes), NAMES, false, 0, NULL, 0 },
	{ "labels", R(labels), STRINGS, false, 0, NULL, 0 },
};
#undef R

#define S(member) offsetof(struct launch_state, member)
static const struct field state_fields[] = {
	{ "phase", S(phase), WORD, true, 0, phases, ARRAY_SIZE(phases) },
	{ "bootId", S(boot_id), STRING, false, 0, NULL, 0 },
	{ "pid", S(pid), PID, false, 0, NULL, 0 },
	{ "supervisor", S(supervisor), PID, false, 0, NULL, 0 },
	{ "supervisorStart", S(supervisor_start), U64, false, 0, NULL, 0 },
	{ "started", S(started), STRING, false, 0, NULL, 0 },
	{ "finished", S(finished), STRING, false, 0, NULL, 0 },
	{ "exitCode", S(exit_code), INT, false, INT_MIN, NULL, 0 },
	{ "oomKilled", S(oom_killed), BOOL, false, 0, NULL, 0 },
	{ "stoppedByUser", S(stopped_by_user), BOOL, false, 0, NULL, 0 },
	{ "restarts", S(restarts), INT, false, 0, NULL, 0 },
	{ "error", S(error), STRING, false, 0, NULL, 0 },
};
#undef S

_Static_assert(sizeof(enum launch_restart) == sizeof(int) && sizeof(enum launch_phase) == sizeof(int) &&
		       sizeof(pid_t) == sizeof(int),
	"WORD and PID are read and written as int");

/* --- writing ------------------------------------------------------------------------------------ */

static void put_ports(struct json_writer *w, const char *name, const struct launch_port *p, size_t n)
{
	json_open_array(w, name);
	for (size_t i = 0; i < n; i++) {
		json_open_object(w, NULL);
		json_put_string(w, "hostIp", p[i].host_ip);
		json_put_i64(w, "hostPort", p[i].host_port);
		json_put_i64(w, "port", p[i].port);
		json_put_string(w, "protocol", p[i].protocol);
		json_close_object(w);
	}
	json_close_array(w);
}

static void put_field(struct json_writer *w, const struct field *f, const void *from)
{
	const void *p = (const char *)from + f->offset;
	char *const *list;
	const char *text;

	switch (f->kind) {
	case STRING:
		text = *(const char *const *)p;
		if (text)
			json_put_string(w, f->name, text);
		break;
	case NAMES:
	case STRINGS:
		list = *(char *const *const *)p;
		if (list || f->needed)
			json_put_strv(w, f->name, list);
		break;
	case BOOL:
		json_put_bool(w, f->name, *(const bool *)p);
		break;
	case INT:
	case PID:
		json_put_i64(w, f->name, *(const int *)p);
		break;
	case I64:
		json_put_i64(w, f->name, *(const int64_t *)p);
		break;
	case U32:
		json_put_u64(w, f->name, *(const uint32_t *)p);
		break;
	case U64:
		json_put_u64(w, f->name, *(const uint64_t *)p);
		break;
	case WORD:
		json_put_string(w, f->name, f->words[*(const int *)p]);
		break;
	case PORTS:
		put_ports(w, f->name, *(struct launch_port *const *)p,
			((const struct launch_record *)from)->n_ports);
		break;
	}
}

void launch_record_put(struct json_writer *w, const struct launch_record *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(record_fields); i++)
		put_field(w, &record_fields[i], r);
}

void launch_state_put(struct json_writer *w, const struct launch_state *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(state_fields); i++)
		put_field(w, &state_fields[i], s);
}

/*
 * For a full disk: over the old content, in the blocks that the file has, the rest of it blank. A reader may
 * see a part of it, so may whoever comes after a power cut; but an exit status that nobody keeps is lost for
 * certain. -errno; -ENOSPC and nothing changed: the file has no room, either.
 */
static int write_in_place(int dir, const char *name, const char *text, size_t len)
{
	_cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	_cleanup_free_ char *padded = NULL;
	struct stat st;
	size_t size;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > RECORD_MAX)
		return -EINVAL;
	size = len > (size_t)st.st_size ? len : (size_t)st.st_size;
	if (size > (size_t)st.st_size && size > (uint64_t)st.st_blocks * 512)
		return -ENOSPC;
	padded = malloc(size);
	if (!padded)
		return -ENOMEM;
	memset(padded, '\n', size);
	memcpy(padded, text, len);
	/* One call: it is one page, which a reader finds old or new. */
	if (pwrite(fd, padded, size, 0) != (ssize_t)size)
		return -EIO;
	return 0;
}

/* `may_be_torn`: better so than not written. */
static int write_file(const struct launch_dir *d, const char *name, const struct field *fields, size_t n,
	const void *from, bool may_be_torn, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	const char *text = NULL;
	size_t len = 0;
	int r;

	if (w) {
		json_open_object(w, NULL);
		for (size_t i = 0; i < n; i++)
			put_field(w, &fields[i], from);
		json_close_object(w);
		text = json_writer_text(w, &len);
	}
	if (!text)
		return err_set(e, ENOMEM, "write %s/%s", d->path, name);
	r = fd_replace_at(d->fd, name, 0600, text, len, e);
	if ((r == -ENOSPC || r == -EDQUOT) && may_be_torn && write_in_place(d->fd, name, text, len) == 0) {
		err_clear(e);
		return 0;
	}
	return r < 0 ? err_wrap(e, "partition \"%s\"", d->record.name) : 0;
}

int launch_record_write(const struct launch_dir *d, const struct launch_record *r, struct err *e)
{
	return write_file(d, LAUNCH_RECORD_FILE, record_fields, ARRAY_SIZE(record_fields), r, false, e);
}

int launch_state_write(const struct launch_dir *d, const struct launch_state *s, struct err *e)
{
	return write_file(d, LAUNCH_STATE_FILE, state_fields, ARRAY_SIZE(state_fields), s, true, e);
}

/* --- reading ------------------------------------------------------------------------------------ */

static int get_integer(
	const struct json *j, const char *what, int64_t min, int64_t max, int64_t *out, struct err *e)
{
	int r = json_as_i64(j, what, out, e);

	if (r == 0 && (*out < min || *out > max))
		r = err_text(e, EINVAL, "%s: %lld is out of range", what, (long long)*out);
	return r;
}

static int get_strings(
	const struct json *j, const char *what, struct arena *a, bool names, char *const **out, struct err *e)
{
	const struct json *child;
	char **list;
	size_t n = 0;

	if (j->type != JSON_ARRAY)
		return err_text(e, EINVAL, "%s is no array", what);
	list = arena_calloc(a, j->count + 1, sizeof(*list));
	if (!list)
		return err_set(e, ENOMEM, "%s", what);
	json_each (child, j) {
		const char *text;
		int r = json_as_string(child, what, &text, e);

		/* They become parts of paths. */
		if (r == 0 && names)
			r = launch_check_name("volume", text, e);
		if (r < 0)
			return r;
		list[n++] = (char *)text;
	}
	*out = list;
	return 0;
}

static int get_port(const struct json *j, struct launch_port *out, struct err *e)
{
	int64_t host = 0, port = 0;
	int r = j->type == JSON_OBJECT ? 0 : err_text(e, EINVAL, "ports: an element is no object");

	if (r == 0)
		r = json_as_string(json_get(j, "hostIp"), "ports.hostIp", &out->host_ip, e);
	if (r == 0)
		r = get_integer(json_get(j, "hostPort"), "ports.hostPort", 0, UINT16_MAX, &host, e);
	if (r == 0)
		r = get_integer(json_get(j, "port"), "ports.port", 0, UINT16_MAX, &port, e);
	if (r == 0)
		r = json_as_string(json_get(j, "protocol"), "ports.protocol", &out->protocol, e);
	out->host_port = (uint16_t)host;
	out->port = (uint16_t)port;
	return r;
}

static int get_ports(const struct json *j, struct arena *a, struct launch_record *out, struct err *e)
{
	const struct json *child;
	int r = 0;

	if (j->type != JSON_ARRAY)
		return err_text(e, EINVAL, "ports is no array");
	out->ports = j->count ? arena_calloc(a, j->count, sizeof(*out->ports)) : NULL;
	if (j->count && !out->ports)
		return err_set(e, ENOMEM, "ports");
	json_each (child, j) {
		r = get_port(child, &out->ports[out->n_ports++], e);
		if (r < 0)
			break;
	}
	return r;
}

static int get_word(const struct json *j, const struct field *f, int *out, struct err *e)
{
	const char *text;
	int r = json_as_string(j, f->name, &text, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < f->n_words; i++) {
		if (str_eq(text, f->words[i])) {
			*out = (int)i;
			return 0;
		}
	}
	return err_text(e, EINVAL, "%s: \"%.64s\" is not known", f->name, text);
}

static int get_field(const struct json *j, const struct field *f, struct arena *a, void *into, struct err *e)
{
	void *p = (char *)into + f->offset;
	int64_t n = 0;
	int r = 0;

	switch (f->kind) {
	case STRING:
		return json_as_string(j, f->name, p, e);
	case NAMES:
	case STRINGS:
		return get_strings(j, f->name, a, f->kind == NAMES, p, e);
	case BOOL:
		return json_as_bool(j, f->name, p, e);
	case INT:
	case PID:
		r = get_integer(j, f->name, f->min, INT_MAX, &n, e);
		*(int *)p = (int)n;
		return r;
	case I64:
		return get_integer(j, f->name, f->min, INT64_MAX, p, e);
	case U32:
		r = get_integer(j, f->name, f->min, UINT32_MAX, &n, e);
		*(uint32_t *)p = (uint32_t)n;
		return r;
	case U64:
		return json_as_u64(j, f->name, p, e);
	case WORD:
		return get_word(j, f, p, e);
	case PORTS:
		return get_ports(j, a, into, e);
	}
	return r;
}

static int read_fields(int dir, const char *name, const struct field *fields, size_t n, struct arena *a,
	void *into, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	const struct json *root;
	size_t len;
	int r = fd_read_at(dir, name, RECORD_MAX, &text, &len);

	if (r < 0)
		return err_set(e, r, "read %s", name);
	r = json_parse(a, text, len, name, &root, e);
	if (r == 0 && root->type != JSON_OBJECT)
		r = err_text(e, EINVAL, "%s is no object", name);
	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct json *j = json_get(root, fields[i].name);

		if (j)
			r = get_field(j, &fields[i], a, into, e);
		else if (fields[i].needed)
			r = err_text(e, EINVAL, "%s: %s is missing", name, fields[i].name);
	}
	return r;
}

int launch_record_read(struct launch_dir *d, struct arena *a, struct err *e)
{
	struct launch_record record = { 0 };
	int r = read_fields(
		d->fd, LAUNCH_RECORD_FILE, record_fields, ARRAY_SIZE(record_fields), a, &record, e);

	if (r < 0)
		return r;
	/* The directory says what it is called: a rename that was cut short has not come to write it down. */
	d->was =
		!str_eq(record.name, d->record.name) && launch_check_name("partition", record.name, NULL) == 0
			? record.name
			: NULL;
	record.name = d->record.name;
	d->record = record;
	return 0;
}

int launch_state_read_at(int dir, struct arena *a, struct launch_state *out, struct err *e)
{
	struct launch_state s = { .phase = LAUNCH_PHASE_STARTING };
	int r = read_fields(dir, LAUNCH_STATE_FILE, state_fields, ARRAY_SIZE(state_fields), a, &s, e);

	if (r < 0 && r != -ENOENT)
		return r;
	if (r == -ENOENT) {
		err_clear(e);
		s = (struct launch_state){ .phase = LAUNCH_PHASE_STARTING };
	}
	*out = s;
	return 0;
}

int launch_state_read(const struct launch_dir *d, struct arena *a, struct launch_state *out, struct err *e)
{
	int r = launch_state_read_at(d->fd, a, out, e);

	return r < 0 ? err_wrap(e, "partition \"%s\"", d->record.name) : 0;
}

/* --- what they say of processes ----------------------------------------------------------------- */

const char *launch_boot_id(void)
{
	static char id[64];

	if (!*id && fd_get_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", id, sizeof(id)) < 0)
		*id = '\0';
	return id;
}

bool launch_process_lives(pid_t pid, uint64_t start)
{
	uint64_t now;
	char state;

	return pid > 0 && rt_proc_stat(pid, &now, &state) == 0 && (!start || now == start) && state != 'Z' &&
	       state != 'X';
}

bool launch_supervised(const struct launch_state *s)
{
	return s->supervisor > 0 && s->boot_id && str_eq(s->boot_id, launch_boot_id()) &&
	       launch_process_lives(s->supervisor, s->supervisor_start);
}

struct rt_ctx launch_rt(const struct launch_ctx *ctx, const struct launch_record *r)
{
	struct rt_ctx rt = *ctx->rt;

	/* Before there is a record (a wreck), what the command line says is the best guess. */
	if (r->image) {
		rt.root = r->rt_root;
		rt.manager = (enum cgrp_manager)r->manager;
	}
	return rt;
}
