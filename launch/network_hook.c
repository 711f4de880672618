/* SPDX-License-Identifier: Apache-2.0 */
/* A partition's network set up by the createRuntime hook and taken down by the poststop hook (network.h). */
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "launch/cni.h"
#include "launch/network_internal.h"
#include "launch/record_internal.h"

#define STATE_MAX (1024 * 1024)

/* What both directions work with. */
struct hook {
	const struct launch_ctx *ctx;
	struct arena *a;
	const char *name, *bundle;
	pid_t pid;
	int dir;  /* <data>/network */
	int lock; /* of bridges */
	struct net_file file;
};

static int read_state(struct hook *h, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	const struct json *j, *m;
	int64_t pid = 0;
	size_t len;
	int r = fd_read_all(0, STATE_MAX, &text, &len);

	if (r < 0)
		return err_set(e, -r, "read the state on stdin");
	r = json_parse(h->a, text, len, "state", &j, e);
	if (r < 0)
		return r;
	m = json_get(j, "id");
	r = m ? json_as_string(m, "id", &h->name, e) : err_text(e, EINVAL, "the state has no id");
	if (r == 0)
		r = rt_check_id(h->name, e);
	m = json_get(j, "bundle");
	if (r == 0 && m)
		r = json_as_string(m, "bundle", &h->bundle, e);
	m = json_get(j, "pid");
	if (r == 0 && m)
		r = json_as_i64(m, "pid", &pid, e);
	if (r == 0 && (pid < 0 || pid > INT32_MAX))
		r = err_text(e, EINVAL, "the state's pid is out of range");
	h->pid = (pid_t)pid;
	return r;
}

/* --- down ------------------------------------------------------------------------------------- */

/* What the file says. `netns`: that of a partition that still lives, or NULL. */
static int undo(struct hook *h, const char *netns, struct err *e)
{
	struct net_file *f = &h->file;
	struct cni_job job = {
		.list = f->config,
		.container = f->container,
		.path = f->cni_path,
		.ports = f->ports,
		.n_ports = f->n_ports,
	};
	int r;

	if (f->kind == NET_PASTA) {
		r = net_pasta_down(h->dir, f, h->a, e);
	} else {
		/* It was whole when it was set up; what a file says is looked at again before it is used. */
		r = cni_conf_check(f->config, f->cni_path, false, h->a, e);
		if (r == 0)
			r = cni_del(&job, netns, f->result, h->a, e);
	}
	return r < 0 ? r : net_file_remove(h->dir, h->name, e);
}

/* -ENOENT: there is nothing. A file that cannot be read is nothing that could be undone. */
static int known(struct hook *h, struct err *e)
{
	struct err mine = ERR_INIT;
	int r = net_file_read(h->dir, h->name, h->a, &h->file, &mine);

	if (r == 0 || r == -ENOENT)
		return r;
	log_warn("%s; what it set up may stay behind", mine.text);
	r = net_file_remove(h->dir, h->name, e);
	return r < 0 ? r : -ENOENT;
}

static int take_down(struct hook *h, struct err *e)
{
	int r = known(h, e);

	if (r == -ENOENT)
		return 0;
	if (r == 0 && h->file.kind == NET_BRIDGE && h->lock < 0) {
		h->lock = cni_lock(h->a, e);
		r = h->lock < 0 ? h->lock : 0;
		/* Somebody else may have done it while we waited. */
		if (r == 0)
			r = known(h, e);
		if (r == -ENOENT)
			return 0;
	}
	return r < 0 ? r : undo(h, NULL, e);
}

/* --- up --------------------------------------------------------------------------------------- */

/* A name of this start that nobody else has, neither another data directory nor a start that was cut short.
 * Letters, digits, '.', '_' and '-' only, the first a letter. */
static int container_id(struct hook *h, struct err *e)
{
	char name[65];
	uint64_t random;
	size_t n = 0;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return err_set(e, errno, "make an id for the network");
	for (const char *p = h->name; *p && n < sizeof(name) - 1; p++)
		name[n++] = *p == '+' ? '-' : *p;
	name[n] = '\0';
	h->file.container = arena_printf(h->a, "rf-%s-%016jx", name, (uintmax_t)random);
	return h->file.container ? 0 : err_set(e, ENOMEM, "make an id for the network");
}

static int check_ports(struct hook *h, struct err *e)
{
	struct net_taken *taken = NULL;
	size_t n = 0;
	int r;

	if (!h->file.n_ports)
		return 0;
	r = net_file_taken(h->dir, h->name, h->a, &taken, &n, e);
	return r < 0 ? r : net_ports_check(h->file.ports, h->file.n_ports, taken, n, e);
}

static int note(void *arg, const struct json *result, struct err *e)
{
	struct hook *h = arg;

	h->file.result = result;
	return net_file_write(h->dir, &h->file, e);
}

/* A port can only be published to an address of its own kind, and portmap leaves others out without a word.
 */
static int check_published(struct hook *h, char *const *addresses, struct err *e)
{
	bool has[2] = { false, false };
	char text[NET_PORT_TEXT_MAX];
	const char *address;

	strv_each (address, addresses)
		has[strchr(address, ':') != NULL] = true;
	for (size_t i = 0; i < h->file.n_ports; i++) {
		bool v6 = strchr(h->file.ports[i].host_ip, ':');

		if (!has[v6])
			return err_text(e, EADDRNOTAVAIL,
				"port %s cannot be published: the network gives no IPv%d address",
				net_port_text(&h->file.ports[i], text), v6 ? 6 : 4);
	}
	return 0;
}

static int bridge_up(struct hook *h, const char *network, struct err *e)
{
	struct net_file *f = &h->file;
	struct cni_job job = { .container = f->container, .ports = f->ports, .n_ports = f->n_ports };
	char **addresses;
	char netns[48];
	bool own;
	int r;

	f->cni_path = job.path = cni_path(h->a, e);
	if (!job.path)
		return -ENOMEM;
	r = cni_conf_find(network, h->a, &job.list, &own, e);
	if (r == 0)
		r = cni_conf_check(job.list, job.path, f->n_ports > 0, h->a, e);
	if (r == 0)
		r = check_ports(h, e);
	if (r == 0 && own)
		r = cni_own_guard(e);
	f->config = job.list;
	if (r == 0)
		r = net_file_write(h->dir, f, e);
	if (r < 0)
		return r;
	snprintf(netns, sizeof(netns), "/proc/%d/ns/net", (int)h->pid);
	r = cni_add(&job, netns, &f->result, note, h, h->a, e);
	if (r == 0)
		r = cni_result_addresses(f->result, h->a, &addresses, e);
	if (r == 0)
		r = check_published(h, addresses, e);
	if (r == 0 && addresses[0] && h->bundle)
		r = net_hosts_set(h->bundle, addresses[0], e);
	if (r < 0) {
		struct err more = ERR_INIT;

		/* What fails here stays known, and the poststop hook tries again. */
		if (undo(h, netns, &more) < 0)
			err_hint(e, "and taking it down again: %s", more.text);
	}
	return r;
}

static int pasta_up(struct hook *h, struct err *e)
{
	int r = check_ports(h, e);

	if (r == 0)
		r = net_file_write(h->dir, &h->file, e);
	if (r < 0)
		return r;
	r = net_pasta_up(h->dir, &h->file, h->pid, h->a, e);
	if (r == 0 && h->file.pasta_address && h->bundle)
		r = net_hosts_set(h->bundle, h->file.pasta_address, e);
	if (r < 0)
		undo(h, NULL, NULL);
	return r;
}

static int set_up(struct hook *h, struct err *e)
{
	struct launch_dir d = { .fd = -EBADF, .partitions = -EBADF };
	const char *network = NULL;
	struct err before = ERR_INIT;
	int r = launch_dir_open(h->ctx, h->name, false, h->a, &d, e);

	if (r < 0)
		return r;
	launch_dir_close(&d); /* the record is in the arena */
	if (d.damaged)
		return err_text(e, EINVAL, "the record of partition \"%s\" cannot be read", h->name);
	h->file = (struct net_file){ 0 };
	r = net_kind_parse(d.record.network, &h->file.kind, &network, e);
	if (r == 0 && h->file.kind != NET_BRIDGE && h->file.kind != NET_PASTA)
		return err_text(e, EINVAL, "network \"%s\" has nothing to set up", d.record.network);
	if (r == 0 && h->pid <= 0)
		return err_text(e, EINVAL, "the state has no pid");
	if (r == 0 && h->file.kind == NET_BRIDGE) {
		h->lock = cni_lock(h->a, e);
		r = h->lock < 0 ? h->lock : 0;
	}
	if (r < 0)
		return r;
	/* Of a start that was cut short. */
	if (take_down(h, &before) < 0)
		log_warn("what an earlier start left: %s", before.text);
	r = net_kind_parse(d.record.network, &h->file.kind, &network, e);
	h->file = (struct net_file){
		.name = h->name,
		.kind = h->file.kind,
		.boot_id = launch_boot_id(),
		.ports = d.record.ports,
		.n_ports = d.record.n_ports,
	};
	if (r == 0)
		r = container_id(h, e);
	if (r < 0)
		return r;
	return h->file.kind == NET_BRIDGE ? bridge_up(h, network, e) : pasta_up(h, e);
}

/* --- the calls -------------------------------------------------------------------------------- */

int launch_network_hook(const struct launch_ctx *ctx, const char *what, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct hook h = { .ctx = ctx, .a = a, .dir = -EBADF, .lock = -EBADF };
	bool up = str_eq(what, "up");
	int r;

	if (!up && !str_eq(what, "down"))
		return err_text(e, EINVAL, "network-hook takes \"up\" or \"down\", not \"%s\"", what);
	if (!a)
		return err_set(e, ENOMEM, "network-hook");
	r = read_state(&h, e);
	if (r < 0)
		return err_wrap(e, "network-hook");
	if (!up)
		return launch_network_down(ctx, h.name, e);
	h.dir = net_dir_open(ctx, true, a, e);
	r = h.dir < 0 ? h.dir : set_up(&h, e);
	fd_close(h.dir);
	fd_close(h.lock);
	return r;
}

int launch_network_down(const struct launch_ctx *ctx, const char *name, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct hook h = { .ctx = ctx, .a = a, .name = name, .lock = -EBADF };
	int r;

	if (!a)
		return err_set(e, ENOMEM, "network of partition \"%s\"", name);
	h.dir = net_dir_open(ctx, false, a, e);
	if (h.dir == -ENOENT) {
		err_clear(e);
		return 0;
	}
	r = h.dir < 0 ? h.dir : take_down(&h, e);
	fd_close(h.dir);
	fd_close(h.lock);
	return r;
}

int launch_network_addresses(
	const struct launch_ctx *ctx, const char *name, struct arena *a, char ***out, struct err *e)
{
	_cleanup_close_ int dir = net_dir_open(ctx, false, a, e);
	char **list = arena_calloc(a, 2, sizeof(*list));
	struct net_file f;
	int r;

	if (dir < 0 && dir != -ENOENT)
		return dir;
	if (!list)
		return err_set(e, ENOMEM, "addresses of partition \"%s\"", name);
	r = dir < 0 ? dir : net_file_read(dir, name, a, &f, e);
	if (r == -ENOENT)
		err_clear(e);
	else if (r < 0)
		return r;
	else if (f.result)
		return cni_result_addresses(f.result, a, out, e);
	else
		list[0] = (char *)f.pasta_address;
	*out = list;
	return 0;
}
