/* SPDX-License-Identifier: Apache-2.0 */
/* ringfence launch: a partition out of an image. */
#include <ctype.h>

#include "cli/launched.h"

/* What docker's exit statuses tell apart: that it was us, that the command cannot be executed, that there is
 * none. */
#define LAUNCH_FAILED	     125
#define COMMAND_NOT_EXECUTED 126
#define COMMAND_NOT_FOUND    127

#define AT(field)	     offsetof(struct launch_opts, field)
static const struct opt options[] = {
	{ "name", 0, OPT_STRING, AT(name), "NAME", "of the partition (default: one is made up)" },
	{ "detach", 'd', OPT_BOOL, AT(detach), NULL,
		"return as soon as it runs; a supervisor stays with it" },
	{ "interactive", 'i', OPT_BOOL, AT(interactive), NULL, "standard input is joined to it" },
	{ "tty", 't', OPT_BOOL, AT(tty), NULL, "with a terminal" },
	{ "rm", 0, OPT_BOOL, AT(rm), NULL, "remove it, and its anonymous volumes, when it has ended" },
	{ "restart", 0, OPT_STRING, AT(restart), "POLICY",
		"no (default), on-failure[:N], always or unless-stopped" },
	{ "pull", 0, OPT_STRING, AT(pull), "WHEN", "fetch the image: missing (default), always or never" },
	{ "entrypoint", 0, OPT_STRING, AT(entrypoint), "COMMAND", "instead of the image's; \"\" for none" },
	{ "env", 'e', OPT_LIST, AT(env), "NAME[=VALUE]", "environment variable; without a value: ours" },
	{ "env-file", 0, OPT_LIST, AT(env_files), "FILE", "environment variables, a line each" },
	{ "workdir", 'w', OPT_STRING, AT(workdir), "DIR", "working directory" },
	{ "user", 'u', OPT_STRING, AT(user), "USER[:GROUP]", "names of the image, or numbers" },
	{ "hostname", 'h', OPT_STRING, AT(hostname), "NAME", "default: the partition's name" },
	{ "volume", 'v', OPT_LIST, AT(volumes), "[SOURCE:]PATH[:OPTIONS]",
		"a directory of the host, or a volume by its name" },
	{ "mount", 0, OPT_LIST, AT(mounts), "KEY=VALUE,...",
		"type=bind|volume|tmpfs, source=, destination=, ..." },
	{ "tmpfs", 0, OPT_LIST, AT(tmpfs), "PATH[:OPTIONS]", "an empty directory in memory" },
	{ "read-only", 0, OPT_BOOL, AT(read_only), NULL, "the root file system cannot be written to" },
	{ "shm-size", 0, OPT_STRING, AT(shm_size), "BYTES", "of /dev/shm (default 64M)" },
	{ "network", 0, OPT_STRING, AT(network), "NETWORK",
		"none, host, bridge[:NAME], pasta or container:NAME (default none; with --publish bridge, or "
		"pasta without root)" },
	{ "net", 0, OPT_STRING, AT(network), "NETWORK", NULL },
	{ "publish", 'p', OPT_LIST, AT(publish), "[[IP:]HOST:]PORT[/PROTO]", "a port, or a range of them" },
	{ "dns", 0, OPT_LIST, AT(dns), "ADDRESS", "name server" },
	{ "add-host", 0, OPT_LIST, AT(add_hosts), "NAME:ADDRESS", "a line in /etc/hosts" },
	{ "memory", 'm', OPT_SIZE, AT(memory), "BYTES", "memory limit; -1 for none" },
	{ "memory-swap", 0, OPT_SIZE, AT(memory_swap), "BYTES", "limit on memory and swap together" },
	{ "cpus", 0, OPT_STRING, AT(cpus), "NUMBER", "processors' worth of time, such as 1.5" },
	{ "cpuset-cpus", 0, OPT_STRING, AT(cpuset), "CPUS", "processors to run on, such as 0-3,5" },
	{ "cpuset", 0, OPT_STRING, AT(cpuset), "CPUS", NULL },
	{ "pids-limit", 0, OPT_I64, AT(pids), "NUMBER", "limit on processes; -1 for none" },
	{ "pids", 0, OPT_I64, AT(pids), "NUMBER", NULL },
	{ "device", 0, OPT_LIST, AT(devices), "HOST[:INSIDE[:rwm]]", "a device of the host" },
	{ "cap-add", 0, OPT_LIST, AT(cap_add), "CAPABILITY", "one more, or ALL" },
	{ "cap-drop", 0, OPT_LIST, AT(cap_drop), "CAPABILITY", "one less, or ALL" },
	{ "privileged", 0, OPT_BOOL, AT(privileged), NULL, "refused: it says what to use instead" },
	{ "security-opt", 0, OPT_LIST, AT(security_opt), "OPTION",
		"seccomp=FILE|unconfined, no-new-privileges[=false], apparmor=, label=, mask=, unmask=" },
	{ "userns", 0, OPT_STRING, AT(userns), "MODE", "auto (default), host or UID:SIZE" },
	{ "ulimit", 0, OPT_LIST, AT(ulimits), "NAME=SOFT[:HARD]", "resource limit" },
	{ "sysctl", 0, OPT_LIST, AT(sysctls), "NAME=VALUE", "kernel parameter of its namespaces" },
	{ "init", 0, OPT_BOOL, AT(init), NULL, "a first process that reaps the others" },
	{ "boot", 0, OPT_BOOL, AT(boot), NULL, "run the image's init (systemd), as systemd-nspawn --boot" },
	{ "isolation", 0, OPT_STRING, AT(isolation), "KIND",
		"partition (default) or sandbox: a kernel of its own" },
	{ "accel", 0, OPT_STRING, AT(accel), "KIND",
		"of a sandbox's machine: auto (default), kvm, tcg or qemu" },
	{ "stop-signal", 0, OPT_STRING, AT(stop_signal), "SIGNAL",
		"what stop sends (default: the image's, or TERM)" },
	{ "stop-timeout", 0, OPT_COUNT, AT(stop_timeout), "SECONDS", "until stop kills (default 10)" },
	{ "log-max", 0, OPT_SIZE, AT(log_max), "BYTES", "of its log before it is rotated; -1 for no limit" },
	{ "label", 'l', OPT_LIST, AT(labels), "KEY[=VALUE]", "label" },
	{ "annotation", 0, OPT_LIST, AT(annotations), "KEY=VALUE", "annotation in config.json" },
	{ "pid-file", 0, OPT_STRING, AT(pid_file), "FILE", "where to write the process id" },
	{ "cidfile", 0, OPT_STRING, AT(cidfile), "FILE", "where to write the name" },
	{ 0 },
};
#undef AT

static const struct launch_opts defaults = { .stop_timeout = -1 };

/* --- arguments ---------------------------------------------------------------------------------- */

/* The words of a command line as one would type them, as far as they fit: for a hint. */
static void add_words(struct strbuf *b, char *const *words)
{
	const char *word;

	strv_each (word, words) {
		bool plain = *word != '\0';

		for (const char *p = word; *p; p++)
			plain = plain && (isalnum((unsigned char)*p) || strchr("_-./:=,+@", *p));
		strbuf_printf(b, plain ? " %s" : " '%s'", word);
		if (b->len > 200) {
			strbuf_puts(b, " ...");
			return;
		}
	}
}

/* docker's and podman's way to say a command: after the image, without "--". */
static int no_dashes(char *const *args, struct err *e)
{
	_cleanup_strbuf_ struct strbuf b = { 0 };
	char *rest[3] = { args[0], NULL, NULL };

	add_words(&b, rest);
	strbuf_puts(&b, " --");
	add_words(&b, args + 1);
	return err_text(e, EINVAL,
		"launch takes an image and a name; a command comes after \"--\": ringfence launch%s",
		b.s ? b.s : "");
}

/* IMAGE [NAME] [-- COMMAND...], after the options. */
static int read_args(char *const *args, struct launch_opts *o, struct err *e)
{
	size_t n = 0;

	while (args[n] && !str_eq(args[n], "--"))
		n++;
	if (n == 0)
		return err_text(e, EINVAL, "launch requires an IMAGE");
	o->image = args[0];
	if (args[n])
		o->command = args + n + 1;
	if (n > 1 && args[1][0] == '-')
		return err_text(e, EINVAL,
			"options of launch come before the image: \"%s\" after \"%s\" is none; a command "
			"comes "
			"after \"--\"",
			args[1], args[0]);
	if (n > 2 || (n == 2 && strchr(args[1], '/')))
		return no_dashes(args, e);
	if (n == 2 && o->name && !str_eq(o->name, args[1]))
		return err_text(e, EINVAL, "two names: --name %s and \"%s\"; a command comes after \"--\"",
			o->name, args[1]);
	if (n == 2)
		o->name = args[1];
	return 0;
}

static int failure(const struct err *e)
{
	/* The texts of runtime/lookup.c, which engines look for too. */
	if (strstr(e->text, "exec: "))
		return e->code == ENOENT ? COMMAND_NOT_FOUND : COMMAND_NOT_EXECUTED;
	return LAUNCH_FAILED;
}

/* As the engine would find it by itself: but whether there is a user namespace hangs on it, too. */
static const char *isolation(const struct launch_opts *o)
{
	static const char key[] = "io.ringfence.isolation=";
	const char *found = cli_isolation(o->isolation);
	char *const *s = found ? NULL : o->annotations;

	for (; s && *s; s++)
		if (str_starts(*s, key))
			found = *s + strlen(key);
	return found;
}

static int run(const struct rt_ctx *rt, const void *values, char *const *args, struct err *e)
{
	_cleanup_(arena_freep) struct arena *a = arena_new();
	struct launch_opts o = *(const struct launch_opts *)values;
	struct launch_ctx ctx = cli_launch_ctx(rt);
	_cleanup_strbuf_ struct strbuf line = { 0 };
	const char *name = NULL;
	int status = 0, r = a ? 0 : err_set(e, ENOMEM, "launch");

	if (r == 0)
		r = read_args(args, &o, e);
	o.isolation = isolation(&o);
	if (r == 0)
		r = launch_run(&ctx, &o, a, &name, &status, e);
	if (r < 0)
		return failure(e);
	if (!o.detach)
		return status;
	strbuf_printf(&line, "%s\n", name);
	r = line.failed ? err_set(e, ENOMEM, "launch") : cli_print(line.s, line.len, e);
	return r < 0 ? LAUNCH_FAILED : 0;
}

const struct cli_verb verb_launch = {
	.executes = true,
	.not_understood = LAUNCH_FAILED,
	.name = "launch",
	.args = "IMAGE [NAME] [-- COMMAND...]",
	.min_args = 1,
	.max_args = -1,
	.in_order = true,
	.summary = "Make a partition out of an image, and run it",
	.options = options,
	.defaults = &defaults,
	.size = sizeof(struct launch_opts),
	.run = run,
};
