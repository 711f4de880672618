/* SPDX-License-Identifier: Apache-2.0 */
/* A network's plugins in order, and in reverse (CNI specification 1.0.0, sections 3 and 4). */
#include "launch/cni.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"

/* What the list, or we, say in the place of the plugin's own configuration. */
static bool is_ours(const char *key)
{
	static const char *const keys[] = { "cniVersion", "name", "prevResult", "runtimeConfig",
		"capabilities" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (str_eq(key, keys[i]))
			return true;
	return false;
}

static void put_ports(struct json_writer *w, const struct cni_job *job)
{
	json_open_object(w, "runtimeConfig");
	json_open_array(w, "portMappings");
	for (size_t i = 0; i < job->n_ports; i++) {
		const struct launch_port *p = &job->ports[i];

		json_open_object(w, NULL);
		json_put_u64(w, "hostPort", p->host_port);
		json_put_u64(w, "containerPort", p->port);
		json_put_string(w, "protocol", p->protocol);
		json_put_string(w, "hostIP", p->host_ip);
		json_close_object(w);
	}
	json_close_array(w);
	json_close_object(w);
}

/* Section 3, "Deriving execution configuration from plugin configuration". */
static int derive(struct json_writer *w, const struct cni_job *job, const struct json *plugin,
	const struct json *result, const char **text, size_t *len, struct err *e)
{
	const struct json *maps = json_get(json_get(plugin, "capabilities"), "portMappings"), *m;

	json_open_object(w, NULL);
	json_put_json(w, "cniVersion", json_get(job->list, "cniVersion"));
	json_put_json(w, "name", json_get(job->list, "name"));
	json_each (m, plugin)
		if (!is_ours(m->key))
			json_put_json(w, m->key, m);
	if (maps && maps->type == JSON_BOOL && maps->boolean && job->n_ports)
		put_ports(w, job);
	if (result)
		json_put_json(w, "prevResult", result);
	json_close_object(w);
	*text = json_writer_text(w, len);
	return *text ? 0 : err_set(e, ENOMEM, "write the configuration of a CNI plugin");
}

static int call(const struct cni_job *job, const struct json *plugin, const char *command, const char *netns,
	const struct json *result, struct arena *a, char **out, size_t *len, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(false);
	struct cni_call c = {
		.type = json_get(plugin, "type")->text,
		.command = command,
		.container = job->container,
		.path = job->path,
		.netns = netns,
		.seconds = CNI_PLUGIN_SECONDS,
	};
	int r;

	if (!w)
		return err_set(e, ENOMEM, "CNI plugin %s", c.type);
	r = cni_plugin_find(c.type, job->path, a, &c.program, e);
	if (r == 0)
		r = derive(w, job, plugin, result, &c.input, &c.input_len, e);
	return r < 0 ? r : cni_exec(&c, out, len, e);
}

static const char *name_of(const struct cni_job *job)
{
	return json_get(job->list, "name")->text;
}

static int add_one(const struct cni_job *job, const struct json *plugin, const char *netns,
	const struct json **result, struct arena *a, struct err *e)
{
	const char *type = json_get(plugin, "type")->text;
	_cleanup_free_ char *text = NULL;
	const struct json *j;
	char **addresses;
	size_t len = 0;
	int r = call(job, plugin, "ADD", netns, *result, a, &text, &len, e);

	if (r < 0)
		return r;
	r = json_parse(a, text, len, "its result", &j, e);
	if (r == 0)
		r = cni_result_addresses(j, a, &addresses, e);
	if (r < 0)
		return err_wrap(e, "CNI plugin %s (ADD)", type);
	*result = j;
	return 0;
}

int cni_add(const struct cni_job *job, const char *netns, const struct json **result,
	int (*note)(void *arg, const struct json *result, struct err *e), void *arg, struct arena *a,
	struct err *e)
{
	const struct json *plugin;
	int r = 0;

	json_each (plugin, json_get(job->list, "plugins")) {
		r = add_one(job, plugin, netns, result, a, e);
		if (r == 0 && note)
			r = note(arg, *result, e);
		if (r < 0)
			return err_wrap(e, "network \"%s\"", name_of(job));
	}
	return 0;
}

/* --- down ------------------------------------------------------------------------------------- */

/* What the interface looked like: by the result, or where there is none by the lease. */
static int ghost_of(const struct cni_job *job, const struct json *result, struct arena *a)
{
	char *leased[2] = { NULL, NULL }, **addresses = leased;
	struct err ignored = ERR_INIT;

	if (result && cni_result_addresses(result, a, &addresses, &ignored) < 0)
		return -EINVAL;
	if (!result)
		leased[0] = (char *)cni_leased(job->list, job->container, a);
	return addresses[0] ? cni_ghost(addresses, &ignored) : -ENOENT;
}

/*
 * A DEL that was cut short, a boot, or an administrator's `iptables -F` and `-X`: the bridge plugin takes it
 * for a failure that the chain of a partition is not there any more, where iptables is that of nftables
 * ("Chain 'X' does not exist": plugins 1.1.1 know the other one's message only). No rule can lead to a chain
 * that is not there, so nothing of it is left but the lease, which it gives back without a namespace to look
 * into.
 */
static int del_one(const struct cni_job *job, const struct json *plugin, const char *netns,
	const struct json *result, struct arena *a, struct err *e)
{
	_cleanup_free_ char *text = NULL, *again = NULL;
	struct err mine = ERR_INIT;
	size_t len;
	int r = call(job, plugin, "DEL", netns, result, a, &text, &len, &mine);

	if (r == -EIO && netns && strstr(mine.text, "does not exist"))
		return call(job, plugin, "DEL", NULL, result, a, &again, &len, e);
	if (r < 0)
		*e = mine;
	return r;
}

int cni_del(const struct cni_job *job, const char *netns, const struct json *result, struct arena *a,
	struct err *e)
{
	const struct json *plugins = json_get(job->list, "plugins"), *p, **order;
	_cleanup_close_ int ghost = -EBADF;
	struct err first = ERR_INIT;
	size_t n = 0;

	if (!netns) {
		ghost = ghost_of(job, result, a);
		if (ghost >= 0)
			netns = arena_printf(a, "/proc/%d/fd/%d", (int)getpid(), ghost);
	}
	order = arena_calloc(a, plugins->count + 1, sizeof(*order));
	if (!order)
		return err_set(e, ENOMEM, "network \"%s\"", name_of(job));
	json_each (p, plugins)
		order[n++] = p;
	while (n-- > 0) {
		struct err mine = ERR_INIT;

		if (del_one(job, order[n], netns, result, a, &mine) < 0 && !first.code)
			first = mine;
	}
	if (!first.code)
		return 0;
	if (e)
		*e = first;
	return err_wrap(e, "network \"%s\"", name_of(job));
}
