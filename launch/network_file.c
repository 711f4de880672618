/* SPDX-License-Identifier: Apache-2.0 */
/* <data>/network/NAME.json: what was set up for a partition, and how to undo it (see network_internal.h). */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "launch/network_internal.h"

/* A configuration, a result and ports, each of which is bounded where it is read. */
#define FILE_SIZE_MAX (8 * 1024 * 1024)
#define SUFFIX	      ".json"

int net_dir_open(const struct launch_ctx *ctx, bool create, struct arena *a, struct err *e)
{
	return launch_data_open(ctx, "network", create, a, NULL, e);
}

static int file_name(const char *name, char *buf, size_t size, struct err *e)
{
	int n = snprintf(buf, size, "%s" SUFFIX, name);

	return n > 0 && (size_t)n < size ? 0 : err_set(e, ENAMETOOLONG, "network of \"%s\"", name);
}

/* --- reading ---------------------------------------------------------------------------------- */

static int read_string(const struct json *j, const char *member, bool must, const char **out, struct err *e)
{
	const struct json *m = json_get(j, member);

	if (!m)
		return must ? err_text(e, EINVAL, "%s is missing", member) : 0;
	return json_as_string(m, member, out, e);
}

static int read_number(const struct json *j, const char *member, uint64_t max, uint64_t *out, struct err *e)
{
	const struct json *m = json_get(j, member);
	int r;

	if (!m)
		return 0;
	r = json_as_u64(m, member, out, e);
	return r == 0 && *out > max ? err_text(e, EINVAL, "%s is out of range", member) : r;
}

static int read_ports(const struct json *list, struct arena *a, struct net_file *f, struct err *e)
{
	const struct json *j;
	int r = 0;

	if (!list)
		return 0;
	if (list->type != JSON_ARRAY || list->count > NET_PORTS_MAX)
		return err_text(e, EINVAL, "ports is no list of ports");
	f->ports = arena_calloc(a, list->count + 1, sizeof(*f->ports));
	if (!f->ports)
		return err_set(e, ENOMEM, "ports");
	json_each (j, list) {
		struct launch_port *p = &f->ports[f->n_ports++];
		uint64_t host = 0, inside = 0;

		r = read_string(j, "hostIP", true, &p->host_ip, e);
		if (r == 0)
			r = read_string(j, "protocol", true, &p->protocol, e);
		if (r == 0)
			r = read_number(j, "hostPort", UINT16_MAX, &host, e);
		if (r == 0)
			r = read_number(j, "containerPort", UINT16_MAX, &inside, e);
		if (r < 0)
			return r;
		p->host_port = (uint16_t)host;
		p->port = (uint16_t)inside;
	}
	return 0;
}

static int read_members(const struct json *j, struct arena *a, struct net_file *f, struct err *e)
{
	const char *kind = NULL, *unused;
	uint64_t pid = 0;
	int r = read_string(j, "kind", true, &kind, e);

	if (r == 0)
		r = net_kind_parse(kind, &f->kind, &unused, e);
	if (r == 0)
		r = read_string(j, "container", true, &f->container, e);
	if (r == 0)
		r = read_string(j, "bootId", true, &f->boot_id, e);
	if (r == 0)
		r = read_string(j, "cniPath", f->kind == NET_BRIDGE, &f->cni_path, e);
	if (r == 0)
		r = read_string(j, "pastaAddress", false, &f->pasta_address, e);
	if (r == 0)
		r = read_number(j, "pasta", INT32_MAX, &pid, e);
	if (r == 0)
		r = read_number(j, "pastaStart", UINT64_MAX, &f->pasta_start, e);
	if (r < 0)
		return r;
	f->pasta = (pid_t)pid;
	f->config = json_get(j, "config");
	f->result = json_get(j, "result");
	if (f->kind == NET_BRIDGE && (!f->config || f->config->type != JSON_OBJECT))
		return err_text(e, EINVAL, "config is missing");
	return read_ports(json_get(j, "ports"), a, f, e);
}

int net_file_read(int dir, const char *name, struct arena *a, struct net_file *out, struct err *e)
{
	struct net_file f = { .name = name };
	_cleanup_free_ char *text = NULL;
	const struct json *j;
	char file[NAME_MAX + 1];
	size_t len;
	int r = file_name(name, file, sizeof(file), e);

	if (r < 0)
		return r;
	r = fd_read_at(dir, file, FILE_SIZE_MAX, &text, &len);
	if (r < 0)
		return err_set(e, -r, "read what is known of the network of partition \"%s\"", name);
	r = json_parse(a, text, len, file, &j, e);
	if (r == 0)
		r = read_members(j, a, &f, e);
	if (r < 0)
		return err_wrap(e, "network of partition \"%s\"", name);
	*out = f;
	return 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void put_members(struct json_writer *w, const struct net_file *f)
{
	json_open_object(w, NULL);
	json_put_string(w, "kind", f->kind == NET_BRIDGE ? "bridge" : "pasta");
	json_put_string(w, "container", f->container);
	json_put_string(w, "bootId", f->boot_id);
	if (f->kind == NET_BRIDGE) {
		json_put_string(w, "cniPath", f->cni_path);
		json_put_json(w, "config", f->config);
		if (f->result)
			json_put_json(w, "result", f->result);
	}
	if (f->pasta) {
		json_put_i64(w, "pasta", f->pasta);
		json_put_u64(w, "pastaStart", f->pasta_start);
	}
	if (f->pasta_address)
		json_put_string(w, "pastaAddress", f->pasta_address);
	json_open_array(w, "ports");
	for (size_t i = 0; i < f->n_ports; i++) {
		json_open_object(w, NULL);
		json_put_string(w, "hostIP", f->ports[i].host_ip);
		json_put_u64(w, "hostPort", f->ports[i].host_port);
		json_put_u64(w, "containerPort", f->ports[i].port);
		json_put_string(w, "protocol", f->ports[i].protocol);
		json_close_object(w);
	}
	json_close_array(w);
	json_close_object(w);
}

int net_file_write(int dir, const struct net_file *f, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);
	char file[NAME_MAX + 1];
	const char *text = NULL;
	size_t len = 0;
	int r = file_name(f->name, file, sizeof(file), e);

	if (r < 0)
		return r;
	if (w) {
		put_members(w, f);
		text = json_writer_text(w, &len);
	}
	if (!text)
		return err_set(e, ENOMEM, "write down the network of partition \"%s\"", f->name);
	r = fd_replace_at(dir, file, 0600, text, len, e);
	return r < 0 ? err_wrap(e, "write down the network of partition \"%s\"", f->name) : 0;
}

int net_file_remove(int dir, const char *name, struct err *e)
{
	char file[NAME_MAX + 1];
	int r = file_name(name, file, sizeof(file), e);

	if (r == 0 && unlinkat(dir, file, 0) < 0 && errno != ENOENT)
		r = err_set(e, errno, "remove what is known of the network of partition \"%s\"", name);
	return r;
}

/* --- all of them ------------------------------------------------------------------------------ */

struct taken_list {
	struct net_taken *list;
	size_t n, room;
};

static int take(struct taken_list *t, const struct net_file *f, struct arena *a)
{
	if (t->n + f->n_ports > t->room) {
		size_t room = (t->n + f->n_ports) * 2;
		struct net_taken *list = arena_calloc(a, room, sizeof(*list));

		if (!list)
			return -ENOMEM;
		if (t->n)
			memcpy(list, t->list, t->n * sizeof(*list));
		t->list = list;
		t->room = room;
	}
	for (size_t i = 0; i < f->n_ports; i++)
		t->list[t->n++] = (struct net_taken){ f->ports[i], f->name };
	return 0;
}

/* One that vanishes meanwhile or cannot be read has no ports. */
static int take_file(int dir, const char *file, const char *except, struct taken_list *t, struct arena *a)
{
	struct net_file f;
	char *name;

	if (file[0] == '.' || !str_ends(file, SUFFIX))
		return 0;
	name = arena_strndup(a, file, strlen(file) - strlen(SUFFIX));
	if (!name)
		return -ENOMEM;
	if (except && str_eq(name, except))
		return 0;
	return net_file_read(dir, name, a, &f, NULL) == 0 ? take(t, &f, a) : 0;
}

int net_file_taken(
	int dir, const char *except, struct arena *a, struct net_taken **out, size_t *n, struct err *e)
{
	struct taken_list t = { 0 };
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *entry;
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return err_set(e, errno, "look at the other partitions' networks");
	d = fdopendir(fd);
	if (!d) {
		fd_close(fd);
		return err_set(e, errno, "look at the other partitions' networks");
	}
	while (r == 0 && (entry = readdir(d)))
		r = take_file(dir, entry->d_name, except, &t, a);
	if (r < 0)
		return err_set(e, -r, "look at the other partitions' networks");
	*out = t.list;
	*n = t.n;
	return 0;
}
