/* SPDX-License-Identifier: Apache-2.0 */
/* --network: which there are, what they go together with, and what config.json needs of them. */
#include "launch/network_internal.h"

#include <arpa/inet.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/str.h"
#include "runtime/partition.h"

static const char *const kinds[] = {
	[NET_NONE] = "none",
	[NET_HOST] = "host",
	[NET_BRIDGE] = "bridge",
	[NET_PASTA] = "pasta",
	[NET_CONTAINER] = "container",
};

int net_kind_parse(const char *text, enum net_kind *out, const char **name, struct err *e)
{
	size_t len = strcspn(text, ":");
	const char *said = text[len] ? text + len + 1 : NULL;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		if (strlen(kinds[k]) != len || strncmp(text, kinds[k], len) != 0)
			continue;
		if (said && k != NET_BRIDGE && k != NET_CONTAINER)
			return err_text(e, EINVAL, "network \"%s\": \"%s\" stands alone", text, kinds[k]);
		if (k == NET_CONTAINER && (!said || !*said))
			return err_text(e, EINVAL,
				"network \"%s\": whose? Say container:NAME, with the name of a running "
				"partition",
				text);
		if (k == NET_BRIDGE && said && !*said)
			return err_text(e, EINVAL,
				"network \"%s\": which? Say bridge:NAME, or \"bridge\" for our own", text);
		*out = (enum net_kind)k;
		*name = said;
		return 0;
	}
	return err_text(e, EINVAL,
		"no network \"%s\": there are none, host, bridge, bridge:NAME (of /etc/cni/net.d), pasta and "
		"container:NAME",
		text);
}

/* --- parse ------------------------------------------------------------------------------------ */

static int check_kind(enum net_kind kind, const char *name, const char *text, bool rootless, struct err *e)
{
	if (kind == NET_CONTAINER && rt_check_id(name, e) < 0)
		return err_wrap(e, "network \"%s\"", text);
	if (!rootless)
		return 0;
	if (kind == NET_BRIDGE)
		return err_text(e, EPERM,
			"network \"%s\" needs root, for its devices and firewall are the host's; without "
			"root "
			"there is pasta",
			text);
	if (kind == NET_CONTAINER)
		return err_text(e, EPERM,
			"network \"%s\" needs root: without, the namespace belongs to that partition's user "
			"namespace, which another cannot enter",
			text);
	return 0;
}

static int check_publish(const struct launch_opts *o, enum net_kind kind, const char *text, struct err *e)
{
	if (!o->publish || !o->publish[0])
		return 0;
	switch (kind) {
	case NET_NONE:
		return err_text(e, EINVAL,
			"option --publish %s: a partition with network \"none\" cannot be reached; use "
			"bridge "
			"or pasta",
			o->publish[0]);
	case NET_HOST:
		return err_text(e, EINVAL,
			"option --publish %s: with network \"host\" every port is the host's already; leave "
			"one of them out",
			o->publish[0]);
	case NET_CONTAINER:
		return err_text(e, EINVAL,
			"option --publish %s: with network \"%s\" ports are published by that partition, "
			"when "
			"it is launched",
			o->publish[0], text);
	default:
		return 0;
	}
}

/* Our own bridge knows IPv4 only; what others have is seen when they answer. */
static int check_family(const struct launch_record *r, enum net_kind kind, const char *name, struct err *e)
{
	char text[NET_PORT_TEXT_MAX];

	if (kind != NET_BRIDGE || name)
		return 0;
	for (size_t i = 0; i < r->n_ports; i++)
		if (strchr(r->ports[i].host_ip, ':'))
			return err_text(e, EINVAL,
				"option --publish: %s cannot be published by network \"bridge\", which has "
				"IPv4 only; a network of /etc/cni/net.d (bridge:NAME) may have both",
				net_port_text(&r->ports[i], text));
	return 0;
}

static int parse_dns(const struct launch_opts *o, struct launch_record *r, struct arena *a, struct err *e)
{
	size_t n = strv_len(o->dns);
	unsigned char binary[16];
	char **list;

	if (!n)
		return 0;
	list = arena_calloc(a, n + 1, sizeof(*list));
	if (!list)
		return err_set(e, ENOMEM, "option --dns");
	for (size_t i = 0; i < n; i++) {
		if (inet_pton(AF_INET, o->dns[i], binary) != 1 && inet_pton(AF_INET6, o->dns[i], binary) != 1)
			return err_text(e, EINVAL,
				"option --dns %s: not an IPv4 or IPv6 address; name servers are known by "
				"address",
				o->dns[i]);
		list[i] = arena_strdup(a, o->dns[i]);
		if (!list[i])
			return err_set(e, ENOMEM, "option --dns");
	}
	r->dns = list;
	return 0;
}

static int parse_ports(const struct launch_ctx *ctx, const struct launch_opts *o, struct launch_record *r,
	struct arena *a, struct err *e)
{
	_cleanup_close_ int dir = -EBADF;
	struct net_taken *taken = NULL;
	size_t n = 0;
	int rc;

	if (!o->publish || !o->publish[0])
		return 0;
	dir = net_dir_open(ctx, false, a, e);
	if (dir < 0 && dir != -ENOENT)
		return dir;
	if (dir < 0)
		err_clear(e);
	rc = dir < 0 ? 0 : net_file_taken(dir, NULL, a, &taken, &n, e);
	return rc < 0 ? rc : net_ports_parse(o->publish, taken, n, r, a, e);
}

int launch_network_parse(const struct launch_ctx *ctx, const struct launch_opts *o, bool rootless,
	struct launch_record *r, struct arena *a, struct err *e)
{
	const char *text = o->network, *name = NULL, *from_env = getenv("RINGFENCE_NETWORK");
	bool published = o->publish && o->publish[0];
	struct launch_record made = *r;
	enum net_kind kind;
	int rc;

	if (text)
		from_env = NULL;
	if (!text && from_env && *from_env)
		text = from_env;
	if (!text)
		text = !published ? "none" : rootless ? "pasta" : "bridge";
	rc = net_kind_parse(text, &kind, &name, e);
	if (rc == 0)
		rc = check_kind(kind, name, text, rootless, e);
	if (rc == 0)
		rc = check_publish(o, kind, text, e);
	if (rc < 0)
		return from_env && *from_env ? err_hint(e, "RINGFENCE_NETWORK said so") : rc;
	made.network = arena_strdup(a, text);
	made.ports = NULL;
	made.n_ports = 0;
	if (!made.network)
		return err_set(e, ENOMEM, "option --network");
	rc = parse_dns(o, &made, a, e);
	if (rc == 0)
		rc = parse_ports(ctx, o, &made, a, e);
	if (rc == 0)
		rc = check_family(&made, kind, name, e);
	if (rc == 0)
		*r = made;
	return rc;
}

/* --- plan ------------------------------------------------------------------------------------- */

/* What the hooks are told of our environment: where plugins are, and where networks are described. PATH is
 * for the plugins, which look for iptables. */
static int hook_env(struct arena *a, char *const **out, struct err *e)
{
	static const char *const passed[] = { "CNI_PATH", "NETCONFPATH" };
	char **env = arena_calloc(a, ARRAY_SIZE(passed) + 2, sizeof(*env));
	size_t n = 0;

	if (!env)
		return err_set(e, ENOMEM, "environment of the network hooks");
	env[n++] = arena_strdup(a, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	for (size_t i = 0; i < ARRAY_SIZE(passed); i++) {
		const char *value = getenv(passed[i]);

		if (value && *value)
			env[n++] = arena_printf(a, "%s=%s", passed[i], value);
	}
	for (size_t i = 0; i < n; i++)
		if (!env[i])
			return err_set(e, ENOMEM, "environment of the network hooks");
	*out = env;
	return 0;
}

int launch_network_plan(const struct launch_ctx *ctx, const struct launch_record *r, struct arena *a,
	struct launch_network_plan *out, struct err *e)
{
	struct launch_network_plan p = { 0 };
	const char *name;
	enum net_kind kind;
	int rc = net_kind_parse(r->network, &kind, &name, e);

	(void)ctx;
	if (rc < 0)
		return rc;
	p.own = kind == NET_NONE || kind == NET_BRIDGE || kind == NET_PASTA;
	p.hooks = kind == NET_BRIDGE || kind == NET_PASTA;
	if (kind == NET_CONTAINER)
		p.join = LAUNCH_NETWORK_JOIN;
	if (p.hooks)
		rc = hook_env(a, &p.hook_env, e);
	if (rc == 0)
		*out = p;
	return rc;
}

/* --- errors ------------------------------------------------------------------------------------ */

void launch_network_explain(struct err *e)
{
	static const char hook[] = "createRuntime hook ", said[] = "; it said: ringfence: ";
	char *text = e && e->code && str_starts(e->text, hook) ? strstr(e->text, said) : NULL;
	size_t len;

	if (!text)
		return;
	text += strlen(said);
	len = strlen(text);
	while (len && text[len - 1] == ' ')
		len--;
	memmove(e->text, text, len);
	e->text[len] = '\0';
}

/* --- container:NAME --------------------------------------------------------------------------- */

/*
 * The process may end between the look at its start time and open(2), and its pid be somebody else's: so it
 * is looked at again when we hold the namespace. The same start time then means that it was there all the
 * time.
 */
static int open_namespace(const struct rt_ctx *rt, const char *name, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	struct rt_info info = { 0 };
	uint64_t before, after;
	char path[48], state;
	pid_t pid;
	int r = rt_info(rt, name, &info, e);

	if (r == -ENOENT)
		return err_text(e, ESRCH, "partition \"%s\" does not run; start it first", name);
	if (r < 0)
		return r;
	pid = info.pid;
	rt_info_free(&info);
	if (pid <= 0 || rt_proc_stat(pid, &before, &state) < 0 || state == 'Z')
		return err_text(e, ESRCH, "partition \"%s\" does not run; start it first", name);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, "open %s, the network of partition \"%s\"", path, name);
	/* The runtime believes pid and start time; asked again, it would say so of the same process only. */
	r = rt_info(rt, name, &info, e);
	if (r < 0)
		return r;
	if (info.pid != pid || rt_proc_stat(pid, &after, &state) < 0 || after != before || state == 'Z')
		r = err_text(e, ESRCH, "partition \"%s\" ended just now; start it first", name);
	rt_info_free(&info);
	return r < 0 ? r : TAKE_FD(fd);
}

int launch_network_join(const struct launch_ctx *ctx, const struct launch_record *r, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	_cleanup_close_ int fd = -EBADF;
	struct launch_dir other = { .fd = -EBADF, .partitions = -EBADF };
	const char *name;
	enum net_kind kind;
	struct rt_ctx rt;
	int rc = net_kind_parse(r->network, &kind, &name, e);

	if (rc < 0 || kind != NET_CONTAINER)
		return rc;
	if (!a)
		return err_set(e, ENOMEM, "network \"%s\"", r->network);
	if (str_eq(name, r->name))
		return err_text(e, EINVAL, "network \"%s\": a partition cannot join itself", r->network);
	rc = launch_dir_open(ctx, name, false, a, &other, e);
	/* One that was not launched, but run, has a network as well. */
	if (rc == -ENOENT)
		err_clear(e);
	else if (rc < 0)
		return err_wrap(e, "network \"%s\"", r->network);
	rt = rc < 0 || other.damaged ? *ctx->rt : launch_rt(ctx, &other.record);
	fd = open_namespace(&rt, name, e);
	if (rc == 0)
		launch_dir_close(&other);
	if (fd < 0)
		return err_wrap(e, "network \"%s\"", r->network);
	if (dup3(fd, LAUNCH_NETWORK_FD, O_CLOEXEC) < 0)
		return err_set(e, errno, "network \"%s\": keep its descriptor", r->network);
	return 0;
}
