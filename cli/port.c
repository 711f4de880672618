/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence port: which ports of the host lead to a launched partition. */
#include "cli/cli.h"
#include "launch/network.h"
#include "launch/record.h"

struct values {
	const char *format;
};

static const struct opt options[] = {
	{ "format", 0, OPT_STRING, offsetof(struct values, format), "FORMAT", "text (default) or json" },
	{ 0 },
};

/* "80", "80/udp"; without a protocol it is tcp, as when it is published. */
static int parse_wanted(const char *text, uint16_t *port, const char **protocol, struct err *e)
{
	const char *slash = strchr(text, '/');
	char number[8];
	uint32_t n = 0;

	*protocol = slash ? slash + 1 : "tcp";
	snprintf(number, sizeof(number), "%.*s", (int)(slash ? slash - text : 7), text);
	if (str_to_u32(number, &n) < 0 || n == 0 || n > UINT16_MAX ||
		(!str_eq(*protocol, "tcp") && !str_eq(*protocol, "udp")))
		return err_text(e, EINVAL, "\"%s\" is no port: it is a number, and /tcp or /udp", text);
	*port = (uint16_t)n;
	return 0;
}

static void put_address(struct strbuf *out, const struct launch_port *p)
{
	bool v6 = strchr(p->host_ip, ':');

	strbuf_printf(out, "%s%s%s:%u\n", v6 ? "[" : "", p->host_ip, v6 ? "]" : "", (unsigned)p->host_port);
}

static int print_json(const struct launch_port *const *ports, size_t n, struct err *e)
{
	_cleanup_(json_writer_freep) struct json_writer *w = json_writer_new(true);

	if (!w)
		return err_set(e, ENOMEM, "port");
	json_open_array(w, NULL);
	for (size_t i = 0; i < n; i++) {
		json_open_object(w, NULL);
		json_put_u64(w, "port", ports[i]->port);
		json_put_string(w, "protocol", ports[i]->protocol);
		json_put_string(w, "hostIp", ports[i]->host_ip);
		json_put_u64(w, "hostPort", ports[i]->host_port);
		json_close_object(w);
	}
	json_close_array(w);
	return cli_print_json(w, e);
}

static int print_text(const struct launch_port *const *ports, size_t n, bool one, struct err *e)
{
	_cleanup_strbuf_ struct strbuf out = { 0 };

	for (size_t i = 0; i < n; i++) {
		if (!one)
			strbuf_printf(&out, "%u/%s -> ", (unsigned)ports[i]->port, ports[i]->protocol);
		put_address(&out, ports[i]);
	}
	if (out.failed)
		return err_set(e, ENOMEM, "port");
	return out.s ? cli_print(out.s, out.len, e) : 0;
}

static int show(const struct launch_record *r, const char *wanted, bool json, struct arena *a, struct err *e)
{
	const struct launch_port **ports = arena_calloc(a, r->n_ports + 1, sizeof(*ports));
	const char *protocol = NULL;
	uint16_t port = 0;
	size_t n = 0;
	int rc = ports ? 0 : err_set(e, ENOMEM, "port");

	if (rc == 0 && wanted)
		rc = parse_wanted(wanted, &port, &protocol, e);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < r->n_ports; i++)
		if (!wanted || (r->ports[i].port == port && str_eq(r->ports[i].protocol, protocol)))
			ports[n++] = &r->ports[i];
	if (wanted && !n)
		return err_text(e, ENOENT, "partition \"%s\" does not publish its port %u/%s", r->name,
			(unsigned)port, protocol);
	return json ? print_json(ports, n, e) : print_text(ports, n, wanted, e);
}

static int run(const struct rt_ctx *ctx, const void *values, char *const *args, struct err *e)
{
	const struct values *v = values;
	struct launch_ctx launch = { .rt = ctx, .data = ctx->data, .store = ctx->store };
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct launch_dir d = { .fd = -EBADF, .partitions = -EBADF };
	int json = cli_format_is_json(v->format ? v->format : "text", "text", e), r;

	if (json < 0)
		return json;
	if (!a)
		return err_set(e, ENOMEM, "port");
	r = launch_dir_open(&launch, args[0], false, a, &d, e);
	if (r < 0)
		return r;
	launch_dir_close(&d);
	if (d.damaged)
		return err_text(e, EINVAL, "the record of partition \"%s\" cannot be read", args[0]);
	return show(&d.record, args[1], json, a, e);
}

const struct cli_verb verb_port = {
	.name = "port",
	.args = "NAME [PORT[/tcp|/udp]]",
	.min_args = 1,
	.max_args = 2,
	.summary = "Tell which ports of the host lead to a launched partition",
	.options = options,
	.size = sizeof(struct values),
	.run = run,
};
